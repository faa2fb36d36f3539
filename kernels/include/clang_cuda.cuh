// The part of the CUDA language that kernels use, spelled with clang's builtins: clang compiles them without the CUDA toolkit.
// There is no libdevice: exp, log and tanh come from portable_math.cuh, everything else is one instruction.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __host__ __attribute__((host))
#define __shared__ __attribute__((shared))
#define __constant__ __attribute__((constant))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __align__(n) __attribute__((aligned(n)))

// ---- vector types ----
#define CUDA_COMPAT_VECTORS(T, N2, N3, N4, A2, A4)           \
  struct __align__(A2) N2 {                                  \
    T x, y;                                                  \
  };                                                         \
  struct N3 {                                                \
    T x, y, z;                                               \
  };                                                         \
  struct __align__(A4) N4 {                                  \
    T x, y, z, w;                                            \
  };                                                         \
  DEVICE N2 make_##N2(T x, T y) { return N2{x, y}; }         \
  DEVICE N3 make_##N3(T x, T y, T z) { return N3{x, y, z}; } \
  DEVICE N4 make_##N4(T x, T y, T z, T w) { return N4{x, y, z, w}; }
CUDA_COMPAT_VECTORS(signed char, char2, char3, char4, 2, 4)
CUDA_COMPAT_VECTORS(unsigned char, uchar2, uchar3, uchar4, 2, 4)
CUDA_COMPAT_VECTORS(short, short2, short3, short4, 4, 8)
CUDA_COMPAT_VECTORS(unsigned short, ushort2, ushort3, ushort4, 4, 8)
CUDA_COMPAT_VECTORS(int, int2, int3, int4, 8, 16)
CUDA_COMPAT_VECTORS(unsigned, uint2, uint3, uint4, 8, 16)
CUDA_COMPAT_VECTORS(long long, longlong2, longlong3, longlong4, 16, 16)
CUDA_COMPAT_VECTORS(unsigned long long, ulonglong2, ulonglong3, ulonglong4, 16, 16)
CUDA_COMPAT_VECTORS(float, float2, float3, float4, 8, 16)
CUDA_COMPAT_VECTORS(double, double2, double3, double4, 16, 16)
struct dim3 {
  unsigned x, y, z;
  __device__ __host__ constexpr dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};
// threadIdx, blockIdx, blockDim, gridDim and warpSize: comes with clang.
#include <__clang_cuda_builtin_vars.h>

// ---- bits ----
DEVICE unsigned __float_as_uint(float f) { return __builtin_bit_cast(unsigned, f); }
DEVICE int __float_as_int(float f) { return __builtin_bit_cast(int, f); }
DEVICE float __uint_as_float(unsigned u) { return __builtin_bit_cast(float, u); }
DEVICE float __int_as_float(int i) { return __builtin_bit_cast(float, i); }
DEVICE long long __double_as_longlong(double d) { return __builtin_bit_cast(long long, d); }
DEVICE double __longlong_as_double(long long i) { return __builtin_bit_cast(double, i); }
DEVICE int __popc(unsigned v) { return __builtin_popcount(v); }
DEVICE int __popcll(unsigned long long v) { return __builtin_popcountll(v); }
DEVICE int __clz(int v) { return v ? __builtin_clz((unsigned)v) : 32; }
DEVICE int __clzll(long long v) { return v ? __builtin_clzll((unsigned long long)v) : 64; }
DEVICE int __ffs(int v) { return __builtin_ffs(v); }
DEVICE int __ffsll(long long v) { return __builtin_ffsll(v); }
DEVICE unsigned __brev(unsigned v) { return __builtin_bitreverse32(v); }
DEVICE unsigned __byte_perm(unsigned a, unsigned b, unsigned selector) { return __nvvm_prmt(a, b, selector & 0x7777); }
DEVICE unsigned __funnelshift_l(unsigned lo, unsigned hi, unsigned n) { return (unsigned)(((unsigned long long)hi << 32 | lo) << (n & 31) >> 32); }
DEVICE unsigned __funnelshift_r(unsigned lo, unsigned hi, unsigned n) { return (unsigned)(((unsigned long long)hi << 32 | lo) >> (n & 31)); }
DEVICE unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((unsigned long long)a * b >> 32); }
DEVICE int __mulhi(int a, int b) { return (int)((long long)a * b >> 32); }
DEVICE unsigned long long __umul64hi(unsigned long long a, unsigned long long b) { return __nvvm_mulhi_ull(a, b); }

// ---- arithmetic ----
DEVICE int min(int a, int b) { return a < b ? a : b; }
DEVICE int max(int a, int b) { return a > b ? a : b; }
DEVICE unsigned min(unsigned a, unsigned b) { return a < b ? a : b; }
DEVICE unsigned max(unsigned a, unsigned b) { return a > b ? a : b; }
DEVICE long long min(long long a, long long b) { return a < b ? a : b; }
DEVICE long long max(long long a, long long b) { return a > b ? a : b; }
DEVICE unsigned long long min(unsigned long long a, unsigned long long b) { return a < b ? a : b; }
DEVICE unsigned long long max(unsigned long long a, unsigned long long b) { return a > b ? a : b; }
DEVICE int abs(int a) { return a < 0 ? -a : a; }
DEVICE float fabsf(float x) { return __builtin_fabsf(x); }
DEVICE float fminf(float a, float b) { return __builtin_fminf(a, b); }
DEVICE float fmaxf(float a, float b) { return __builtin_fmaxf(a, b); }
DEVICE float floorf(float x) { return __builtin_floorf(x); }
DEVICE float ceilf(float x) { return __builtin_ceilf(x); }
DEVICE float truncf(float x) { return __builtin_truncf(x); }
DEVICE float rintf(float x) { return __builtin_rintf(x); }
DEVICE float copysignf(float a, float b) { return __builtin_copysignf(a, b); }
DEVICE float fmaf(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
DEVICE float sqrtf(float x) { return __nvvm_sqrt_rn_f(x); }
DEVICE float rsqrtf(float x) { return __nvvm_rsqrt_approx_f(x); }  // as nvcc's
DEVICE double fabs(double x) { return __builtin_fabs(x); }
DEVICE double fma(double a, double b, double c) { return __builtin_fma(a, b, c); }
DEVICE double sqrt(double x) { return __nvvm_sqrt_rn_d(x); }
DEVICE bool isnan(float x) { return x != x; }
DEVICE bool isinf(float x) { return __builtin_fabsf(x) == __builtin_huge_valf(); }
DEVICE bool isfinite(float x) { return __builtin_fabsf(x) < __builtin_huge_valf(); }
DEVICE float __fmaf_rn(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
DEVICE float __fadd_rn(float a, float b) { return __nvvm_add_rn_f(a, b); }  // never contracted into an fma
DEVICE float __fmul_rn(float a, float b) { return __nvvm_mul_rn_f(a, b); }
DEVICE float __frcp_rn(float x) { return __nvvm_rcp_rn_f(x); }
DEVICE float __fdiv_rn(float a, float b) { return __nvvm_div_rn_f(a, b); }
DEVICE float __fsqrt_rn(float x) { return __nvvm_sqrt_rn_f(x); }
DEVICE float __fdividef(float a, float b) { return __nvvm_div_approx_f(a, b); }
DEVICE float __expf(float x) { return __nvvm_ex2_approx_f(x * 1.4426950408889634f); }
DEVICE float __logf(float x) { return __nvvm_lg2_approx_f(x) * 0.6931471805599453f; }
DEVICE float __sinf(float x) { return __nvvm_sin_approx_f(x); }
DEVICE float __cosf(float x) { return __nvvm_cos_approx_f(x); }
DEVICE float __saturatef(float x) { return __nvvm_saturate_f(x); }
DEVICE int __float2int_rn(float x) { return __nvvm_f2i_rn(x); }
DEVICE int __float2int_rz(float x) { return __nvvm_f2i_rz(x); }
DEVICE int __float2int_rd(float x) { return __nvvm_f2i_rm(x); }
DEVICE unsigned __float2uint_rn(float x) { return __nvvm_f2ui_rn(x); }
DEVICE float __int2float_rn(int x) { return (float)x; }
DEVICE float __uint2float_rn(unsigned x) { return (float)x; }
#include "portable_math.cuh"
DEVICE float expf(float x) { return pm_expf(x); }
DEVICE float logf(float x) { return pm_logf(x); }
DEVICE float tanhf(float x) { return pm_tanhf(x); }

// ---- bfloat16 and half: storage and conversions, with the vendor's names ----
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
DEVICE float __bfloat162float(__nv_bfloat16 b) { return __builtin_bit_cast(float, (unsigned)b.x << 16); }
DEVICE __nv_bfloat16 __float2bfloat16(float f) {
  unsigned short r;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(r) : "f"(f));
  return __nv_bfloat16{r};
}
DEVICE __nv_bfloat162 __floats2bfloat162_rn(float lo, float hi) {
  unsigned r;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(hi), "f"(lo));
  return __builtin_bit_cast(__nv_bfloat162, r);
}
DEVICE float __half2float(__half h) { return (float)__builtin_bit_cast(_Float16, h.x); }
DEVICE __half __float2half(float f) { return __half{__builtin_bit_cast(unsigned short, (_Float16)f)}; }
DEVICE __half2 __floats2half2_rn(float lo, float hi) { return __half2{__float2half(lo), __float2half(hi)}; }
#include "bf16_pairs.cuh"

// ---- the block ----
// clang has __syncthreads itself.
DEVICE int __syncthreads_and(int p) { return __nvvm_bar0_and(p); }
DEVICE int __syncthreads_or(int p) { return __nvvm_bar0_or(p); }
DEVICE int __syncthreads_count(int p) { return __nvvm_bar0_popc(p); }
DEVICE void __threadfence_block() { __nvvm_membar_cta(); }
DEVICE void __threadfence() { __nvvm_membar_gl(); }
DEVICE void __threadfence_system() { __nvvm_membar_sys(); }

// ---- the warp ----
DEVICE void __syncwarp(unsigned mask = 0xffffffffu) { __nvvm_bar_warp_sync(mask); }
#define CUDA_COMPAT_SHUFFLE(NAME, BUILTIN, CLAMP)                                                                                                    \
  DEVICE int NAME(unsigned mask, int v, int o, int width = 32) { return BUILTIN##_i32(mask, v, o, ((32 - width) << 8) | CLAMP); }                    \
  DEVICE unsigned NAME(unsigned mask, unsigned v, int o, int width = 32) {                                                                           \
    return (unsigned)BUILTIN##_i32(mask, (int)v, o, ((32 - width) << 8) | CLAMP);                                                                    \
  }                                                                                                                                                  \
  DEVICE float NAME(unsigned mask, float v, int o, int width = 32) { return BUILTIN##_f32(mask, v, o, ((32 - width) << 8) | CLAMP); }                \
  DEVICE unsigned long long NAME(unsigned mask, unsigned long long v, int o, int width = 32) {                                                       \
    unsigned lo = NAME(mask, (unsigned)v, o, width);                                                                                                 \
    unsigned hi = NAME(mask, (unsigned)(v >> 32), o, width);                                                                                         \
    return (unsigned long long)hi << 32 | lo;                                                                                                        \
  }                                                                                                                                                  \
  DEVICE long long NAME(unsigned mask, long long v, int o, int width = 32) { return (long long)NAME(mask, (unsigned long long)v, o, width); }        \
  DEVICE double NAME(unsigned mask, double v, int o, int width = 32) { return __longlong_as_double(NAME(mask, __double_as_longlong(v), o, width)); } \
  DEVICE __nv_bfloat162 NAME(unsigned mask, __nv_bfloat162 v, int o, int width = 32) {                                                               \
    return __builtin_bit_cast(__nv_bfloat162, NAME(mask, __builtin_bit_cast(unsigned, v), o, width));                                                \
  }
CUDA_COMPAT_SHUFFLE(__shfl_sync, __nvvm_shfl_sync_idx, 0x1f)
CUDA_COMPAT_SHUFFLE(__shfl_up_sync, __nvvm_shfl_sync_up, 0)
CUDA_COMPAT_SHUFFLE(__shfl_down_sync, __nvvm_shfl_sync_down, 0x1f)
CUDA_COMPAT_SHUFFLE(__shfl_xor_sync, __nvvm_shfl_sync_bfly, 0x1f)
DEVICE unsigned __ballot_sync(unsigned mask, int p) { return __nvvm_vote_ballot_sync(mask, p); }
DEVICE int __any_sync(unsigned mask, int p) { return __nvvm_vote_any_sync(mask, p); }
DEVICE int __all_sync(unsigned mask, int p) { return __nvvm_vote_all_sync(mask, p); }
DEVICE unsigned __activemask() {
  unsigned r;
  asm volatile("activemask.b32 %0;" : "=r"(r));
  return r;
}
DEVICE unsigned __reduce_add_sync(unsigned mask, unsigned v) { return (unsigned)__nvvm_redux_sync_add((int)v, (int)mask); }
DEVICE int __reduce_add_sync(unsigned mask, int v) { return __nvvm_redux_sync_add(v, (int)mask); }
DEVICE unsigned __reduce_min_sync(unsigned mask, unsigned v) { return (unsigned)__nvvm_redux_sync_umin(v, (int)mask); }
DEVICE int __reduce_min_sync(unsigned mask, int v) { return __nvvm_redux_sync_min(v, (int)mask); }
DEVICE unsigned __reduce_max_sync(unsigned mask, unsigned v) { return (unsigned)__nvvm_redux_sync_umax(v, (int)mask); }
DEVICE int __reduce_max_sync(unsigned mask, int v) { return __nvvm_redux_sync_max(v, (int)mask); }
DEVICE unsigned __reduce_and_sync(unsigned mask, unsigned v) { return (unsigned)__nvvm_redux_sync_and((int)v, (int)mask); }
DEVICE unsigned __reduce_or_sync(unsigned mask, unsigned v) { return (unsigned)__nvvm_redux_sync_or((int)v, (int)mask); }
DEVICE unsigned __reduce_xor_sync(unsigned mask, unsigned v) { return (unsigned)__nvvm_redux_sync_xor((int)v, (int)mask); }

// ---- memory ----
DEVICE size_t __cvta_generic_to_shared(const void* p) { return (size_t)(__attribute__((address_space(3))) const void*)p; }
DEVICE size_t __cvta_generic_to_global(const void* p) { return (size_t)(__attribute__((address_space(1))) const void*)p; }

// Read-only loads: ld.global.nc. clang finds them itself for parameters that are const and __restrict__.
DEVICE signed char __ldg(const signed char* p) { return __nvvm_ldg_sc(p); }
DEVICE unsigned char __ldg(const unsigned char* p) { return __nvvm_ldg_uc(p); }
DEVICE short __ldg(const short* p) { return __nvvm_ldg_s(p); }
DEVICE unsigned short __ldg(const unsigned short* p) { return __nvvm_ldg_us(p); }
DEVICE int __ldg(const int* p) { return __nvvm_ldg_i(p); }
DEVICE unsigned __ldg(const unsigned* p) { return __nvvm_ldg_ui(p); }
DEVICE long long __ldg(const long long* p) { return __nvvm_ldg_ll(p); }
DEVICE unsigned long long __ldg(const unsigned long long* p) { return __nvvm_ldg_ull(p); }
DEVICE float __ldg(const float* p) { return __nvvm_ldg_f(p); }
DEVICE double __ldg(const double* p) { return __nvvm_ldg_d(p); }
DEVICE __nv_bfloat16 __ldg(const __nv_bfloat16* p) { return __nv_bfloat16{__nvvm_ldg_us(&p->x)}; }
#define CUDA_COMPAT_LDG2(T, S, BUILTIN)              \
  DEVICE T __ldg(const T* p) {                       \
    typedef S V __attribute__((ext_vector_type(2))); \
    V v = BUILTIN(reinterpret_cast<const V*>(p));    \
    return T{v.x, v.y};                              \
  }
#define CUDA_COMPAT_LDG4(T, S, BUILTIN)              \
  DEVICE T __ldg(const T* p) {                       \
    typedef S V __attribute__((ext_vector_type(4))); \
    V v = BUILTIN(reinterpret_cast<const V*>(p));    \
    return T{v.x, v.y, v.z, v.w};                    \
  }
CUDA_COMPAT_LDG2(float2, float, __nvvm_ldg_f2)
CUDA_COMPAT_LDG2(int2, int, __nvvm_ldg_i2)
CUDA_COMPAT_LDG2(uint2, unsigned, __nvvm_ldg_ui2)
CUDA_COMPAT_LDG2(ulonglong2, unsigned long long, __nvvm_ldg_ull2)
CUDA_COMPAT_LDG4(uchar4, unsigned char, __nvvm_ldg_uc4)
CUDA_COMPAT_LDG4(float4, float, __nvvm_ldg_f4)
CUDA_COMPAT_LDG4(int4, int, __nvvm_ldg_i4)
CUDA_COMPAT_LDG4(uint4, unsigned, __nvvm_ldg_ui4)

// ---- atomics ----
DEVICE float atomicAdd(float* p, float v) { return __nvvm_atom_add_gen_f(p, v); }
DEVICE double atomicAdd(double* p, double v) { return __nvvm_atom_add_gen_d(p, v); }
DEVICE int atomicAdd(int* p, int v) { return __nvvm_atom_add_gen_i(p, v); }
DEVICE unsigned atomicAdd(unsigned* p, unsigned v) { return (unsigned)__nvvm_atom_add_gen_i((int*)p, (int)v); }
DEVICE unsigned long long atomicAdd(unsigned long long* p, unsigned long long v) {
  return (unsigned long long)__nvvm_atom_add_gen_ll((long long*)p, (long long)v);
}
DEVICE int atomicMax(int* p, int v) { return __nvvm_atom_max_gen_i(p, v); }
DEVICE unsigned atomicMax(unsigned* p, unsigned v) { return __nvvm_atom_max_gen_ui(p, v); }
DEVICE unsigned long long atomicMax(unsigned long long* p, unsigned long long v) { return __nvvm_atom_max_gen_ull(p, v); }
DEVICE int atomicMin(int* p, int v) { return __nvvm_atom_min_gen_i(p, v); }
DEVICE unsigned atomicMin(unsigned* p, unsigned v) { return __nvvm_atom_min_gen_ui(p, v); }
DEVICE unsigned long long atomicMin(unsigned long long* p, unsigned long long v) { return __nvvm_atom_min_gen_ull(p, v); }
DEVICE unsigned atomicOr(unsigned* p, unsigned v) { return (unsigned)__nvvm_atom_or_gen_i((int*)p, (int)v); }
DEVICE unsigned atomicAnd(unsigned* p, unsigned v) { return (unsigned)__nvvm_atom_and_gen_i((int*)p, (int)v); }
DEVICE int atomicExch(int* p, int v) { return __nvvm_atom_xchg_gen_i(p, v); }
DEVICE unsigned atomicExch(unsigned* p, unsigned v) { return (unsigned)__nvvm_atom_xchg_gen_i((int*)p, (int)v); }
DEVICE int atomicCAS(int* p, int c, int v) { return __nvvm_atom_cas_gen_i(p, c, v); }
DEVICE unsigned atomicCAS(unsigned* p, unsigned c, unsigned v) { return (unsigned)__nvvm_atom_cas_gen_i((int*)p, (int)c, (int)v); }
DEVICE unsigned long long atomicCAS(unsigned long long* p, unsigned long long c, unsigned long long v) {
  return (unsigned long long)__nvvm_atom_cas_gen_ll((long long*)p, (long long)c, (long long)v);
}
// Returns the old value; wraps to 0 above `last`.
DEVICE unsigned atomicInc(unsigned* p, unsigned last) { return __nvvm_atom_inc_gen_ui(p, last); }
