// A file of launches with all the memory that they can reach, before and after, to be run again: by replay.cpp under a sanitizer, by bench/gpu/replay.py on a
// GPU.
#pragma once
#include <vector>
#include "driver/memory.h"
#include "fibers/scheduler.h"

namespace emu {
// Adds a launch to the file that CUDAL2NET_EMULATOR_RECORD names, unless one like it is there: before it runs, for it may change its memory. One that then
// fails was wrong on purpose, and is taken out again.
constexpr long NotRecorded = -1;
long record_launch(const Launch& launch, DeviceMemory& memory);
// Adds what the launch has made of its memory.
void record_result(long recorded);
void forget_launch(const Launch& launch, long recorded);

constexpr char RecordMagic[8] = {'l', 'a', 'u', 'n', 'c', 'h', '0', '2'};
// A record is a LaunchHeader, the kernel's name, its parameters one after another, for each allocation an address, a size and its bytes, and then for each
// allocation, in the same order, a uint64: 0 where the launch left it as it was, else 1 and the bytes as they were afterwards.
struct LaunchHeader {
    char magic[8];
    unsigned grid[3], block[3], shared, name_bytes, parameter_bytes, allocations;
};
}  // namespace emu
