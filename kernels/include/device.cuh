// How functions on the device are declared: DEVICE by themselves, MEMBER in a struct.
#pragma once
#if defined(CUDA_EMU)
#define DEVICE static inline
#else
#define DEVICE static __device__ __forceinline__
#endif
#define MEMBER __device__ __forceinline__
