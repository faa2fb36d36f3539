// The hardest negative of each of p pairs: the smallest of row i and of column i of the p x p matrix of distances d(y1_i, y2_j), without the diagonal
// and without near-duplicates; d is sqrt(|a|^2 + |b|^2 - 2 a.b + 1e-6) + 1e-8 or 2 (1 - a.b).
// Layouts: descriptors [2p][q]; positive, negative [p]; negative_pair [p][2], rows of the descriptors or -1.
// One block a 64 x 64 tile of the matrix, whose distances stay in registers. A distance and its index make one 64-bit key that grows with both, so the
// least key is the smallest distance at its lowest index, and the least of all blocks is found by integer minima in any order with the same result.
// Memory: two keys a pair, 16 p bytes beside the squares of the rows. p^2 q multiply-adds, q p^2 / 8 bytes through L2: bound by arithmetic.
// |a|^2 + |b|^2 - 2 a.b loses its digits near 0: distances that near are taken from the differences, and so are all that are written.
#include "reduce.cuh"
#include "tile_product.cuh"

static constexpr unsigned long long NO_KEY = ~0ull;

// Orders floats as unsigned integers, negative ones too.
static __device__ __forceinline__ unsigned long long distance_key(float distance, int index) {
  const unsigned bits = __float_as_uint(distance);
  return (unsigned long long)(bits >> 31 ? ~bits : bits | 0x80000000u) << 32 | (unsigned)index;
}
static __device__ __forceinline__ float key_distance(unsigned long long key) {
  const unsigned bits = (unsigned)(key >> 32);
  return __uint_as_float(bits >> 31 ? bits & 0x7fffffffu : ~bits);
}

// |y|^2 of each row, and no key yet. One warp a row.
extern "C" __global__ __launch_bounds__(256) void mining_start(
    const float* __restrict__ y, float* __restrict__ squares, unsigned long long* __restrict__ keys, int rows, int width) {
  const int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (row >= rows) return;
  const float sum = warp_square(y + (size_t)row * width, width);
  if (lane == 0) {
    squares[row] = sum;
    keys[row] = NO_KEY;
  }
}
KERNEL(mining_start);

// keys[i] is row i's least key, keys[p + j] column j's.
extern "C" __global__ __launch_bounds__(256) void mining_scan(
    int angular, float near_duplicate, const float* __restrict__ y, const float* __restrict__ squares, unsigned long long* __restrict__ keys, int pairs,
    int width) {
  __shared__ __align__(16) float shared[TILE_FLOATS];
  const Operand a = {y, width, 1, pairs}, b = {y + (size_t)pairs * width, width, 1, pairs};
  const int first_row = blockIdx.y * TILE, first_column = blockIdx.x * TILE, tx = threadIdx.x % 16, ty = threadIdx.x / 16;
  float sums[4][4];
  tile_product(a, first_row, b, first_column, 0, width, shared, sums);
  unsigned long long least_row[4] = {NO_KEY, NO_KEY, NO_KEY, NO_KEY}, least_column[4] = {NO_KEY, NO_KEY, NO_KEY, NO_KEY};
  PRAGMA_UNROLL
  for (int i = 0; i < 4; i++) {
    PRAGMA_UNROLL
    for (int j = 0; j < 4; j++) {
      const int row = first_row + 4 * ty + i, column = first_column + 4 * tx + j;
      if (row >= pairs || column >= pairs || row == column) continue;
      float distance = 2.f * (1.f - sums[i][j]);
      if (!angular) {
        const float both = squares[row] + squares[pairs + column];
        float squared = both - 2.f * sums[i][j];
        if (squared < both / 64.f) {
          squared = 0.f;
          for (int k = 0; k < width; k++) {
            const float d = a.data[(size_t)row * width + k] - b.data[(size_t)column * width + k];
            squared = fmaf(d, d, squared);
          }
        }
        distance = sqrtf(squared + 1e-6f) + 1e-8f;
      }
      if (!(distance >= near_duplicate)) continue;
      const unsigned long long row_key = distance_key(distance, column), column_key = distance_key(distance, row);
      if (row_key < least_row[i]) least_row[i] = row_key;
      if (column_key < least_column[j]) least_column[j] = column_key;
    }
  }
  // The tile's 16 threads a row and 16 a column, then the matrix.
  unsigned long long* rows = reinterpret_cast<unsigned long long*>(shared);
  unsigned long long* columns = rows + 16 * TILE;
  PRAGMA_UNROLL
  for (int i = 0; i < 4; i++) {
    rows[tx * TILE + 4 * ty + i] = least_row[i];
    columns[ty * TILE + 4 * tx + i] = least_column[i];
  }
  __syncthreads();
  if (threadIdx.x < 2 * TILE) {
    const int line = threadIdx.x % TILE;
    const unsigned long long* from = threadIdx.x < TILE ? rows : columns;
    unsigned long long least = NO_KEY;
    for (int k = 0; k < 16; k++)
      if (from[k * TILE + line] < least) least = from[k * TILE + line];
    if (least != NO_KEY) atomicMin(keys + (threadIdx.x < TILE ? first_row : pairs + first_column) + line, least);
  }
}
KERNEL(mining_scan);

static __device__ __forceinline__ float warp_distance(int angular, const float* y, int width, int first, int second) {
  const float *a = y + (size_t)first * width, *b = y + (size_t)second * width;
  float sum = 0.f;
  for (int k = threadIdx.x % 32; k < width; k += 32) {
    const float d = a[k] - b[k];
    sum = angular ? fmaf(a[k], b[k], sum) : fmaf(d, d, sum);
  }
  sum = warp_sum(sum);
  return angular ? 2.f * (1.f - sum) : sqrtf(sum + 1e-6f) + 1e-8f;
}

// The smaller of row and column, and the two distances from the differences. One warp a pair.
extern "C" __global__ __launch_bounds__(256) void mining_finish(
    int angular, const float* __restrict__ y, const unsigned long long* __restrict__ keys, float* __restrict__ positive, float* __restrict__ negative,
    int* __restrict__ negative_pair, int pairs, int width) {
  const int pair = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (pair >= pairs) return;
  const unsigned long long row_key = keys[pair], column_key = keys[pairs + pair];
  const bool none = row_key == NO_KEY && column_key == NO_KEY;
  const bool from_row = column_key == NO_KEY || (row_key != NO_KEY && key_distance(row_key) <= key_distance(column_key));
  const int first = none ? -1 : from_row ? pair : (int)(unsigned)column_key;
  const int second = none ? -1 : pairs + (from_row ? (int)(unsigned)row_key : pair);
  const float near = warp_distance(angular, y, width, pair, pairs + pair);
  float far = __uint_as_float(0x7f800000u);
  if (!none) far = warp_distance(angular, y, width, first, second);
  if (lane == 0) {
    positive[pair] = near;
    negative[pair] = far;
    negative_pair[2 * pair] = first;
    negative_pair[2 * pair + 1] = second;
  }
}
KERNEL(mining_finish);
