// The scheduler's inner side: fibers of a block, and the switch from one to another.
#pragma once
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>
// After the headers of the C++ library: it defines names that they use.
#include "cuda_compat.cuh"
#undef threadIdx
#undef blockIdx
#undef blockDim
#undef gridDim
#include "fibers/scheduler.h"

#if defined(__has_feature)  // clang's spelling
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define EMU_ASAN 1
#include <pthread.h>
#include <sanitizer/common_interface_defs.h>
#endif
// -DEMU_TSAN=1: the kernels are built with -fsanitize=thread, the scheduler is not; it tells the detector about fibers and barriers.
#if defined(EMU_TSAN)
#include <sanitizer/tsan_interface.h>
extern "C" void __tsan_read_range(void*, unsigned long);
extern "C" void __tsan_write_range(void*, unsigned long);
extern "C" void AnnotateBenignRaceSized(const char* file, int line, const volatile void* address, size_t size, const char* description);
// The program's variables: of the linker.
extern "C" char __data_start[], _end[];
#endif

// Saves the registers that a callee must keep and the stack pointer in *save. Then goes on with the stack pointer `load`.
extern "C" void emu_switch(void** save, void* load);

namespace emu {
extern thread_local char t_error[512];
extern thread_local unsigned char* t_stacks;
extern thread_local bool t_in_kernel;
#if EMU_TSAN
extern bool g_watch_blocks;
extern thread_local std::vector<void*>* t_tsan_fibers;
extern thread_local void* t_tsan_main;
#endif
#if EMU_ASAN
extern thread_local void* t_main_bottom;
extern thread_local size_t t_main_size;
#endif

// Switches from `from` (null: the OS thread's own stack) to `to` (null: back to it).
void go(Block* b, Thread* from, Thread* to, bool dying = false);
// Does what the lanes of a warp have met for. The last lane to arrive calls it.
void perform(Thread** lanes, unsigned mask, Op op);
// Runs one block; false where it failed, with the message in t_error.
bool run_block(Block* b);
}  // namespace emu
