// Hyperbolic tangent: y = tanh(x); dx = dy (1 - y^2), from the output alone, so that x need not be kept.
// One thread per four elements, read and written as 16 bytes, in a grid-stride loop; one element per thread where an array does not begin at a multiple
// of 16 bytes. Bound by memory: 8 bytes per element forward, 12 backward; about 25 operations per element forward.
// The tangent comes from portable_math.cuh: its error is at most 2.1 ulp, and every compiler gives the same bits.
#include "cuda_compat.cuh"

extern "C" __global__ __launch_bounds__(256) void tanh_forward(const float* __restrict__ x, float* __restrict__ y, int count) {
  const long long thread = (long long)blockIdx.x * blockDim.x + threadIdx.x, threads = (long long)gridDim.x * blockDim.x;
  const int vectors = (((uintptr_t)x | (uintptr_t)y) & 15) == 0 ? count / 4 : 0;
  for (long long i = thread; i < vectors; i += threads) {
    const float4 v = ld_f4(x + 4 * i);
    st_f4(y + 4 * i, make_float4(pm_tanhf(v.x), pm_tanhf(v.y), pm_tanhf(v.z), pm_tanhf(v.w)));
  }
  for (long long i = 4LL * vectors + thread; i < count; i += threads) y[i] = pm_tanhf(x[i]);
}
KERNEL(tanh_forward);

DEVICE float slope(float y, float dy) { return dy * fmaf(-y, y, 1.f); }

// dx may be dy.
extern "C" __global__ __launch_bounds__(256) void tanh_backward(const float* __restrict__ y, const float* dy, float* dx, int count) {
  const long long thread = (long long)blockIdx.x * blockDim.x + threadIdx.x, threads = (long long)gridDim.x * blockDim.x;
  const int vectors = (((uintptr_t)y | (uintptr_t)dy | (uintptr_t)dx) & 15) == 0 ? count / 4 : 0;
  for (long long i = thread; i < vectors; i += threads) {
    const float4 v = ld_f4(y + 4 * i), g = ld_f4(dy + 4 * i);
    st_f4(dx + 4 * i, make_float4(slope(v.x, g.x), slope(v.y, g.y), slope(v.z, g.z), slope(v.w, g.w)));
  }
  for (long long i = 4LL * vectors + thread; i < count; i += threads) dx[i] = slope(y[i], dy[i]);
}
KERNEL(tanh_backward);
