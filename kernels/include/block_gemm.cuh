// block_gemm.cuh - one block's tile of a matrix product, C(m, n) = sum over k of A(m, k) B(n, k), summed in float32.
//
//   typedef BlockGemm<Bf16, 128, 64, 64, 32, true, true> Gemm;        // 128 x 64 per block, 64 x 32 per warp; both operands K-contiguous in memory
//   Gemm::Accumulators sums;                                          // run() clears them
//   Gemm::run(a, b, 0, depth, shared, sums);                          // a, b: loaders; shared: Gemm::SHARED_BYTES, 16-byte aligned
//   Gemm::visit(sums, [&](int m, int n, float v) { ... });            // elements where they lie in registers
//   Gemm::rows(sums, shared, [&](int m, float4 (&v)[Gemm::ROW_COUNT]) { ... });    // or through shared memory, four columns per thread
// Launch with Gemm::THREADS threads. WARP_M and WARP_N are 32 or 64; tried: 128 x 32 (warps of 32 x 32), 128 x 64 and 128 x 128 (64 x 32).
//
// Float32: FMA register tiles (64 sums per thread: 4 shared 16-byte loads for 64 FMAs). Tf32, Bf16: mma.sync, fragments by ldmatrix (.trans where an operand
// lies with m or n contiguous). Operands are rounded to nearest on their way into shared memory.
// A loader hands out four neighbours of the contiguous index at a time: load() issues the global loads of the next depth step before half of the arithmetic of
// this one, finish() transforms what came after it; the other half hides the other loads, so that their registers are free for more blocks per multiprocessor.
// Two stages of shared memory, one barrier per step. On tensor cores B may instead be a matrix that is rounded
// already (run_rounded): cp.async fetches it, without registers, RING stages ahead.
// Shared memory is free of bank conflicts for the fragment loads: rows of 64 bytes with 16-byte chunks XORed by the row (K-contiguous), or rows padded by
// 8 elements; Float32 keeps [k][m] with m XORed by 8 (k / 4), so that the transposing stores of K-contiguous operands do not collide either.
#pragma once
#include "ptx_ops.cuh"

enum Precision { Float32, Tf32, Bf16 };

// n / divisor for 0 <= n < 2^31 by a multiplication; made on the host: shift = 31 + ceil(log2 divisor), multiplier = ceil(2^shift / divisor).
struct Divider {
  unsigned divisor, multiplier, shift;
};
DEVICE int quotient(const Divider& d, int n) { return (int)((unsigned long long)(unsigned)n * d.multiplier >> d.shift); }

DEVICE float4 zero4() { return make_float4(0.f, 0.f, 0.f, 0.f); }

// ROWS x DEPTH numbers of one operand in shared memory.
template <Precision P, int ROWS, int DEPTH, bool K_CONTIGUOUS> struct OperandTile {
  static constexpr int ELEMENT = P == Bf16 ? 2 : 4;
  static constexpr int PITCH = (P == Float32 ? ROWS : ROWS + 8) * ELEMENT;                       // bytes per row of the m- or n-contiguous layouts
  static constexpr int BYTES = P != Float32 && K_CONTIGUOUS ? ROWS * 64 : DEPTH * PITCH;

  static MEMBER int swizzle(int k) { return (k >> 2 & 3) << 3; }
  static MEMBER const unsigned char* chunk(const unsigned char* tile, int row, int index) { return tile + row * 64 + ((index ^ (row >> 1 & 3)) << 4); }

  // Puts four neighbours in K (K_CONTIGUOUS) or in the row.
  static MEMBER void put(unsigned char* tile, int row, int k, float4 v) {
    if constexpr (P == Float32) {
      float* to = reinterpret_cast<float*>(tile) + k * ROWS + (row ^ swizzle(k));
      if constexpr (K_CONTIGUOUS) {
        to[0] = v.x; to[ROWS] = v.y; to[2 * ROWS] = v.z; to[3 * ROWS] = v.w;
      } else {
        st_f4(to, v);
      }
    } else if constexpr (P == Tf32) {
      unsigned char* to = K_CONTIGUOUS ? const_cast<unsigned char*>(chunk(tile, row, k >> 2)) : tile + k * PITCH + row * 4;
      st_u4(to, make_uint4(round_tf32(v.x), round_tf32(v.y), round_tf32(v.z), round_tf32(v.w)));
    } else {
      unsigned char* to = K_CONTIGUOUS ? const_cast<unsigned char*>(chunk(tile, row, k >> 3)) + (k & 4) * 2 : tile + k * PITCH + row * 2;
      st_u2(to, make_uint2(pack_bf16(v.x, v.y), pack_bf16(v.z, v.w)));
    }
  }

  // The fragment of 16 rows and one depth step of mma.sync (8 for tf32, 16 for bf16): as an A operand, or as two B operands of 8 columns each.
  template <bool IS_A> static MEMBER void fragment(const unsigned char* tile, int row, int step, int lane, uint32_t (&r)[4]) {
    const int low = lane >> 3 & 1, high = lane >> 4;
    if constexpr (K_CONTIGUOUS) {
      const int at = row + (lane & 7) + (IS_A ? low : high) * 8, index = (IS_A ? high : low) ^ (at >> 1 & 3);
      ldmatrix_x4(r, tile, at * 64 + (index << 4 ^ step * 32));
    } else if constexpr (P == Bf16) {
      ldmatrix_x4_trans(r, tile + (16 * step + (lane & 7) + (IS_A ? high : low) * 8) * PITCH + (row + (IS_A ? low : high) * 8) * 2);
    } else {
      const uint32_t* from = reinterpret_cast<const uint32_t*>(tile + (8 * step + (lane & 3)) * PITCH) + row + (lane >> 2);
      r[0] = from[0]; r[IS_A ? 1 : 2] = from[8]; r[IS_A ? 2 : 1] = from[PITCH]; r[3] = from[PITCH + 8];       // PITCH bytes = 4 rows of words
    }
  }
};

template <Precision P, int BLOCK_M, int BLOCK_N, int WARP_M, int WARP_N, bool A_K_CONTIGUOUS, bool B_K_CONTIGUOUS> struct BlockGemm {
  static constexpr int ROWS = BLOCK_M, COLUMNS = BLOCK_N;
  static constexpr int THREADS = BLOCK_M / WARP_M * (BLOCK_N / WARP_N) * 32;
  static constexpr int DEPTH = P == Bf16 ? 32 : 16;                    // of a shared-memory stage
  typedef OperandTile<P, BLOCK_M, DEPTH, A_K_CONTIGUOUS> TileA;
  typedef OperandTile<P, BLOCK_N, DEPTH, B_K_CONTIGUOUS> TileB;
  static constexpr int A_VECTORS = BLOCK_M * DEPTH / 4 / THREADS, B_VECTORS = BLOCK_N * DEPTH / 4 / THREADS;   // float4 a thread and stage
  static constexpr int STAGE = TileA::BYTES + TileB::BYTES, RING = 4;

  // rows(): PASS rows at a time; each thread has the four columns column() and the rows row() + i ROW_STEP, i < ROW_COUNT, of a pass.
  static constexpr int PASS = BLOCK_M < 64 ? BLOCK_M : 64, PITCH = BLOCK_N + 8;
  static constexpr int ROW_STEP = THREADS / (BLOCK_N / 4), ROW_COUNT = PASS / ROW_STEP;
  static constexpr int STAGES_BYTES = 2 * TileA::BYTES + (P == Float32 || !B_K_CONTIGUOUS ? 2 : RING) * TileB::BYTES;
  static constexpr int SHARED_BYTES = STAGES_BYTES > PASS * PITCH * 4 ? STAGES_BYTES : PASS * PITCH * 4;

  static constexpr int M_TILES = P == Float32 ? WARP_M / 8 : WARP_M / 16, N_TILES = P == Float32 ? WARP_N / 4 : WARP_N / 8;
  static constexpr int PART = P == Float32 ? 1 : 4;
  struct Accumulators {
    float v[M_TILES][N_TILES][PART];
  };

  // The rows of this thread's vector i of an operand, and its depth.
  template <int SIZE, bool K_CONTIGUOUS> static MEMBER int vector_row(int i) {
    static_assert(THREADS % (DEPTH / 4) == 0 && THREADS % (SIZE / 4) == 0, "a thread's vectors have the same depth, or the same rows");
    const int t = threadIdx.x;
    return K_CONTIGUOUS ? t / (DEPTH / 4) + i * (THREADS / (DEPTH / 4)) : t % (SIZE / 4) * 4;
  }
  template <int SIZE, bool K_CONTIGUOUS> static MEMBER int vector_depth(int i) {
    const int t = threadIdx.x;
    return K_CONTIGUOUS ? t % (DEPTH / 4) * 4 : t / (SIZE / 4) + i * (THREADS / (SIZE / 4));
  }
  static MEMBER int a_row(int i) { return vector_row<BLOCK_M, A_K_CONTIGUOUS>(i); }
  static MEMBER int a_depth(int i) { return vector_depth<BLOCK_M, A_K_CONTIGUOUS>(i); }
  static MEMBER int b_row(int i) { return vector_row<BLOCK_N, B_K_CONTIGUOUS>(i); }
  static MEMBER int b_depth(int i) { return vector_depth<BLOCK_N, B_K_CONTIGUOUS>(i); }
  static MEMBER int warp_row() { return (int)(threadIdx.x >> 5) / (BLOCK_N / WARP_N) * WARP_M; }
  static MEMBER int warp_column() { return (int)(threadIdx.x >> 5) % (BLOCK_N / WARP_N) * WARP_N; }

  // Sums over k from begin to end (a multiple of DEPTH apart but for the last), in order. Loaders give 0 outside their matrix and from end on:
  //   a.start(i, row, depth)   once: vector i begins at this row of the tile and this depth from k
  //   a.load(i, k) -> Raw      the global loads
  //   a.plain()                whether what was loaded is multiplied as it is: a.given(i, k, raw) -> float4
  //   a.step(k)                else, once before the vectors of k finish, a.finish(i, k, raw) -> float4
  template <class A, class B> static MEMBER void run(A& a, B& b, int begin, int end, unsigned char* shared, Accumulators& sums) {
    clear(sums);
    constexpr int A0 = (A_VECTORS + 1) / 2, A1 = A_VECTORS / 2, B0 = (B_VECTORS + 1) / 2, B1 = B_VECTORS / 2;
    typename A::Raw rawA[A0];
    typename B::Raw rawB[B0];
    PRAGMA_UNROLL
    for (int i = 0; i < A_VECTORS; i++) a.start(i, a_row(i), a_depth(i));
    PRAGMA_UNROLL
    for (int i = 0; i < B_VECTORS; i++) b.start(i, b_row(i), b_depth(i));
    load<A0, 0>(a, begin, rawA);
    load<B0, 0>(b, begin, rawB);
    put<TileA, A0, 0, BLOCK_M, A_K_CONTIGUOUS>(a, begin, rawA, shared);
    put<TileB, B0, 0, BLOCK_N, B_K_CONTIGUOUS>(b, begin, rawB, shared + TileA::BYTES);
    load<A1, A0>(a, begin, rawA);
    load<B1, B0>(b, begin, rawB);
    put<TileA, A1, A0, BLOCK_M, A_K_CONTIGUOUS>(a, begin, rawA, shared);
    put<TileB, B1, B0, BLOCK_N, B_K_CONTIGUOUS>(b, begin, rawB, shared + TileA::BYTES);
    __syncthreads();
    int stage = 0;
    for (int k = begin; k < end; k += DEPTH) {
      const bool more = k + DEPTH < end;
      const unsigned char* now = shared + stage * STAGE;
      stage ^= 1;
      unsigned char* next = shared + stage * STAGE;
      if (more) {
        load<A0, 0>(a, k + DEPTH, rawA);
        load<B0, 0>(b, k + DEPTH, rawB);
      }
      multiply<0>(now, now + TileA::BYTES, sums);
      if (more) {
        put<TileA, A0, 0, BLOCK_M, A_K_CONTIGUOUS>(a, k + DEPTH, rawA, next);
        put<TileB, B0, 0, BLOCK_N, B_K_CONTIGUOUS>(b, k + DEPTH, rawB, next + TileA::BYTES);
        load<A1, A0>(a, k + DEPTH, rawA);
        load<B1, B0>(b, k + DEPTH, rawB);
      }
      multiply<1>(now, now + TileA::BYTES, sums);
      if (more) {
        put<TileA, A1, A0, BLOCK_M, A_K_CONTIGUOUS>(a, k + DEPTH, rawA, next);
        put<TileB, B1, B0, BLOCK_N, B_K_CONTIGUOUS>(b, k + DEPTH, rawB, next + TileA::BYTES);
      }
      __syncthreads();
    }
  }

  // The same with B in memory as it lies in shared memory, rounded, k contiguous: pitch bytes from row to row, zeros from end to the next multiple of DEPTH.
  template <class A>
  static MEMBER void run_rounded(A& a, const unsigned char* b, int pitch, int begin, int end, unsigned char* shared, Accumulators& sums) {
    static_assert(P != Float32 && B_K_CONTIGUOUS, "as it lies in shared memory");
    unsigned char* ring = shared + 2 * TileA::BYTES;
    clear(sums);
    constexpr int HALF = A_VECTORS / 2;
    typename A::Raw raw[HALF];
    PRAGMA_UNROLL
    for (int i = 0; i < A_VECTORS; i++) a.start(i, a_row(i), a_depth(i));
    PRAGMA_UNROLL
    for (int i = 0; i < RING - 1; i++) fetch(ring + i * TileB::BYTES, b, pitch, begin + i * DEPTH, end);
    load<HALF, 0>(a, begin, raw);
    put<TileA, HALF, 0, BLOCK_M, A_K_CONTIGUOUS>(a, begin, raw, shared);
    load<HALF, HALF>(a, begin, raw);
    put<TileA, HALF, HALF, BLOCK_M, A_K_CONTIGUOUS>(a, begin, raw, shared);
    int stage = 0;
    for (int k = begin; k < end; k += DEPTH) {
      const bool more = k + DEPTH < end;
      cp_async_wait<RING - 2>();
      __syncthreads();
      fetch(ring + (stage + RING - 1) % RING * TileB::BYTES, b, pitch, k + (RING - 1) * DEPTH, end);
      const unsigned char *nowA = shared + stage % 2 * TileA::BYTES, *nowB = ring + stage * TileB::BYTES;
      stage = (stage + 1) % RING;
      unsigned char* next = shared + stage % 2 * TileA::BYTES;
      if (more) load<HALF, 0>(a, k + DEPTH, raw);
      multiply<0>(nowA, nowB, sums);
      if (more) {
        put<TileA, HALF, 0, BLOCK_M, A_K_CONTIGUOUS>(a, k + DEPTH, raw, next);
        load<HALF, HALF>(a, k + DEPTH, raw);
      }
      multiply<1>(nowA, nowB, sums);
      if (more) put<TileA, HALF, HALF, BLOCK_M, A_K_CONTIGUOUS>(a, k + DEPTH, raw, next);
    }
    cp_async_wait<0>();
    __syncthreads();
  }
  static MEMBER void fetch(unsigned char* tile, const unsigned char* b, int pitch, int k, int end) {
    if (k < end) {
      PRAGMA_UNROLL
      for (int i = 0; i < BLOCK_N * 4 / THREADS; i++) {
        const int t = threadIdx.x, row = t / 4 + i * (THREADS / 4), index = t % 4;
        cp_async16(const_cast<unsigned char*>(TileB::chunk(tile, row, index)), b + (unsigned)(row * pitch + k * TileB::ELEMENT + index * 16));
      }
    }
    cp_async_commit();
  }

  static MEMBER void clear(Accumulators& sums) {
    PRAGMA_UNROLL
    for (int i = 0; i < M_TILES; i++) {
      PRAGMA_UNROLL
      for (int j = 0; j < N_TILES; j++) {
        PRAGMA_UNROLL
        for (int e = 0; e < PART; e++) sums.v[i][j][e] = 0.f;
      }
    }
  }

  // Of a thread's vectors those from FIRST on.
  template <int COUNT, int FIRST, class Loader, class Raw, int SIZE> static MEMBER void load(Loader& loader, int k, Raw (&raw)[SIZE]) {
    PRAGMA_UNROLL
    for (int i = 0; i < COUNT; i++) raw[i] = loader.load(FIRST + i, k);
  }
  template <class Tile, int COUNT, int FIRST, int SIZE, bool K_CONTIGUOUS, class Loader, class Raw, int RAWS>
  static MEMBER void put(Loader& loader, int k, Raw (&raw)[RAWS], unsigned char* tile) {
    if (COUNT == 0) return;
    if (loader.plain()) {
      PRAGMA_UNROLL
      for (int i = 0; i < COUNT; i++)
        Tile::put(tile, vector_row<SIZE, K_CONTIGUOUS>(FIRST + i), vector_depth<SIZE, K_CONTIGUOUS>(FIRST + i), loader.given(FIRST + i, k, raw[i]));
    } else {
      loader.step(k);
      PRAGMA_UNROLL
      for (int i = 0; i < COUNT; i++)
        Tile::put(tile, vector_row<SIZE, K_CONTIGUOUS>(FIRST + i), vector_depth<SIZE, K_CONTIGUOUS>(FIRST + i), loader.finish(FIRST + i, k, raw[i]));
    }
  }

  // One half of a stage's depth.
  template <int HALF> static MEMBER void multiply(const unsigned char* stageA, const unsigned char* stageB, Accumulators& sums) {
    const int lane = threadIdx.x & 31;
    if constexpr (P == Float32) {
      // Lanes lie 8 x 4 over the warp's tile, each with 4 x 4 numbers every 32 rows and 16 columns.
      const float* tileA = reinterpret_cast<const float*>(stageA);
      const float* tileB = reinterpret_cast<const float*>(stageB);
      const int m = warp_row() + (lane >> 2) * 4, n = warp_column() + (lane & 3) * 4;
      PRAGMA_UNROLL
      for (int k = HALF * DEPTH / 2; k < (HALF + 1) * DEPTH / 2; k++) {
        float a[M_TILES], b[N_TILES];
        PRAGMA_UNROLL
        for (int i = 0; i < M_TILES; i += 4) {
          const float4 v = ld_f4(tileA + k * BLOCK_M + ((m + i * 8) ^ TileA::swizzle(k)));
          a[i] = v.x; a[i + 1] = v.y; a[i + 2] = v.z; a[i + 3] = v.w;
        }
        PRAGMA_UNROLL
        for (int j = 0; j < N_TILES; j += 4) {
          const float4 v = ld_f4(tileB + k * BLOCK_N + ((n + j * 4) ^ TileB::swizzle(k)));
          b[j] = v.x; b[j + 1] = v.y; b[j + 2] = v.z; b[j + 3] = v.w;
        }
        PRAGMA_UNROLL
        for (int i = 0; i < M_TILES; i++) {
          PRAGMA_UNROLL
          for (int j = 0; j < N_TILES; j++) sums.v[i][j][0] = fmaf(a[i], b[j], sums.v[i][j][0]);
        }
      }
    } else {
      uint32_t b[N_TILES / 2][4];
      PRAGMA_UNROLL
      for (int j = 0; j < N_TILES / 2; j++) TileB::template fragment<false>(stageB, warp_column() + 16 * j, HALF, lane, b[j]);
      PRAGMA_UNROLL
      for (int i = 0; i < M_TILES; i++) {
        uint32_t a[4];
        TileA::template fragment<true>(stageA, warp_row() + 16 * i, HALF, lane, a);
        PRAGMA_UNROLL
        for (int j = 0; j < N_TILES; j++) {
          if constexpr (P == Tf32) mma_tf32_1688(sums.v[i][j], a, b[j / 2][j % 2 * 2], b[j / 2][j % 2 * 2 + 1]);
          else mma_bf16_16816(sums.v[i][j], a, b[j / 2][j % 2 * 2], b[j / 2][j % 2 * 2 + 1]);
        }
      }
    }
  }

  // Calls f(m, n, value) for every element of this thread; m and n count from the tile's corner.
  template <class F> static MEMBER void visit(const Accumulators& sums, F f) {
    const int lane = threadIdx.x & 31;
    PRAGMA_UNROLL
    for (int i = 0; i < M_TILES; i++) {
      PRAGMA_UNROLL
      for (int j = 0; j < N_TILES; j++) {
        PRAGMA_UNROLL
        for (int e = 0; e < PART; e++) {
          const int m = P == Float32 ? i / 4 * 32 + (lane >> 2) * 4 + i % 4 : i * 16 + (e >> 1) * 8 + (lane >> 2);
          const int n = P == Float32 ? j / 4 * 16 + (lane & 3) * 4 + j % 4 : j * 8 + (lane & 3) * 2 + (e & 1);
          f(warp_row() + m, warp_column() + n, sums.v[i][j][e]);
        }
      }
    }
  }

  static MEMBER int column() { return (int)(threadIdx.x % (BLOCK_N / 4)) * 4; }
  static MEMBER int row() { return (int)(threadIdx.x / (BLOCK_N / 4)); }

  // Calls f(first row, values) once a pass with ROW_COUNT vectors of four neighbouring columns: neighbouring threads have neighbouring columns, so that what
  // f loads and stores is coalesced, and a thread's columns are the same in every pass.
  template <class F> static MEMBER void rows(const Accumulators& sums, unsigned char* shared, F f) {
    float* tile = reinterpret_cast<float*>(shared);
    const int lane = threadIdx.x & 31;
    PRAGMA_UNROLL
    for (int pass = 0; pass < BLOCK_M; pass += PASS) {
      if (pass > 0) __syncthreads();
      if (warp_row() >= pass && warp_row() < pass + PASS) {
        float* to = tile + (warp_row() - pass) * PITCH + warp_column();
        PRAGMA_UNROLL
        for (int i = 0; i < M_TILES; i++) {
          if constexpr (P == Float32) {
            PRAGMA_UNROLL
            for (int j = 0; j < N_TILES; j += 4)
              st_f4(to + (i / 4 * 32 + (lane >> 2) * 4 + i % 4) * PITCH + j * 4 + (lane & 3) * 4,
                    make_float4(sums.v[i][j][0], sums.v[i][j + 1][0], sums.v[i][j + 2][0], sums.v[i][j + 3][0]));
          } else {
            PRAGMA_UNROLL
            for (int j = 0; j < N_TILES; j++) {
              float* at = to + (i * 16 + (lane >> 2)) * PITCH + j * 8 + (lane & 3) * 2;
              st_f2(at, make_float2(sums.v[i][j][0], sums.v[i][j][1]));
              st_f2(at + 8 * PITCH, make_float2(sums.v[i][j][2], sums.v[i][j][3]));
            }
          }
        }
      }
      __syncthreads();
      float4 v[ROW_COUNT];
      PRAGMA_UNROLL
      for (int i = 0; i < ROW_COUNT; i++) v[i] = ld_f4(tile + (row() + i * ROW_STEP) * PITCH + column());
      f(pass + row(), v);
    }
  }
};

// Rows of a row-major matrix [rows][pitch] with k contiguous: the operand X of X Y'.
template <int VECTORS> struct MatrixRows {
  typedef float4 Raw;
  const float* data;                                                   // of the tile's first row
  int rows, depth, pitch;                                              // rows from there to the matrix's end, columns, floats from row to row
  bool aligned;                                                        // pitch and depth are multiples of 4, data of 16 bytes
  int at[VECTORS], first;

  MEMBER void start(int i, int row, int k) {
    at[i] = row;
    first = k;
  }
  MEMBER float4 load(int i, int k) const {
    float4 v = zero4();
    k += first;
    if (at[i] >= rows) return v;
    const float* from = data + (long long)at[i] * pitch + k;
    if (aligned) {
      if (k < depth) v = ldg_f4(from);
    } else {
      if (k < depth) v.x = __ldg(from);
      if (k + 1 < depth) v.y = __ldg(from + 1);
      if (k + 2 < depth) v.z = __ldg(from + 2);
      if (k + 3 < depth) v.w = __ldg(from + 3);
    }
    return v;
  }
  MEMBER bool plain() const { return true; }
  MEMBER float4 given(int, int, float4 v) const { return v; }
  MEMBER void step(int) const {}
  MEMBER float4 finish(int, int, float4 v) const { return v; }

  // The tile whose first row is row first of a matrix of all_rows, over depths below end.
  static MEMBER MatrixRows tile(const float* matrix, int all_rows, int pitch, int first, int end) {
    MatrixRows tile;
    tile.data = matrix + (long long)first * pitch;
    tile.rows = all_rows - first;
    tile.depth = end;
    tile.pitch = pitch;
    tile.aligned = pitch % 4 == 0 && end % 4 == 0 && (size_t)matrix % 16 == 0;
    return tile;
  }
};

// Columns of a row-major matrix [depth][pitch], with m or n contiguous: the operands of X' Y.
template <int VECTORS> struct MatrixColumns {
  typedef float4 Raw;
  const float* data;                                                   // of the tile's first row, at depth 0
  int rows, depth, pitch;                                              // rows from there to the end, depth, floats from one depth to the next
  bool aligned;                                                        // pitch and rows are multiples of 4, data of 16 bytes
  int at[VECTORS], row;

  MEMBER void start(int i, int first_row, int k) {
    at[i] = k;
    row = first_row;
  }
  MEMBER float4 load(int i, int k) const {
    float4 v = zero4();
    k += at[i];
    if (k >= depth) return v;
    const float* from = data + (long long)k * pitch + row;
    if (aligned) {
      if (row < rows) v = ldg_f4(from);
    } else {
      if (row < rows) v.x = __ldg(from);
      if (row + 1 < rows) v.y = __ldg(from + 1);
      if (row + 2 < rows) v.z = __ldg(from + 2);
      if (row + 3 < rows) v.w = __ldg(from + 3);
    }
    return v;
  }
  MEMBER bool plain() const { return true; }
  MEMBER float4 given(int, int, float4 v) const { return v; }
  MEMBER void step(int) const {}
  MEMBER float4 finish(int, int, float4 v) const { return v; }

  static MEMBER MatrixColumns tile(const float* matrix, int all_rows, int pitch, int first, int end) {
    MatrixColumns tile;
    tile.data = matrix + first;
    tile.rows = all_rows - first;
    tile.depth = end;
    tile.pitch = pitch;
    tile.aligned = pitch % 4 == 0 && all_rows % 4 == 0 && (size_t)matrix % 16 == 0;
    return tile;
  }
};

// The loader of a matrix by how it lies.
template <int VECTORS, bool K_CONTIGUOUS> struct Matrix { typedef MatrixRows<VECTORS> Loader; };
template <int VECTORS> struct Matrix<VECTORS, false> { typedef MatrixColumns<VECTORS> Loader; };
