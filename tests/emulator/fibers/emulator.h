// Runs CUDA kernels as plain C++ on the CPU: every GPU thread is a fiber, every block runs on one OS thread. What kernels see of it;
// the scheduler is fibers.cpp. Included by cuda_compat.cuh under -DCUDA_EMU.
#pragma once
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <tuple>
#include <type_traits>
#include <utility>
#include "fibers/numbers.h"

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __align__(n) __attribute__((aligned(n)))
#define __launch_bounds__(...)
// One copy for every OS thread, which is one for every running block. The sanitizers do not watch thread-locals: under them, blocks run one
// after another on one OS thread, and a plain static will do.
#if defined(EMU_SANITIZE)
#define __shared__ static
#else
#define __shared__ thread_local
#endif
// Bytes of a fiber's stack: a power of two, for the stack's base, where the Thread record sits, is found by masking the stack pointer.
#ifndef EMU_STACK
#define EMU_STACK (64u << 10)
#endif

// ---- vector types ----
#define EMU_VECTORS(T, N2, N3, N4, A2, A4)                            \
    struct __align__(A2) N2 {                                         \
        T x, y;                                                       \
    };                                                                \
    struct N3 {                                                       \
        T x, y, z;                                                    \
    };                                                                \
    struct __align__(A4) N4 {                                         \
        T x, y, z, w;                                                 \
    };                                                                \
    static inline N2 make_##N2(T x, T y) { return N2{x, y}; }         \
    static inline N3 make_##N3(T x, T y, T z) { return N3{x, y, z}; } \
    static inline N4 make_##N4(T x, T y, T z, T w) { return N4{x, y, z, w}; }
EMU_VECTORS(signed char, char2, char3, char4, 2, 4)
EMU_VECTORS(unsigned char, uchar2, uchar3, uchar4, 2, 4)
EMU_VECTORS(short, short2, short3, short4, 4, 8)
EMU_VECTORS(unsigned short, ushort2, ushort3, ushort4, 4, 8)
EMU_VECTORS(int, int2, int3, int4, 8, 16)
EMU_VECTORS(unsigned, uint2, uint3, uint4, 8, 16)
EMU_VECTORS(long long, longlong2, longlong3, longlong4, 16, 16)
EMU_VECTORS(unsigned long long, ulonglong2, ulonglong3, ulonglong4, 16, 16)
EMU_VECTORS(float, float2, float3, float4, 8, 16)
EMU_VECTORS(double, double2, double3, double4, 16, 16)
struct dim3 {
    unsigned x, y, z;
    dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};

namespace emu {
// Operations for which a warp's lanes meet.
enum Op : uint8_t { NONE, SYNCWARP, SHFL_IDX, SHFL_UP, SHFL_DOWN, SHFL_XOR, BALLOT, REDUCE, LDMATRIX, MMA_BF16, MMA_TF32, MMA_F16, MMA_U8S8, MMA_AND_POPC };
enum Reduction { ADD, MIN_S, MIN_U, MAX_S, MAX_U, AND, OR, XOR };
enum Waiting : uint8_t { RUNNING, AT_BARRIER, IN_WARP, ENDED };
constexpr unsigned MaxThreads = 1024;
constexpr unsigned MaxCopies = 256;

// One cp.async.
struct Copy {
    void* dst;
    const void* src;
    uint16_t bytes, src_bytes;
    uint32_t group;
};
struct Block;

// One GPU thread.
struct alignas(64) Thread {
    void* sp;
    Block* blk;
    uint3 tid;
    unsigned lane, warp;
    // The warp operation that it waits in, and the operation's operands.
    Op op;
    Waiting waiting;
    uint8_t width, flag;
    unsigned mask;
    int arg;
    uint64_t val;
    void* p[2];
    // cp.async: carried out by cp_async_wait.
    uint32_t grp_open;
    unsigned ncopy;
    Copy copies[MaxCopies];
    // What the sanitizers know of the fiber.
    void *asan_fake, *tsan;
};

struct Block {
    uint3 bid;
    dim3 bdim, gdim;
    unsigned n, live, arrived, nwarps;
    // Lanes that can run, lanes that wait in a warp operation; warps with a lane that can run.
    unsigned ready[32], pending[32], ready_warps;
    void* smem;
    size_t smem_bytes;
    void (*body)(void**);
    void** args;
    Thread* th[MaxThreads];
    void* main_sp;
    int bar_line;
    int pred_and, pred_or, pred_cnt, pred_res[3];
    // Addresses that stand for synchronizations, for the race detector.
    unsigned bar_gen, warp_gen[32];
    char tok_bar[2], tok_warp[32][2], tok_start, tok_end;
};

// Stacks are aligned to their size; without this shift all Thread records would fall into the same few cache sets (measured: 10 times slower).
static inline uintptr_t colour(uintptr_t base) { return (base / EMU_STACK & 31) * 128; }
static inline Thread* at_base(uintptr_t base) { return reinterpret_cast<Thread*>(base + colour(base)); }
static inline Thread& self() {
    uintptr_t sp;
    asm("mov %%rsp, %0" : "=r"(sp));  // not volatile: may be reused within a function
    return *at_base(sp & ~(uintptr_t)(EMU_STACK - 1));
}

void barrier(int line);
void barrier_pred(int line, int p);
void warp_op(Thread& t, Op op, unsigned mask);
// Ends the launch with this message, as a fault of the calling thread.
void fail(const char* format, ...) __attribute__((noreturn, format(printf, 1, 2)));
static inline void* dyn_smem() { return self().blk->smem; }

template <class T>
static inline T shfl(Op op, unsigned mask, T v, int o, int width) {
    static_assert(sizeof(T) <= 8, "a shuffle moves at most 8 bytes");
    Thread& t = self();
    t.val = 0;
    memcpy(&t.val, &v, sizeof v);
    t.arg = o;
    t.width = (uint8_t)width;
    warp_op(t, op, mask);
    memcpy(&v, &t.val, sizeof v);
    return v;
}
static inline unsigned reduce(Reduction r, unsigned mask, unsigned v) {
    Thread& t = self();
    t.val = v;
    t.arg = r;
    warp_op(t, REDUCE, mask);
    return (unsigned)t.val;
}
static inline void cp_async(void* d, const void* s, int bytes, int src_bytes) {
    Thread& t = self();
    if (((uintptr_t)d | (src_bytes ? (uintptr_t)s : 0)) % bytes) fail("cp.async: an address is not %d-byte aligned", bytes);
    if (t.ncopy == MaxCopies) fail("cp.async: more than %u copies in flight in one thread", MaxCopies);
    // The hardware may write at any time between here and the wait: whoever reads before the wait gets NaN, and the race detector sees a write.
    for (int i = 0; i < bytes / 4; i++) ((uint32_t*)d)[i] = Unwritten;
    t.copies[t.ncopy++] = Copy{d, s, (uint16_t)bytes, (uint16_t)src_bytes, t.grp_open};
}
static inline void cp_async_commit() { self().grp_open++; }
void cp_async_wait(unsigned n);
static inline void ldmatrix(uint32_t* r, int n, const void* row, bool trans) {
    Thread& t = self();
    t.p[0] = r;
    t.p[1] = const_cast<void*>(row);
    t.arg = n;
    t.flag = trans;
    warp_op(t, LDMATRIX, ~0u);
}
template <class T>
static inline void mma(Op op, T (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    Thread& t = self();
    t.p[0] = d;
    t.p[1] = const_cast<uint32_t*>(a);
    t.val = b0 | (uint64_t)b1 << 32;
    warp_op(t, op, ~0u);
}
static inline void mma_bf16_16816(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) { mma(MMA_BF16, d, a, b0, b1); }
static inline void mma_f16_16816(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) { mma(MMA_F16, d, a, b0, b1); }
static inline void mma_tf32_1688(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) { mma(MMA_TF32, d, a, b0, b1); }
static inline void mma_u8s8_16832(int (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) { mma(MMA_U8S8, d, a, b0, b1); }
static inline void mma_and_popc_168256(int (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) { mma(MMA_AND_POPC, d, a, b0, b1); }

// The table of kernels: name, sizes of the parameters, and a function that unpacks void** into the kernel's own parameter types, as
// cuLaunchKernel does.
struct Entry {
    const char* name;
    void (*body)(void**);
    unsigned parameters;
    const unsigned* sizes;
    Entry* next;
};
Entry*& registry();
template <auto K>
struct Call;
template <class... A, void (*K)(A...)>
struct Call<K> {
    static constexpr unsigned parameters = sizeof...(A);
    static constexpr unsigned sizes[sizeof...(A) + 1] = {sizeof(A)..., 0};
    template <size_t... I>
    static void unpack(void** a, std::index_sequence<I...>) {
        K(*reinterpret_cast<std::remove_cv_t<A>*>(a[I])...);
    }
    static void run(void** a) { unpack(a, std::index_sequence_for<A...>{}); }
};
struct Registration {
    Entry entry;
    Registration(const char* name, void (*body)(void**), unsigned parameters, const unsigned* sizes) : entry{name, body, parameters, sizes, registry()} {
        registry() = &entry;
    }
};
}  // namespace emu
#define EMU_KERNEL(name) static emu::Registration emu_registration_##name(#name, &emu::Call<&name>::run, emu::Call<&name>::parameters, emu::Call<&name>::sizes)

#include "fibers/device_functions.h"
