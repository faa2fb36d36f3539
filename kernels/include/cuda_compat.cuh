// cuda_compat.cuh - one include for every .cu file of the project.
//   nvcc / NVRTC          : the vendor's own headers
//   clang -x cuda, no kit : everything a kernel needs, spelled with clang builtins
//   g++/clang++ -DCUDA_EMU: plain C++ on the CPU (emulator.h)
#pragma once
#if defined(CUDA_EMU)
#  include "emulator.h"
#elif defined(__clang__) && defined(__CUDA__) && !defined(__CUDACC__)   // clang without toolkit
#  define CUDA_COMPAT_CLANG 1
#  include <stdint.h>
#  include <stddef.h>
#  define __global__   __attribute__((global))
#  define __device__   __attribute__((device))
#  define __host__     __attribute__((host))
#  define __shared__   __attribute__((shared))
#  define __constant__ __attribute__((constant))
#  define __managed__  __attribute__((managed))
#  define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))
#  define __forceinline__ inline __attribute__((always_inline))
#  define __noinline__ __attribute__((noinline))
#  define __align__(n) __attribute__((aligned(n)))
#  define CUDA_COMPAT_D static __device__ __forceinline__

#  define CUDA_COMPAT_VEC(T, N2, N3, N4, A2, A4)                              \
     struct __attribute__((aligned(A2))) N2 { T x, y; };                      \
     struct N3 { T x, y, z; };                                                \
     struct __attribute__((aligned(A4))) N4 { T x, y, z, w; };                \
     CUDA_COMPAT_D N2 make_##N2(T x, T y) { return N2{x, y}; }                \
     CUDA_COMPAT_D N3 make_##N3(T x, T y, T z) { return N3{x, y, z}; }        \
     CUDA_COMPAT_D N4 make_##N4(T x, T y, T z, T w) { return N4{x, y, z, w}; }
CUDA_COMPAT_VEC(float, float2, float3, float4, 8, 16)
CUDA_COMPAT_VEC(int, int2, int3, int4, 8, 16)
CUDA_COMPAT_VEC(unsigned, uint2, uint3, uint4, 8, 16)
CUDA_COMPAT_VEC(unsigned short, ushort2, ushort3, ushort4, 4, 8)
CUDA_COMPAT_VEC(double, double2, double3, double4, 16, 16)
struct dim3 { unsigned x, y, z; __device__ __host__ constexpr dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {} };
#  include <__clang_cuda_builtin_vars.h>      // threadIdx, blockIdx, blockDim, gridDim: ships with clang

// __syncthreads(), __syncthreads_and/or/count: clang has __syncthreads as a builtin already.
CUDA_COMPAT_D void __syncwarp(unsigned m = 0xffffffffu) { __nvvm_bar_warp_sync(m); }
CUDA_COMPAT_D void __threadfence_block() { __nvvm_membar_cta(); }
CUDA_COMPAT_D void __threadfence()       { __nvvm_membar_gl(); }
CUDA_COMPAT_D void __threadfence_system(){ __nvvm_membar_sys(); }
CUDA_COMPAT_D int __syncthreads_and(int p)   { return __nvvm_bar0_and(p); }
CUDA_COMPAT_D int __syncthreads_or(int p)    { return __nvvm_bar0_or(p); }
CUDA_COMPAT_D int __syncthreads_count(int p) { return __nvvm_bar0_popc(p); }

#  define CUDA_COMPAT_SHFL(NAME, BI, MASK0)                                                             \
     CUDA_COMPAT_D int NAME(unsigned m, int v, int o, int w = 32) { return BI##_i32(m, v, o, ((32 - w) << 8) | MASK0); } \
     CUDA_COMPAT_D unsigned NAME(unsigned m, unsigned v, int o, int w = 32) { return (unsigned)BI##_i32(m, (int)v, o, ((32 - w) << 8) | MASK0); } \
     CUDA_COMPAT_D float NAME(unsigned m, float v, int o, int w = 32) { return BI##_f32(m, v, o, ((32 - w) << 8) | MASK0); } \
     CUDA_COMPAT_D double NAME(unsigned m, double v, int o, int w = 32) {                               \
       long long b; __builtin_memcpy(&b, &v, 8);                                                        \
       unsigned lo = NAME(m, (unsigned)b, o, w), hi = NAME(m, (unsigned)(b >> 32), o, w);               \
       b = ((long long)hi << 32) | lo; __builtin_memcpy(&v, &b, 8); return v; }
CUDA_COMPAT_SHFL(__shfl_sync,      __nvvm_shfl_sync_idx,  0x1f)
CUDA_COMPAT_SHFL(__shfl_up_sync,   __nvvm_shfl_sync_up,   0)
CUDA_COMPAT_SHFL(__shfl_down_sync, __nvvm_shfl_sync_down, 0x1f)
CUDA_COMPAT_SHFL(__shfl_xor_sync,  __nvvm_shfl_sync_bfly, 0x1f)
CUDA_COMPAT_D unsigned __ballot_sync(unsigned m, int p) { return __nvvm_vote_ballot_sync(m, p); }
CUDA_COMPAT_D int __any_sync(unsigned m, int p) { return __nvvm_vote_any_sync(m, p); }
CUDA_COMPAT_D int __all_sync(unsigned m, int p) { return __nvvm_vote_all_sync(m, p); }
CUDA_COMPAT_D unsigned __activemask() { unsigned r; asm volatile("activemask.b32 %0;" : "=r"(r)); return r; }
CUDA_COMPAT_D unsigned __reduce_add_sync(unsigned m, unsigned v) { return (unsigned)__nvvm_redux_sync_add((int)v, (int)m); }
CUDA_COMPAT_D unsigned __reduce_max_sync(unsigned m, unsigned v) { return (unsigned)__nvvm_redux_sync_umax(v, (int)m); }

// read-only loads: ld.global.nc.*  (clang also emits .nc by itself for const __restrict__ parameters)
CUDA_COMPAT_D float  __ldg(const float* p)    { return __nvvm_ldg_f(p); }
CUDA_COMPAT_D int    __ldg(const int* p)      { return __nvvm_ldg_i(p); }
CUDA_COMPAT_D unsigned __ldg(const unsigned* p) { return __nvvm_ldg_ui(p); }
CUDA_COMPAT_D unsigned short __ldg(const unsigned short* p) { return __nvvm_ldg_us(p); }
CUDA_COMPAT_D float4 __ldg(const float4* p) { typedef float V __attribute__((ext_vector_type(4))); V v = __nvvm_ldg_f4((const V*)p); return float4{v.x, v.y, v.z, v.w}; }
CUDA_COMPAT_D float2 __ldg(const float2* p) { typedef float V __attribute__((ext_vector_type(2))); V v = __nvvm_ldg_f2((const V*)p); return float2{v.x, v.y}; }
CUDA_COMPAT_D uint4  __ldg(const uint4* p)  { typedef unsigned V __attribute__((ext_vector_type(4))); V v = __nvvm_ldg_ui4((const V*)p); return uint4{v.x, v.y, v.z, v.w}; }

CUDA_COMPAT_D float    atomicAdd(float* p, float v)       { return __nvvm_atom_add_gen_f(p, v); }
CUDA_COMPAT_D double   atomicAdd(double* p, double v)     { return __nvvm_atom_add_gen_d(p, v); }
CUDA_COMPAT_D int      atomicAdd(int* p, int v)           { return __nvvm_atom_add_gen_i(p, v); }
CUDA_COMPAT_D unsigned atomicAdd(unsigned* p, unsigned v) { return (unsigned)__nvvm_atom_add_gen_i((int*)p, (int)v); }
CUDA_COMPAT_D unsigned long long atomicAdd(unsigned long long* p, unsigned long long v) { return (unsigned long long)__nvvm_atom_add_gen_ll((long long*)p, (long long)v); }
CUDA_COMPAT_D int      atomicMax(int* p, int v)           { return __nvvm_atom_max_gen_i(p, v); }
CUDA_COMPAT_D unsigned atomicMax(unsigned* p, unsigned v) { return __nvvm_atom_max_gen_ui(p, v); }
CUDA_COMPAT_D int      atomicMin(int* p, int v)           { return __nvvm_atom_min_gen_i(p, v); }
CUDA_COMPAT_D unsigned long long atomicMin(unsigned long long* p, unsigned long long v) { return (unsigned long long)__nvvm_atom_min_gen_ull(p, v); }
CUDA_COMPAT_D int      atomicExch(int* p, int v)          { return __nvvm_atom_xchg_gen_i(p, v); }
CUDA_COMPAT_D int      atomicCAS(int* p, int c, int v)    { return __nvvm_atom_cas_gen_i(p, c, v); }
CUDA_COMPAT_D unsigned atomicCAS(unsigned* p, unsigned c, unsigned v) { return (unsigned)__nvvm_atom_cas_gen_i((int*)p, (int)c, (int)v); }

CUDA_COMPAT_D size_t __cvta_generic_to_shared(const void* p) { return (size_t)(__attribute__((address_space(3))) const void*)p; }
CUDA_COMPAT_D size_t __cvta_generic_to_global(const void* p) { return (size_t)(__attribute__((address_space(1))) const void*)p; }

CUDA_COMPAT_D unsigned __float_as_uint(float f) { return __builtin_bit_cast(unsigned, f); }
CUDA_COMPAT_D int      __float_as_int(float f)  { return __builtin_bit_cast(int, f); }
CUDA_COMPAT_D float    __uint_as_float(unsigned u) { return __builtin_bit_cast(float, u); }
CUDA_COMPAT_D float    __int_as_float(int u) { return __builtin_bit_cast(float, u); }
CUDA_COMPAT_D int __popc(unsigned v) { return __builtin_popcount(v); }
CUDA_COMPAT_D int __clz(int v) { return v ? __builtin_clz((unsigned)v) : 32; }
CUDA_COMPAT_D int __ffs(int v) { return __builtin_ffs(v); }
CUDA_COMPAT_D int min(int a, int b) { return a < b ? a : b; }
CUDA_COMPAT_D int max(int a, int b) { return a > b ? a : b; }
CUDA_COMPAT_D unsigned min(unsigned a, unsigned b) { return a < b ? a : b; }
CUDA_COMPAT_D unsigned max(unsigned a, unsigned b) { return a > b ? a : b; }

// Maths that maps to single instructions or to LLVM-selectable code: no libdevice needed.
CUDA_COMPAT_D float fmaf(float a, float b, float c) { return __builtin_fmaf(a, b, c); }   // fma.rn.f32
CUDA_COMPAT_D float sqrtf(float x)  { return __nvvm_sqrt_rn_f(x); }                       // sqrt.rn.f32
CUDA_COMPAT_D float fabsf(float x)  { return __builtin_fabsf(x); }
CUDA_COMPAT_D float fminf(float a, float b) { return __builtin_fminf(a, b); }
CUDA_COMPAT_D float fmaxf(float a, float b) { return __builtin_fmaxf(a, b); }
CUDA_COMPAT_D float floorf(float x) { return __builtin_floorf(x); }
CUDA_COMPAT_D float ceilf(float x)  { return __builtin_ceilf(x); }
CUDA_COMPAT_D float truncf(float x) { return __builtin_truncf(x); }
CUDA_COMPAT_D float rintf(float x)  { return __builtin_rintf(x); }
CUDA_COMPAT_D float copysignf(float a, float b) { return __builtin_copysignf(a, b); }
CUDA_COMPAT_D float rsqrtf(float x) { return __nvvm_rsqrt_approx_f(x); }                  // what nvcc's rsqrtf is, too
CUDA_COMPAT_D float __frcp_rn(float x) { return __nvvm_rcp_rn_f(x); }
CUDA_COMPAT_D float __fdividef(float a, float b) { return __nvvm_div_approx_f(a, b); }
CUDA_COMPAT_D float __fsqrt_rn(float x) { return __nvvm_sqrt_rn_f(x); }
CUDA_COMPAT_D float __expf(float x) { return __nvvm_ex2_approx_f(x * 1.4426950408889634f); }
CUDA_COMPAT_D float __logf(float x) { return __nvvm_lg2_approx_f(x) * 0.6931471805599453f; }
CUDA_COMPAT_D float __sinf(float x) { return __nvvm_sin_approx_f(x); }
CUDA_COMPAT_D float __cosf(float x) { return __nvvm_cos_approx_f(x); }
CUDA_COMPAT_D float __saturatef(float x) { return __nvvm_saturate_f(x); }
#  include "portable_math.cuh"
CUDA_COMPAT_D float expf(float x)  { return pm_expf(x); }
CUDA_COMPAT_D float logf(float x)  { return pm_logf(x); }
CUDA_COMPAT_D float tanhf(float x) { return pm_tanhf(x); }

// bf16: the storage type is the compiler's own __bf16; same spellings as cuda_bf16.h for the few functions used.
struct __align__(2) __nv_bfloat16 { unsigned short x; };
struct __align__(4) __nv_bfloat162 { __nv_bfloat16 x, y; };
CUDA_COMPAT_D float __bfloat162float(__nv_bfloat16 b) { return __builtin_bit_cast(float, (unsigned)b.x << 16); }
CUDA_COMPAT_D __nv_bfloat16 __float2bfloat16(float f) { unsigned short r; asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(r) : "f"(f)); return __nv_bfloat16{r}; }
CUDA_COMPAT_D __nv_bfloat162 __floats2bfloat162_rn(float lo, float hi) { unsigned r; asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(hi), "f"(lo)); return __builtin_bit_cast(__nv_bfloat162, r); }
#else                                                                       // nvcc (or clang with a toolkit)
#  include <cuda_runtime.h>
#  include <cuda_bf16.h>
#  include <stdint.h>
#  include "portable_math.cuh"
#endif

// One spelling for dynamic shared memory in all three worlds (and one symbol, so templates do not clash).
#if defined(CUDA_EMU)
#  define DYN_SHARED(T, name) T* name = reinterpret_cast<T*>(emu::dyn_smem())
#else
#  define DYN_SHARED(T, name) extern __shared__ __align__(1024) unsigned char dyn_smem_[]; T* name = reinterpret_cast<T*>(dyn_smem_)
#endif
#if defined(__CUDACC_RTC__) || defined(__CUDACC__) || defined(CUDA_COMPAT_CLANG)
#  define PRAGMA_UNROLL _Pragma("unroll")
#elif defined(__clang__)
#  define PRAGMA_UNROLL _Pragma("unroll")
#else
#  define PRAGMA_UNROLL _Pragma("GCC unroll 64")
#endif
// 128-bit accesses go through these: clang otherwise trusts the 4-byte alignment of the array element behind the cast
// ((const float4*)&As[k][m] directly on a declared array) and splits the access into four.
#if defined(CUDA_COMPAT_CLANG)
#  define VEC_D CUDA_COMPAT_D
#elif defined(CUDA_EMU)
#  define VEC_D static inline
#else
#  define VEC_D static __device__ __forceinline__
#endif
#define VEC_MEMBER __device__ __forceinline__      // functions of a struct
#if defined(CUDA_COMPAT_CLANG)             // real vector types: a struct copy may be split into scalars of mixed types
typedef float    cc_f4 __attribute__((ext_vector_type(4)));
typedef unsigned cc_u4 __attribute__((ext_vector_type(4)));
VEC_D float4 ld_f4(const float* p) { cc_f4 v = *reinterpret_cast<const cc_f4*>(p); return float4{v.x, v.y, v.z, v.w}; }
VEC_D void   st_f4(float* p, float4 v) { *reinterpret_cast<cc_f4*>(p) = cc_f4{v.x, v.y, v.z, v.w}; }
VEC_D uint4  ld_u4(const void* p) { cc_u4 v = *reinterpret_cast<const cc_u4*>(p); return uint4{v.x, v.y, v.z, v.w}; }
VEC_D void   st_u4(void* p, uint4 v) { *reinterpret_cast<cc_u4*>(p) = cc_u4{v.x, v.y, v.z, v.w}; }
typedef float    cc_f2 __attribute__((ext_vector_type(2)));
typedef unsigned cc_u2 __attribute__((ext_vector_type(2)));
VEC_D void   st_f2(float* p, float2 v) { *reinterpret_cast<cc_f2*>(p) = cc_f2{v.x, v.y}; }
VEC_D void   st_u2(void* p, uint2 v) { *reinterpret_cast<cc_u2*>(p) = cc_u2{v.x, v.y}; }
#else
VEC_D void   st_f2(float* p, float2 v) { *reinterpret_cast<float2*>(p) = v; }
VEC_D void   st_u2(void* p, uint2 v) { *reinterpret_cast<uint2*>(p) = v; }
VEC_D float4 ld_f4(const float* p) { return *reinterpret_cast<const float4*>(p); }
VEC_D void   st_f4(float* p, float4 v) { *reinterpret_cast<float4*>(p) = v; }
VEC_D uint4  ld_u4(const void* p) { return *reinterpret_cast<const uint4*>(p); }
VEC_D void   st_u4(void* p, uint4 v) { *reinterpret_cast<uint4*>(p) = v; }
#endif
VEC_D float4 ldg_f4(const float* p) { return __ldg(reinterpret_cast<const float4*>(p)); }       // through the read-only cache
// One line per kernel at the end of a .cu file: puts it in the emulation's table, nothing elsewhere.
#if defined(CUDA_EMU)
#  define KERNEL(name) EMU_KERNEL(name)
#else
#  define KERNEL(name) static_assert(true, "")
#endif
