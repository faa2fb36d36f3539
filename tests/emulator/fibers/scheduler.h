// The scheduler's side towards the driver (driver.cpp) and the replay of launches (replay.cpp).
#pragma once
#include <stddef.h>
#include <memory>
#include <string>
#include "fibers/emulator.h"

namespace emu {
// The registered kernel of that name, or null.
const Entry* find_kernel(const char* name);

struct Program;
struct Launch {
    const Entry* kernel;
    unsigned grid[3], block[3], shared;
    void** args;
    // The kernel's PTX, where that is what is run instead of the C++.
    std::shared_ptr<Program> program = nullptr;
};
// Runs a launch to its end on the calling thread and the pool of OS threads. Returns an empty string, or what went wrong, where.
std::string run_launch(const Launch& launch);

#if defined(EMU_TSAN)
// Makes the race detector look for races between blocks instead of within them: blocks are not ordered, and shared memory, of which they use the
// same, is not watched.
void watch_blocks();
#endif

// Whether the calling OS thread is inside a kernel; for the handler of memory faults, which then ends the launch by going on in `fault_here`.
bool in_kernel();
// What the message of a memory fault names.
void set_fault_address(const void* address);
void fault_here();
}  // namespace emu
