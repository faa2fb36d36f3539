// Convolution on tensor cores, bf16 (mma.sync m16n8k16): operands rounded to 8 bits as they are loaded, float32 sums: see convolution.cuh.
#include "convolution.cuh"

CONVOLUTION_KERNELS(Bf16, 32, true, 128, 4, 3, 3, bf16_32);
CONVOLUTION_KERNELS(Bf16, 64, true, 128, 3, 3, 3, bf16_64);
CONVOLUTION_KERNELS(Bf16, 128, true, 256, 2, 2, 2, bf16_128);
CONVOLUTION_KERNELS(Bf16, 32, false, 128, 4, 3, 3, bf16_any);
