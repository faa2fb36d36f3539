// Filter response normalization with its thresholded linear unit (Singh, Krishnan 2020), x [n][pixels][c]:
//   y = max(u, threshold_c), u = scale_c x r + shift_c, r = 1 / sqrt(nu^2 + epsilon), nu^2 = the mean of x^2 over the pixels of the image, per channel.
// scale, shift and threshold may be null for 1, 0 and no threshold. r [n][c] is kept for the backward pass. With g = dy where u > threshold, else 0:
//   dx = scale r (g - x r^2 mean(g x));   dshift = sum g, dscale = sum g x r, dthreshold = the sum of dy where g is 0 by the threshold.
// One block of 256 threads per image (x) and 32 channels (y). A thread keeps one channel and goes from pixel to pixel; the threads that share a channel, its
// slots, join their sums in shared memory as a fixed tree. With fewer than 32 channels all threads still have work: neighbouring threads are neighbouring
// channels, then pixels. Backward each block leaves its image's sums in parts [n][3][c], which a last kernel adds up over the images in a fixed order.
// Bound by memory: forward reads x twice (once from a cache) and writes y, 8 bytes per element from memory; backward 12, x and dy read twice, dx written.
#include "normalization.cuh"

constexpr int THREADS = 256, MOST_CHANNELS = 32;

struct Response {
  int pixels, channels;
  float epsilon;
  const float *scale, *shift, *threshold;
};

// A thread's channel and its pixels: every slots-th one. Threads that are left over have no pixels.
struct Share {
  int width, slots, slot, c, count;
  long long at, stride;                                          // of its first element, and from pixel to pixel
  MEMBER explicit Share(const Response& r) {
    width = min(MOST_CHANNELS, r.channels - (int)blockIdx.y * MOST_CHANNELS);
    slots = THREADS / width;
    slot = threadIdx.x / width;
    c = blockIdx.y * MOST_CHANNELS + threadIdx.x % width;
    count = slot < slots ? max(0, (r.pixels - slot + slots - 1) / slots) : 0;
    at = ((long long)blockIdx.x * r.pixels + slot) * r.channels + c;
    stride = (long long)slots * r.channels;
  }
};

// The sum over a channel's slots, in all of its threads.
DEVICE float joined(const Share& share, float own, float* parts) {
  __syncthreads();                                               // whoever still reads what parts held before
  parts[threadIdx.x] = own;
  for (int count = share.slots; count > 1;) {
    const int half = (count + 1) / 2;
    __syncthreads();
    if (share.slot + half < count) parts[threadIdx.x] = own = own + parts[threadIdx.x + half * share.width];
    count = half;
  }
  __syncthreads();
  return parts[threadIdx.x % share.width];
}

extern "C" __global__ __launch_bounds__(256) void filter_response_norm_forward(const float* __restrict__ x, float* __restrict__ inverse, float* __restrict__ y,
    Response r) {
  __shared__ float parts[THREADS];
  const Share share(r);
  float squares = 0.f;
  for (int i = 0; i < share.count; i++) {
    const float v = x[share.at + i * share.stride];
    squares = fmaf(v, v, squares);
  }
  const float root = 1.f / sqrtf(joined(share, squares, parts) / (float)r.pixels + r.epsilon);
  if (share.slot == 0) inverse[(long long)blockIdx.x * r.channels + share.c] = root;
  const float factor = channel_of(r.scale, share.c, 1.f) * root, shift = channel_of(r.shift, share.c, 0.f);
  const float least = channel_of(r.threshold, share.c, -__uint_as_float(0x7f800000u));
  for (int i = 0; i < share.count; i++) {
    const long long at = share.at + i * share.stride;
    const float u = fmaf(x[at], factor, shift);
    y[at] = u <= least ? least : u;                              // a NaN stays
  }
}
KERNEL(filter_response_norm_forward);

// parts [n][3][c]: sum g x r, sum g, and the sum of dy below the threshold. dx may be dy.
extern "C" __global__ __launch_bounds__(256) void filter_response_norm_backward(const float* __restrict__ x, const float* __restrict__ inverse, const float* dy,
    float* dx, float* __restrict__ partial, Response r) {
  __shared__ float parts[THREADS];
  const Share share(r);
  const float root = inverse[(long long)blockIdx.x * r.channels + share.c];
  const float factor = channel_of(r.scale, share.c, 1.f) * root, shift = channel_of(r.shift, share.c, 0.f);
  const float least = channel_of(r.threshold, share.c, -__uint_as_float(0x7f800000u));
  float product = 0.f, sum = 0.f, below = 0.f;
  for (int i = 0; i < share.count; i++) {
    const long long at = share.at + i * share.stride;
    const float v = x[at], d = dy[at];
    if (fmaf(v, factor, shift) <= least) {
      below += d;
    } else {
      product = fmaf(d, v, product);
      sum += d;
    }
  }
  product = joined(share, product, parts);
  sum = joined(share, sum, parts);
  below = joined(share, below, parts);
  if (share.slot == 0 && partial != nullptr) {
    float* to = partial + (long long)blockIdx.x * 3 * r.channels + share.c;
    to[0] = product * root;
    to[r.channels] = sum;
    to[2 * r.channels] = below;
  }
  if (dx == nullptr) return;
  const float slope = -factor * root * root * (product / (float)r.pixels);
  for (int i = 0; i < share.count; i++) {
    const long long at = share.at + i * share.stride;
    const float v = x[at], g = fmaf(v, factor, shift) <= least ? 0.f : dy[at];
    dx[at] = fmaf(factor, g, slope * v);
  }
}
KERNEL(filter_response_norm_backward);

// The parameters' gradients, each where it is wanted: the sums of parts [images][3][channels] over the images. Eight columns per block, 32 threads each.
extern "C" __global__ __launch_bounds__(256) void filter_response_norm_parameters(const float* __restrict__ partial, int images, int channels,
    float* __restrict__ dScale, float* __restrict__ dShift, float* __restrict__ dThreshold) {
  __shared__ float parts[32][8];
  const int lane = threadIdx.x % 8, i = blockIdx.x * 8 + lane, slot = threadIdx.x / 8;
  float own = 0.f;
  for (int image = slot; image < images && i < 3 * channels; image += 32) own += partial[(long long)image * 3 * channels + i];
  parts[slot][lane] = own;
  for (int half = 16; half > 0; half /= 2) {
    __syncthreads();
    if (slot < half) parts[slot][lane] = own = own + parts[slot + half][lane];
  }
  if (slot > 0 || i >= 3 * channels) return;
  float* to = i < channels ? dScale : i < 2 * channels ? dShift : dThreshold;
  if (to != nullptr) to[i % channels] = own;
}
KERNEL(filter_response_norm_parameters);
