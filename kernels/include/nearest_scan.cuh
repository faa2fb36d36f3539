// nearest_scan.cuh - the exhaustive search among m targets that nearest.cu and within.cu share: which pairs of a query and a target can be among the results,
// found without storing the n x m matrix, and the exact distances of these, and only these, handed to a sink.
//
// Both distances are filtered by inner products P of a block's 128 queries and tiles of 128 targets, which stay in registers:
//   Euclidean  exact float32 distances sqrt(sum (a - b)^2), but only of candidates. P is multiplied in bf16 on tensor cores, or in float32. With
//              |P - a.b| <= e |a| |b| a true squared distance lies between (1 - e)(|a|^2 + |b|^2) - 2 P and (1 + e)(|a|^2 + |b|^2) - 2 P, so a target with
//              (1 - e)|b|^2 - 2 P above limit^2 - (1 - e)|a|^2 is farther than the limit. The precision decides how many are measured in vain, no more.
//   Hamming    popc(a ^ b) = popc(a) + popc(b) - 2 popc(a & b), and popc(a & b) is a binary product of the tensor cores, exact: 256 bits of 16 x 8 pairs
//              per instruction, where popcounts take 8 POPC per pair at 16 lanes per clock and multiprocessor. The same filter with e = 0.
// Candidates go to a queue and are measured when it holds 256, by eight lanes each.
// Rows are prepared once: rounded to bf16 or padded with zeros, n and m up to multiples of 128, so that cp.async fetches them without a look at where they end:
// four stages of 64 (Hamming: 32) bytes of each row; queries of up to 256 bytes stay in shared memory. 2 n m d operations, n m d / 64 bytes through L2, and for
// each of the n m products three instructions: product to bound, compare, note.
//
// A sink:
//   SEEDED                         whether thresholds fall while it fills, and the first tile of targets gives every query one to begin with
//   kept                           where SEEDED: the neighbours wanted of a query
//   opening(measure, query)        the threshold to begin with
//   take(query, target, bits)      a measured pair; bits: of the distance, which rise with it
//   limit(query) -> bits           where SEEDED: of the farthest distance that still matters, ~0 for all
#pragma once
#include "block_gemm.cuh"
#include "reduce.cuh"

static constexpr unsigned NOT_FINITE = 0x7f800000u;                   // the bits of an infinite float; above them those of what is not a number
static constexpr float TINY = 7.9e-31f;                               // more than what squares and products lose where they underflow
static constexpr int QUERIES = 128, QUEUE_READY = 256, QUEUE_SIZE = 1024;

// Bounds and thresholds: floats of Euclidean, integers of Hamming distances. The open threshold lets every target pass but those that are not there, the
// shut one none.
template <class Value> struct Bound;
template <> struct Bound<float> {
  static __device__ __forceinline__ float largest() { return __uint_as_float(0x7f800000u); }
  static __device__ __forceinline__ float absent() { return __uint_as_float(0x7fffffffu); }
  static __device__ __forceinline__ float open() { return largest(); }
  static __device__ __forceinline__ float shut() { return absent(); }
  static __device__ __forceinline__ float minus_twice(float square, float product) { return fmaf(-2.f, product, square); }
  static __device__ __forceinline__ float least(float a, float b) { return fminf(a, b); }      // the other one where one is NaN
  static __device__ __forceinline__ float greatest(float a, float b) { return fmaxf(a, b); }
};
template <> struct Bound<int> {
  static __device__ __forceinline__ int largest() { return 0x3fffffff; }
  static __device__ __forceinline__ int absent() { return largest(); }
  static __device__ __forceinline__ int open() { return largest() - 1; }
  static __device__ __forceinline__ int shut() { return -largest(); }
  static __device__ __forceinline__ int minus_twice(int square, int product) { return square - 2 * product; }
  static __device__ __forceinline__ int least(int a, int b) { return min(a, b); }
  static __device__ __forceinline__ int greatest(int a, int b) { return max(a, b); }
};

// The two least of some numbers.
template <class Value> struct TwoLeast {
  Value first, second;
  __device__ __forceinline__ void add(Value v) {
    second = Bound<Value>::least(second, Bound<Value>::greatest(first, v));
    first = Bound<Value>::least(first, v);
  }
};

// Exact distances, each by eight neighbouring lanes: as the upper half of a key, all ones where it is not finite.
struct EuclideanMeasure {
  typedef float Value;
  const float *queries, *targets, *squares;                            // squares: of the queries, times 1 - e
  int width;
  float slack, up;                                                     // 1 + what measured distances may be off; (1 + e) / (1 - e)
  __device__ __forceinline__ unsigned bits(int query, int target) const {
    const float *a = queries + (size_t)query * width, *b = targets + (size_t)target * width;
    const int lane = threadIdx.x % 8;
    float sum[4] = {0.f, 0.f, 0.f, 0.f};
    if (width % 4 == 0 && ((size_t)queries | (size_t)targets) % 16 == 0) {
      for (int k = 4 * lane; k < width; k += 32) {
        const float4 x = ldg_f4(a + k), y = ldg_f4(b + k);
        sum[0] = fmaf(x.x - y.x, x.x - y.x, sum[0]);
        sum[1] = fmaf(x.y - y.y, x.y - y.y, sum[1]);
        sum[2] = fmaf(x.z - y.z, x.z - y.z, sum[2]);
        sum[3] = fmaf(x.w - y.w, x.w - y.w, sum[3]);
      }
    } else {
      for (int k = lane; k < width; k += 8) sum[0] = fmaf(a[k] - b[k], a[k] - b[k], sum[0]);
    }
    const float all = warp_sum<8>((sum[0] + sum[1]) + (sum[2] + sum[3]));
    const unsigned bits = __float_as_uint(sqrtf(all));
    return bits < NOT_FINITE ? bits : ~0u;
  }
  // Above which bound a target is farther than a distance; than an upper bound without the query's share.
  __device__ __forceinline__ float threshold(int query, unsigned bits) const {
    const float distance = __uint_as_float(bits);
    return fmaf(distance * distance, slack, TINY - squares[query]);
  }
  __device__ __forceinline__ float first_threshold(int query, float bound) const { return fmaf(fmaf(up, squares[query], bound), slack, TINY - squares[query]); }
  __device__ __forceinline__ float upper(float square, float product) const { return fmaf(-2.f, product, up * square); }
};
struct HammingMeasure {
  typedef int Value;
  const unsigned *queries, *targets;
  const int* ones;                                                     // of the queries
  int words;
  __device__ __forceinline__ unsigned bits(int query, int target) const {
    int sum = 0;
    for (int k = threadIdx.x % 8; k < words; k += 8) sum += __popc(queries[(size_t)query * words + k] ^ targets[(size_t)target * words + k]);
    return (unsigned)warp_sum<8>(sum);
  }
  __device__ __forceinline__ int threshold(int query, unsigned bits) const { return (int)bits - ones[query]; }
  __device__ __forceinline__ int first_threshold(int, int bound) const { return bound; }
  __device__ __forceinline__ int upper(int square, int product) const { return square - 2 * product; }
};

// A block's candidates. Tile: which 8 queries and 8 targets of a tile a thread has the products of.
template <class Tile, class Measure, class Sink> struct Shortlist {
  typedef typename Measure::Value Value;
  typedef Bound<Value> Of;
  struct Shared {
    Value thresholds[QUERIES];
    unsigned queue[QUEUE_SIZE];             // target - the span's first in the upper 25 bits, query - the tile's first in the lower 7
    int queued;
  };
  static constexpr int WARPS = Tile::COLUMNS / 32;
  static_assert(sizeof(Value) * 2 * WARPS * QUERIES <= sizeof(unsigned) * QUEUE_SIZE, "the queue's memory holds two bounds a query and warp");

  Measure measure;
  Shared& shared;
  Sink sink;
  int first_query, queries, begin;          // queries that there are; the span's first target
  unsigned long long waiting;               // this thread's candidates that are not in the queue yet: one bit a product
  int waiting_tile;                         // their tile's first target - the span's

  __device__ __forceinline__ void start() {
    waiting = 0;
    for (int m = threadIdx.x; m < QUERIES; m += Tile::THREADS) shared.thresholds[m] = m < queries ? sink.opening(measure, first_query + m) : Of::shut();
    if (threadIdx.x == 0) shared.queued = 0;
    __syncthreads();
  }

  // Thresholds from a first tile's upper bounds: the least that as many targets as are wanted stay below, or a little more. squares: of the tile's targets,
  // times 1 - e. Where they are more than two, of as many groups of the tile's columns as it takes the greatest of the second least bounds: four lanes and a
  // warp have a group of 32 columns, or a lane one of 8. For more than two of each such group the thresholds stay open.
  __device__ __forceinline__ void seed(const typename Tile::Accumulators& sums, const Value* squares) {
    if (sink.kept > 8 * WARPS) return;
    const bool by_lane = sink.kept > 2 * WARPS;
    TwoLeast<Value>* least = reinterpret_cast<TwoLeast<Value>*>(shared.queue);
    PRAGMA_UNROLL
    for (int r = 0; r < 8; r++) {
      TwoLeast<Value> two = {Of::largest(), Of::largest()};
      PRAGMA_UNROLL
      for (int c = 0; c < 8; c++) two.add(Of::least(measure.upper(squares[Tile::column(c)], Tile::at(sums, r, c)), Of::largest()));      // NaN: largest
      PRAGMA_UNROLL
      for (int offset = 1; offset < 4; offset *= 2) {
        const Value first = __shfl_xor_sync(0xffffffffu, two.first, offset), second = __shfl_xor_sync(0xffffffffu, two.second, offset);
        if (by_lane) {
          two.second = Of::greatest(two.second, second);
        } else {
          two.add(first);
          two.add(second);
        }
      }
      if (threadIdx.x % 4 == 0) least[Tile::column(0) / 32 * QUERIES + Tile::row(r)] = two;
    }
    __syncthreads();
    for (int m = threadIdx.x; m < queries; m += Tile::THREADS) {
      TwoLeast<Value> two = least[m];
      PRAGMA_UNROLL
      for (int warp = 1; warp < WARPS; warp++) {
        const TwoLeast<Value> other = least[warp * QUERIES + m];
        if (sink.kept > 2) {
          two.second = Of::greatest(two.second, other.second);
        } else {
          two.add(other.first);
          two.add(other.second);
        }
      }
      shared.thresholds[m] = Of::least(Of::open(), measure.first_threshold(first_query + m, two.second));
    }
    __syncthreads();
  }

  // Notes a tile's candidates; true where drain() is due.
  __device__ __forceinline__ bool note(const typename Tile::Accumulators& sums, const Value* squares, int tile) {
    waiting_tile = tile;
    unsigned half[2] = {0, 0};
    Value square[8];
    PRAGMA_UNROLL
    for (int c = 0; c < 8; c++) square[c] = squares[Tile::column(c)];
    PRAGMA_UNROLL
    for (int r = 0; r < 8; r++) {
      const Value threshold = shared.thresholds[Tile::row(r)];
      PRAGMA_UNROLL
      for (int c = 0; c < 8; c++)
        if (Of::minus_twice(square[c], Tile::at(sums, r, c)) <= threshold) half[r / 4] |= 1u << (r % 4 * 8 + c);      // false for NaN
    }
    waiting = (unsigned long long)half[1] << 32 | half[0];
    return enqueue(QUEUE_READY);
  }

  // Puts what is waiting into the queue; true where that makes it hold so many, or where not all fit.
  __device__ __forceinline__ bool enqueue(int ready) {
    bool due = false;
    while (waiting != 0) {
      const int element = __ffsll((long long)waiting) - 1, slot = atomicAdd(&shared.queued, 1);
      due |= slot >= ready - 1;
      if (slot >= QUEUE_SIZE) break;
      shared.queue[slot] = (unsigned)(waiting_tile + Tile::column(element % 8)) << 7 | (unsigned)Tile::row(element / 8);
      waiting &= waiting - 1;
    }
    return due;
  }

  // Measures what is in the queue, and what is waiting for room in it. All threads, after a barrier.
  __device__ __forceinline__ void drain(bool last) {
    do {
      const int count = min(shared.queued, QUEUE_SIZE);
      for (int base = 0; base < count; base += Tile::THREADS / 8) {
        const int entry = base + (int)threadIdx.x / 8;
        const unsigned candidate = shared.queue[min(entry, count - 1)];
        const int m = (int)(candidate & 127u), target = begin + (int)(candidate >> 7);
        const unsigned bits = measure.bits(first_query + m, target);
        if (entry < count && threadIdx.x % 8 == 0 && bits != ~0u) sink.take(first_query + m, target, bits);
      }
      __syncthreads();
      if (threadIdx.x == 0) shared.queued = 0;
      if constexpr (Sink::SEEDED) {
        for (int m = threadIdx.x; m < queries; m += Tile::THREADS) {
          const unsigned limit = sink.limit(first_query + m);
          if (limit != ~0u) shared.thresholds[m] = Of::least(shared.thresholds[m], measure.threshold(first_query + m, limit));
        }
      }
      __syncthreads();
    } while (__syncthreads_or(enqueue(last ? 1 : QUEUE_READY)));
  }
};

// A block's products in float32, 64 targets at a time.
struct FloatTile : BlockGemm<Float32, 128, 64, 64, 32, true, true> {
  static_assert(ROWS == QUERIES && M_TILES == 8 && N_TILES == 8, "eight rows and columns per thread");
  static __device__ __forceinline__ int row(int r) { return warp_row() + r / 4 * 32 + (int)(threadIdx.x % 32 / 4) * 4 + r % 4; }
  static __device__ __forceinline__ int column(int c) { return warp_column() + c / 4 * 16 + (int)(threadIdx.x % 4) * 4 + c % 4; }
  static __device__ __forceinline__ float at(const Accumulators& sums, int r, int c) { return sums.v[r][c][0]; }
};

// On tensor cores, 128 targets at a time: rows of bytes whose 32 (16 numbers of bf16, or 256 bits) are multiplied by one instruction, CHUNK at a time.
template <class T, int BYTES> struct TensorTile {
  typedef T Value;
  static constexpr int COLUMNS = 128, THREADS = 256, CHUNK = BYTES, STAGES = 4, OPERAND = 128 * CHUNK;
  static constexpr int RESIDENT = 128 * 256;                           // bytes of queries that stay
  struct Accumulators {
    T v[4][4][4];
  };
  static __device__ __forceinline__ int warp_row() { return (int)(threadIdx.x / 128) * 64; }
  static __device__ __forceinline__ int warp_column() { return (int)(threadIdx.x / 32 % 4) * 32; }
  static __device__ __forceinline__ int row(int r) { return warp_row() + r * 8 + (int)(threadIdx.x % 32 / 4); }
  static __device__ __forceinline__ int column(int c) { return warp_column() + c / 2 * 8 + (int)(threadIdx.x % 4) * 2 + c % 2; }
  static __device__ __forceinline__ T at(const Accumulators& sums, int r, int c) { return sums.v[r / 2][c / 2][r % 2 * 2 + c % 2]; }

  // Where 16 bytes of a row lie: eight neighbouring rows in different banks.
  static __device__ __forceinline__ int place(int row, int index) { return row * CHUNK + (CHUNK == 64 ? index ^ (row >> 1 & 3) : index ^ (row >> 2 & 1)) * 16; }
  static __device__ __forceinline__ void fetch(unsigned char* operand, const unsigned char* rows, int pitch) {
    PRAGMA_UNROLL
    for (int i = 0; i < OPERAND / 16 / THREADS; i++) {
      const int v = threadIdx.x + i * THREADS, row = v / (CHUNK / 16), index = v % (CHUNK / 16);
      cp_async16(operand + place(row, index), rows + (size_t)row * pitch + index * 16);
    }
  }
  static __device__ __forceinline__ void multiply(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) { mma_bf16_16816(d, a, b0, b1); }
  static __device__ __forceinline__ void multiply(int (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) { mma_and_popc_168256(d, a, b0, b1); }
  static __device__ __forceinline__ void multiply(Accumulators& sums, const unsigned char* a, const unsigned char* b) {
    const int lane = threadIdx.x % 32, low = lane >> 3 & 1, high = lane >> 4;
    const int fromA = place(warp_row() + (lane & 7) + low * 8, high), fromB = place(warp_column() + (lane & 7) + high * 8, low);
    PRAGMA_UNROLL
    for (int step = 0; step < CHUNK / 32; step++) {
      uint32_t y[2][4];
      PRAGMA_UNROLL
      for (int j = 0; j < 2; j++) ldmatrix_x4(y[j], b, (fromB ^ step * 32) + j * 16 * CHUNK);
      PRAGMA_UNROLL
      for (int i = 0; i < 4; i++) {
        uint32_t x[4];
        ldmatrix_x4(x, a, (fromA ^ step * 32) + i * 16 * CHUNK);
        PRAGMA_UNROLL
        for (int j = 0; j < 4; j++) multiply(sums.v[i][j], x, y[j / 2][j % 2 * 2], y[j / 2][j % 2 * 2 + 1]);
      }
    }
  }
  static __device__ __forceinline__ void clear(Accumulators& sums) {
    PRAGMA_UNROLL
    for (int i = 0; i < 64; i++) sums.v[i / 16][i / 4 % 4][i % 4] = 0;
  }
};
typedef TensorTile<float, 64> Bf16Tile;
typedef TensorTile<int, 32> BitsTile;

// A span of targets and a tile of queries on their way through shared memory. Rows are prepared ones of pitch bytes, a multiple of CHUNK.
template <class Tile> struct Stages {
  typedef typename Tile::Value Value;
  const unsigned char *queries, *targets;
  const Value* squares;                                                // of the targets, times 1 - e
  int pitch, chunks, left;                                             // left: stages to fetch
  bool resident;                                                       // whether the queries stay in shared memory
  unsigned char *shared, *ring;
  int size, chunk;                                                     // bytes of a stage; the next fetch's chunk
  unsigned fetched, used;                                              // stages so far

  // Queries that stay come first; a stage has the squares, the targets' rows, then the queries' rows if they do not stay.
  __device__ __forceinline__ void start(unsigned char* memory, int tiles) {
    chunks = pitch / Tile::CHUNK;
    left = tiles * chunks;
    resident = pitch * 128 <= Tile::RESIDENT;
    shared = memory;
    ring = memory + (resident ? chunks * Tile::OPERAND : 0);
    size = Tile::COLUMNS * 4 + (resident ? 1 : 2) * Tile::OPERAND;
    fetched = used = 0;
    chunk = 0;
    if (resident)
      for (int c = 0; c < chunks; c++) Tile::fetch(shared + c * Tile::OPERAND, queries + c * Tile::CHUNK, pitch);
    PRAGMA_UNROLL
    for (int i = 0; i < Tile::STAGES - 1; i++) fetch();
  }
  __device__ __forceinline__ void fetch() {
    if (left > 0) {
      unsigned char* to = ring + fetched++ % Tile::STAGES * size;
      if (threadIdx.x < Tile::COLUMNS / 4) cp_async16(to + threadIdx.x * 16, squares + threadIdx.x * 4);
      Tile::fetch(to + Tile::COLUMNS * 4, targets + chunk * Tile::CHUNK, pitch);
      if (!resident) Tile::fetch(to + Tile::COLUMNS * 4 + Tile::OPERAND, queries + chunk * Tile::CHUNK, pitch);
      left--;
      if (++chunk == chunks) {
        chunk = 0;
        targets += (size_t)Tile::COLUMNS * pitch;
        squares += Tile::COLUMNS;
      }
    }
    cp_async_commit();
  }
  // After a barrier: fetches a stage in place of the one before, multiplies the next one; returns its squares.
  __device__ __forceinline__ const Value* multiply(typename Tile::Accumulators& sums, int c) {
    fetch();
    const unsigned char* at = ring + used++ % Tile::STAGES * size;
    Tile::multiply(sums, resident ? shared + c * Tile::OPERAND : at + Tile::COLUMNS * 4 + Tile::OPERAND, at + Tile::COLUMNS * 4);
    return reinterpret_cast<const Value*>(at);
  }
};

// Block (query tile, span of targets). squares: of the targets, times 1 - e.
template <class Tile, class Measure, class Sink>
static __device__ __forceinline__ void scan(const unsigned char* __restrict__ query_rows, const unsigned char* __restrict__ target_rows,
    const typename Measure::Value* __restrict__ squares, const Measure& measure, const Sink& sink, int query_count, int target_count, int pitch, int span) {
  typedef Shortlist<Tile, Measure, Sink> List;
  DYN_SHARED(unsigned char, shared);
  __shared__ typename List::Shared listed;
  const int first_query = blockIdx.x * QUERIES, begin = blockIdx.y * span, length = min(target_count - begin, span);
  Stages<Tile> stages = {query_rows + (size_t)first_query * pitch, target_rows + (size_t)begin * pitch, squares + begin, pitch};
  stages.start(shared, (length + Tile::COLUMNS - 1) / Tile::COLUMNS);
  List list = {measure, listed, sink, first_query, min(query_count - first_query, QUERIES), begin};
  list.start();
  typename Tile::Accumulators sums;
  bool due = false;
  for (int tile = 0;; tile += Tile::COLUMNS) {
    cp_async_wait<Tile::STAGES - 2>();
    const bool last = tile >= length;
    if (__syncthreads_or(due || last)) list.drain(last);               // while there are no sums to keep
    if (last) break;
    Tile::clear(sums);
    const typename Measure::Value* of = stages.multiply(sums, 0);
    for (int chunk = 1; chunk < stages.chunks; chunk++) {
      cp_async_wait<Tile::STAGES - 2>();
      __syncthreads();
      of = stages.multiply(sums, chunk);
    }
    if constexpr (Sink::SEEDED)
      if (tile == 0) list.seed(sums, of);
    due = list.note(sums, of, tile);
  }
  cp_async_wait<0>();
}

// The same in float32, from the rows themselves, 64 targets at a time.
template <class Sink>
static __device__ __forceinline__ void scan_float32(const float* __restrict__ queries, const float* __restrict__ targets,
    const float* __restrict__ target_squares, const EuclideanMeasure& measure, const Sink& sink, int query_count, int target_count, int width, int span) {
  typedef FloatTile Tile;
  typedef Shortlist<Tile, EuclideanMeasure, Sink> List;
  __shared__ __align__(16) unsigned char shared[Tile::SHARED_BYTES];
  __shared__ typename List::Shared listed;
  __shared__ float squares[Tile::COLUMNS];
  const int first_query = blockIdx.x * QUERIES, begin = blockIdx.y * span, end = min(target_count - begin, span) + begin;
  List list = {measure, listed, sink, first_query, min(query_count - first_query, QUERIES), begin};
  list.start();
  for (int first = begin; first < end; first += Tile::COLUMNS) {
    if (threadIdx.x < Tile::COLUMNS) squares[threadIdx.x] = target_squares[first + threadIdx.x];
    MatrixRows<Tile::A_VECTORS> a = MatrixRows<Tile::A_VECTORS>::tile(queries, query_count, width, first_query, width);
    MatrixRows<Tile::B_VECTORS> b = MatrixRows<Tile::B_VECTORS>::tile(targets, end, width, first, width);
    Tile::Accumulators sums;
    Tile::run(a, b, 0, width, shared, sums);
    if constexpr (Sink::SEEDED)
      if (first == begin) list.seed(sums, squares);
    const bool last = first + Tile::COLUMNS >= end;
    if (__syncthreads_or(list.note(sums, squares, first - begin) || last)) list.drain(last);
  }
}
