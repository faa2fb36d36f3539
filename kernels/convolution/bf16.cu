// Passes over numbers stored as bf16, for convolutions that do nothing else (cuDNN's): rounding and widening, and batch normalization of x [halves][rows][c],
// c a multiple of 8, as in batch_norm.cu but in four passes:
//   bf16_moments         adds a bias to x where there is one; mean and squared deviations of each tile of rows, [half][tile][2][c]
//   bf16_normalize       y = max(0, x factor + term), factor = scale r, term = shift - mean factor
//   bf16_gradient_sums   sum(m) and sum(m xhat) of each tile, m = g where y is positive, xhat = (x - mean) r
//   bf16_gradient        dx = factor m + x a + b: factor (m - sum(m) / n - xhat sum(m xhat) / n) with what does not depend on the pixel put together
// batch_norm_statistics and batch_norm_sums join the tiles. Grid: tile (x), 256 channels (y), half (z); 256 threads.
// Bound by memory: 2, 4, 4 and 6 bytes per value. A thread keeps eight channels, 16 bytes, and goes from row to row, so that coefficients stay in registers and
// neighbouring threads read neighbouring bytes. Sums are joined in a fixed order, slot by slot as a tree.
#include "normalization.cuh"

constexpr int THREADS = 256, MOST_GROUPS = 32;

// A thread's part of a tile: eight channels from c on, of every slots-th row. Threads that are left over get no rows.
struct Share {
  int groups, slots, slot, c, count;
  long long at, stride;                                          // of its first value, and from row to row
  MEMBER Share(int rows, int channels, int tileRows) {
    groups = min(MOST_GROUPS, channels / 8 - (int)blockIdx.y * MOST_GROUPS);
    slots = THREADS / groups;
    slot = threadIdx.x / groups;
    c = (blockIdx.y * MOST_GROUPS + threadIdx.x % groups) * 8;
    const int first = blockIdx.x * tileRows + slot, last = min(rows, (int)(blockIdx.x + 1) * tileRows);
    count = slot < slots ? max(0, (last - first + slots - 1) / slots) : 0;
    at = ((long long)blockIdx.z * rows + first) * channels + c;
    stride = (long long)slots * channels;
  }
  MEMBER bool writes() const { return slot == 0; }
};

// Calls finish(where the eight values begin, load(there)) for each row of this thread. Two rows are loaded before the first is finished.
template <class L, class F> DEVICE void each_row(const Share& share, L load, F finish) {
  long long at = share.at;
  PRAGMA_ROLLED
  for (int i = share.count; i > 1; i -= 2, at += 2 * share.stride) {
    const auto first = load(at), second = load(at + share.stride);
    finish(at, first);
    finish(at + share.stride, second);
  }
  if (share.count % 2) finish(at, load(at));
}

// Eight values and the gradient of what they become.
struct Loaded {
  uint4 x, gradient;
};

// sum(m) and sum(m xhat).
struct Sums {
  float m, product;
};
DEVICE Sums joined(Sums a, Sums b) { return Sums{a.m + b.m, a.product + b.product}; }

// Joins what the threads of a tile hold of the same channels; the first of them have it then.
template <class T> DEVICE void join(const Share& share, T (&own)[8]) {
  __shared__ T parts[8][THREADS];
  PRAGMA_UNROLL
  for (int j = 0; j < 8; j++) parts[j][threadIdx.x] = own[j];
  for (int count = share.slots; count > 1; count = (count + 1) / 2) {
    const int half = (count + 1) / 2;
    __syncthreads();
    if (share.slot + half >= count) continue;
    PRAGMA_UNROLL
    for (int j = 0; j < 8; j++) parts[j][threadIdx.x] = own[j] = joined(own[j], parts[j][threadIdx.x + half * share.groups]);
  }
}

// The tile's two rows of channels.
DEVICE float* tile_of(float* tiles, const Share& share, int channels) {
  return tiles + ((long long)blockIdx.z * gridDim.x + blockIdx.x) * 2 * channels + share.c;
}
DEVICE void write(float* to, const Eight& v) {
  st_f4(to, make_float4(v.v[0], v.v[1], v.v[2], v.v[3]));
  st_f4(to + 4, make_float4(v.v[4], v.v[5], v.v[6], v.v[7]));
}

// y before the ReLU is x factor + term.
struct Coefficients {
  Eight mean, inverse, factor, term;
  MEMBER Coefficients(Normalization n, int c) {
    n.use_half(blockIdx.z);
    mean = eight(n.mean + c);
    inverse = eight(n.inverseDeviation + c);
    factor = eight_channels_of(n.scale, c, 1.f);
    term = eight_channels_of(n.shift, c, 0.f);
    PRAGMA_UNROLL
    for (int j = 0; j < 8; j++) {
      factor.v[j] *= inverse.v[j];
      term.v[j] = fmaf(-mean.v[j], factor.v[j], term.v[j]);
    }
  }
  MEMBER float value(int j, float x) const { return fmaf(x, factor.v[j], term.v[j]); }
  MEMBER float masked(int j, float g, float x, int relu) const { return relu && !(value(j, x) > 0.f) ? 0.f : g; }
};

// With a bias, as it is stored then.
DEVICE Eight shifted(uint4 stored, const float* bias) {
  Eight v = eight(stored);
  if (bias == nullptr) return v;
  const Eight added = eight(bias);
  PRAGMA_UNROLL
  for (int j = 0; j < 8; j++) v.v[j] += added.v[j];
  return eight(v.packed());
}

extern "C" __global__ __launch_bounds__(256, 4) void bf16_moments(unsigned short* x, const float* __restrict__ bias, float* __restrict__ tiles, int rows,
    int channels, int tileRows) {
  const Share share(rows, channels, tileRows);
  const float* added = bias == nullptr ? nullptr : bias + share.c;
  // Sums are of deviations from the thread's first value, so that squares lose no digits to a mean that is far from 0.
  Eight sum = eight_of(0.f), square = sum;
  const Eight origin = share.count > 0 ? shifted(ld_u4(x + share.at), added) : sum;
  each_row(
      share, [&](long long at) { return ld_u4(x + at); },
      [&](long long at, uint4 loaded) {
        const Eight v = shifted(loaded, added);
        if (bias != nullptr) st_u4(x + at, v.packed());
        PRAGMA_UNROLL
        for (int j = 0; j < 8; j++) {
          const float d = v.v[j] - origin.v[j];
          sum.v[j] += d;
          square.v[j] = fmaf(d, d, square.v[j]);
        }
      });
  Moments own[8];
  const float count = share.count, part = share.count > 0 ? 1.f / count : 0.f;
  PRAGMA_UNROLL
  for (int j = 0; j < 8; j++) {
    const float mean = sum.v[j] * part;
    own[j] = Moments{count, origin.v[j] + mean, fmaxf(fmaf(-mean, sum.v[j], square.v[j]), 0.f)};
  }
  join(share, own);
  if (!share.writes()) return;
  Eight mean, squares;
  PRAGMA_UNROLL
  for (int j = 0; j < 8; j++) {
    mean.v[j] = own[j].mean;
    squares.v[j] = own[j].squares;
  }
  float* to = tile_of(tiles, share, channels);
  write(to, mean);
  write(to + channels, squares);
}
KERNEL(bf16_moments);

extern "C" __global__ __launch_bounds__(256) void bf16_normalize(const unsigned short* __restrict__ x, unsigned short* __restrict__ y, int rows,
    int tileRows, Normalization n) {
  const Share share(rows, n.channels, tileRows);
  const Coefficients of(n, share.c);
  const float least = n.relu ? 0.f : -__uint_as_float(0x7f800000u);
  each_row(
      share, [&](long long at) { return ld_u4(x + at); },
      [&](long long at, uint4 loaded) {
        Eight v = eight(loaded);
        PRAGMA_UNROLL
        for (int j = 0; j < 8; j++) v.v[j] = fmaxf(of.value(j, v.v[j]), least);
        st_u4(y + at, v.packed());
      });
}
KERNEL(bf16_normalize);

extern "C" __global__ __launch_bounds__(256, 3) void bf16_gradient_sums(const unsigned short* __restrict__ x, const unsigned short* __restrict__ gradient,
    float* __restrict__ tiles, int rows, int tileRows, Normalization n) {
  const Share share(rows, n.channels, tileRows);
  const Coefficients of(n, share.c);
  Eight sum = eight_of(0.f), product = sum;
  each_row(
      share, [&](long long at) { return Loaded{ld_u4(x + at), ld_u4(gradient + at)}; },
      [&](long long, const Loaded& loaded) {
        const Eight v = eight(loaded.x), g = eight(loaded.gradient);
        PRAGMA_UNROLL
        for (int j = 0; j < 8; j++) {
          const float m = of.masked(j, g.v[j], v.v[j], n.relu);
          sum.v[j] += m;
          product.v[j] = fmaf(m, v.v[j] - of.mean.v[j], product.v[j]);
        }
      });
  // Not kept in registers meanwhile.
  const Eight inverse = eight(n.inverseDeviation + blockIdx.z * n.channels + share.c);
  Sums own[8];
  PRAGMA_UNROLL
  for (int j = 0; j < 8; j++) own[j] = Sums{sum.v[j], product.v[j] * inverse.v[j]};
  join(share, own);
  if (!share.writes()) return;
  PRAGMA_UNROLL
  for (int j = 0; j < 8; j++) {
    sum.v[j] = own[j].m;
    product.v[j] = own[j].product;
  }
  float* to = tile_of(tiles, share, n.channels);
  write(to, sum);
  write(to + n.channels, product);
}
KERNEL(bf16_gradient_sums);

// sums [halves][2][c]; dx may be the gradient.
extern "C" __global__ __launch_bounds__(256) void bf16_gradient(const unsigned short* __restrict__ x, const unsigned short* gradient, unsigned short* dx,
    int rows, int tileRows, const float* __restrict__ sums, Normalization n) {
  const Share share(rows, n.channels, tileRows);
  const Coefficients of(n, share.c);
  const float* sum = sums + (long long)blockIdx.z * 2 * n.channels + share.c;
  const float part = 1.f / rows;
  Eight a = eight(sum + n.channels), b = eight(sum);
  PRAGMA_UNROLL
  for (int j = 0; j < 8; j++) {
    a.v[j] *= -part * of.factor.v[j] * of.inverse.v[j];
    b.v[j] = -part * of.factor.v[j] * b.v[j] - a.v[j] * of.mean.v[j];
  }
  each_row(
      share, [&](long long at) { return Loaded{ld_u4(x + at), ld_u4(gradient + at)}; },
      [&](long long at, const Loaded& loaded) {
        const Eight v = eight(loaded.x), g = eight(loaded.gradient);
        Eight d;
        PRAGMA_UNROLL
        for (int j = 0; j < 8; j++) d.v[j] = fmaf(of.factor.v[j], of.masked(j, g.v[j], v.v[j], n.relu), fmaf(v.v[j], a.v[j], b.v[j]));
        st_u4(dx + at, d.packed());
      });
}
KERNEL(bf16_gradient);

// Eight numbers per thread; the first threads take those that are left.
template <class F, class G> DEVICE void each_eight(int count, F eight_from, G one) {
  const int thread = blockIdx.x * blockDim.x + threadIdx.x;
  for (int i = thread; i < count / 8; i += gridDim.x * blockDim.x) eight_from(i * 8);
  if (thread < count % 8) one(count / 8 * 8 + thread);
}

// 6 bytes a number, either way.
extern "C" __global__ __launch_bounds__(256) void bf16_round(const float* __restrict__ x, unsigned short* __restrict__ y, int count) {
  each_eight(count, [&](int i) { st_u4(y + i, eight(x + i).packed()); }, [&](int i) { y[i] = (unsigned short)pack_bf16(x[i], 0.f); });
}
KERNEL(bf16_round);

extern "C" __global__ __launch_bounds__(256) void bf16_widen(const unsigned short* __restrict__ x, float* __restrict__ y, int count) {
  each_eight(count, [&](int i) { write(y + i, eight(ld_u4(x + i))); }, [&](int i) { y[i] = low_bf16(x[i]); });
}
KERNEL(bf16_widen);
