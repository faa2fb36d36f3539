// reduce.cuh - sums over a warp and over a block as fixed trees: the same bits in every run, in all threads.
#pragma once
#include "cuda_compat.cuh"

// Over a warp, or over each LANES neighbours of it; every one of them gets it.
template <int LANES = 32, class T> DEVICE T warp_sum(T v) {
  PRAGMA_UNROLL
  for (int offset = LANES / 2; offset > 0; offset /= 2) v += __shfl_xor_sync(0xffffffffu, v, offset);
  return v;
}
DEVICE float warp_max(float v) {
  PRAGMA_UNROLL
  for (int offset = 16; offset > 0; offset /= 2) v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, offset));
  return v;
}
// blockDim.x is a multiple of 32; every thread calls; shared holds 32 floats.
DEVICE float block_sum(float v, float* shared) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
  v = warp_sum(v);
  __syncthreads();                          // whoever still reads what shared held before
  if (lane == 0) shared[warp] = v;
  __syncthreads();
  return warp_sum(lane < warps ? shared[lane] : 0.f);
}
DEVICE float block_max(float v, float* shared) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
  v = warp_max(v);
  __syncthreads();
  if (lane == 0) shared[warp] = v;
  __syncthreads();
  return warp_max(lane < warps ? shared[lane] : shared[0]);
}

// |row|^2, by a warp.
DEVICE float warp_square(const float* __restrict__ row, int width) {
  float sum = 0.f;
  for (int k = threadIdx.x % 32; k < width; k += 32) sum = fmaf(row[k], row[k], sum);
  return warp_sum(sum);
}
// Blocks of 256 threads that hold 32 columns, eight threads each: thread t is on column t % 32, the column's sum comes back to its eight.
DEVICE float column_sum(float v, float (&shared)[8][32]) {
  __syncthreads();
  shared[threadIdx.x / 32][threadIdx.x % 32] = v;
  __syncthreads();
  float sum = 0.f;
  PRAGMA_UNROLL
  for (int k = 0; k < 8; k++) sum += shared[k][threadIdx.x % 32];
  return sum;
}

// |a - b|^2 from the differences, by one thread, in four chains.
DEVICE float squared_distance(const float* __restrict__ a, const float* __restrict__ b, int width) {
  float sum[4] = {0.f, 0.f, 0.f, 0.f};
  if (width % 4 == 0 && ((size_t)a | (size_t)b) % 16 == 0) {
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
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}
