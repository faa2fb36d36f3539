// convolution.cuh - two-dimensional convolutions as matrix products whose operands are gathered while they are loaded (implicit GEMM), NHWC, filters
// [out][kh][kw][in]; what conv2d*.cu instantiate for each precision and tile.
//   forward          y[pixel][o]   = sum over (tap, c) x[pixel at tap][c] w[o][tap][c]                    rows: output pixels, columns: o
//   backward-data    dx[pixel][c]  = sum over (tap, o) dy[pixel at tap][o] w[o][tap][c]                   rows: input pixels of one class, columns: c
//   backward-filter  dw[tap, c][o] = sum over pixels x[pixel at tap][c] dy[pixel][o]                      rows: (tap, c), columns: o
// Input pixels of backward-data fall into stride x stride classes by their place modulo the stride; all pixels of a class meet the same taps, so a class is a
// stride-1 convolution without wasted products. Where there is one output pixel, every input pixel is a class of its own (one tap each).
// Fused: x may be stored unnormalized (applied after the load, padding stays zero); dy may be given as the gradient of the normalized output, and is finished
// after the load from it, y and two sums per channel; the forward epilogue leaves mean and squares of its tile, that of backward-data the sums for the layer
// before. A block never spans both halves of the batch. Backward-filter and a forward pass with few tiles cut the depth into parts, summed in order later.
// Tiles are 128 x 32, 64 or 128 with 128, 128 and 256 threads: 64 sums per thread (32 in the first). Registers are kept at 128 to 168, so that a multiprocessor
// holds three or four blocks of 128 threads or two of 256: half a stage's loads are under way at a time, the places of a tile's pixels and the coefficients of
// backward-filter lie in shared memory, and so do (in memory, made before by conv2d_parts.cu) the coefficients of the other two, folded.
// Activations are float32 in memory and are rounded and normalized on their way into shared memory, which cp.async cannot do: they pass through registers.
// Filters on tensor cores (forward, backward-data) are rounded once per launch and fetched by cp.async, four stages deep. Neighbouring lanes load 64 or 128
// neighbouring bytes of a pixel; the taps of a pixel meet in L1 and L2. Warps of 64 x 32 sums need 12 ldmatrix (6 KB from shared memory) for 32 mma.sync a
// bf16 step.
#pragma once
#include "convolution_operands.cuh"

DEVICE void store_columns(float* to, const Four& v, int columns) {       // columns that exist from here on
  if (columns % 4 == 0) {
    if (columns > 0) st_f4(to, v.vector());
    return;
  }
  PRAGMA_UNROLL
  for (int j = 0; j < 4; j++) if (j < columns) to[j] = v.v[j];
}

template <Precision P, int N, bool WHOLE> DEVICE void convolution_forward(const Convolution& g) {
  typedef BlockGemm<P, 128, N, N == 32 ? 32 : 64, 32, true, true> Gemm;
  DYN_SHARED(unsigned char, shared);
  const int half = blockIdx.x / g.tilesOfHalf, tile = blockIdx.x - half * g.tilesOfHalf, n0 = blockIdx.y * N;
  const int depth = g.kernelHeight * g.kernelWidth * g.inChannels, count = g.half_items() * g.outHeight * g.outWidth;
  const int begin = blockIdx.z * g.partDepth, end = min(depth, begin + g.partDepth);
  PixelRows<Gemm::A_VECTORS, WHOLE, InputSource> a = {input_source(g, half),
      PixelGrid{g.outHeight, g.outWidth, g.stride, -g.padding, -g.padding, half * g.half_items(), tile * Gemm::ROWS, count},
      g.height, g.width, g.inChannels, g.kernelWidth, 1, depth, g.byIn, reinterpret_cast<int2*>(shared + Gemm::SHARED_BYTES)};
  a.fill();
  __syncthreads();
  typename Gemm::Accumulators sums;
  if constexpr (P == Float32) {
    MatrixRows<Gemm::B_VECTORS> b = {g.filters + (long long)n0 * depth, g.outChannels - n0, depth, depth, WHOLE};
    Gemm::run(a, b, begin, end, shared, sums);
  } else {
    Gemm::run_rounded(a, g.rounded + (long long)n0 * g.roundedPitch, g.roundedPitch, begin, end, shared, sums);
  }

  const int column = n0 + Gemm::column(), columns = g.outChannels - column;
  const bool parts = gridDim.z > 1, statistics = g.tiles != nullptr && !parts;
  float* y = g.result + ((long long)(parts ? blockIdx.z * g.halves : 0) + half) * count * g.outChannels + column;
  const Four bias = channels_of<false>(parts ? nullptr : g.bias, column, g.outChannels, 0.f);
  float seen = 0.f;
  Four mean = four(zero4()), squares = mean;
  Gemm::rows(sums, shared, [&](int row, float4 (&values)[Gemm::ROW_COUNT]) {
    Four added = four(zero4()), deviations = added;
    float valid = 0.f;
    PRAGMA_UNROLL
    for (int i = 0; i < Gemm::ROW_COUNT; i++) {
      const int m = tile * Gemm::ROWS + row + i * Gemm::ROW_STEP;
      if (m >= count) continue;
      Four v = four(values[i]);
      PRAGMA_UNROLL
      for (int j = 0; j < 4; j++) {
        v.v[j] += bias.v[j];
        added.v[j] += v.v[j];
      }
      valid += 1.f;
      if (g.relu && !parts) {
        PRAGMA_UNROLL
        for (int j = 0; j < 4; j++) v.v[j] = fmaxf(v.v[j], 0.f);
      }
      store_columns(y + (long long)m * g.outChannels, v, columns);
    }
    if (!statistics || valid == 0.f) return;
    PRAGMA_UNROLL
    for (int j = 0; j < 4; j++) added.v[j] /= valid;
    PRAGMA_UNROLL
    for (int i = 0; i < Gemm::ROW_COUNT; i++) {
      if (tile * Gemm::ROWS + row + i * Gemm::ROW_STEP >= count) continue;
      const Four v = four(values[i]);
      PRAGMA_UNROLL
      for (int j = 0; j < 4; j++) {
        const float d = v.v[j] + bias.v[j] - added.v[j];
        deviations.v[j] = fmaf(d, d, deviations.v[j]);
      }
    }
    PRAGMA_UNROLL
    for (int j = 0; j < 4; j++) {
      const Moments all = joined(Moments{seen, mean.v[j], squares.v[j]}, Moments{valid, added.v[j], deviations.v[j]});
      mean.v[j] = all.mean;
      squares.v[j] = all.squares;
    }
    seen += valid;
  });
  if (!statistics) return;

  // The threads of a column are joined in order.
  Moments* of = reinterpret_cast<Moments*>(shared);
  __syncthreads();
  PRAGMA_UNROLL
  for (int j = 0; j < 4; j++) of[Gemm::row() * N + Gemm::column() + j] = Moments{seen, mean.v[j], squares.v[j]};
  __syncthreads();
  const int c = n0 + threadIdx.x;
  if (threadIdx.x >= N || c >= g.outChannels) return;
  Moments all = of[threadIdx.x];
  for (int i = 1; i < Gemm::ROW_STEP; i++) all = joined(all, of[i * N + threadIdx.x]);
  float* to = g.tiles + (long long)blockIdx.x * 2 * g.outChannels + c;
  to[0] = all.mean;
  to[g.outChannels] = all.squares;
}

template <Precision P, int N, bool WHOLE> DEVICE void convolution_backward_data(const Convolution& g) {
  typedef BlockGemm<P, 128, N, N == 32 ? 32 : 64, 32, true, P != Float32> Gemm;
  DYN_SHARED(unsigned char, shared);
  const int half = blockIdx.x / g.tilesOfHalf, tile = blockIdx.x - half * g.tilesOfHalf, n0 = blockIdx.y * N;
  const int ph = blockIdx.z / g.classColumns, pw = blockIdx.z - ph * g.classColumns;               // the class: rows ph + i classRows, columns likewise
  const int rows = (g.height - ph + g.classRows - 1) / g.classRows, columns = (g.width - pw + g.classColumns - 1) / g.classColumns;
  const int kh = (ph + g.padding) % g.classRows, kw = (pw + g.padding) % g.classColumns;          // its first tap
  const int tapRows = max(0, (g.kernelHeight - kh + g.classRows - 1) / g.classRows);
  const int tapColumns = max(0, (g.kernelWidth - kw + g.classColumns - 1) / g.classColumns);
  const int depth = tapRows * tapColumns * g.outChannels, count = g.half_items() * rows * columns;
  const PixelGrid grid = {rows, columns, 1, (ph + g.padding - kh) / g.classRows, (pw + g.padding - kw) / g.classColumns, half * g.half_items(),
                          tile * Gemm::ROWS, count};
  PixelRows<Gemm::A_VECTORS, WHOLE, GradientSource> a = {gradient_source(g, half), grid, g.outHeight, g.outWidth, g.outChannels, max(1, tapColumns), -1, depth,
                                                         g.byOut, reinterpret_cast<int2*>(shared + Gemm::SHARED_BYTES)};
  a.fill();
  __syncthreads();
  typename Gemm::Accumulators products;
  if constexpr (P == Float32) {
    TransposedFilters<Gemm::B_VECTORS, WHOLE> b = {g.filters, g.kernelHeight * g.kernelWidth, g.kernelWidth, g.inChannels, kh, kw, g.classRows,
                                                   g.classColumns, max(1, tapColumns), depth, n0, g.byOut};
    Gemm::run(a, b, 0, depth, shared, products);
  } else {
    Gemm::run_rounded(a, g.rounded + ((long long)blockIdx.z * g.roundedRows + n0) * g.roundedPitch, g.roundedPitch, 0, depth, shared, products);
  }

  const int column = n0 + Gemm::column(), left = g.inChannels - column;
  const bool gather = g.tiles != nullptr;
  const InputSource source = input_source(g, half);
  Normalization of = g.input;
  of.use_half(half);
  const Four mean = channels_of<false>(gather ? of.mean : nullptr, column, g.inChannels, 0.f);
  const Four inverse = channels_of<false>(gather ? of.inverseDeviation : nullptr, column, g.inChannels, 0.f);
  const Four scale = channels_of<false>(of.scale, column, g.inChannels, 1.f), shift = channels_of<false>(of.shift, column, g.inChannels, 0.f);
  Four m = four(zero4()), product = m;
  Gemm::rows(products, shared, [&](int row, float4 (&values)[Gemm::ROW_COUNT]) {
    PRAGMA_UNROLL
    for (int i = 0; i < Gemm::ROW_COUNT; i++) {
      const int r = tile * Gemm::ROWS + row + i * Gemm::ROW_STEP;
      if (r >= count) continue;
      int pixel = half * count + r;                                      // all pixels in one class: they lie in order
      if (gridDim.z > 1) {
        int image = 0, h = 0, w = 0;
        grid.at(row + i * Gemm::ROW_STEP, image, h, w);
        pixel = (image * g.height + ph + h * g.classRows) * g.width + pw + w * g.classColumns;
      }
      const Four v = four(values[i]);
      const int at = pixel * g.inChannels + column;
      store_columns(g.result + (unsigned)at, v, left);
      if (!gather) continue;
      InputSource::Raw x = {};
      if (WHOLE) {
        if (left > 0) source.load4(x, at);
      } else {
        PRAGMA_UNROLL
        for (int j = 0; j < 4; j++) if (j < left) source.load1(x, j, at + j);
      }
      PRAGMA_UNROLL
      for (int j = 0; j < 4; j++) {
        const float xhat = standardized(x.x.v[j], mean.v[j], inverse.v[j]), d = masked(v.v[j], xhat, scale.v[j], shift.v[j], of.relu);
        m.v[j] += d;
        product.v[j] = fmaf(d, xhat, product.v[j]);
      }
    }
  });
  if (!gather) return;
  float2* to = reinterpret_cast<float2*>(shared);
  __syncthreads();
  PRAGMA_UNROLL
  for (int j = 0; j < 4; j++) to[Gemm::row() * N + Gemm::column() + j] = make_float2(m.v[j], product.v[j]);
  __syncthreads();
  const int c = n0 + threadIdx.x;
  if (threadIdx.x >= N || c >= g.inChannels) return;
  float2 all = to[threadIdx.x];
  for (int i = 1; i < Gemm::ROW_STEP; i++) {
    all.x += to[i * N + threadIdx.x].x;
    all.y += to[i * N + threadIdx.x].y;
  }
  float* tiles = g.tiles + (((long long)half * gridDim.z + blockIdx.z) * g.tilesOfHalf + tile) * 2 * g.inChannels + c;
  tiles[0] = all.x;
  tiles[g.inChannels] = all.y;
}

template <Precision P, int N, bool WHOLE> DEVICE void convolution_backward_filter(const Convolution& g) {
  typedef BlockGemm<P, 128, N, N == 32 ? 32 : 64, 32, false, false> Gemm;
  DYN_SHARED(unsigned char, shared);
  const int half = blockIdx.z / g.partsOfHalf, part = blockIdx.z - half * g.partsOfHalf, n0 = blockIdx.y * N, m0 = blockIdx.x * Gemm::ROWS;
  const int rows = g.kernelHeight * g.kernelWidth * g.inChannels, pixels = g.half_items() * g.outHeight * g.outWidth;
  const int begin = half * pixels + part * g.partDepth, end = min((half + 1) * pixels, begin + g.partDepth);
  float* rowTable = reinterpret_cast<float*>(shared + Gemm::SHARED_BYTES);
  float* columnTable = rowTable + LineCoefficients<InputSource, Gemm::ROWS>::BYTES / 4;
  TapRows<Gemm::A_VECTORS, Gemm::ROWS, WHOLE> a = {input_source(g, half), rowTable, g.height, g.width, g.inChannels, g.kernelWidth, g.stride, g.padding,
                                                   rows, m0, end, g.byIn, g.byOutWidth, g.byOutPixels};
  GradientColumns<Gemm::B_VECTORS, N, WHOLE> b = {gradient_source(g, half), columnTable, g.outChannels, n0, end};
  a.fill();
  b.fill();
  __syncthreads();
  typename Gemm::Accumulators sums;
  Gemm::run(a, b, begin, end, shared, sums);

  const int column = n0 + Gemm::column(), columns = g.outChannels - column;
  float* parts = g.result + ((long long)blockIdx.z * rows + m0) * g.outChannels + column;
  Gemm::rows(sums, shared, [&](int row, float4 (&values)[Gemm::ROW_COUNT]) {
    PRAGMA_UNROLL
    for (int i = 0; i < Gemm::ROW_COUNT; i++)
      if (m0 + row + i * Gemm::ROW_STEP < rows) store_columns(parts + (long long)(row + i * Gemm::ROW_STEP) * g.outChannels, four(values[i]), columns);
  });
  if (g.tiles == nullptr || blockIdx.x > 0) return;

  // The bias's gradient: the threads that loaded a column lie N / 4 apart.
  float* to = reinterpret_cast<float*>(shared);
  __syncthreads();
  PRAGMA_UNROLL
  for (int j = 0; j < 4; j++) to[threadIdx.x / (N / 4) * N + Gemm::column() + j] = b.bias.v[j];
  __syncthreads();
  const int c = n0 + threadIdx.x;
  if (threadIdx.x >= N || c >= g.outChannels) return;
  float bias = to[threadIdx.x];
  for (int i = 1; i < Gemm::ROW_STEP; i++) bias += to[i * N + threadIdx.x];
  g.tiles[(long long)blockIdx.z * g.outChannels + c] = bias;
}

// The kernels of one precision: columns of a tile, threads, blocks of each kernel that a multiprocessor is to hold, name; "any" takes any number of channels.
#define CONVOLUTION_KERNELS(P, N, WHOLE, THREADS, FORWARD, DATA, FILTER, NAME)                                                                       \
  extern "C" __global__ __launch_bounds__(THREADS, FORWARD) void conv2d_forward_##NAME(const Convolution g) { convolution_forward<P, N, WHOLE>(g); } \
  KERNEL(conv2d_forward_##NAME);                                                                                                                     \
  extern "C" __global__ __launch_bounds__(THREADS, DATA) void conv2d_backward_data_##NAME(const Convolution g) {                                     \
    convolution_backward_data<P, N, WHOLE>(g);                                                                                                       \
  }                                                                                                                                                  \
  KERNEL(conv2d_backward_data_##NAME);                                                                                                               \
  extern "C" __global__ __launch_bounds__(THREADS, FILTER) void conv2d_backward_filter_##NAME(const Convolution g) {                                 \
    convolution_backward_filter<P, N, WHOLE>(g);                                                                                                     \
  }                                                                                                                                                  \
  KERNEL(conv2d_backward_filter_##NAME)
