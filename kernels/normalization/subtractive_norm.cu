// Subtractive normalization (Torch's SpatialSubtractiveNormalization), x [n][h][w][c]: y = x - m, m the mean of the pixel's neighbourhood over all channels,
//   m(p) = sum over t of k(t) s(p + t) / (c share(p)),   s(p) = the sum of the channels of pixel p,   share(p) = the sum of k(t) where p + t is inside.
// k [kernel][kernel] are weights with their centre on the pixel. Their scale does not matter: at a border the mean is that of what is inside.
// Backward: dx = dy - m', m'(q) = sum over t of k(t) g(q - t) / c, g(p) = (the sum of the channels of dy at p) / share(p).
// Two kernels, in both directions: one sums the channels of each pixel (and divides them by the share), one subtracts the mean. One warp per pixel: its lanes
// are neighbouring channels for sums and differences, and the taps of the kernel for the mean, whose sums meet in the caches. Sums of a warp are a fixed tree.
// Bound by memory: x is read twice and y written, 12 bytes per element.
#include "reduce.cuh"

struct Neighbourhood {
  int height, width, channels, kernel;
  const float* weights;
};

struct Pixel {
  int row, column;
};
DEVICE Pixel pixel_of(const Neighbourhood& n, int index) {
  const int line = index / n.width;
  return Pixel{line % n.height, index - line * n.width};
}

// Calls f(weight, offset in pixels) for this lane's taps that lie inside the image. sign 1: p + t; -1: p - t.
template <class F> DEVICE void each_tap(const Neighbourhood& n, Pixel at, int sign, F f) {
  const int half = n.kernel / 2;
  for (int tap = threadIdx.x % 32; tap < n.kernel * n.kernel; tap += 32) {
    const int line = tap / n.kernel, down = sign * (line - half), right = sign * (tap - line * n.kernel - half);
    if ((unsigned)(at.row + down) < (unsigned)n.height && (unsigned)(at.column + right) < (unsigned)n.width) f(n.weights[tap], down * n.width + right);
  }
}

// sums[pixel] = the sum of its channels; divided by the share of the kernel that lies inside where weigh is set.
extern "C" __global__ __launch_bounds__(256) void subtractive_norm_sums(const float* __restrict__ x, float* __restrict__ sums, int pixels, int weigh,
    Neighbourhood n) {
  const int warps = gridDim.x * (blockDim.x / 32);
  for (int pixel = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32; pixel < pixels; pixel += warps) {
    const float* from = x + (long long)pixel * n.channels;
    float sum = 0.f, share = 0.f;
    for (int c = threadIdx.x % 32; c < n.channels; c += 32) sum += from[c];
    sum = warp_sum(sum);
    if (weigh) {
      each_tap(n, pixel_of(n, pixel), 1, [&](float weight, int) { share += weight; });
      sum /= warp_sum(share);
    }
    if (threadIdx.x % 32 == 0) sums[pixel] = sum;
  }
}
KERNEL(subtractive_norm_sums);

// y = x - mean, from the sums of the pixels; y may be x. backward: the mean of the sums of a gradient, which are divided by their shares already.
extern "C" __global__ __launch_bounds__(256) void subtractive_norm_subtract(const float* x, const float* __restrict__ sums, float* y, int pixels,
    int backward, Neighbourhood n) {
  const int warps = gridDim.x * (blockDim.x / 32);
  for (int pixel = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32; pixel < pixels; pixel += warps) {
    float total = 0.f, share = 0.f;
    each_tap(n, pixel_of(n, pixel), backward ? -1 : 1, [&](float weight, int offset) {
      total = fmaf(weight, sums[pixel + offset], total);
      share += weight;
    });
    const float mean = warp_sum(total) / ((float)n.channels * (backward ? 1.f : warp_sum(share)));
    for (int c = threadIdx.x % 32; c < n.channels; c += 32) y[(long long)pixel * n.channels + c] = x[(long long)pixel * n.channels + c] - mean;
  }
}
KERNEL(subtractive_norm_subtract);
