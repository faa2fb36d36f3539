// What the stand-ins for cuBLAS and cuDNN need of the emulated driver. Their work goes into a stream as a kernel's does: it is done when something waits for
// it, captured where the stream is being captured, and done again by every launch of the graph.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <functional>
#include <vector>
#include "driver/errors.h"
#include "fibers/numbers.h"

#define API extern "C" __attribute__((visibility("default")))

namespace emu {
// Device memory that the work of a call uses.
struct Operand {
    const void* address;
    size_t bytes;
};
// Queues work on a stream of the current context. All operands must lie in the device's memory now, and still when the work is done.
Error queue_library_call(void* stream, const char* call, const std::vector<Operand>& operands, std::function<void()> work);
// Waits for a stream, which must not be capturing.
Error finish_library_calls(void* stream);
// For emulator_get: handles and descriptors that are alive.
void count_library_object(int change);
// For emulator_report: why a call was refused. Returns the status.
int refuse(int status, const char* call, const char* why);

// What a call may leave in its workspace: numbers that show wherever the memory was not its own.
inline void spoil(void* workspace, size_t bytes) { memset(workspace, 0xff, bytes); }
}  // namespace emu
