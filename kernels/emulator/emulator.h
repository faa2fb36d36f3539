// emulator.h - runs CUDA kernels as plain C++ on the CPU: one fiber per GPU thread, one OS thread per block.
// Included by cuda_compat.cuh under -DCUDA_EMU; the scheduler lives in emu.cpp.
#pragma once
#include <stdint.h>
#include <stddef.h>
#include <string.h>
#include <math.h>
#include <tuple>
#include <utility>

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __align__(n) __attribute__((aligned(n)))
#define __launch_bounds__(...)
#if defined(EMU_SANITIZE)                 // ASan/TSan do not watch thread-locals: plain statics, one OS thread
#  define __shared__ static
#else
#  define __shared__ thread_local         // at block scope this implies static; one copy per OS thread = per running block
#endif
#ifndef EMU_STACK
#  define EMU_STACK (64u << 10)           // power of two; the Thread record sits at the bottom of its own stack
#endif

#define EMU_VEC(T, N2, N3, N4, A2, A4)                                                  \
  struct __align__(A2) N2 { T x, y; }; struct N3 { T x, y, z; }; struct __align__(A4) N4 { T x, y, z, w; }; \
  static inline N2 make_##N2(T x, T y) { return N2{x, y}; }                             \
  static inline N3 make_##N3(T x, T y, T z) { return N3{x, y, z}; }                     \
  static inline N4 make_##N4(T x, T y, T z, T w) { return N4{x, y, z, w}; }
EMU_VEC(float, float2, float3, float4, 8, 16)
EMU_VEC(int, int2, int3, int4, 8, 16)
EMU_VEC(unsigned, uint2, uint3, uint4, 8, 16)
struct dim3 { unsigned x, y, z; dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {} };

namespace emu {
enum Op : uint8_t { NONE, SYNCWARP, SHFL_IDX, SHFL_UP, SHFL_DOWN, SHFL_XOR, BALLOT, LDMATRIX, MMA_BF16, MMA_TF32 };
struct Copy { void* dst; const void* src; uint16_t bytes, src_bytes; uint32_t group; };
struct Block;
struct alignas(64) Thread {                // one GPU thread
  void* sp; Block* blk; uint3 tid; unsigned lane, warp;
  Op op; uint8_t waiting, width, flag; unsigned mask; int arg; uint64_t val; void* p[3]; int line;   // its pending warp operation
  uint32_t grp_open, grp_done; unsigned ncopy; Copy copies[64];                              // cp.async, carried out at wait_group
  void *asan_fake, *tsan; 
};
struct Block { uint3 bid; dim3 bdim, gdim; unsigned n, live, arrived, nwarps, ready[32], pending[32], ready_warps; void* smem; size_t smem_bytes;
               void (*body)(void**); void** args; Thread* th[1024]; void* main_sp; int bar_line; int pred_and, pred_or, pred_cnt, pred_res[3];
               unsigned bar_gen, warp_gen[32]; char tok_bar[2], tok_warp[32][2], tok_start, tok_end; };     // addresses for the race detector
// stacks are EMU_STACK-aligned; without this shift every record would fall into the same few cache sets (measured: 10x slower)
static inline uintptr_t colour(uintptr_t base) { return (base / EMU_STACK & 31) * 128; }
static inline Thread* at_base(uintptr_t base) { return reinterpret_cast<Thread*>(base + colour(base)); }
static inline Thread& self() {
  uintptr_t sp;
#if defined(__x86_64__)
  asm("mov %%rsp, %0" : "=r"(sp));         // not volatile: may be reused within a function
#elif defined(__aarch64__)
  asm("mov %0, sp" : "=r"(sp));
#endif
  return *at_base(sp & ~(uintptr_t)(EMU_STACK - 1));
}
void barrier(int line);
void barrier_pred(int line, int p);
void note_write(void* p, size_t n);
void warp_op(Thread& t, Op op, unsigned mask);
void fail(const char* fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
inline void* dyn_smem() { return self().blk->smem; }

template <class T> static inline T shfl(Op op, unsigned m, T v, int o, int w) {
  static_assert(sizeof(T) <= 8, "shuffle of at most 8 bytes");
  Thread& t = self(); t.val = 0; memcpy(&t.val, &v, sizeof v); t.arg = o; t.width = (uint8_t)w; warp_op(t, op, m); memcpy(&v, &t.val, sizeof v); return v;
}
static inline void cp_async(void* d, const void* s, int bytes, int src_bytes) {
  Thread& t = self();
  if (((uintptr_t)d | (src_bytes ? (uintptr_t)s : 0)) % bytes) fail("cp.async: address not %d-byte aligned", bytes);
  if (t.ncopy == 64) fail("cp.async: more than 64 copies in flight in one thread");
#if defined(EMU_TSAN)
  note_write(d, bytes);                    // the hardware may write at any time between here and the wait
#endif
  t.copies[t.ncopy++] = Copy{d, s, (uint16_t)bytes, (uint16_t)src_bytes, t.grp_open};
}
static inline void cp_async_commit() { self().grp_open++; }
void cp_async_wait(unsigned n);
static inline void ldmatrix(uint32_t* r, int n, const void* row, bool trans) {
  Thread& t = self(); t.p[0] = r; t.p[1] = const_cast<void*>(row); t.arg = n; t.flag = trans; warp_op(t, LDMATRIX, ~0u);
}
static inline void mma_bf16_16816(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  Thread& t = self(); t.p[0] = d; t.p[1] = const_cast<uint32_t*>(a); t.val = b0 | (uint64_t)b1 << 32; warp_op(t, MMA_BF16, ~0u);
}
static inline void mma_tf32_1688(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  Thread& t = self(); t.p[0] = d; t.p[1] = const_cast<uint32_t*>(a); t.val = b0 | (uint64_t)b1 << 32; warp_op(t, MMA_TF32, ~0u);
}
// kernel registry: unpack void** into the kernel's own parameter types, as cuLaunchKernel does
struct Entry { const char* name; void (*body)(void**); Entry* next; };
Entry*& registry();
template <auto K> struct Call;
template <class... A, void (*K)(A...)> struct Call<K> {
  template <size_t... I> static void go(void** a, std::index_sequence<I...>) { K(*reinterpret_cast<std::remove_cv_t<A>*>(a[I])...); }
  static void run(void** a) { go(a, std::index_sequence_for<A...>{}); }
};
struct Reg { Entry e; Reg(const char* n, void (*b)(void**)) : e{n, b, registry()} { registry() = &e; } };
}  // namespace emu
#define EMU_KERNEL(name) static emu::Reg emu_reg_##name(#name, &emu::Call<&name>::run)

#define threadIdx (emu::self().tid)
#define blockIdx  (emu::self().blk->bid)
#define blockDim  (emu::self().blk->bdim)
#define gridDim   (emu::self().blk->gdim)
static const int warpSize = 32;
static inline void __syncthreads(int line = __builtin_LINE()) { emu::barrier(line); }     // the line, not the return address: compilers clone calls
static inline int __syncthreads_and(int p, int line = __builtin_LINE())   { emu::barrier_pred(line, p); return emu::self().blk->pred_res[0]; }
static inline int __syncthreads_or(int p, int line = __builtin_LINE())    { emu::barrier_pred(line, p); return emu::self().blk->pred_res[1]; }
static inline int __syncthreads_count(int p, int line = __builtin_LINE()) { emu::barrier_pred(line, p); return emu::self().blk->pred_res[2]; }
static inline void __syncwarp(unsigned m = ~0u) { emu::warp_op(emu::self(), emu::SYNCWARP, m); }
static inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
static inline void __threadfence_block() {}
template <class T> static inline T __shfl_sync(unsigned m, T v, int o, int w = 32)      { return emu::shfl(emu::SHFL_IDX, m, v, o, w); }
template <class T> static inline T __shfl_up_sync(unsigned m, T v, int o, int w = 32)   { return emu::shfl(emu::SHFL_UP, m, v, o, w); }
template <class T> static inline T __shfl_down_sync(unsigned m, T v, int o, int w = 32) { return emu::shfl(emu::SHFL_DOWN, m, v, o, w); }
template <class T> static inline T __shfl_xor_sync(unsigned m, T v, int o, int w = 32)  { return emu::shfl(emu::SHFL_XOR, m, v, o, w); }
static inline unsigned __ballot_sync(unsigned m, int p) { emu::Thread& t = emu::self(); t.arg = p != 0; emu::warp_op(t, emu::BALLOT, m); return (unsigned)t.val; }
static inline int __any_sync(unsigned m, int p) { return __ballot_sync(m, p) != 0; }
static inline int __all_sync(unsigned m, int p) { return __ballot_sync(m, p) == m; }
template <class T> static inline T __ldg(const T* p) { return *p; }

template <class T> static inline T atomicAdd(T* p, T v) {
  T o, n; __atomic_load(p, &o, __ATOMIC_RELAXED);
  do n = o + v; while (!__atomic_compare_exchange(p, &o, &n, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
  return o;
}
template <class T> static inline T atomicMax(T* p, T v) {
  T o; __atomic_load(p, &o, __ATOMIC_RELAXED);
  while (o < v && !__atomic_compare_exchange(p, &o, &v, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
  return o;
}
template <class T> static inline T atomicMin(T* p, T v) {
  T o; __atomic_load(p, &o, __ATOMIC_RELAXED);
  while (v < o && !__atomic_compare_exchange(p, &o, &v, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
  return o;
}
static inline int atomicCAS(int* p, int c, int v) { __atomic_compare_exchange_n(p, &c, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); return c; }
static inline int atomicExch(int* p, int v) { return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST); }

static inline unsigned __float_as_uint(float f) { return __builtin_bit_cast(unsigned, f); }
static inline float __uint_as_float(unsigned u) { return __builtin_bit_cast(float, u); }
static inline int __ffs(int v) { return __builtin_ffs(v); }
static inline int __popc(unsigned v) { return __builtin_popcount(v); }
static inline int min(int a, int b) { return a < b ? a : b; }
static inline int max(int a, int b) { return a > b ? a : b; }
static inline float rsqrtf(float x) { return 1.f / sqrtf(x); }
#include "portable_math.cuh"
#define expf  pm_expf
#define logf  pm_logf
#define tanhf pm_tanhf
struct __align__(2) __nv_bfloat16 { unsigned short x; };
struct __align__(4) __nv_bfloat162 { __nv_bfloat16 x, y; };
static inline float __bfloat162float(__nv_bfloat16 b) { return __uint_as_float((unsigned)b.x << 16); }
static inline __nv_bfloat16 __float2bfloat16(float f) {                       // round to nearest even, NaN stays NaN
  unsigned u = __float_as_uint(f);
  if ((u & 0x7fffffffu) > 0x7f800000u) return __nv_bfloat16{0x7fff};
  return __nv_bfloat16{(unsigned short)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16)};
}
