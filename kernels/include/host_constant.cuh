// host_constant.cuh - numbers that a file of kernels has for the host, which reads them from the PTX when it loads it: what launches and layouts depend on is
// written once, in the kernels' file.
//   HOST_CONSTANT(name, value)    value: an int, or a struct of ints only
#pragma once
#include "device.cuh"
#if defined(CUDA_EMU)
#define HOST_CONSTANT(name, value) static_assert(sizeof(value) % sizeof(int) == 0, "ints only")
#else
#define HOST_CONSTANT(name, value)    \
  extern "C" {                        \
  __constant__ auto name = value;     \
  }                                   \
  static_assert(sizeof(name) % sizeof(int) == 0, "ints only")
#endif
