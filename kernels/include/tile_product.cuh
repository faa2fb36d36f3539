// tile_product.cuh - a 64 x 64 tile of A B' in float32 by a block of 256 threads, the depth in chunks of 32 through shared memory while the next
// chunk is on its way in registers. Thread t holds rows 4 (t / 16) + i and columns 4 (t % 16) + j: 16 multiply-adds for two 16-byte shared loads.
#pragma once
#include "cuda_compat.cuh"
#if defined(CUDA_EMU)
#  define TILE_D static inline
#else
#  define TILE_D static __device__ __forceinline__
#endif

// Element (row, k) is data[row * row_stride + k * depth_stride]; one of the strides is 1.
struct Operand {
  const float* data;
  long long row_stride, depth_stride;
  int rows;
};

static constexpr int TILE = 64, TILE_DEPTH = 32, TILE_PITCH = TILE + 4, TILE_FLOATS = 2 * TILE_DEPTH * TILE_PITCH;

// A chunk's element e (0 to 7) of this thread: 8-float pieces of rows, or 64 rows beside each other, so that both sides of the copy run at full width.
TILE_D void tile_element(bool along_depth, int e, int& row, int& k) {
  const int t = threadIdx.x;
  row = along_depth ? t / 8 + 32 * (e / 4) : t % 64;
  k = along_depth ? t % 8 + 8 * (e % 4) : t / 64 + 4 * e;
}
TILE_D void tile_load(const Operand& x, int first, int depth, int end, float (&values)[8]) {
  PRAGMA_UNROLL
  for (int e = 0; e < 8; e++) {
    int row, k;
    tile_element(x.depth_stride == 1, e, row, k);
    values[e] = 0.f;
    if (first + row < x.rows && depth + k < end) values[e] = x.data[(first + row) * x.row_stride + (depth + k) * x.depth_stride];
  }
}
TILE_D void tile_store(bool along_depth, float* shared, const float (&values)[8]) {
  PRAGMA_UNROLL
  for (int e = 0; e < 8; e++) {
    int row, k;
    tile_element(along_depth, e, row, k);
    shared[k * TILE_PITCH + row] = values[e];
  }
}

// sums = the tile's products over depth begin to end. shared: TILE_FLOATS, 16-byte aligned; free again after the call.
TILE_D void tile_product(const Operand& a, int first_a, const Operand& b, int first_b, int begin, int end, float* shared, float (&sums)[4][4]) {
  float *as = shared, *bs = shared + TILE_DEPTH * TILE_PITCH;
  const int row = threadIdx.x / 16 * 4, column = threadIdx.x % 16 * 4;
  float next_a[8], next_b[8];
  PRAGMA_UNROLL
  for (int i = 0; i < 4; i++) {
    PRAGMA_UNROLL
    for (int j = 0; j < 4; j++) sums[i][j] = 0.f;
  }
  tile_load(a, first_a, begin, end, next_a);
  tile_load(b, first_b, begin, end, next_b);
  for (int depth = begin; depth < end; depth += TILE_DEPTH) {
    tile_store(a.depth_stride == 1, as, next_a);
    tile_store(b.depth_stride == 1, bs, next_b);
    __syncthreads();
    if (depth + TILE_DEPTH < end) {
      tile_load(a, first_a, depth + TILE_DEPTH, end, next_a);
      tile_load(b, first_b, depth + TILE_DEPTH, end, next_b);
    }
    PRAGMA_UNROLL
    for (int k = 0; k < TILE_DEPTH; k++) {
      const float4 av = ld_f4(as + k * TILE_PITCH + row), bv = ld_f4(bs + k * TILE_PITCH + column);
      const float aa[4] = {av.x, av.y, av.z, av.w}, bb[4] = {bv.x, bv.y, bv.z, bv.w};
      PRAGMA_UNROLL
      for (int i = 0; i < 4; i++) {
        PRAGMA_UNROLL
        for (int j = 0; j < 4; j++) sums[i][j] = fmaf(aa[i], bb[j], sums[i][j]);
      }
    }
    __syncthreads();
  }
}
