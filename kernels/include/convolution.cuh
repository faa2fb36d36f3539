// convolution.cuh - two-dimensional convolutions as matrix products whose operands are gathered while they are loaded (implicit GEMM), NHWC, filters
// [out][kh][kw][in]; what conv2d*.cu instantiate for each precision and tile.
//   forward          y[pixel][o]   = sum over (tap, c) x[pixel at tap][c] w[o][tap][c]                    rows: output pixels, columns: o
//   backward-data    dx[pixel][c]  = sum over (tap, o) dy[pixel at tap][o] w[o][tap][c]                   rows: input pixels of one class, columns: c
//   backward-filter  dw[tap, c][o] = sum over pixels x[pixel at tap][c] dy[pixel][o]                      rows: (tap, c), columns: o
// Input pixels of backward-data fall into stride x stride classes by their place modulo the stride; all pixels of a class meet the same taps, so a class is a
// stride-1 convolution without wasted products. Where there is one output pixel, every input pixel is a class of its own (one tap each).
// Fused: x may be stored unnormalized (applied after the load, padding stays zero); dy may be given as the gradient of the normalized output, and is finished
// after the load from it, y and two sums a channel; the forward epilogue leaves mean and squares of its tile, that of backward-data the sums for the layer
// before. A block never spans both sides of the batch. Backward-filter and a forward pass with few tiles cut the depth into parts, summed in order later.
// Tiles are 128 x 32, 64 or 128 with 128, 128 and 256 threads: 64 sums a thread (32 in the first). Registers are kept at 128 to 168, so that a multiprocessor
// holds three or four blocks of 128 threads or two of 256: half a stage's loads are under way at a time, the places of a tile's pixels and the coefficients of
// backward-filter lie in shared memory, and so do (in memory, made before by conv2d_parts.cu) the coefficients of the other two, folded.
// Activations are float32 in memory and are rounded and normalized on their way into shared memory, which cp.async cannot do: they pass through registers.
// Filters on tensor cores (forward, backward-data) are rounded once a launch and fetched by cp.async, four stages deep. Neighbouring lanes load 64 or 128
// neighbouring bytes of a pixel; the taps of a pixel meet in L1 and L2. Warps of 64 x 32 sums need 12 ldmatrix (6 KB from shared memory) for 32 mma.sync a
// bf16 step.
#pragma once
#include "normalization.cuh"

struct Convolution {
  int batch, height, width, inChannels, outChannels, kernelHeight, kernelWidth, stride, padding, outHeight, outWidth;
  int sides, tilesOfSide;              // row tiles of a side (forward, backward-data)
  int partDepth;                       // k of one part of the depth (forward), pixels of one (backward-filter)
  int partsOfSide;                     // backward-filter
  int classRows, classColumns;         // backward-data: strides that make the classes
  int relu;                            // forward: whether y is max(0, .), for inference
  Divider byIn, byOut, byOutWidth, byOutPixels;
  const float *x, *filters, *bias, *y; // y: the unnormalized output, read by fused backward passes
  const float *gradient, *sums;        // of the (normalized) output; sums [sides][2][out]
  float* result;                       // y, dx or parts
  float* tiles;                        // [sides][tiles][2][c] of the epilogue, or the bias's parts; null where not wanted
  Normalization input, output;
  float *inputTable, *outputTable;     // [sides][coefficient][channels] of the normalizations that are there: InputSource, GradientSource
  // Tensor cores, forward and backward-data: the filters, rounded, k contiguous: [class][roundedRows][roundedPitch bytes], see conv2d_parts.cu.
  const unsigned char* rounded;
  int roundedRows, roundedPitch;
  VEC_MEMBER int side_images() const { return batch / sides; }
};

// n / divisor for n < 2^20, by the divisor's reciprocal.
VEC_D int small_quotient(int n, float reciprocal) { return (int)(((float)n + 0.5f) * reciprocal); }

// What is multiplied, from where it lies: x, normalized if need be ... A table has each channel's coefficients, [coefficient][channel], from conv2d_parts.cu:
// mean, factor = inverseDeviation scale, shift.
struct InputSource {
  struct Raw { Four x; };
  static constexpr int COEFFICIENTS = 3;
  struct Coefficients { Four mean, factor, shift; };
  const float *x, *table;                                              // table: of this side, null where x is multiplied as it is
  int channels;
  float floor;                                                         // of the ReLU, or -infinity
  VEC_MEMBER void load4(Raw& r, int at) const { r.x = four(ldg_f4(x + (unsigned)at)); }
  VEC_MEMBER void load1(Raw& r, int j, int at) const { r.x.v[j] = __ldg(x + (unsigned)at); }
  VEC_MEMBER bool plain() const { return table == nullptr; }
  VEC_MEMBER float given(const Raw& r, int j) const { return r.x.v[j]; }
  VEC_MEMBER float value(const Raw& r, const Coefficients& k, int j) const {
    return fmaxf(fmaf(r.x.v[j] - k.mean.v[j], k.factor.v[j], k.shift.v[j]), floor);
  }
};
// ... and the gradient of the convolution's output, from that of its normalization's output: with m = masked gradient
//   inverseDeviation scale (m - share sum m - xhat share sum m xhat) = factor m + slope (y - mean) + offset.
struct GradientSource {
  struct Raw { Four g, y; };
  static constexpr int COEFFICIENTS = 5;
  struct Coefficients { Four mean, factor, shift, slope, offset; };
  const float *gradient, *y, *table;                                   // y: the gradient itself where there is no normalization
  int channels;
  float floor;
  VEC_MEMBER void load4(Raw& r, int at) const {
    r.g = four(ldg_f4(gradient + (unsigned)at));
    r.y = four(ldg_f4(y + (unsigned)at));
  }
  VEC_MEMBER void load1(Raw& r, int j, int at) const {
    r.g.v[j] = __ldg(gradient + (unsigned)at);
    r.y.v[j] = __ldg(y + (unsigned)at);
  }
  VEC_MEMBER bool plain() const { return table == nullptr; }
  VEC_MEMBER float given(const Raw& r, int j) const { return r.g.v[j]; }
  VEC_MEMBER float value(const Raw& r, const Coefficients& k, int j) const {
    const float d = r.y.v[j] - k.mean.v[j], m = fmaf(d, k.factor.v[j], k.shift.v[j]) > floor ? r.g.v[j] : 0.f;
    return fmaf(m, k.factor.v[j], fmaf(d, k.slope.v[j], k.offset.v[j]));
  }
};
// The coefficients of channels c to c + 3, which exist and begin at a multiple of 4; of one channel c, as the j-th.
template <class Source> VEC_D typename Source::Coefficients coefficients_of(const Source& source, int c) {
  typename Source::Coefficients k;
  PRAGMA_UNROLL
  for (int i = 0; i < Source::COEFFICIENTS; i++) reinterpret_cast<Four*>(&k)[i] = four(ldg_f4(source.table + (unsigned)(i * source.channels + c)));
  return k;
}
template <class Source> VEC_D void coefficient_of(const Source& source, typename Source::Coefficients& k, int j, int c) {
  PRAGMA_UNROLL
  for (int i = 0; i < Source::COEFFICIENTS; i++) reinterpret_cast<Four*>(&k)[i].v[j] = __ldg(source.table + (unsigned)(i * source.channels + c));
}
VEC_D float relu_floor(const Normalization& n) { return n.relu ? 0.f : __uint_as_float(0xff800000u); }
VEC_D InputSource input_source(const Convolution& g, int side) {
  const float* table = g.input.present() ? g.inputTable + side * InputSource::COEFFICIENTS * g.inChannels : nullptr;
  return InputSource{g.x, table, g.inChannels, relu_floor(g.input)};
}
VEC_D GradientSource gradient_source(const Convolution& g, int side) {
  const bool fused = g.output.present();
  const float* table = fused ? g.outputTable + side * GradientSource::COEFFICIENTS * g.outChannels : nullptr;
  return GradientSource{g.gradient, fused ? g.y : g.gradient, table, g.outChannels, relu_floor(g.output)};
}

// Pixels i of a grid in each image: row r is image r / (rows columns), grid place (r / columns) % rows, r % columns; it looks at (place step + offset).
struct PixelGrid {
  int rows, columns, step, offsetRow, offsetColumn;
  int image, first, count;                                             // first image of the side, first row of the tile, rows of the side
  VEC_MEMBER bool at(int r, int& n, int& i, int& j) const {
    r += first;
    if (r >= count) return false;
    const int pixels = rows * columns;
    n = r / pixels;
    r -= n * pixels;
    n += image;
    i = r / columns;
    j = r - i * columns;
    return true;
  }
};

// Rows are pixels, k is (tap, channel): for an image [n][height][width][channels] that is looked at with taps (a, b) at (row + sign a, column + sign b).
// All vectors of a thread have the same k, so the channels' coefficients are loaded once a step. What lies outside is read at offset 0 and replaced by zeros:
// no branches between the loads.
constexpr int TILE_ROWS = 128;
template <int VECTORS, bool WHOLE, class Source> struct PixelRows {
  typedef typename Source::Raw Raw;
  Source source;
  PixelGrid grid;
  int height, width, channels, tapColumns, sign, depth;
  Divider byChannels;
  int2* pixels;                                                        // of the tile's rows, in shared memory: offset of the pixel, row and column
  int rows[VECTORS], first;
  unsigned inside;
  float reciprocal;
  typename Source::Coefficients of;

  // Every thread, before a barrier.
  VEC_MEMBER void fill() const {
    for (int row = threadIdx.x; row < TILE_ROWS; row += blockDim.x) {
      int n = 0, h = 0, w = 0;
      const bool valid = grid.at(row, n, h, w);
      h = valid ? h * grid.step + grid.offsetRow : -16384;
      w = w * grid.step + grid.offsetColumn;
      pixels[row] = make_int2((n * height + h) * width + w, h * 65536 + (w & 0xffff));
    }
  }

  VEC_MEMBER void start(int i, int row, int k) {
    rows[i] = row;
    first = k;
    inside = 0;
    reciprocal = 1.f / (float)tapColumns;
  }
  VEC_MEMBER void split(int k, int& a, int& b, int& c) const {
    const int tap = quotient(byChannels, k);
    c = k - tap * channels;
    a = small_quotient(tap, reciprocal);
    b = tap - a * tapColumns;
  }
  VEC_MEMBER bool find(int i, int a, int b, int c, int& at) const {
    const int2 pixel = pixels[rows[i]];
    const int h = (pixel.y >> 16) + sign * a, w = (int)(short)pixel.y + sign * b;
    at = (pixel.x + sign * (a * width + b)) * channels + c;
    return (unsigned)h < (unsigned)height && (unsigned)w < (unsigned)width;
  }
  VEC_MEMBER Raw load(int i, int k) {
    Raw r = {};
    k += first;
    int a, b, c, at;
    PRAGMA_UNROLL
    for (int j = 0; j < (WHOLE ? 1 : 4); j++) {
      split(k + j, a, b, c);
      const bool in = find(i, a, b, c, at) && k + j < depth;
      const int bit = WHOLE ? i : 4 * i + j;
      at = in ? at : 0;
      if (WHOLE) source.load4(r, at);
      else source.load1(r, j, at);
      inside = (inside & ~(1u << bit)) | (in ? 1u << bit : 0u);
    }
    return r;
  }
  VEC_MEMBER bool plain() const { return source.plain(); }
  VEC_MEMBER bool in(int i, int j) const { return inside >> (WHOLE ? i : 4 * i + j) & 1; }
  VEC_MEMBER float4 given(int i, int, const Raw& r) const {
    Four v;
    PRAGMA_UNROLL
    for (int j = 0; j < 4; j++) v.v[j] = in(i, j) ? source.given(r, j) : 0.f;
    return v.vector();
  }
  VEC_MEMBER void step(int k) {
    if (!WHOLE) return;
    int a, b, c;
    split(k + first, a, b, c);
    of = coefficients_of(source, c);
  }
  VEC_MEMBER float4 finish(int i, int k, const Raw& r) {
    Four v;
    PRAGMA_UNROLL
    for (int j = 0; j < 4; j++) {
      if (!WHOLE) {
        int a, b, c;
        split(k + first + j, a, b, c);
        coefficient_of(source, of, j, c);
      }
      v.v[j] = in(i, j) ? source.value(r, of, j) : 0.f;
    }
    return v.vector();
  }
};

// Columns are input channels, k is (tap of the class, output channel).
template <int VECTORS, bool WHOLE> struct TransposedFilters {
  typedef float4 Raw;
  const float* filters;
  int taps, kernelWidth, inChannels, firstRow, firstColumn, rowStep, columnStep, tapColumns, depth, corner;
  Divider byOut;
  int column, at[VECTORS];
  float reciprocal;

  VEC_MEMBER void start(int i, int row, int k) {
    column = corner + row;
    at[i] = k;
    reciprocal = 1.f / (float)tapColumns;
  }
  VEC_MEMBER bool plain() const { return true; }
  VEC_MEMBER float4 given(int, int, float4 v) const { return v; }
  VEC_MEMBER void step(int) const {}
  VEC_MEMBER float4 load(int i, int k) const {
    float4 v = zero4();
    k += at[i];
    if (k >= depth || column >= inChannels) return v;
    const int tap = quotient(byOut, k), o = k - tap * (int)byOut.divisor, a = small_quotient(tap, reciprocal), b = tap - a * tapColumns;
    const float* from = filters + ((long long)o * taps + (firstRow + a * rowStep) * kernelWidth + firstColumn + b * columnStep) * inChannels + column;
    if (WHOLE) return ldg_f4(from);
    v.x = __ldg(from);
    if (column + 1 < inChannels) v.y = __ldg(from + 1);
    if (column + 2 < inChannels) v.z = __ldg(from + 2);
    if (column + 3 < inChannels) v.w = __ldg(from + 3);
    return v;
  }
  VEC_MEMBER float4 finish(int, int, float4 v) const { return v; }
};

// Coefficients of the LINES rows or columns of a tile of backward-filter, [coefficient][line] in shared memory: a thread's lines are the same all the time, but
// reading their coefficients anew every step costs less than keeping them in registers.
template <class Source, int LINES> struct LineCoefficients {
  static constexpr int BYTES = Source::COEFFICIENTS * LINES * 4;
  typedef typename Source::Coefficients Coefficients;
  VEC_MEMBER static void set(float* table, const Source& source, int line, int c) {
    PRAGMA_UNROLL
    for (int i = 0; i < Source::COEFFICIENTS; i++) table[i * LINES + line] = __ldg(source.table + (unsigned)(i * source.channels + c));
  }
  VEC_MEMBER static Coefficients get(const float* table, int line) {
    Coefficients k;
    PRAGMA_UNROLL
    for (int i = 0; i < Source::COEFFICIENTS; i++) reinterpret_cast<Four*>(&k)[i] = four(ld_f4(table + i * LINES + line));
    return k;
  }
};

// Rows are (tap, input channel), k is the output pixel.
template <int VECTORS, int LINES, bool WHOLE> struct TapRows {
  typedef InputSource::Raw Raw;
  typedef LineCoefficients<InputSource, LINES> Lines;
  InputSource source;
  float* table;
  int height, width, channels, kernelWidth, stride, padding, rows, corner, end;
  Divider byChannels, byOutWidth, byOutPixels;
  int place[WHOLE ? 1 : 4], offset[WHOLE ? 1 : 4], at[VECTORS], line;    // row and column from the output pixel's corner, and how far that is in memory
  unsigned inside;
  InputSource::Coefficients of;

  // Every thread, before a barrier.
  VEC_MEMBER void fill() const {
    if (source.plain()) return;
    for (int i = threadIdx.x; i < LINES; i += blockDim.x) {
      const int r = min(corner + i, rows - 1);
      Lines::set(table, source, i, r - quotient(byChannels, r) * channels);
    }
  }
  VEC_MEMBER void start(int i, int row, int k) {
    at[i] = k;
    if (i > 0) return;
    line = row;
    inside = 0;
    const float reciprocal = 1.f / (float)kernelWidth;
    PRAGMA_UNROLL
    for (int j = 0; j < (WHOLE ? 1 : 4); j++) {
      const int r = corner + row + j, tap = quotient(byChannels, r), a = small_quotient(tap, reciprocal);
      const int dh = a - padding, dw = tap - a * kernelWidth - padding;
      place[j] = (r < rows ? dh : -16384) * 65536 + (dw & 0xffff);
      offset[j] = (dh * width + dw) * channels + r - tap * channels;
    }
  }
  VEC_MEMBER Raw load(int i, int k) {
    Raw r = {};
    k += at[i];
    const int n = quotient(byOutPixels, k), pixel = k - n * (int)byOutPixels.divisor, oh = quotient(byOutWidth, pixel);
    const int ow = pixel - oh * (int)byOutWidth.divisor;
    PRAGMA_UNROLL
    for (int j = 0; j < (WHOLE ? 1 : 4); j++) {
      const int h = oh * stride + (place[j] >> 16), w = ow * stride + (int)(short)place[j], bit = WHOLE ? i : 4 * i + j;
      const bool in = k < end && (unsigned)h < (unsigned)height && (unsigned)w < (unsigned)width;
      const int from = in ? ((n * height + oh * stride) * width + ow * stride) * channels + offset[j] : 0;
      if (WHOLE) source.load4(r, from);
      else source.load1(r, j, from);
      inside = (inside & ~(1u << bit)) | (in ? 1u << bit : 0u);
    }
    return r;
  }
  VEC_MEMBER bool plain() const { return source.plain(); }
  VEC_MEMBER bool in(int i, int j) const { return inside >> (WHOLE ? i : 4 * i + j) & 1; }
  VEC_MEMBER float4 given(int i, int, const Raw& r) const {
    Four v;
    PRAGMA_UNROLL
    for (int j = 0; j < 4; j++) v.v[j] = in(i, j) ? source.given(r, j) : 0.f;
    return v.vector();
  }
  VEC_MEMBER void step(int) { of = Lines::get(table, fresh_thread() % (LINES / 4) * 4); }       // the line, which registers then need not hold
  VEC_MEMBER float4 finish(int i, int, const Raw& r) const {
    Four v;
    PRAGMA_UNROLL
    for (int j = 0; j < 4; j++) v.v[j] = in(i, j) ? source.value(r, of, j) : 0.f;
    return v.vector();
  }
};

// Columns are output channels, k is the output pixel; sums up the bias's gradient on the way.
template <int VECTORS, int LINES, bool WHOLE> struct GradientColumns {
  typedef GradientSource::Raw Raw;
  typedef LineCoefficients<GradientSource, LINES> Lines;
  GradientSource source;
  float* table;
  int channels, corner, end;
  int line, at[VECTORS];
  GradientSource::Coefficients of;
  Four bias;

  VEC_MEMBER void fill() const {
    if (source.plain()) return;
    for (int i = threadIdx.x; i < LINES; i += blockDim.x) Lines::set(table, source, i, min(corner + i, channels - 1));
  }
  VEC_MEMBER void start(int i, int row, int k) {
    at[i] = k;
    if (i > 0) return;
    line = row;
    bias = four(zero4());
  }
  VEC_MEMBER bool in(int i, int k, int j) const { return k + at[i] < end && corner + line + j < channels; }
  VEC_MEMBER Raw load(int i, int k) {
    Raw r = {};
    const int from = (k + at[i]) * channels + corner + line;
    PRAGMA_UNROLL
    for (int j = 0; j < (WHOLE ? 1 : 4); j++) {
      if (WHOLE) source.load4(r, in(i, k, 0) ? from : 0);
      else source.load1(r, j, in(i, k, j) ? from + j : 0);
    }
    return r;
  }
  VEC_MEMBER bool plain() const { return source.plain(); }
  VEC_MEMBER float4 given(int i, int k, const Raw& r) {
    Four v;
    PRAGMA_UNROLL
    for (int j = 0; j < 4; j++) {
      v.v[j] = in(i, k, WHOLE ? 0 : j) ? source.given(r, j) : 0.f;
      bias.v[j] += v.v[j];
    }
    return v.vector();
  }
  VEC_MEMBER void step(int) { of = Lines::get(table, fresh_thread() % (LINES / 4) * 4); }       // the line, which registers then need not hold
  VEC_MEMBER float4 finish(int i, int k, const Raw& r) {
    Four v;
    PRAGMA_UNROLL
    for (int j = 0; j < 4; j++) {
      v.v[j] = in(i, k, WHOLE ? 0 : j) ? source.value(r, of, j) : 0.f;
      bias.v[j] += v.v[j];
    }
    return v.vector();
  }
};

VEC_D void store_columns(float* to, const Four& v, int columns) {       // columns that exist from here on
  if (columns % 4 == 0) {
    if (columns > 0) st_f4(to, v.vector());
    return;
  }
  PRAGMA_UNROLL
  for (int j = 0; j < 4; j++) if (j < columns) to[j] = v.v[j];
}

template <Precision P, int N, bool WHOLE> VEC_D void convolution_forward(const Convolution& g) {
  typedef BlockGemm<P, 128, N, N == 32 ? 32 : 64, 32, true, true> Gemm;
  DYN_SHARED(unsigned char, shared);
  const int side = blockIdx.x / g.tilesOfSide, tile = blockIdx.x - side * g.tilesOfSide, n0 = blockIdx.y * N;
  const int depth = g.kernelHeight * g.kernelWidth * g.inChannels, count = g.side_images() * g.outHeight * g.outWidth;
  const int begin = blockIdx.z * g.partDepth, end = min(depth, begin + g.partDepth);
  PixelRows<Gemm::A_VECTORS, WHOLE, InputSource> a = {input_source(g, side),
      PixelGrid{g.outHeight, g.outWidth, g.stride, -g.padding, -g.padding, side * g.side_images(), tile * Gemm::ROWS, count},
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
  float* y = g.result + ((long long)(parts ? blockIdx.z * g.sides : 0) + side) * count * g.outChannels + column;
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

template <Precision P, int N, bool WHOLE> VEC_D void convolution_backward_data(const Convolution& g) {
  typedef BlockGemm<P, 128, N, N == 32 ? 32 : 64, 32, true, P != Float32> Gemm;
  DYN_SHARED(unsigned char, shared);
  const int side = blockIdx.x / g.tilesOfSide, tile = blockIdx.x - side * g.tilesOfSide, n0 = blockIdx.y * N;
  const int ph = blockIdx.z / g.classColumns, pw = blockIdx.z - ph * g.classColumns;               // the class: rows ph + i classRows, columns likewise
  const int rows = (g.height - ph + g.classRows - 1) / g.classRows, columns = (g.width - pw + g.classColumns - 1) / g.classColumns;
  const int kh = (ph + g.padding) % g.classRows, kw = (pw + g.padding) % g.classColumns;          // its first tap
  const int tapRows = max(0, (g.kernelHeight - kh + g.classRows - 1) / g.classRows);
  const int tapColumns = max(0, (g.kernelWidth - kw + g.classColumns - 1) / g.classColumns);
  const int depth = tapRows * tapColumns * g.outChannels, count = g.side_images() * rows * columns;
  const PixelGrid grid = {rows, columns, 1, (ph + g.padding - kh) / g.classRows, (pw + g.padding - kw) / g.classColumns, side * g.side_images(),
                          tile * Gemm::ROWS, count};
  PixelRows<Gemm::A_VECTORS, WHOLE, GradientSource> a = {gradient_source(g, side), grid, g.outHeight, g.outWidth, g.outChannels, max(1, tapColumns), -1, depth,
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
  const InputSource source = input_source(g, side);
  Normalization of = g.input;
  of.use_side(side);
  const Four mean = channels_of<false>(gather ? of.mean : nullptr, column, g.inChannels, 0.f);
  const Four inverse = channels_of<false>(gather ? of.inverseDeviation : nullptr, column, g.inChannels, 0.f);
  const Four scale = channels_of<false>(of.scale, column, g.inChannels, 1.f), shift = channels_of<false>(of.shift, column, g.inChannels, 0.f);
  Four m = four(zero4()), product = m;
  Gemm::rows(products, shared, [&](int row, float4 (&values)[Gemm::ROW_COUNT]) {
    PRAGMA_UNROLL
    for (int i = 0; i < Gemm::ROW_COUNT; i++) {
      const int r = tile * Gemm::ROWS + row + i * Gemm::ROW_STEP;
      if (r >= count) continue;
      int pixel = side * count + r;                                      // all pixels in one class: they lie in order
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
  float* tiles = g.tiles + (((long long)side * gridDim.z + blockIdx.z) * g.tilesOfSide + tile) * 2 * g.inChannels + c;
  tiles[0] = all.x;
  tiles[g.inChannels] = all.y;
}

template <Precision P, int N, bool WHOLE> VEC_D void convolution_backward_filter(const Convolution& g) {
  typedef BlockGemm<P, 128, N, N == 32 ? 32 : 64, 32, false, false> Gemm;
  DYN_SHARED(unsigned char, shared);
  const int side = blockIdx.z / g.partsOfSide, part = blockIdx.z - side * g.partsOfSide, n0 = blockIdx.y * N, m0 = blockIdx.x * Gemm::ROWS;
  const int rows = g.kernelHeight * g.kernelWidth * g.inChannels, pixels = g.side_images() * g.outHeight * g.outWidth;
  const int begin = side * pixels + part * g.partDepth, end = min((side + 1) * pixels, begin + g.partDepth);
  float* rowTable = reinterpret_cast<float*>(shared + Gemm::SHARED_BYTES);
  float* columnTable = rowTable + LineCoefficients<InputSource, Gemm::ROWS>::BYTES / 4;
  TapRows<Gemm::A_VECTORS, Gemm::ROWS, WHOLE> a = {input_source(g, side), rowTable, g.height, g.width, g.inChannels, g.kernelWidth, g.stride, g.padding,
                                                   rows, m0, end, g.byIn, g.byOutWidth, g.byOutPixels};
  GradientColumns<Gemm::B_VECTORS, N, WHOLE> b = {gradient_source(g, side), columnTable, g.outChannels, n0, end};
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
#define CONVOLUTION_KERNELS(P, N, WHOLE, THREADS, FORWARD, DATA, FILTER, NAME)                                                                             \
  extern "C" __global__ __launch_bounds__(THREADS, FORWARD) void conv2d_forward_##NAME(const Convolution g) { convolution_forward<P, N, WHOLE>(g); }       \
  KERNEL(conv2d_forward_##NAME);                                                                                                                           \
  extern "C" __global__ __launch_bounds__(THREADS, DATA) void conv2d_backward_data_##NAME(const Convolution g) {                                           \
    convolution_backward_data<P, N, WHOLE>(g);                                                                                                             \
  }                                                                                                                                                        \
  KERNEL(conv2d_backward_data_##NAME);                                                                                                                     \
  extern "C" __global__ __launch_bounds__(THREADS, FILTER) void conv2d_backward_filter_##NAME(const Convolution g) {                                       \
    convolution_backward_filter<P, N, WHOLE>(g);                                                                                                           \
  }                                                                                                                                                        \
  KERNEL(conv2d_backward_filter_##NAME)
