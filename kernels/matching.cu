// For each of n queries the nearest and the second nearest of m targets, by Euclidean or by Hamming distance, never storing the n x m matrix.
// Layouts: floats [n][d], [m][d]; bits in 32-bit words, rows padded with zeros; results [n][2].
// A distance and its index make a 64-bit key that grows with both. Two keys a query lie in memory; a new key goes into the first by an atomic minimum,
// and whichever of the two lost into the second: whatever the order, the first ends as the least of all keys and the second as the least that lost.
// So targets can be cut into spans for different blocks, and blocks see one another's finds, yet the result is the same always; ties go to the lower index.
//
// Euclidean: exact float32 distances sqrt(sum (a - b)^2), but only of candidates. A block holds 64 queries and streams its span in tiles of 64 targets, whose
// inner products P it gets from a tile product. With |P - a.b| <= e |a| |b| a true squared distance is at least (1 - e)(|a|^2 + |b|^2) - 2 P, so a target
// with (1 - e)|b|^2 - 2 P above (the second nearest so far)^2 - (1 - e)|a|^2 cannot win; all others go to a queue and are measured when it holds 256,
// by one thread each. After the first tile few do: about 2 ln m a query. The filter's precision is free: it decides only how many candidates are measured
// in vain. 2 n m d operations, (n m / 64) (4 d + 4) bytes through L2: bound by arithmetic.
// Hamming: one thread a query, its bits in registers, targets through shared memory, read by all threads at once: bound by the population counts.
#include "reduce.cuh"
#include "tile_product.cuh"

typedef unsigned long long Key;
static constexpr Key NO_KEY = ~0ull;
static constexpr int QUEUE_READY = 256, QUEUE_SIZE = TILE * TILE + QUEUE_READY;

static __device__ __forceinline__ void insert_key(Key* two, Key key) {
  const Key old = atomicMin(two, key);
  const Key lost = old > key ? old : key;
  if (lost != NO_KEY) atomicMin(two + 1, lost);
}

// share x |row|^2 of each row, one warp a row; and no keys yet, where they are given.
extern "C" __global__ __launch_bounds__(256) void nearest_start(
    const float* __restrict__ rows, int count, int width, float share, float* __restrict__ squares, Key* __restrict__ keys) {
  const int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (row >= count) return;
  const float square = warp_square(rows + (size_t)row * width, width);
  if (lane == 0) squares[row] = share * square;
  if (lane < 2 && keys) keys[2 * (size_t)row + lane] = NO_KEY;
}
KERNEL(nearest_start);

static __device__ __forceinline__ float row_distance(const float* __restrict__ a, const float* __restrict__ b, int width) {
  float sum[4] = {0.f, 0.f, 0.f, 0.f};
  if (width % 4 == 0) {
    for (int k = 0; k < width; k += 4) {
      const float4 x = ld_f4(a + k), y = ld_f4(b + k);
      sum[0] = fmaf(x.x - y.x, x.x - y.x, sum[0]);
      sum[1] = fmaf(x.y - y.y, x.y - y.y, sum[1]);
      sum[2] = fmaf(x.z - y.z, x.z - y.z, sum[2]);
      sum[3] = fmaf(x.w - y.w, x.w - y.w, sum[3]);
    }
  } else {
    for (int k = 0; k < width; k++) sum[0] = fmaf(a[k] - b[k], a[k] - b[k], sum[0]);
  }
  return sqrtf((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

// Block (query tile, span of targets). query_squares and target_squares are already times 1 - e; slack is 1 + what the measured distances may be off.
extern "C" __global__ __launch_bounds__(256) void nearest_scan(
    const float* __restrict__ queries, const float* __restrict__ targets, const float* __restrict__ query_squares,
    const float* __restrict__ target_squares, Key* keys, int query_count, int target_count, int width, int span, float slack) {
  __shared__ __align__(16) float shared[TILE_FLOATS];
  __shared__ float thresholds[TILE];
  __shared__ unsigned queue[QUEUE_SIZE];    // target - the span's first in the upper 26 bits, query - the tile's first in the lower 6
  __shared__ int queued;
  const int first_query = blockIdx.x * TILE, begin = blockIdx.y * span, end = min(target_count - begin, span) + begin;
  const int row = threadIdx.x / 16 * 4, column = threadIdx.x % 16 * 4;
  const Operand a = {queries, width, 1, query_count}, b = {targets, width, 1, target_count};
  if (threadIdx.x < TILE) thresholds[threadIdx.x] = __uint_as_float(first_query + (int)threadIdx.x < query_count ? 0x7f800000u : 0xff800000u);
  if (threadIdx.x == 0) queued = 0;
  for (int first = begin; first < end; first += TILE) {
    float sums[4][4];
    tile_product(a, first_query, b, first, 0, width, shared, sums);
    PRAGMA_UNROLL
    for (int j = 0; j < 4; j++) {
      const int target = first + column + j;
      if (target >= end) continue;
      const float square = target_squares[target];
      PRAGMA_UNROLL
      for (int i = 0; i < 4; i++)
        if (square - 2.f * sums[i][j] <= thresholds[row + i]) queue[atomicAdd(&queued, 1)] = (unsigned)(target - begin) << 6 | (unsigned)(row + i);
    }
    __syncthreads();
    const int count = queued;
    if (count < QUEUE_READY && first + TILE < end) continue;
    for (int entry = threadIdx.x; entry < count; entry += blockDim.x) {
      const int query = first_query + (int)(queue[entry] & 63u), target = begin + (int)(queue[entry] >> 6);
      const float distance = row_distance(queries + (size_t)query * width, targets + (size_t)target * width, width);
      if (distance == distance) insert_key(keys + 2 * (size_t)query, (Key)__float_as_uint(distance) << 32 | (unsigned)target);
    }
    __syncthreads();
    if (threadIdx.x == 0) queued = 0;
    const int query = first_query + (int)threadIdx.x;
    if (threadIdx.x < TILE && query < query_count) {
      const Key second = *(volatile const Key*)(keys + 2 * (size_t)query + 1);      // whatever other blocks have made of it: it only falls
      const float distance = __uint_as_float((unsigned)(second >> 32));
      if (second != NO_KEY) thresholds[threadIdx.x] = distance * distance * slack - query_squares[query];
    }
    __syncthreads();
  }
}
KERNEL(nearest_scan);

extern "C" __global__ __launch_bounds__(256) void nearest_finish(const Key* __restrict__ keys, int* __restrict__ nearest, float* __restrict__ distance, int count) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
    nearest[i] = (int)(unsigned)keys[i];    // no key: -1
    distance[i] = __uint_as_float(keys[i] == NO_KEY ? 0x7f800000u : (unsigned)(keys[i] >> 32));
  }
}
KERNEL(nearest_finish);

// Rows of bytes as rows of words, the rest 0.
extern "C" __global__ __launch_bounds__(256) void hamming_words(
    const unsigned char* __restrict__ bytes, unsigned* __restrict__ out, int rows, int width, int words) {
  const long long count = (long long)rows * words, stride = (long long)gridDim.x * blockDim.x;
  for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < count; i += stride) {
    const long long row = i / words;
    const int first = (int)(i % words) * 4;
    unsigned word = 0;
    for (int k = 0; k < 4; k++)
      if (first + k < width) word |= (unsigned)bytes[row * width + first + k] << (8 * k);
    out[i] = word;
  }
}
KERNEL(hamming_words);

extern "C" __global__ __launch_bounds__(256) void hamming_start(Key* __restrict__ keys, long long count) {
  for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < count; i += (long long)gridDim.x * blockDim.x) keys[i] = NO_KEY;
}
KERNEL(hamming_start);

// A thread's two best, while the index grows.
struct TwoBest {
  int distance[2], index[2];
  __device__ __forceinline__ void add(int d, int target) {
    if (d >= distance[1]) return;
    const bool first = d < distance[0];
    distance[1] = first ? distance[0] : d;
    index[1] = first ? index[0] : target;
    distance[0] = first ? d : distance[0];
    index[0] = first ? target : index[0];
  }
  __device__ __forceinline__ void write(Key* two) const {
    PRAGMA_UNROLL
    for (int rank = 0; rank < 2; rank++)
      if (distance[rank] != 0x7fffffff) insert_key(two, (Key)distance[rank] << 32 | (unsigned)index[rank]);
  }
};

// 128 threads, one query each; WORDS 4 or 8. Block (128 queries, span of targets).
template <int WORDS>
static __device__ __forceinline__ void hamming_scan(const unsigned* __restrict__ queries, const unsigned* __restrict__ targets, Key* keys, int query_count,
                                                    int target_count, int span) {
  __shared__ __align__(16) unsigned tile[128 * WORDS];
  const int query = blockIdx.x * 128 + threadIdx.x, begin = blockIdx.y * span, end = min(target_count - begin, span) + begin;
  unsigned bits[WORDS];
  PRAGMA_UNROLL
  for (int k = 0; k < WORDS; k++) bits[k] = 0;
  if (query < query_count) {
    PRAGMA_UNROLL
    for (int k = 0; k < WORDS; k += 4) {
      const uint4 v = ld_u4(queries + (size_t)query * WORDS + k);
      bits[k] = v.x; bits[k + 1] = v.y; bits[k + 2] = v.z; bits[k + 3] = v.w;
    }
  }
  TwoBest best = {{0x7fffffff, 0x7fffffff}, {-1, -1}};
  for (int first = begin; first < end; first += 128) {
    const int count = min(128, end - first);
    if ((int)threadIdx.x < count) {
      PRAGMA_UNROLL
      for (int k = 0; k < WORDS; k += 4) st_u4(tile + threadIdx.x * WORDS + k, ld_u4(targets + ((size_t)first + threadIdx.x) * WORDS + k));
    }
    __syncthreads();
    for (int j = 0; j < count; j++) {
      int d = 0;
      PRAGMA_UNROLL
      for (int k = 0; k < WORDS; k += 4) {
        const uint4 v = ld_u4(tile + j * WORDS + k);
        d += __popc(bits[k] ^ v.x) + __popc(bits[k + 1] ^ v.y) + __popc(bits[k + 2] ^ v.z) + __popc(bits[k + 3] ^ v.w);
      }
      best.add(d, first + j);
    }
    __syncthreads();
  }
  if (query < query_count) best.write(keys + 2 * (size_t)query);
}
extern "C" __global__ __launch_bounds__(128) void hamming_scan_128(
    const unsigned* __restrict__ queries, const unsigned* __restrict__ targets, Key* keys, int query_count, int target_count, int words, int span) {
  hamming_scan<4>(queries, targets, keys, query_count, target_count, span);
}
KERNEL(hamming_scan_128);
extern "C" __global__ __launch_bounds__(128) void hamming_scan_256(
    const unsigned* __restrict__ queries, const unsigned* __restrict__ targets, Key* keys, int query_count, int target_count, int words, int span) {
  hamming_scan<8>(queries, targets, keys, query_count, target_count, span);
}
KERNEL(hamming_scan_256);

// Longer bits, from the caches.
extern "C" __global__ __launch_bounds__(128) void hamming_scan_long(
    const unsigned* __restrict__ queries, const unsigned* __restrict__ targets, Key* keys, int query_count, int target_count, int words, int span) {
  const int query = blockIdx.x * 128 + threadIdx.x, begin = blockIdx.y * span, end = min(target_count - begin, span) + begin;
  if (query >= query_count) return;
  TwoBest best = {{0x7fffffff, 0x7fffffff}, {-1, -1}};
  for (int target = begin; target < end; target++) {
    int d = 0;
    for (int k = 0; k < words; k++) d += __popc(queries[(size_t)query * words + k] ^ targets[(size_t)target * words + k]);
    best.add(d, target);
  }
  best.write(keys + 2 * (size_t)query);
}
KERNEL(hamming_scan_long);

extern "C" __global__ __launch_bounds__(256) void hamming_finish(const Key* __restrict__ keys, int* __restrict__ nearest, int* __restrict__ distance, int count) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
    nearest[i] = (int)(unsigned)keys[i];
    distance[i] = keys[i] == NO_KEY ? 0x7fffffff : (int)(keys[i] >> 32);
  }
}
KERNEL(hamming_finish);
