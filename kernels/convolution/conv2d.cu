// Convolution in float32 on FMA register tiles: see convolution.cuh. conv2d_tf32.cu and
// conv2d_bf16.cu have the tensor-core kernels, apart so that a device loads only what it uses.
#include "convolution.cuh"

CONVOLUTION_KERNELS(Float32, 32, true, 128, 4, 3, 3, float32_32);
CONVOLUTION_KERNELS(Float32, 64, true, 128, 3, 3, 3, float32_64);
CONVOLUTION_KERNELS(Float32, 128, true, 256, 2, 1, 1, float32_128);
CONVOLUTION_KERNELS(Float32, 32, false, 128, 4, 3, 3, float32_any);
