// ReLU: y = max(0, x); dx = dy where x > 0, else 0.
// One thread per element of a grid-stride loop; bound by memory: 8 bytes per element forward, 12 backward.
#include "cuda_compat.cuh"

extern "C" __global__ __launch_bounds__(256) void relu_forward(const float* __restrict__ x, float* __restrict__ y, int count) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) y[i] = fmaxf(x[i], 0.f);
}
KERNEL(relu_forward);

// dx may be dy.
extern "C" __global__ __launch_bounds__(256) void relu_backward(const float* __restrict__ x, const float* dy, float* dx, int count) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) dx[i] = x[i] > 0.f ? dy[i] : 0.f;
}
KERNEL(relu_backward);
