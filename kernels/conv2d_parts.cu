// Sums over the parts of a convolution's depth, in order: y = bias + sum of parts [parts][rows][out], with ReLU where it is wanted, and the filters' gradient from parts [parts][taps in][out]
// to [out][taps in]. Bound by memory: every part is read once, neighbouring lanes beside each other.
#include "cuda_compat.cuh"

extern "C" __global__ __launch_bounds__(256) void conv2d_sum(const float* __restrict__ parts, int count, int length, int channels,
    const float* __restrict__ bias, int relu, float* __restrict__ y) {
  for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < (unsigned)length; i += gridDim.x * blockDim.x) {
    float sum = 0.f;
    for (int part = 0; part < count; part++) sum += parts[(long long)part * length + i];
    if (bias) sum += bias[i % channels];
    y[i] = relu ? fmaxf(sum, 0.f) : sum;
  }
}
KERNEL(conv2d_sum);

// 8 rows (x) of 32 columns (y) a block; turned in shared memory, so that 32 bytes are written side by side.
extern "C" __global__ __launch_bounds__(256) void conv2d_filter_sum(const float* __restrict__ parts, int count, int rows, int columns,
    float* __restrict__ filters) {
  __shared__ float tile[8][33];
  const int lane = threadIdx.x % 32, row = blockIdx.x * 8 + threadIdx.x / 32, column = blockIdx.y * 32 + lane;
  float sum = 0.f;
  if (row < rows && column < columns) {
    const float* from = parts + (long long)row * columns + column;
    for (int part = 0; part < count; part++) sum += from[(long long)part * rows * columns];
  }
  tile[threadIdx.x / 32][lane] = sum;
  __syncthreads();
  const int r = blockIdx.x * 8 + threadIdx.x % 8, c = blockIdx.y * 32 + threadIdx.x / 8;
  if (r < rows && c < columns) filters[(long long)c * rows + r] = tile[threadIdx.x % 8][threadIdx.x / 8];
}
KERNEL(conv2d_filter_sum);
