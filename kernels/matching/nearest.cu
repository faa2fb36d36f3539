// ptx: 7.1
// For each of n queries the k nearest of m targets, by Euclidean or by Hamming distance, never storing the n x m matrix.
// Layouts: floats [n][d], [m][d]; bits in bytes [n][b], [m][b]; results [n][k].
// A distance and its index make a 64-bit key that grows with both. k keys per query lie in memory. A new key goes into the first by an atomic minimum,
// whichever of the two lost into the second, and so on: whatever the order, the first ends as the least of all keys, the second as the least that lost.
// So targets can be cut into spans for different blocks, and blocks see one another's finds, yet the result is the same always; ties go to the lower index.
// The last key so far is what nearest_scan.cuh filters by: about k ln(m / k) candidates per query, and those within the error. A key moves k / 2 others on
// average, so k is meant to be small: tens, not thousands.
#include "nearest_scan.cuh"

typedef unsigned long long Key;
static constexpr Key NO_KEY = ~0ull;

// Keys fall and are never above the one after them: those before the first that is above the new one have nothing to do with it.
static __device__ __forceinline__ void insert_key(Key* keys, int kept, Key key) {
  int low = 0, high = kept;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (ld_relaxed(keys + middle) > key) high = middle;
    else low = middle + 1;
  }
  for (; low < kept && key != NO_KEY; low++) {
    const Key old = atomicMin(keys + low, key);
    if (old > key) key = old;
  }
}

struct NearestSink {
  static constexpr bool SEEDED = true;
  Key* keys;                                                           // [n][kept]
  int kept;
  template <class Measure> __device__ __forceinline__ typename Measure::Value opening(const Measure&, int) const {
    return Bound<typename Measure::Value>::open();
  }
  __device__ __forceinline__ void take(int query, int target, unsigned bits) const {
    insert_key(keys + (size_t)query * kept, kept, (Key)bits << 32 | (unsigned)target);
  }
  // Whatever other blocks have made of the last key: it only falls.
  __device__ __forceinline__ unsigned limit(int query) const { return (unsigned)(ld_relaxed(keys + (size_t)query * kept + kept - 1) >> 32); }
};

// |row|^2 of each row times a share, for products in float32 and in bf16, each where it is asked for; the row in bf16, with zeros up to pitch numbers; no keys
// yet. One warp per row. From count to padded the rows are zeros whose square is not a number.
extern "C" __global__ __launch_bounds__(256) void nearest_start(const float* __restrict__ rows, int count, int padded, int width, int pitch, float share,
    float* __restrict__ squares, float rounded_share, float* __restrict__ rounded_squares, unsigned* __restrict__ rounded, Key* __restrict__ keys, int kept) {
  const int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (row >= padded) return;
  const float* from = rows + (size_t)row * width;
  const int columns = row < count ? width : 0;
  const float square = warp_square(from, columns);
  if (lane == 0 && squares) squares[row] = row < count ? share * square : Bound<float>::absent();
  if (lane == 0 && rounded_squares) rounded_squares[row] = row < count ? rounded_share * square : Bound<float>::absent();
  if (keys && row < count)
    for (int k = lane; k < kept; k += 32) keys[(size_t)row * kept + k] = NO_KEY;
  if (!rounded) return;
  for (int k = 2 * lane; k < pitch; k += 64)
    rounded[((size_t)row * pitch + k) / 2] = pack_bf16(k < columns ? from[k] : 0.f, k + 1 < columns ? from[k + 1] : 0.f);
}
KERNEL(nearest_start);

// The same of rows of bytes: their ones, and the rows as words.
extern "C" __global__ __launch_bounds__(256) void hamming_start(const unsigned char* __restrict__ rows, int count, int padded, int width, int pitch,
    int* __restrict__ ones, unsigned* __restrict__ words, Key* __restrict__ keys, int kept) {
  const int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (row >= padded) return;
  const unsigned char* from = rows + (size_t)row * width;
  const int columns = row < count ? width : 0;
  int sum = 0;
  for (int k = lane; k < pitch; k += 32) {
    unsigned word = 0;
    PRAGMA_UNROLL
    for (int j = 0; j < 4; j++)
      if (4 * k + j < columns) word |= (unsigned)from[4 * k + j] << (8 * j);
    words[(size_t)row * pitch + k] = word;
    sum += __popc(word);
  }
  sum = warp_sum(sum);
  if (lane == 0) ones[row] = row < count ? sum : Bound<int>::absent();
  if (keys && row < count)
    for (int k = lane; k < kept; k += 32) keys[(size_t)row * kept + k] = NO_KEY;
}
KERNEL(hamming_start);

extern "C" __global__ __launch_bounds__(256, 2) void nearest_scan_bf16(
    const float* __restrict__ queries, const float* __restrict__ targets, const unsigned char* __restrict__ query_rows,
    const unsigned char* __restrict__ target_rows, const float* __restrict__ query_squares, const float* __restrict__ target_squares, Key* keys, int kept,
    int query_count, int target_count, int width, int pitch, int span, float slack, float up) {
  scan<Bf16Tile>(query_rows, target_rows, target_squares, EuclideanMeasure{queries, targets, query_squares, width, slack, up}, NearestSink{keys, kept},
                 query_count, target_count, pitch, span);
}
KERNEL(nearest_scan_bf16);
extern "C" __global__ __launch_bounds__(256, 2) void hamming_scan(
    const unsigned* __restrict__ query_rows, const unsigned* __restrict__ target_rows, const int* __restrict__ query_ones,
    const int* __restrict__ target_ones, Key* keys, int kept, int query_count, int target_count, int words, int span) {
  scan<BitsTile>(reinterpret_cast<const unsigned char*>(query_rows), reinterpret_cast<const unsigned char*>(target_rows), target_ones,
                 HammingMeasure{query_rows, target_rows, query_ones, words}, NearestSink{keys, kept}, query_count, target_count, 4 * words, span);
}
KERNEL(hamming_scan);

extern "C" __global__ __launch_bounds__(128, 2) void nearest_scan_float32(
    const float* __restrict__ queries, const float* __restrict__ targets, const float* __restrict__ query_squares,
    const float* __restrict__ target_squares, Key* keys, int kept, int query_count, int target_count, int width, int span, float slack, float up) {
  scan_float32(queries, targets, target_squares, EuclideanMeasure{queries, targets, query_squares, width, slack, up}, NearestSink{keys, kept}, query_count,
               target_count, width, span);
}
KERNEL(nearest_scan_float32);

extern "C" __global__ __launch_bounds__(256) void nearest_finish(
    const Key* __restrict__ keys, int* __restrict__ nearest, float* __restrict__ distance, int count) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
    nearest[i] = (int)(unsigned)keys[i];    // no key: -1
    distance[i] = __uint_as_float(keys[i] == NO_KEY ? 0x7f800000u : (unsigned)(keys[i] >> 32));
  }
}
KERNEL(nearest_finish);

extern "C" __global__ __launch_bounds__(256) void hamming_finish(
    const Key* __restrict__ keys, int* __restrict__ nearest, int* __restrict__ distance, int count) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
    nearest[i] = (int)(unsigned)keys[i];
    distance[i] = keys[i] == NO_KEY ? 0x7fffffff : (int)(keys[i] >> 32);
  }
}
KERNEL(hamming_finish);
