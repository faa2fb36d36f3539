// The hardest negative of each of p pairs: the smallest of row i and of column i of the p x p matrix of distances d(y1_i, y2_j), without the diagonal
// and without near-duplicates; d is sqrt(|a|^2 + |b|^2 - 2 a.b + 1e-6) + 1e-8 or 2 (1 - a.b).
// Layouts: descriptors [2p][q]; positive, negative [p]; negative_pair [p][2], rows of the descriptors or -1.
// One block a 64 x 64 tile of the matrix, whose distances stay in registers. A distance and its index make one 64-bit key that grows with both, so the
// least key is the smallest distance at its lowest index, and the least of all blocks is found by integer minima in any order with the same result.
// Memory: two keys a pair, 16 p bytes beside the squares of the rows. p^2 q multiply-adds, q p^2 / 8 bytes through L2: bound by arithmetic.
// |a|^2 + |b|^2 - 2 a.b loses its digits near 0: distances that near are taken from the differences, and so are all that are written.
#include "block_gemm.cuh"
#include "reduce.cuh"

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

// |y|^2 of each row, and no key yet. One warp per row.
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

typedef BlockGemm<Float32, 64, 64, 32, 32, true, true> Gemm;

// keys[i] is row i's least key, keys[p + j] column j's.
extern "C" __global__ __launch_bounds__(Gemm::THREADS) void mining_scan(
    int angular, float near_duplicate, const float* __restrict__ y, const float* __restrict__ squares, unsigned long long* __restrict__ keys, int pairs,
    int width) {
  constexpr int ROW_THREADS = 64 / 4, COLUMN_THREADS = Gemm::THREADS / ROW_THREADS;
  static_assert(Gemm::SHARED_BYTES >= 64 * 8 * COLUMN_THREADS && Gemm::PASS == 64 && 32 % ROW_THREADS == 0, "the tile is there at once, a row in half a warp");
  __shared__ __align__(16) unsigned char shared[Gemm::SHARED_BYTES];
  const int first_row = blockIdx.y * 64, first_column = blockIdx.x * 64, column = first_column + Gemm::column();
  const float *first = y, *second = y + (size_t)pairs * width;
  MatrixRows<Gemm::A_VECTORS> a = MatrixRows<Gemm::A_VECTORS>::tile(first, pairs, width, first_row, width);
  MatrixRows<Gemm::B_VECTORS> b = MatrixRows<Gemm::B_VECTORS>::tile(second, pairs, width, first_column, width);
  Gemm::Accumulators sums;
  Gemm::run(a, b, 0, width, shared, sums);
  Gemm::rows(sums, shared, [](int, float4 (&)[Gemm::ROW_COUNT]) {});
  unsigned long long least_column[4] = {NO_KEY, NO_KEY, NO_KEY, NO_KEY};
  float column_square[4];
  PRAGMA_UNROLL
  for (int j = 0; j < 4; j++) column_square[j] = column + j < pairs ? squares[pairs + column + j] : 0.f;
  // Rolled, row by row: in line, distances with their roots and limits are most of the kernel's code.
  PRAGMA_ROLLED
  for (int i = 0; i < Gemm::ROW_COUNT; i++) {
    const int local = Gemm::row() + i * Gemm::ROW_STEP, row = first_row + local;
    unsigned long long least_row = NO_KEY;
    if (row < pairs) {
      const float4 four = ld_f4(reinterpret_cast<const float*>(shared) + local * Gemm::PITCH + Gemm::column());
      const float products[4] = {four.x, four.y, four.z, four.w}, row_square = squares[row];
      float squared[4];
      unsigned near = 0;
      PRAGMA_UNROLL
      for (int j = 0; j < 4; j++) {
        const float both = row_square + column_square[j];
        squared[j] = both - 2.f * products[j];
        if (!angular && squared[j] < both / 64.f) near |= 1u << j;
      }
      // Few are so near that their digits are lost.
      PRAGMA_ROLLED
      for (; near != 0; near &= near - 1) {
        const int which = __ffs((int)near) - 1;
        if (column + which >= pairs || row == column + which) continue;
        const float exact = squared_distance(first + (size_t)row * width, second + ((size_t)column + which) * width, width);
        PRAGMA_UNROLL
        for (int j = 0; j < 4; j++) squared[j] = j == which ? exact : squared[j];
      }
      PRAGMA_UNROLL
      for (int j = 0; j < 4; j++) {
        const float distance = angular ? 2.f * (1.f - products[j]) : sqrtf(squared[j] + 1e-6f) + 1e-8f;
        if (column + j >= pairs || row == column + j || !(distance >= near_duplicate)) continue;
        const unsigned long long row_key = distance_key(distance, column + j), column_key = distance_key(distance, row);
        if (row_key < least_row) least_row = row_key;
        if (column_key < least_column[j]) least_column[j] = column_key;
      }
    }
    PRAGMA_UNROLL
    for (int lanes = 1; lanes < ROW_THREADS; lanes *= 2) {
      const unsigned low = __shfl_xor_sync(0xffffffffu, (unsigned)least_row, lanes), high = __shfl_xor_sync(0xffffffffu, (unsigned)(least_row >> 32), lanes);
      const unsigned long long other = (unsigned long long)high << 32 | low;
      if (other < least_row) least_row = other;
    }
    if (threadIdx.x % ROW_THREADS == 0 && least_row != NO_KEY) atomicMin(keys + row, least_row);
  }
  // The tile's 8 threads per column, then the matrix.
  unsigned long long* columns = reinterpret_cast<unsigned long long*>(shared);
  __syncthreads();
  PRAGMA_UNROLL
  for (int j = 0; j < 4; j++) columns[Gemm::row() * 64 + Gemm::column() + j] = least_column[j];
  __syncthreads();
  if (threadIdx.x >= 64) return;
  unsigned long long least = NO_KEY;
  PRAGMA_UNROLL
  for (int k = 0; k < COLUMN_THREADS; k++) {
    const unsigned long long key = columns[k * 64 + threadIdx.x];
    if (key < least) least = key;
  }
  if (least != NO_KEY) atomicMin(keys + pairs + first_column + threadIdx.x, least);
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

// The smaller of row and column, and the two distances from the differences. One warp per pair.
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
