// Runs PTX itself, what a GPU is given, warp by warp: 32 lanes an instruction, the sides of a branch one after the other until they meet.
#pragma once
#include "ptx/program.h"
#include "fibers/scheduler.h"

namespace emu {
// Between these two the calling OS thread runs blocks of a launch of a program; what went wrong in one is returned, else an empty string.
void begin_blocks(const Launch& launch);
std::string run_block(uint3 block);
void end_blocks();

// Whether the calling OS thread is at work in a block; for the handler of memory faults, which then ends the launch by this.
bool in_machine();
[[noreturn]] void fault_in_machine(const void* address);
}  // namespace emu
