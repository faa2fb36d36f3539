// Sums over the rows of a matrix [n][d], and over all of it:
//   row_dots    sums[i] = sum over k of x[i][k] y[i][k]; without y the sum of x[i][k]
//   scale_rows  y[i][k] = factors[i] x[i][k]; without x it is factors[i]. Each is the other's gradient.
//   chunk_sums  the sum of every 4096 values, for scaled_sum of row_products.cu to add; the same chunks on every GPU, so the same bits
// One warp per row, one block of 256 threads per chunk; lanes read neighbouring values, sums are fixed trees. Bound by memory: every value is read once.
#include "reduce.cuh"

extern "C" __global__ __launch_bounds__(256) void row_dots(const float* x, const float* y, float* __restrict__ sums, int rows, int width) {
  const int lane = threadIdx.x % 32, warps = gridDim.x * (blockDim.x / 32);
  for (long long row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32; row < rows; row += warps) {
    const float* a = x + row * width;
    const float* b = y ? y + row * width : nullptr;
    float sum = 0.f;
    for (int k = lane; k < width; k += 32) sum = b ? fmaf(a[k], b[k], sum) : sum + a[k];
    sum = warp_sum(sum);
    if (lane == 0) sums[row] = sum;
  }
}
KERNEL(row_dots);

extern "C" __global__ __launch_bounds__(256) void scale_rows(const float* __restrict__ factors, const float* __restrict__ x, float* __restrict__ y, int rows,
                                                             int width) {
  const int lane = threadIdx.x % 32, warps = gridDim.x * (blockDim.x / 32);
  for (long long row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32; row < rows; row += warps) {
    const float factor = factors[row];
    const float* from = x ? x + row * width : nullptr;
    float* to = y + row * width;
    for (int k = lane; k < width; k += 32) to[k] = from ? factor * from[k] : factor;
  }
}
KERNEL(scale_rows);

extern "C" __global__ __launch_bounds__(256) void chunk_sums(const float* __restrict__ x, int count, float* __restrict__ sums) {
  __shared__ float partial[32];
  const long long begin = 4096LL * blockIdx.x;
  const int length = (int)min(4096LL, count - begin);
  float sum = 0.f;
  for (int i = threadIdx.x; i < length; i += blockDim.x) sum += x[begin + i];
  sum = block_sum(sum, partial);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}
KERNEL(chunk_sums);
