// L2-Net's E2 = 1/2 sum over the halves and i != j of r_ij^2, equations 6 and 7; R = Y' Y / p for features y of [p][q] that batch normalization has just
// normalized, or in full: yhat, with each dimension's mean removed and its deviation divided out, in place of y (a constant dimension counts 0).
// dy = (2 / p) yhat R, the diagonal of R set to 0; in full then through the normalization: (dyhat - mean dyhat - yhat mean(dyhat yhat)) / deviation.
// Both products are row_products'; here are a pass over R, one block per row, and two over the features, one block for 32 dimensions, eight threads each.
// Bound by memory: 12 p q bytes for each of those two, beside 4 p q^2 operations per half of the products.
#include "reduce.cuh"

// yhat of half blockIdx.y. Everything is relative to the first row, so that a constant dimension's deviation is exactly 0.
extern "C" __global__ __launch_bounds__(256) void correlation_normalize(
    const float* __restrict__ y, float* __restrict__ normalized, float* __restrict__ deviations, int pairs, int width) {
  __shared__ float shared[8][32];
  const int column = blockIdx.x * 32 + threadIdx.x % 32, first = threadIdx.x / 32;
  const size_t start = (size_t)blockIdx.y * pairs * width + column;
  float origin = 0.f, mean = 0.f, square = 0.f;
  if (column < width) {
    origin = y[start];
    for (int row = first; row < pairs; row += 8) mean += y[start + (size_t)row * width] - origin;
  }
  mean = column_sum(mean, shared) / pairs;
  if (column < width)
    for (int row = first; row < pairs; row += 8) {
      const float d = y[start + (size_t)row * width] - origin - mean;
      square = fmaf(d, d, square);
    }
  const float deviation = sqrtf(column_sum(square, shared) / pairs);
  if (column >= width) return;
  for (int row = first; row < pairs; row += 8) {
    const float d = y[start + (size_t)row * width] - origin - mean;
    normalized[start + (size_t)row * width] = deviation == 0.f ? 0.f : d / deviation;
  }
  if (first == 0) deviations[blockIdx.y * width + column] = deviation;
}
KERNEL(correlation_normalize);

// One row of Y' Y of half blockIdx.y: its ranges added, its term of the loss, and, with the diagonal 0 and times factor, into matrix.
extern "C" __global__ __launch_bounds__(256) void correlation_terms(
    const float* __restrict__ products, int ranges, float factor, float* __restrict__ matrix, float* __restrict__ terms, int pairs, int width) {
  __shared__ float partial[32];
  const int row = blockIdx.x;
  const size_t square = (size_t)width * width;
  float total = 0.f;
  for (int column = threadIdx.x; column < width; column += blockDim.x) {
    const size_t at = (size_t)row * width + column;
    float sum = 0.f;
    for (int range = 0; range < ranges; range++) sum += products[((size_t)blockIdx.y * ranges + range) * square + at];
    if (row == column) sum = 0.f;
    total = fmaf(sum / pairs, sum / pairs, total);
    matrix[blockIdx.y * square + at] = factor * sum;
  }
  total = block_sum(total, partial);
  if (threadIdx.x == 0) terms[blockIdx.y * width + row] = total;
}
KERNEL(correlation_terms);

// dyhat becomes dy, in place.
extern "C" __global__ __launch_bounds__(256) void correlation_gradient(
    const float* __restrict__ normalized, const float* __restrict__ deviations, float* __restrict__ dy, int pairs, int width) {
  __shared__ float shared[8][32];
  const int column = blockIdx.x * 32 + threadIdx.x % 32, first = threadIdx.x / 32;
  const size_t start = (size_t)blockIdx.y * pairs * width + column;
  float mean = 0.f, along = 0.f;
  if (column < width)
    for (int row = first; row < pairs; row += 8) {
      const size_t at = start + (size_t)row * width;
      mean += dy[at];
      along = fmaf(dy[at], normalized[at], along);
    }
  mean = column_sum(mean, shared) / pairs;
  along = column_sum(along, shared) / pairs;
  if (column >= width) return;
  const float deviation = deviations[blockIdx.y * width + column];
  for (int row = first; row < pairs; row += 8) {
    const size_t at = start + (size_t)row * width;
    dy[at] = deviation == 0.f ? 0.f : (dy[at] - mean - along * normalized[at]) / deviation;
  }
}
KERNEL(correlation_gradient);
