// Addresses of an access, and counts of what it costs a GPU.
#pragma once
#include "ptx/warp.h"

namespace emu {

// Where a lane reads or writes so many bytes. An address that is not aligned, or beyond the shared memory, ends the launch.
template <Space S>
char* pointer(Warp& w, const Instruction& i, int lane, unsigned bytes) {
    uint64_t a = (i.wide_base ? w.at<uint64_t>(i.base)[lane] : w.at<uint32_t>(i.base)[lane]) + (uint64_t)i.offset;
    if (a % bytes) fail_in_ptx("lane %d: an address, %#llx, is not %u-byte aligned", lane, (unsigned long long)a, bytes);
    bool shared = S == Shared || (S == Generic && a >= SharedWindow);
    if (!shared) return (char*)a;
    if (S == Generic) a -= SharedWindow;
    if (!i.wide_base && S == Shared) a = (uint32_t)a;
    if (a + bytes > w.shared_bytes)
        fail_in_ptx("lane %d: an illegal memory access at %#llx of %u bytes of shared memory", lane, (unsigned long long)a, w.shared_bytes);
    return w.shared + a;
}
// Passes that an access to shared memory takes: lanes together that move up to 128 bytes, and in each as many as words of one bank differ.
void count_passes(Count& count, const uint64_t* addresses, uint32_t active, unsigned bytes);
// Sectors of 32 bytes that an access to global memory takes; they are added to those that the launch has touched.
void count_sectors(Count& count, Sectors& touched, const uint64_t* addresses, uint32_t active, unsigned bytes);
}  // namespace emu
