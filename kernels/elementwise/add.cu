// y += x. Bound by memory: 12 bytes per element, 16 at a time if both arrays are aligned; grid-stride.
#include "cuda_compat.cuh"

extern "C" __global__ __launch_bounds__(256) void add(const float* __restrict__ x, float* __restrict__ y, int count) {
  const long long thread = (long long)blockIdx.x * blockDim.x + threadIdx.x, threads = (long long)gridDim.x * blockDim.x;
  const int vectors = (((uintptr_t)x | (uintptr_t)y) & 15) == 0 ? count / 4 : 0;
  for (long long i = thread; i < vectors; i += threads) {
    float4 a = ld_f4(x + 4 * i), b = ld_f4(y + 4 * i);
    st_f4(y + 4 * i, make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w));
  }
  for (long long i = 4LL * vectors + thread; i < count; i += threads) y[i] += x[i];
}
KERNEL(add);
