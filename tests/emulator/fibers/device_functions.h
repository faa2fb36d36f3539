// The part of the CUDA language that kernels use, for the emulation: the same functions as clang_cuda.cuh.
#pragma once
#define threadIdx (emu::self().tid)
#define blockIdx (emu::self().blk->bid)
#define blockDim (emu::self().blk->bdim)
#define gridDim (emu::self().blk->gdim)
static const int warpSize = 32;

// ---- bits ----
static inline unsigned __float_as_uint(float f) { return __builtin_bit_cast(unsigned, f); }
static inline int __float_as_int(float f) { return __builtin_bit_cast(int, f); }
static inline float __uint_as_float(unsigned u) { return __builtin_bit_cast(float, u); }
static inline float __int_as_float(int i) { return __builtin_bit_cast(float, i); }
static inline long long __double_as_longlong(double d) { return __builtin_bit_cast(long long, d); }
static inline double __longlong_as_double(long long i) { return __builtin_bit_cast(double, i); }
static inline int __popc(unsigned v) { return __builtin_popcount(v); }
static inline int __popcll(unsigned long long v) { return __builtin_popcountll(v); }
static inline int __clz(int v) { return v ? __builtin_clz((unsigned)v) : 32; }
static inline int __clzll(long long v) { return v ? __builtin_clzll((unsigned long long)v) : 64; }
static inline int __ffs(int v) { return __builtin_ffs(v); }
static inline int __ffsll(long long v) { return __builtin_ffsll(v); }
static inline unsigned __brev(unsigned v) {
    v = (v >> 1 & 0x55555555u) | (v & 0x55555555u) << 1;
    v = (v >> 2 & 0x33333333u) | (v & 0x33333333u) << 2;
    v = (v >> 4 & 0x0f0f0f0fu) | (v & 0x0f0f0f0fu) << 4;
    return __builtin_bswap32(v);
}
static inline unsigned __byte_perm(unsigned a, unsigned b, unsigned selector) {
    unsigned long long bytes = (unsigned long long)b << 32 | a;
    unsigned r = 0;
    for (int i = 0; i < 4; i++) r |= (unsigned)(bytes >> (selector >> 4 * i & 7) * 8 & 0xff) << 8 * i;
    return r;
}
static inline unsigned __funnelshift_l(unsigned lo, unsigned hi, unsigned n) { return (unsigned)(((unsigned long long)hi << 32 | lo) << (n & 31) >> 32); }
static inline unsigned __funnelshift_r(unsigned lo, unsigned hi, unsigned n) { return (unsigned)(((unsigned long long)hi << 32 | lo) >> (n & 31)); }
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((unsigned long long)a * b >> 32); }
static inline int __mulhi(int a, int b) { return (int)((long long)a * b >> 32); }
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) { return (unsigned long long)((unsigned __int128)a * b >> 64); }

// ---- arithmetic: what math.h does not have ----
static inline int min(int a, int b) { return a < b ? a : b; }
static inline int max(int a, int b) { return a > b ? a : b; }
static inline unsigned min(unsigned a, unsigned b) { return a < b ? a : b; }
static inline unsigned max(unsigned a, unsigned b) { return a > b ? a : b; }
static inline long long min(long long a, long long b) { return a < b ? a : b; }
static inline long long max(long long a, long long b) { return a > b ? a : b; }
static inline unsigned long long min(unsigned long long a, unsigned long long b) { return a < b ? a : b; }
static inline unsigned long long max(unsigned long long a, unsigned long long b) { return a > b ? a : b; }
static inline float rsqrtf(float x) { return 1.f / sqrtf(x); }
static inline float __fmaf_rn(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
// Never contracted into an fma: the empty assembly hides the value.
static inline float emu_opaque(float x) {
    asm("" : "+x"(x));
    return x;
}
static inline float __fadd_rn(float a, float b) { return emu_opaque(a + b); }
static inline float __fmul_rn(float a, float b) { return emu_opaque(a * b); }
static inline float __frcp_rn(float x) { return 1.f / x; }
static inline float __fdiv_rn(float a, float b) { return a / b; }
static inline float __fsqrt_rn(float x) { return sqrtf(x); }
static inline float __fdividef(float a, float b) { return a / b; }
static inline float emu_expf(float x) { return exp2f(x * 1.4426950408889634f); }
static inline float emu_logf(float x) { return log2f(x) * 0.6931471805599453f; }
static inline float emu_sinf(float x) { return sinf(x); }
static inline float emu_cosf(float x) { return cosf(x); }
// The C library declares these names for itself.
#define __expf emu_expf
#define __logf emu_logf
#define __sinf emu_sinf
#define __cosf emu_cosf
static inline float __saturatef(float x) { return x > 0.f ? (x < 1.f ? x : 1.f) : 0.f; }
static inline int __float2int_rn(float x) { return (int)rintf(x); }
static inline int __float2int_rz(float x) { return (int)x; }
static inline int __float2int_rd(float x) { return (int)floorf(x); }
static inline unsigned __float2uint_rn(float x) { return (unsigned)rintf(x); }
static inline float __int2float_rn(int x) { return (float)x; }
static inline float __uint2float_rn(unsigned x) { return (float)x; }
#include "portable_math.cuh"
#define expf pm_expf
#define logf pm_logf
#define tanhf pm_tanhf

// ---- bfloat16 and half ----
struct __align__(2) __nv_bfloat16 {
    unsigned short x;
};
struct __align__(4) __nv_bfloat162 {
    __nv_bfloat16 x, y;
};
struct __align__(2) __half {
    unsigned short x;
};
struct __align__(4) __half2 {
    __half x, y;
};
static inline float __bfloat162float(__nv_bfloat16 b) { return emu::from_bf16(b.x); }
static inline __nv_bfloat16 __float2bfloat16(float f) { return __nv_bfloat16{emu::to_bf16(f)}; }
static inline __nv_bfloat162 __floats2bfloat162_rn(float lo, float hi) { return __nv_bfloat162{__float2bfloat16(lo), __float2bfloat16(hi)}; }
static inline float __half2float(__half h) { return (float)__builtin_bit_cast(_Float16, h.x); }
static inline __half __float2half(float f) { return __half{__builtin_bit_cast(unsigned short, (_Float16)f)}; }
static inline __half2 __floats2half2_rn(float lo, float hi) { return __half2{__float2half(lo), __float2half(hi)}; }
#include "bf16_pairs.cuh"

// ---- the block ---- (told apart by the line of the call, not by its return address: compilers clone calls)
static inline void __syncthreads(int line = __builtin_LINE()) { emu::barrier(line); }
static inline int __syncthreads_and(int p, int line = __builtin_LINE()) {
    emu::barrier_pred(line, p);
    return emu::self().blk->pred_res[0];
}
static inline int __syncthreads_or(int p, int line = __builtin_LINE()) {
    emu::barrier_pred(line, p);
    return emu::self().blk->pred_res[1];
}
static inline int __syncthreads_count(int p, int line = __builtin_LINE()) {
    emu::barrier_pred(line, p);
    return emu::self().blk->pred_res[2];
}
static inline void __threadfence_block() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
static inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
static inline void __threadfence_system() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

// ---- the warp ----
static inline void __syncwarp(unsigned mask = ~0u) { emu::warp_op(emu::self(), emu::SYNCWARP, mask); }
template <class T>
static inline T __shfl_sync(unsigned mask, T v, int o, int width = 32) {
    return emu::shfl(emu::SHFL_IDX, mask, v, o, width);
}
template <class T>
static inline T __shfl_up_sync(unsigned mask, T v, int o, int width = 32) {
    return emu::shfl(emu::SHFL_UP, mask, v, o, width);
}
template <class T>
static inline T __shfl_down_sync(unsigned mask, T v, int o, int width = 32) {
    return emu::shfl(emu::SHFL_DOWN, mask, v, o, width);
}
template <class T>
static inline T __shfl_xor_sync(unsigned mask, T v, int o, int width = 32) {
    return emu::shfl(emu::SHFL_XOR, mask, v, o, width);
}
static inline unsigned __ballot_sync(unsigned mask, int p) {
    emu::Thread& t = emu::self();
    t.arg = p != 0;
    emu::warp_op(t, emu::BALLOT, mask);
    return (unsigned)t.val;
}
static inline int __any_sync(unsigned mask, int p) { return __ballot_sync(mask, p) != 0; }
static inline int __all_sync(unsigned mask, int p) { return __ballot_sync(mask, !p) == 0; }
static inline unsigned __activemask() { return 1u << emu::self().lane; }  // the hardware promises no more than the caller itself
static inline unsigned __reduce_add_sync(unsigned mask, unsigned v) { return emu::reduce(emu::ADD, mask, v); }
static inline int __reduce_add_sync(unsigned mask, int v) { return (int)emu::reduce(emu::ADD, mask, (unsigned)v); }
static inline unsigned __reduce_min_sync(unsigned mask, unsigned v) { return emu::reduce(emu::MIN_U, mask, v); }
static inline int __reduce_min_sync(unsigned mask, int v) { return (int)emu::reduce(emu::MIN_S, mask, (unsigned)v); }
static inline unsigned __reduce_max_sync(unsigned mask, unsigned v) { return emu::reduce(emu::MAX_U, mask, v); }
static inline int __reduce_max_sync(unsigned mask, int v) { return (int)emu::reduce(emu::MAX_S, mask, (unsigned)v); }
static inline unsigned __reduce_and_sync(unsigned mask, unsigned v) { return emu::reduce(emu::AND, mask, v); }
static inline unsigned __reduce_or_sync(unsigned mask, unsigned v) { return emu::reduce(emu::OR, mask, v); }
static inline unsigned __reduce_xor_sync(unsigned mask, unsigned v) { return emu::reduce(emu::XOR, mask, v); }

// ---- memory and atomics ----
template <class T>
static inline T __ldg(const T* p) {
    return *p;
}
template <class T, class F>
static inline T emu_atomic(T* p, F change) {
    T old, changed;
    __atomic_load(p, &old, __ATOMIC_RELAXED);
    do changed = change(old);
    while (!__atomic_compare_exchange(p, &old, &changed, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
    return old;
}
// The operand has the pointer's type, whatever the caller writes.
template <class T>
using emu_same = typename std::common_type<T>::type;
template <class T>
static inline T atomicAdd(T* p, emu_same<T> v) {
    return emu_atomic(p, [v](T old) { return (T)(old + v); });
}
template <class T>
static inline T atomicMax(T* p, emu_same<T> v) {
    return emu_atomic(p, [v](T old) { return old < v ? v : old; });
}
template <class T>
static inline T atomicMin(T* p, emu_same<T> v) {
    return emu_atomic(p, [v](T old) { return v < old ? v : old; });
}
template <class T>
static inline T atomicOr(T* p, emu_same<T> v) {
    return emu_atomic(p, [v](T old) { return old | v; });
}
template <class T>
static inline T atomicAnd(T* p, emu_same<T> v) {
    return emu_atomic(p, [v](T old) { return old & v; });
}
template <class T>
static inline T atomicExch(T* p, emu_same<T> v) {
    return emu_atomic(p, [v](T) { return v; });
}
static inline unsigned atomicInc(unsigned* p, unsigned last) {
    return emu_atomic(p, [last](unsigned old) { return old >= last ? 0u : old + 1; });
}
template <class T>
static inline T atomicCAS(T* p, emu_same<T> compare, emu_same<T> v) {
    __atomic_compare_exchange(p, &compare, &v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return compare;
}
