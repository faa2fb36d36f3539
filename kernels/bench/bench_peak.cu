// How fast the device computes with nothing else to do: the peaks that shares of measured operations are of. No memory in the loops.
//   bench_fma       s = s a + b in float32, 16 independent sums per thread
//   bench_tf32      D += A B on tensor cores, tf32, 2 x 4 independent 16 x 8 tiles per warp from two A and four B fragments, values of either sign in [1, 2)
//   bench_bf16      the same in bf16
//   bench_int8      the same in bytes, unsigned ones times signed ones of any value
//   bench_popcount  s += popcount(x ^ y), 8 independent sums per thread
// Launch: 256 threads per block, several blocks per multiprocessor; out [threads]: the sum of a thread's results, so that nothing can be left out.
// Operations per thread: steps x 8 x 16 multiply-adds, or steps x 8 x 8 counts. Per warp: steps x 8 products of 16 x 8 x 8 (tf32), 16 x 8 x 16 (bf16) or
// 16 x 8 x 32 (int8).
// mma.sync, which all kernels here use, is not all that Hopper's tensor cores can do: wgmma reaches more.
#include "ptx_ops.cuh"

// Bits without a pattern: no two threads compute the same, and no operand is zero.
DEVICE unsigned mixed(unsigned x) {
  x = (x ^ (x >> 16)) * 0x7feb352du;
  x = (x ^ (x >> 15)) * 0x846ca68bu;
  return x ^ (x >> 16);
}

extern "C" __global__ __launch_bounds__(256) void bench_fma(float* __restrict__ out, float a, float b, int steps) {
  const unsigned thread = blockIdx.x * blockDim.x + threadIdx.x;
  float s[16];
  PRAGMA_UNROLL
  for (int k = 0; k < 16; k++) s[k] = (float)(mixed(16 * thread + k) >> 8) * (1.f / 16777216.f);
  for (int step = 0; step < steps; step++) {
    PRAGMA_UNROLL
    for (int u = 0; u < 8; u++) {
      PRAGMA_UNROLL
      for (int k = 0; k < 16; k++) s[k] = fmaf(s[k], a, b);
    }
  }
  float sum = 0.f;
  PRAGMA_UNROLL
  for (int k = 0; k < 16; k++) sum += s[k];
  out[thread] = sum;
}
KERNEL(bench_fma);

// ONE: the bits of 1 in every number of a register; RANDOM: the sign and the bits of the mantissa, which are drawn; of bytes all.
struct Tf32Product {
  typedef float Sum;
  static constexpr unsigned ONE = 0x3f800000u, RANDOM = 0x807fe000u;
  static MEMBER void multiply(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) { mma_tf32_1688(d, a, b[0], b[1]); }
};
struct Bf16Product {
  typedef float Sum;
  static constexpr unsigned ONE = 0x3f803f80u, RANDOM = 0x807f807fu;
  static MEMBER void multiply(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) { mma_bf16_16816(d, a, b[0], b[1]); }
};
struct Int8Product {
  typedef int Sum;
  static constexpr unsigned ONE = 0, RANDOM = 0xffffffffu;
  static MEMBER void multiply(int (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) { mma_u8s8_16832(d, a, b[0], b[1]); }
};
template <class Product>
static __device__ __forceinline__ void tensor_peak(float* __restrict__ out, int steps) {
  constexpr unsigned ONE = Product::ONE, RANDOM = Product::RANDOM;
  const unsigned thread = blockIdx.x * blockDim.x + threadIdx.x;
  uint32_t a[2][4], b[4][2];
  PRAGMA_UNROLL
  for (int k = 0; k < 8; k++) a[k / 4][k % 4] = ONE | (mixed(16 * thread + k) & RANDOM);
  PRAGMA_UNROLL
  for (int k = 0; k < 8; k++) b[k / 2][k % 2] = ONE | (mixed(16 * thread + 8 + k) & RANDOM);
  typename Product::Sum d[8][4];
  PRAGMA_UNROLL
  for (int tile = 0; tile < 8; tile++) {
    PRAGMA_UNROLL
    for (int k = 0; k < 4; k++) d[tile][k] = 0;
  }
  for (int step = 0; step < steps; step++) {
    PRAGMA_UNROLL
    for (int tile = 0; tile < 8; tile++) Product::multiply(d[tile], a[tile / 4], b[tile % 4]);
  }
  typename Product::Sum sum = 0;
  PRAGMA_UNROLL
  for (int tile = 0; tile < 8; tile++) sum += (d[tile][0] + d[tile][1]) + (d[tile][2] + d[tile][3]);
  out[thread] = (float)sum;
}
extern "C" __global__ __launch_bounds__(256) void bench_tf32(float* __restrict__ out, int steps) { tensor_peak<Tf32Product>(out, steps); }
KERNEL(bench_tf32);
extern "C" __global__ __launch_bounds__(256) void bench_bf16(float* __restrict__ out, int steps) { tensor_peak<Bf16Product>(out, steps); }
KERNEL(bench_bf16);
extern "C" __global__ __launch_bounds__(256) void bench_int8(float* __restrict__ out, int steps) { tensor_peak<Int8Product>(out, steps); }
KERNEL(bench_int8);

extern "C" __global__ __launch_bounds__(256) void bench_popcount(float* __restrict__ out, int steps) {
  const unsigned thread = blockIdx.x * blockDim.x + threadIdx.x;
  unsigned x[8], y = mixed(16 * thread + 8);
  int s[8];
  PRAGMA_UNROLL
  for (int k = 0; k < 8; k++) {
    x[k] = mixed(16 * thread + k);
    s[k] = 0;
  }
  for (int step = 0; step < steps; step++) {
    PRAGMA_UNROLL
    for (int u = 0; u < 8; u++) {
      PRAGMA_UNROLL
      for (int k = 0; k < 8; k++) s[k] += __popc(x[k] ^ y);
      y += 0x9e3779b9u;
    }
  }
  int sum = 0;
  PRAGMA_UNROLL
  for (int k = 0; k < 8; k++) sum += s[k];
  out[thread] = (float)sum;
}
KERNEL(bench_popcount);
