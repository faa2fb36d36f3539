// Arithmetic element by element, what losses and layers of one's own are put together from:
//   fill       y = value
//   combine    z = a x + b y + c; y may be missing
//   multiply   z = x y
//   function   y = exp x, log x or sqrt x; backward dx = dy f'(x), from x or from y, whichever is cheaper
// Bound by memory: 4 bytes per element and array, 16 at a time where all arrays are aligned; grid-stride.
#include "cuda_compat.cuh"

// Calls one(i) for single elements and four(i) for four from i on.
template <class One, class Four>
DEVICE void for_elements(int count, bool aligned, One one, Four four) {
  const long long thread = (long long)blockIdx.x * blockDim.x + threadIdx.x, threads = (long long)gridDim.x * blockDim.x;
  const int vectors = aligned ? count / 4 : 0;
  for (long long i = thread; i < vectors; i += threads) four(4 * i);
  for (long long i = 4LL * vectors + thread; i < count; i += threads) one(i);
}
DEVICE bool aligned(const void* x, const void* y, const void* z) { return (((uintptr_t)x | (uintptr_t)y | (uintptr_t)z) & 15) == 0; }

extern "C" __global__ __launch_bounds__(256) void fill(float value, float* __restrict__ y, int count) {
  for_elements(count, aligned(y, y, y), [&](long long i) { y[i] = value; }, [&](long long i) { st_f4(y + i, make_float4(value, value, value, value)); });
}
KERNEL(fill);

extern "C" __global__ __launch_bounds__(256) void combine(float a, const float* __restrict__ x, float b, const float* __restrict__ y, float c,
                                                          float* __restrict__ z, int count) {
  if (y) {
    for_elements(
        count, aligned(x, y, z), [&](long long i) { z[i] = fmaf(a, x[i], fmaf(b, y[i], c)); },
        [&](long long i) {
          const float4 u = ld_f4(x + i), v = ld_f4(y + i);
          st_f4(z + i, make_float4(fmaf(a, u.x, fmaf(b, v.x, c)), fmaf(a, u.y, fmaf(b, v.y, c)), fmaf(a, u.z, fmaf(b, v.z, c)), fmaf(a, u.w, fmaf(b, v.w, c))));
        });
  } else {
    for_elements(
        count, aligned(x, x, z), [&](long long i) { z[i] = fmaf(a, x[i], c); },
        [&](long long i) {
          const float4 u = ld_f4(x + i);
          st_f4(z + i, make_float4(fmaf(a, u.x, c), fmaf(a, u.y, c), fmaf(a, u.z, c), fmaf(a, u.w, c)));
        });
  }
}
KERNEL(combine);

// x and y may be the same array.
extern "C" __global__ __launch_bounds__(256) void multiply(const float* x, const float* y, float* __restrict__ z, int count) {
  for_elements(
      count, aligned(x, y, z), [&](long long i) { z[i] = x[i] * y[i]; },
      [&](long long i) {
        const float4 u = ld_f4(x + i), v = ld_f4(y + i);
        st_f4(z + i, make_float4(u.x * v.x, u.y * v.y, u.z * v.z, u.w * v.w));
      });
}
KERNEL(multiply);

// The functions, in the order of ElementFunction: 0 exp, 1 log, 2 sqrt.
DEVICE float function_of(int function, float x) { return function == 0 ? expf(x) : function == 1 ? logf(x) : sqrtf(x); }
DEVICE float slope_of(int function, float x, float y, float dy) { return function == 0 ? dy * y : function == 1 ? dy / x : 0.5f * dy / y; }

extern "C" __global__ __launch_bounds__(256) void function_forward(int function, const float* __restrict__ x, float* __restrict__ y, int count) {
  for_elements(
      count, aligned(x, x, y), [&](long long i) { y[i] = function_of(function, x[i]); },
      [&](long long i) {
        const float4 u = ld_f4(x + i);
        st_f4(y + i, make_float4(function_of(function, u.x), function_of(function, u.y), function_of(function, u.z), function_of(function, u.w)));
      });
}
KERNEL(function_forward);

extern "C" __global__ __launch_bounds__(256) void function_backward(int function, const float* __restrict__ x, const float* __restrict__ y,
                                                                    const float* __restrict__ dy, float* __restrict__ dx, int count) {
  for_elements(
      count, aligned(x, y, dy) && aligned(dx, dx, dx), [&](long long i) { dx[i] = slope_of(function, x[i], y[i], dy[i]); },
      [&](long long i) {
        const float4 u = ld_f4(x + i), v = ld_f4(y + i), d = ld_f4(dy + i);
        st_f4(dx + i, make_float4(slope_of(function, u.x, v.x, d.x), slope_of(function, u.y, v.y, d.y), slope_of(function, u.z, v.z, d.z),
                                  slope_of(function, u.w, v.w, d.w)));
      });
}
KERNEL(function_backward);
