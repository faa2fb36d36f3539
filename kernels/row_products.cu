// out[z][m][n] = sum over k of a(m, k) b(n, k) for matrices whose rows or whose columns lie together, z a batch entry and a range of the depth; and sums.
// One block a 64 x 64 tile and range. Few tiles of a large depth (64 x 64 maps of 32,768 values are one tile) are cut into ranges of the depth, whose
// sums the reader of the matrix adds in order: more blocks, and shorter chains of float32 sums. Bound by arithmetic: 2 m n k operations.
#include "reduce.cuh"
#include "tile_product.cuh"

extern "C" __global__ __launch_bounds__(256) void row_products(
    const float* __restrict__ a, long long a_row, long long a_depth, long long a_batch, const float* __restrict__ b, long long b_row, long long b_depth,
    long long b_batch, float* __restrict__ out, int rows, int columns, int depth, int range) {
  __shared__ __align__(16) float shared[TILE_FLOATS];
  const int ranges = (depth + range - 1) / range, batch = blockIdx.z / ranges, begin = blockIdx.z % ranges * range;
  const Operand x = {a + batch * a_batch, a_row, a_depth, rows}, y = {b + batch * b_batch, b_row, b_depth, columns};
  float sums[4][4];
  tile_product(x, blockIdx.y * TILE, y, blockIdx.x * TILE, begin, min(begin + range, depth), shared, sums);
  const int row = blockIdx.y * TILE + threadIdx.x / 16 * 4, column = blockIdx.x * TILE + threadIdx.x % 16 * 4;
  PRAGMA_UNROLL
  for (int i = 0; i < 4; i++) {
    float* to = out + ((size_t)blockIdx.z * rows + row + i) * columns + column;
    if (row + i >= rows) continue;
    if (columns % 4 == 0) {
      if (column < columns) st_f4(to, make_float4(sums[i][0], sums[i][1], sums[i][2], sums[i][3]));
      continue;
    }
    PRAGMA_UNROLL
    for (int j = 0; j < 4; j++)
      if (column + j < columns) to[j] = sums[i][j];
  }
}
KERNEL(row_products);

// out = factor x the sum of the terms; one block.
extern "C" __global__ __launch_bounds__(256) void scaled_sum(const float* __restrict__ terms, int count, float factor, float* __restrict__ out) {
  __shared__ float partial[32];
  float sum = 0.f;
  for (int i = threadIdx.x; i < count; i += blockDim.x) sum += terms[i];
  sum = block_sum(sum, partial);
  if (threadIdx.x == 0) *out = factor * sum;
}
KERNEL(scaled_sum);
