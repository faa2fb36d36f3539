// The one include of every kernel file: the CUDA language for
//   nvcc, NVRTC               the vendor's own headers
//   clang without a toolkit   clang_cuda.cuh
//   an ordinary C++ compiler  tests/emulator/fibers/emulator.h (-DCUDA_EMU): the kernels run on the CPU
// and what all of them share: dynamic shared memory, unrolling, vector accesses, the table of kernels.
#pragma once
#include "device.cuh"
#if defined(CUDA_EMU)
#include "fibers/emulator.h"
#elif defined(__clang__) && defined(__CUDA__) && !defined(__CUDACC__)
#define CUDA_COMPAT_CLANG 1
#include "clang_cuda.cuh"
#else
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <stdint.h>
#include "portable_math.cuh"
#endif

// T* name = this block's dynamic shared memory. One symbol for all types, so that templates do not clash.
#if defined(CUDA_EMU)
#define DYN_SHARED(T, name) T* name = reinterpret_cast<T*>(emu::dyn_smem())
#else
#define DYN_SHARED(T, name)                                    \
  extern __shared__ __align__(1024) unsigned char dyn_smem_[]; \
  T* name = reinterpret_cast<T*>(dyn_smem_)
#endif

#if defined(EMU_SANITIZE)
// Every copy of an access would be watched, and unrolled products take the compiler minutes.
#define PRAGMA_UNROLL
#define PRAGMA_UNROLL_2
#define PRAGMA_ROLLED
#define PRAGMA_UNROLL_BY(constant)
#elif defined(CUDA_EMU) && !defined(__clang__)
#define PRAGMA_UNROLL _Pragma("GCC unroll 64")
#define PRAGMA_UNROLL_2 _Pragma("GCC unroll 2")
#define PRAGMA_ROLLED _Pragma("GCC unroll 1")
#define PRAGMA_UNROLL_BY(constant)
#else
#define PRAGMA_UNROLL _Pragma("unroll")
#define PRAGMA_UNROLL_2 _Pragma("unroll 2")
#define PRAGMA_ROLLED _Pragma("unroll 1")
#define PRAGMA_TEXT(text) _Pragma(#text)
#define PRAGMA_UNROLL_BY(constant) PRAGMA_TEXT(unroll constant)
#endif

// Accesses of 16 and 8 bytes go through these. clang trusts the alignment of the array behind a cast and splits a struct copy into scalars,
// so it gets real vector types.
#if defined(CUDA_COMPAT_CLANG)
typedef float vector_f4 __attribute__((ext_vector_type(4)));
typedef float vector_f2 __attribute__((ext_vector_type(2)));
typedef unsigned vector_u2 __attribute__((ext_vector_type(2)));
typedef unsigned vector_u4 __attribute__((ext_vector_type(4)));
DEVICE float4 ld_f4(const float* p) {
  vector_f4 v = *reinterpret_cast<const vector_f4*>(p);
  return float4{v.x, v.y, v.z, v.w};
}
DEVICE void st_f4(float* p, float4 v) { *reinterpret_cast<vector_f4*>(p) = vector_f4{v.x, v.y, v.z, v.w}; }
DEVICE uint4 ld_u4(const void* p) {
  vector_u4 v = *reinterpret_cast<const vector_u4*>(p);
  return uint4{v.x, v.y, v.z, v.w};
}
DEVICE void st_u4(void* p, uint4 v) { *reinterpret_cast<vector_u4*>(p) = vector_u4{v.x, v.y, v.z, v.w}; }
DEVICE void st_f2(float* p, float2 v) { *reinterpret_cast<vector_f2*>(p) = vector_f2{v.x, v.y}; }
DEVICE void st_u2(void* p, uint2 v) { *reinterpret_cast<vector_u2*>(p) = vector_u2{v.x, v.y}; }
#else
DEVICE float4 ld_f4(const float* p) { return *reinterpret_cast<const float4*>(p); }
DEVICE void st_f4(float* p, float4 v) { *reinterpret_cast<float4*>(p) = v; }
DEVICE uint4 ld_u4(const void* p) { return *reinterpret_cast<const uint4*>(p); }
DEVICE void st_u4(void* p, uint4 v) { *reinterpret_cast<uint4*>(p) = v; }
DEVICE void st_f2(float* p, float2 v) { *reinterpret_cast<float2*>(p) = v; }
DEVICE void st_u2(void* p, uint2 v) { *reinterpret_cast<uint2*>(p) = v; }
#endif
// Through the read-only cache.
DEVICE float4 ldg_f4(const float* p) { return __ldg(reinterpret_cast<const float4*>(p)); }

// What other blocks may be changing by atomics meanwhile: read once, whole, from memory.
DEVICE unsigned long long ld_relaxed(const unsigned long long* p) {
#if defined(CUDA_EMU)
  return __atomic_load_n(p, __ATOMIC_RELAXED);
#else
  return *(volatile const unsigned long long*)p;
#endif
}

// One line for every kernel, after it: puts it in the emulator's table, nothing elsewhere.
#if defined(CUDA_EMU)
#define KERNEL(name) EMU_KERNEL(name)
#else
#define KERNEL(name) static_assert(true, "")
#endif
