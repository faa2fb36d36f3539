// The softmax loss over rows and columns of a p x p matrix m whose diagonal holds the pairs, with z = factor m (L2-Net's E1 and E3):
//   L = -1/2 sum_i (log softmax_row(z)_ii + log softmax_column(z)_ii),   dL/dz_ij = 1/2 (row_ij + column_ij) - [i = j].
// E1: m_ij = |y2_i - y1_j|, factor -1; with h_ij = (dL/dm_ij) / m_ij (0 where m is 0) dy2_i = sum_j h_ij (y2_i - y1_j), dy1_j = sum_i h_ij (y1_j - y2_i).
// E3: m_ij = f1_i . f2_j, factor the similarity; with w = dL/dm df1_i = sum_j w_ij f2_j, df2_j = sum_i w_ij f1_i.
// The products are row_products'. The matrix stays in memory (4 p^2 bytes, 64 KB at p = 128, times the ranges that its depth is cut into): both
// gradients use it, and recomputing it would cost as much as they do. Each row's and column's maximum is subtracted first, so inner products of
// thousands do not overflow. Rows: one block each; columns: one block for 32, eight threads per column. Bound by memory: some 30 p^2 bytes, beside 6
// p^2 q operations of the products.
#include "reduce.cuh"

// The matrix from its products' ranges, and each row's maximum of z and sum of e^(z - maximum). squares: of 2p rows, half 1 first, for distances; else null.
// The first range may be the matrix itself.
extern "C" __global__ __launch_bounds__(256) void pair_scores(
    const float* products, int ranges, const float* __restrict__ squares, const float* __restrict__ y, int width, float factor,
    float* matrix, float* __restrict__ maxima, float* __restrict__ sums, int pairs) {
  __shared__ float partial[32];
  const int row = blockIdx.x;
  float maximum = __uint_as_float(0xff800000u);
  for (int column = threadIdx.x; column < pairs; column += blockDim.x) {
    const size_t at = (size_t)row * pairs + column;
    float m = 0.f;
    for (int range = 0; range < ranges; range++) m += products[(size_t)range * pairs * pairs + at];
    if (squares) {
      const float both = squares[column] + squares[pairs + row];
      float squared = both - 2.f * m;
      if (squared < both / 64.f) squared = squared_distance(y + (size_t)column * width, y + ((size_t)pairs + row) * width, width);      // cancelled
      m = sqrtf(squared);
    }
    matrix[at] = m;
    maximum = fmaxf(maximum, factor * m);
  }
  maximum = block_max(maximum, partial);
  float sum = 0.f;
  for (int column = threadIdx.x; column < pairs; column += blockDim.x) sum += expf(factor * matrix[(size_t)row * pairs + column] - maximum);
  sum = block_sum(sum, partial);
  if (threadIdx.x == 0) {
    maxima[row] = maximum;
    sums[row] = sum;
  }
}
KERNEL(pair_scores);

extern "C" __global__ __launch_bounds__(256) void pair_columns(
    const float* __restrict__ matrix, float factor, float* __restrict__ maxima, float* __restrict__ sums, int pairs) {
  __shared__ float shared[8][32];
  const int column = blockIdx.x * 32 + threadIdx.x % 32, first = threadIdx.x / 32;
  float maximum = __uint_as_float(0xff800000u);
  if (column < pairs)
    for (int row = first; row < pairs; row += 8) maximum = fmaxf(maximum, factor * matrix[(size_t)row * pairs + column]);
  shared[first][threadIdx.x % 32] = maximum;
  __syncthreads();
  PRAGMA_UNROLL
  for (int k = 0; k < 8; k++) maximum = fmaxf(maximum, shared[k][threadIdx.x % 32]);
  float sum = 0.f;
  if (column < pairs)
    for (int row = first; row < pairs; row += 8) sum += expf(factor * matrix[(size_t)row * pairs + column] - maximum);
  sum = column_sum(sum, shared);
  if (first == 0 && column < pairs) {
    maxima[column] = maximum;
    sums[column] = sum;
  }
}
KERNEL(pair_columns);

// Replaces the matrix by weight x dL/dm and writes the rows' terms of the loss. Where diagonal is given, the slopes are divided by m, the pairs' own go
// there instead, and row_sums gets the sums of the others.
extern "C" __global__ __launch_bounds__(256) void pair_slopes(
    float* __restrict__ matrix, float factor, float weight, const float* __restrict__ row_maxima, const float* __restrict__ row_sums,
    const float* __restrict__ column_maxima, const float* __restrict__ column_sums, float* __restrict__ terms, float* __restrict__ diagonal,
    float* __restrict__ slope_sums, int pairs) {
  __shared__ float partial[32];
  const int row = blockIdx.x;
  const float row_maximum = row_maxima[row], row_sum = row_sums[row];
  float sum = 0.f;
  for (int column = threadIdx.x; column < pairs; column += blockDim.x) {
    float* m = matrix + (size_t)row * pairs + column;
    const float value = *m, z = factor * value, column_maximum = column_maxima[column];
    const float share = 0.5f * (expf(z - row_maximum) / row_sum + expf(z - column_maximum) / column_sums[column]);
    float slope = weight * factor * (share - (row == column ? 1.f : 0.f));
    if (diagonal) slope = value == 0.f ? 0.f : slope / value;
    if (row == column) {
      terms[row] = row_maximum - z + logf(row_sum) + (column_maximum - z + logf(column_sums[column]));
      if (diagonal) {
        diagonal[row] = slope;
        slope = 0.f;
      }
    }
    *m = slope;
    sum += slope;
  }
  if (!diagonal) return;
  sum = block_sum(sum, partial);
  if (threadIdx.x == 0) slope_sums[row] = sum;
}
KERNEL(pair_slopes);

extern "C" __global__ __launch_bounds__(256) void pair_column_sums(const float* __restrict__ matrix, float* __restrict__ sums, int pairs) {
  __shared__ float shared[8][32];
  const int column = blockIdx.x * 32 + threadIdx.x % 32, first = threadIdx.x / 32;
  float sum = 0.f;
  if (column < pairs)
    for (int row = first; row < pairs; row += 8) sum += matrix[(size_t)row * pairs + column];
  sum = column_sum(sum, shared);
  if (first == 0 && column < pairs) sums[column] = sum;
}
KERNEL(pair_column_sums);

// |y|^2 of each row, one warp per row.
extern "C" __global__ __launch_bounds__(256) void row_squares(const float* __restrict__ y, float* __restrict__ squares, int rows, int width) {
  const int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (row >= rows) return;
  const float sum = warp_square(y + (size_t)row * width, width);
  if (lane == 0) squares[row] = sum;
}
KERNEL(row_squares);

// From sum_j h_ij y_j to sum_j h_ij (y_i - y_j); the pair's own large term is taken from the differences. slope_sums: of columns (half 1), then of rows.
extern "C" __global__ __launch_bounds__(256) void distance_gradient(
    const float* __restrict__ y, const float* __restrict__ diagonal, const float* __restrict__ slope_sums, float* __restrict__ dy, int pairs, int width) {
  const size_t count = (size_t)pairs * width;
  for (size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x; i < count; i += (size_t)gridDim.x * blockDim.x) {
    const int pair = (int)(i / width);
    const float first = y[i], second = y[count + i], own = diagonal[pair] * (second - first);
    dy[i] = slope_sums[pair] * first - dy[i] - own;
    dy[count + i] = slope_sums[pairs + pair] * second - dy[count + i] + own;
  }
}
KERNEL(distance_gradient);
