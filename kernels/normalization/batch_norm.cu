// Batch normalization over all pixels of a half, x [halves][rows][c] (Ioffe, Szegedy 2015): y = max(0, scale (x - mean_s) r_s + shift), r = 1 / sqrt(var + eps).
// Backward, with m = dy where y is positive, xhat = (x - mean) r:  dx = scale r (m - sum(m) / n - xhat sum(m xhat) / n); dshift = sum(m), dscale = sum(m xhat).
// Sums are taken in tiles of rows (mean first, then squares about it), which a second kernel joins in a fixed order (Chan's formula, or plain addition); the
// convolutions write such tiles from their epilogues, too: [half][tile][2][c]. Then one pass over the elements.
// Bound by memory. Bytes per value: statistics read 4, normalizing moves 8, the gradient's sums read 8, its pass moves 12. Tiles are read twice, the second
// time from L1. Lanes are channels (128-byte loads), or four channels each in the passes over elements.
#include "normalization.cuh"

constexpr int LANES = 32, ROW_THREADS = 8;

// Tile (x), 32 channels (y), half (z).
extern "C" __global__ __launch_bounds__(256) void batch_norm_moments(const float* __restrict__ x, float* __restrict__ tiles, int rows, int channels,
    int tileRows) {
  __shared__ Moments parts[ROW_THREADS][LANES];
  const int lane = threadIdx.x % LANES, c = blockIdx.y * LANES + lane, slot = threadIdx.x / LANES;
  const int first = blockIdx.x * tileRows, last = min(rows, first + tileRows);
  Moments own = {0.f, 0.f, 0.f};
  if (c < channels) {
    const float* from = x + (long long)blockIdx.z * rows * channels + c;
    for (int row = first + slot; row < last; row += ROW_THREADS) {
      own.mean += from[(long long)row * channels];
      own.count += 1.f;
    }
    if (own.count > 0.f) own.mean /= own.count;
    for (int row = first + slot; row < last; row += ROW_THREADS) {
      const float d = from[(long long)row * channels] - own.mean;
      own.squares = fmaf(d, d, own.squares);
    }
  }
  parts[slot][lane] = own;
  __syncthreads();
  if (slot > 0 || c >= channels) return;
  for (int i = 1; i < ROW_THREADS; i++) own = joined(own, parts[i][lane]);
  float* to = tiles + ((long long)blockIdx.z * gridDim.x + blockIdx.x) * 2 * channels + c;
  to[0] = own.mean;
  to[channels] = own.squares;
}
KERNEL(batch_norm_moments);

// Eight channels per block, its threads tiles apart; the running statistics are moved side by side, in order.
extern "C" __global__ __launch_bounds__(1024) void batch_norm_statistics(const float* __restrict__ tiles, int halves, int tileCount, int tileRows, int rows,
    int channels, float epsilon, float momentum, float* __restrict__ mean, float* __restrict__ inverseDeviation, float* __restrict__ runningMean,
    float* __restrict__ runningVariance) {
  __shared__ Moments parts[128][8];
  const int lane = threadIdx.x % 8, c = blockIdx.x * 8 + lane, slot = threadIdx.x / 8, slots = blockDim.x / 8;
  for (int half = 0; half < halves; half++) {
    Moments own = {0.f, 0.f, 0.f};
    for (int tile = slot; tile < tileCount && c < channels; tile += slots) {
      const float* from = tiles + ((long long)half * tileCount + tile) * 2 * channels + c;
      own = joined(own, Moments{(float)min(tileRows, rows - tile * tileRows), from[0], from[channels]});
    }
    parts[slot][lane] = own;
    for (int step = slots / 2; step > 0; step /= 2) {
      __syncthreads();
      if (slot < step) parts[slot][lane] = own = joined(own, parts[slot + step][lane]);
    }
    if (slot == 0 && c < channels) {
      mean[half * channels + c] = own.mean;
      inverseDeviation[half * channels + c] = 1.f / sqrtf(own.squares / rows + epsilon);
      runningMean[c] += momentum * (own.mean - runningMean[c]);
      runningVariance[c] += momentum * (own.squares / max(1, rows - 1) - runningVariance[c]);
    }
    __syncthreads();
  }
}
KERNEL(batch_norm_statistics);

// WIDTH neighbouring channels per thread.
template <int WIDTH, class F> DEVICE void each_element(int count, int halfLength, Divider channels, F f) {
  for (unsigned i = (blockIdx.x * blockDim.x + threadIdx.x) * WIDTH; i < (unsigned)count; i += gridDim.x * blockDim.x * WIDTH) {
    const int c = (int)i - quotient(channels, (int)i) * (int)channels.divisor;
    f((int)i, c, (int)i >= halfLength ? (int)i / halfLength : 0);
  }
}

template <int WIDTH> DEVICE Four load(const float* p) {
  if constexpr (WIDTH == 4) return four(ld_f4(p));
  else return Four{{p[0], 0.f, 0.f, 0.f}};
}
template <int WIDTH> DEVICE Four load(const __nv_bfloat16* p) {
  const uint2 v = *reinterpret_cast<const uint2*>(p);
  return Four{{__uint_as_float(v.x << 16), __uint_as_float(v.x & 0xffff0000u), __uint_as_float(v.y << 16), __uint_as_float(v.y & 0xffff0000u)}};
}
template <int WIDTH> DEVICE void store(float* p, const Four& v) {
  if constexpr (WIDTH == 4) st_f4(p, v.vector());
  else p[0] = v.v[0];
}

template <int WIDTH, class T> DEVICE void normalize(const T* x, float* y, int count, int halfLength, Divider channels, Normalization n) {
  each_element<WIDTH>(count, halfLength, channels, [&](int i, int c, int half) {
    Normalization of = n;
    of.use_half(half);
    Four v = load<WIDTH>(x + i);
    const Four mean = channels_of<WIDTH == 4>(of.mean, c, c + 1, 0.f), inverse = channels_of<WIDTH == 4>(of.inverseDeviation, c, c + 1, 0.f);
    const Four scale = channels_of<WIDTH == 4>(of.scale, c, c + 1, 1.f), shift = channels_of<WIDTH == 4>(of.shift, c, c + 1, 0.f);
    PRAGMA_UNROLL
    for (int j = 0; j < WIDTH; j++) v.v[j] = activated(standardized(v.v[j], mean.v[j], inverse.v[j]), scale.v[j], shift.v[j], of.relu);
    store<WIDTH>(y + i, v);
  });
}
extern "C" __global__ __launch_bounds__(256) void batch_norm_normalize(const float* __restrict__ x, float* __restrict__ y, int count, int halfLength,
    Divider channels, Normalization n) {
  if (n.channels % 4 == 0) normalize<4>(x, y, count, halfLength, channels, n);
  else normalize<1>(x, y, count, halfLength, channels, n);
}
KERNEL(batch_norm_normalize);

// x as bf16, of a multiple of four channels.
extern "C" __global__ __launch_bounds__(256) void batch_norm_normalize_bf16(const __nv_bfloat16* __restrict__ x, float* __restrict__ y, int count,
    int halfLength, Divider channels, Normalization n) {
  normalize<4>(x, y, count, halfLength, channels, n);
}
KERNEL(batch_norm_normalize_bf16);

// sum(m) and sum(m xhat) of a tile (x), 32 channels (y) and a half (z); value(i) gives x, gradient(i) the gradient of y.
template <class X, class G> DEVICE void gradient_sums(X value, G gradient, float* tiles, int rows, int tileRows, Normalization n) {
  __shared__ float2 parts[ROW_THREADS][LANES];
  const int channels = n.channels, lane = threadIdx.x % LANES, c = blockIdx.y * LANES + lane, slot = threadIdx.x / LANES;
  const int first = blockIdx.x * tileRows, last = min(rows, first + tileRows);
  float sum = 0.f, product = 0.f;
  if (c < channels) {
    n.use_half(blockIdx.z);
    const long long start = (long long)blockIdx.z * rows * channels + c;
    const float mean = n.mean[c], inverse = n.inverseDeviation[c], scale = channel_of(n.scale, c, 1.f), shift = channel_of(n.shift, c, 0.f);
    for (int row = first + slot; row < last; row += ROW_THREADS) {
      const long long i = start + (long long)row * channels;
      const float xhat = standardized(value(i), mean, inverse), m = masked(gradient(i), xhat, scale, shift, n.relu);
      sum += m;
      product = fmaf(m, xhat, product);
    }
  }
  parts[slot][lane] = make_float2(sum, product);
  __syncthreads();
  if (slot > 0 || c >= channels) return;
  for (int i = 1; i < ROW_THREADS; i++) {
    sum += parts[i][lane].x;
    product += parts[i][lane].y;
  }
  float* to = tiles + ((long long)blockIdx.z * gridDim.x + blockIdx.x) * 2 * channels + c;
  to[0] = sum;
  to[channels] = product;
}
extern "C" __global__ __launch_bounds__(256) void batch_norm_gradient_tiles(const float* __restrict__ x, const float* __restrict__ dy,
    float* __restrict__ tiles, int rows, int tileRows, Normalization n) {
  gradient_sums([&](long long i) { return x[i]; }, [&](long long i) { return dy[i]; }, tiles, rows, tileRows, n);
}
KERNEL(batch_norm_gradient_tiles);

// The same for x stored as bf16; the gradient, with another part of it where there is one, is left rounded to bf16.
extern "C" __global__ __launch_bounds__(256) void batch_norm_round_gradient(const __nv_bfloat16* __restrict__ x, const float* __restrict__ dy,
    const __nv_bfloat16* __restrict__ part, __nv_bfloat16* __restrict__ rounded, float* __restrict__ tiles, int rows, int tileRows, Normalization n) {
  gradient_sums([&](long long i) { return __bfloat162float(x[i]); },
                [&](long long i) {
                  const float g = dy[i] + (part == nullptr ? 0.f : __bfloat162float(part[i]));
                  rounded[i] = __float2bfloat16(g);
                  return g;
                },
                tiles, rows, tileRows, n);
}
KERNEL(batch_norm_round_gradient);

// sums[half][i] = the sum over tiles of tiles[half][tile][i], i < width (2 c). Eight columns per block (x), half (y).
extern "C" __global__ __launch_bounds__(1024) void batch_norm_sums(const float* __restrict__ tiles, int tileCount, int width, float* __restrict__ sums) {
  __shared__ float parts[128][8];
  const int lane = threadIdx.x % 8, i = blockIdx.x * 8 + lane, slot = threadIdx.x / 8, slots = blockDim.x / 8;
  float own = 0.f;
  for (int tile = slot; tile < tileCount && i < width; tile += slots) own += tiles[((long long)blockIdx.y * tileCount + tile) * width + i];
  parts[slot][lane] = own;
  for (int step = slots / 2; step > 0; step /= 2) {
    __syncthreads();
    if (slot < step) parts[slot][lane] = own = own + parts[slot + step][lane];
  }
  if (slot == 0 && i < width) sums[blockIdx.y * width + i] = own;
}
KERNEL(batch_norm_sums);

template <int WIDTH>
DEVICE void gradient(const float* x, const float* dy, float* dx, int count, int halfLength, Divider channels, const float* sums, Normalization n) {
  const float share = (float)n.channels / (float)halfLength;
  each_element<WIDTH>(count, halfLength, channels, [&](int i, int c, int half) {
    Normalization of = n;
    of.use_half(half);
    const float* sum = sums + half * 2 * n.channels;
    const Four g = load<WIDTH>(dy + i), v = load<WIDTH>(x + i);
    const Four mean = channels_of<WIDTH == 4>(of.mean, c, c + 1, 0.f), inverse = channels_of<WIDTH == 4>(of.inverseDeviation, c, c + 1, 0.f);
    const Four scale = channels_of<WIDTH == 4>(of.scale, c, c + 1, 1.f), shift = channels_of<WIDTH == 4>(of.shift, c, c + 1, 0.f);
    const Four sumM = channels_of<WIDTH == 4>(sum, c, c + 1, 0.f), sumProduct = channels_of<WIDTH == 4>(sum + n.channels, c, c + 1, 0.f);
    Four d;
    PRAGMA_UNROLL
    for (int j = 0; j < WIDTH; j++) {
      const float xhat = standardized(v.v[j], mean.v[j], inverse.v[j]), m = masked(g.v[j], xhat, scale.v[j], shift.v[j], of.relu);
      d.v[j] = inverse.v[j] * scale.v[j] * (m - share * sumM.v[j] - xhat * (share * sumProduct.v[j]));
    }
    store<WIDTH>(dx + i, d);
  });
}
// dx may be dy.
extern "C" __global__ __launch_bounds__(256) void batch_norm_gradient(const float* __restrict__ x, const float* dy, float* dx, int count, int halfLength,
    Divider channels, const float* __restrict__ sums, Normalization n) {
  if (n.channels % 4 == 0) gradient<4>(x, dy, dx, count, halfLength, channels, sums, n);
  else gradient<1>(x, dy, dx, count, halfLength, channels, sums, n);
}
KERNEL(batch_norm_gradient);

// dshift = sum(m) and dscale = sum(m xhat) of all halves.
extern "C" __global__ __launch_bounds__(256) void batch_norm_affine(const float* __restrict__ sums, int halves, int channels, float* __restrict__ dScale,
    float* __restrict__ dShift) {
  const int c = blockIdx.x * blockDim.x + threadIdx.x;
  if (c >= channels) return;
  float m = 0.f, product = 0.f;
  for (int half = 0; half < halves; half++) {
    m += sums[(2 * half) * channels + c];
    product += sums[(2 * half + 1) * channels + c];
  }
  if (dScale) dScale[c] = product;
  if (dShift) dShift[c] = m;
}
KERNEL(batch_norm_affine);
