// Local response normalization across channels (MatConvNet): y_c = x_c S_c^-beta, S_c = kappa + alpha sum of x_j^2 over c - before <= j <= c + after;
// dx_c = dy_c S_c^-beta - 2 alpha beta x_c sum over c - after <= j <= c + before of dy_j x_j S_j^(-beta - 1). Where S is 0, y and dx are 0.
// General form: one thread per element, its window summed in order from the cache; backward in two kernels, the terms dy_j x_j S_j^(-beta - 1) first. Moves
// 8 and 20 bytes per element and adds window + 20 operations each.
// Fast path, when the window holds the whole row and beta is 1/2 (the unit vector: kappa 1e-10, alpha 1): y = r x, dx = r dy - alpha r^3 (x . dy) x,
// r = S^-1/2. One warp per row, 16 bytes per lane, sums by shuffles; the second look at the row finds it in the L1 cache.
#include "reduce.cuh"


struct Window {
  int channels, before, after;
  float kappa, alpha;
};

// S of element i.
DEVICE float scale_of(const Window& w, const float* __restrict__ x, long long i) {
  const int c = (int)(i % w.channels), first = max(c - w.before, 0), last = min(c + w.after, w.channels - 1);
  const float* row = x + (i - c);
  float sum = 0.f;
  for (int j = first; j <= last; j++) sum = fmaf(row[j], row[j], sum);
  return fmaf(w.alpha, sum, w.kappa);
}

// s^-beta; 0 where s is 0
DEVICE float power(float s, float beta) { return s > 0.f ? expf(-beta * logf(s)) : 0.f; }

extern "C" __global__ __launch_bounds__(256) void lrn_forward(const float* __restrict__ x, float* __restrict__ y, int count, int channels, int before,
                                                              int after,
                                                              float kappa, float alpha, float beta) {
  const Window w{channels, before, after, kappa, alpha};
  const long long threads = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += threads) y[i] = x[i] * power(scale_of(w, x, i), beta);
}
KERNEL(lrn_forward);

// terms_j = dy_j x_j S_j^(-beta - 1), dx_j = dy_j S_j^-beta
extern "C" __global__ __launch_bounds__(256) void lrn_backward_terms(const float* __restrict__ x, const float* dy, float* dx, float* __restrict__ terms,
                                                                     int count,
                                                                     int channels, int before, int after, float kappa, float alpha, float beta) {
  const Window w{channels, before, after, kappa, alpha};
  const long long threads = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += threads) {
    const float s = scale_of(w, x, i), direct = dy[i] * power(s, beta);
    terms[i] = s > 0.f ? direct * x[i] / s : 0.f;
    dx[i] = direct;
  }
}
KERNEL(lrn_backward_terms);

extern "C" __global__ __launch_bounds__(256) void lrn_backward(const float* __restrict__ x, const float* __restrict__ terms, float* __restrict__ dx, int count,
                                                               int channels, int before, int after, float factor) {
  const long long threads = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += threads) {
    const int c = (int)(i % channels), first = max(c - after, 0), last = min(c + before, channels - 1);
    const float* row = terms + (i - c);
    float sum = 0.f;
    for (int j = first; j <= last; j++) sum += row[j];
    dx[i] = fmaf(-factor * x[i], sum, dx[i]);
  }
}
KERNEL(lrn_backward);

DEVICE float dot4(float4 a, float4 b, float sum) { return fmaf(a.w, b.w, fmaf(a.z, b.z, fmaf(a.y, b.y, fmaf(a.x, b.x, sum)))); }

// a . b of two rows, each lane its share; the first 4 vectors elements four at a time.
DEVICE float row_dot(const float* a, const float* b, int width, int vectors, int lane) {
  float sum = 0.f;
  for (int i = lane; i < vectors; i += 32) sum = dot4(ld_f4(a + 4 * i), ld_f4(b + 4 * i), sum);
  for (int i = 4 * vectors + lane; i < width; i += 32) sum = fmaf(a[i], b[i], sum);
  return warp_sum(sum);
}

extern "C" __global__ __launch_bounds__(256) void unit_vector_forward(const float* x, float* y, int rows, int width, float kappa, float alpha) {
  const int lane = threadIdx.x % 32, warps = gridDim.x * (blockDim.x / 32);
  for (long long row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32; row < rows; row += warps) {
    const float* from = x + row * width;
    float* to = y + row * width;
    const int vectors = (((uintptr_t)from | (uintptr_t)to) & 15) == 0 ? width / 4 : 0;
    const float s = fmaf(alpha, row_dot(from, from, width, vectors, lane), kappa), r = s > 0.f ? 1.f / sqrtf(s) : 0.f;
    for (int i = lane; i < vectors; i += 32) {
      float4 v = ld_f4(from + 4 * i);
      st_f4(to + 4 * i, make_float4(r * v.x, r * v.y, r * v.z, r * v.w));
    }
    for (int i = 4 * vectors + lane; i < width; i += 32) to[i] = r * from[i];
  }
}
KERNEL(unit_vector_forward);

extern "C" __global__ __launch_bounds__(256) void unit_vector_backward(const float* x, const float* dy, float* dx, int rows, int width, float kappa,
                                                                       float alpha) {
  const int lane = threadIdx.x % 32, warps = gridDim.x * (blockDim.x / 32);
  for (long long row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32; row < rows; row += warps) {
    const float *a = x + row * width, *g = dy + row * width;
    float* to = dx + row * width;
    const int vectors = (((uintptr_t)a | (uintptr_t)g | (uintptr_t)to) & 15) == 0 ? width / 4 : 0;
    const float s = fmaf(alpha, row_dot(a, a, width, vectors, lane), kappa), r = s > 0.f ? 1.f / sqrtf(s) : 0.f;
    const float along = -alpha * r * (r * r * row_dot(a, g, width, vectors, lane));
    for (int i = lane; i < vectors; i += 32) {
      float4 v = ld_f4(a + 4 * i), d = ld_f4(g + 4 * i);
      st_f4(to + 4 * i, make_float4(fmaf(r, d.x, along * v.x), fmaf(r, d.y, along * v.y), fmaf(r, d.z, along * v.z), fmaf(r, d.w, along * v.w)));
    }
    for (int i = 4 * vectors + lane; i < width; i += 32) to[i] = fmaf(r, g[i], along * a[i]);
  }
}
KERNEL(unit_vector_backward);
