// For each of n queries the nearest and the second nearest of m targets, by Euclidean or by Hamming distance, never storing the n x m matrix.
// Layouts: floats [n][d], [m][d]; bits in 32-bit words, rows padded with zeros; results [n][2].
// A distance and its index make a 64-bit key that grows with both. Two keys a query lie in memory; a new key goes into the first by an atomic minimum,
// and whichever of the two lost into the second: whatever the order, the first ends as the least of all keys and the second as the least that lost.
// So targets can be cut into spans for different blocks, and blocks see one another's finds, yet the result is the same always; ties go to the lower index.
//
// Euclidean: exact float32 distances sqrt(sum (a - b)^2), but only of candidates. A block holds 128 queries and streams its span in tiles of targets, whose
// inner products P it has multiplied in bf16 on tensor cores, or in float32. With |P - a.b| <= e |a| |b| a true squared distance is at least
// (1 - e)(|a|^2 + |b|^2) - 2 P, so a target with (1 - e)|b|^2 - 2 P above (the second nearest so far)^2 - (1 - e)|a|^2 cannot win; all others go to a
// queue and are measured when it holds 256, by one thread each. After the first tile few do: about 2 ln m a query, and those within the error. So
// the filter's precision decides only how many are measured in vain, not the result. 2 n m d operations, n m d / 16 bytes through L2 (bf16): bound by both.
// Hamming: one thread a query, its bits in registers, targets through shared memory, read by all threads at once: bound by the population counts.
#include "block_gemm.cuh"
#include "reduce.cuh"

typedef unsigned long long Key;
static constexpr Key NO_KEY = ~0ull;
static constexpr int QUEUE_READY = 256, QUEUE_SIZE = 2048;

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

// Block (query tile, span of targets). query_squares and target_squares are already times 1 - e; slack is 1 + what the measured distances may be off.
template <class Gemm>
static __device__ __forceinline__ void scan(const float* __restrict__ queries, const float* __restrict__ targets, const float* __restrict__ query_squares,
                                            const float* __restrict__ target_squares, Key* keys, int query_count, int target_count, int width, int span,
                                            float slack) {
  constexpr int ELEMENTS = Gemm::M_TILES * Gemm::N_TILES * Gemm::PART;
  static_assert(ELEMENTS <= 64 && Gemm::ROWS <= 128 && Gemm::COLUMNS <= Gemm::THREADS, "one bit an element, 7 bits a query, one thread a target");
  __shared__ __align__(16) unsigned char shared[Gemm::SHARED_BYTES];
  __shared__ float thresholds[Gemm::ROWS], squares[Gemm::COLUMNS];
  __shared__ unsigned queue[QUEUE_SIZE];    // target - the span's first in the upper 25 bits, query - the tile's first in the lower 7
  __shared__ int queued;
  const float infinity = __uint_as_float(0x7f800000u), nan = __uint_as_float(0x7fffffffu);
  const int first_query = blockIdx.x * Gemm::ROWS, begin = blockIdx.y * span, end = min(target_count - begin, span) + begin;
  for (int m = threadIdx.x; m < Gemm::ROWS; m += Gemm::THREADS) thresholds[m] = first_query + m < query_count ? infinity : nan;
  if (threadIdx.x == 0) queued = 0;
  for (int first = begin; first < end; first += Gemm::COLUMNS) {
    const int target = first + (int)threadIdx.x;
    if (threadIdx.x < Gemm::COLUMNS) squares[threadIdx.x] = target < end ? target_squares[target] : nan;
    MatrixRows<Gemm::A_VECTORS> a = MatrixRows<Gemm::A_VECTORS>::tile(queries, query_count, width, first_query, width);
    MatrixRows<Gemm::B_VECTORS> b = MatrixRows<Gemm::B_VECTORS>::tile(targets, end, width, first, width);
    typename Gemm::Accumulators sums;
    Gemm::run(a, b, 0, width, shared, sums);
    unsigned long long done = 0;            // one bit an element of this thread: already in the queue
    bool again;
    do {
      int element = 0;
      Gemm::visit(sums, [&](int m, int n, float product) {
        if (squares[n] - 2.f * product <= thresholds[m] && !(done >> element & 1)) {       // false for NaN
          const int slot = atomicAdd(&queued, 1);
          if (slot < QUEUE_SIZE) {
            queue[slot] = (unsigned)(first - begin + n) << 7 | (unsigned)m;
            done |= 1ull << element;
          }
        }
        element++;
      });
      __syncthreads();
      const int wanted = queued, count = min(wanted, QUEUE_SIZE);
      again = wanted > QUEUE_SIZE;          // the rest of this tile in another round, with what has been learned
      if (wanted >= QUEUE_READY || first + Gemm::COLUMNS >= end) {
        for (int entry = threadIdx.x; entry < count; entry += Gemm::THREADS) {
          const int query = first_query + (int)(queue[entry] & 127u), found = begin + (int)(queue[entry] >> 7);
          const float distance = sqrtf(squared_distance(queries + (size_t)query * width, targets + (size_t)found * width, width));
          if (distance == distance) insert_key(keys + 2 * (size_t)query, (Key)__float_as_uint(distance) << 32 | (unsigned)found);
        }
        __syncthreads();
        if (threadIdx.x == 0) queued = 0;
        for (int m = threadIdx.x; m < Gemm::ROWS; m += Gemm::THREADS) {
          if (first_query + m >= query_count) continue;
          const Key second = ld_relaxed(keys + 2 * ((size_t)first_query + m) + 1);      // whatever other blocks have made of it: it only falls
          const float distance = __uint_as_float((unsigned)(second >> 32));
          if (second != NO_KEY) thresholds[m] = distance * distance * slack - query_squares[first_query + m];
        }
      }
      __syncthreads();
    } while (again);
  }
}

extern "C" __global__ __launch_bounds__(128) void nearest_scan_float32(
    const float* __restrict__ queries, const float* __restrict__ targets, const float* __restrict__ query_squares,
    const float* __restrict__ target_squares, Key* keys, int query_count, int target_count, int width, int span, float slack) {
  scan<BlockGemm<Float32, 128, 64, 64, 32, true, true>>(queries, targets, query_squares, target_squares, keys, query_count, target_count, width, span, slack);
}
KERNEL(nearest_scan_float32);
extern "C" __global__ __launch_bounds__(256) void nearest_scan_bf16(
    const float* __restrict__ queries, const float* __restrict__ targets, const float* __restrict__ query_squares,
    const float* __restrict__ target_squares, Key* keys, int query_count, int target_count, int width, int span, float slack) {
  scan<BlockGemm<Bf16, 128, 128, 64, 32, true, true>>(queries, targets, query_squares, target_squares, keys, query_count, target_count, width, span, slack);
}
KERNEL(nearest_scan_bf16);

extern "C" __global__ __launch_bounds__(256) void nearest_finish(
    const Key* __restrict__ keys, int* __restrict__ nearest, float* __restrict__ distance, int count) {
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

extern "C" __global__ __launch_bounds__(256) void hamming_finish(
    const Key* __restrict__ keys, int* __restrict__ nearest, int* __restrict__ distance, int count) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
    nearest[i] = (int)(unsigned)keys[i];
    distance[i] = keys[i] == NO_KEY ? 0x7fffffff : (int)(keys[i] >> 32);
  }
}
KERNEL(hamming_finish);
