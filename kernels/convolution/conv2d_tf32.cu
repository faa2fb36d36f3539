// Convolution on tensor cores, tf32 (mma.sync m16n8k8): operands rounded to 11 bits as they are loaded, float32 sums: see convolution.cuh.
#include "convolution.cuh"

CONVOLUTION_KERNELS(Tf32, 32, true, 128, 4, 3, 3, tf32_32);
CONVOLUTION_KERNELS(Tf32, 64, true, 128, 4, 3, 3, tf32_64);
CONVOLUTION_KERNELS(Tf32, 128, true, 256, 2, 2, 2, tf32_128);
CONVOLUTION_KERNELS(Tf32, 32, false, 128, 4, 3, 3, tf32_any);
