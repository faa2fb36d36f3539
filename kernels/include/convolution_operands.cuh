// convolution_operands.cuh - what the matrix products of convolution.cuh multiply: the arguments of a launch, and the loaders of the rows and columns of each
// pass. A loader gathers four neighbours at a time from the images, normalizes them where that is fused, and has the interface that block_gemm.cuh asks for.
#pragma once
#include "normalization.cuh"

struct Convolution {
  int batch, height, width, inChannels, outChannels, kernelHeight, kernelWidth, stride, padding, outHeight, outWidth;
  int halves, tilesOfHalf;             // row tiles of a half (forward, backward-data)
  int partDepth;                       // k of one part of the depth (forward), pixels of one (backward-filter)
  int partsOfHalf;                     // backward-filter
  int classRows, classColumns;         // backward-data: strides that make the classes
  int relu;                            // forward: whether y is max(0, .), for inference
  Divider byIn, byOut, byOutWidth, byOutPixels;
  const float *x, *filters, *bias, *y; // y: the unnormalized output, read by fused backward passes
  const float *gradient, *sums;        // of the (normalized) output; sums [halves][2][out]
  float* result;                       // y, dx or parts
  float* tiles;                        // [halves][tiles][2][c] of the epilogue, or the bias's parts; null where not wanted
  Normalization input, output;
  float *inputTable, *outputTable;     // [halves][coefficient][channels] of the normalizations that are there: InputSource, GradientSource
  // Tensor cores, forward and backward-data: the filters, rounded, k contiguous: [class][roundedRows][roundedPitch bytes], see conv2d_parts.cu.
  const unsigned char* rounded;
  int roundedRows, roundedPitch;
  MEMBER int half_items() const { return batch / halves; }
};

// n / divisor for n < 2^20, by the divisor's reciprocal.
DEVICE int small_quotient(int n, float reciprocal) { return (int)(((float)n + 0.5f) * reciprocal); }

// What is multiplied, from where it lies: x, normalized if need be ... A table has each channel's coefficients, [coefficient][channel], from conv2d_parts.cu:
// mean, factor = inverseDeviation scale, shift.
struct InputSource {
  struct Raw { Four x; };
  static constexpr int COEFFICIENTS = 3;
  struct Coefficients { Four mean, factor, shift; };
  const float *x, *table;                                              // table: of this half, null where x is multiplied as it is
  int channels;
  float floor;                                                         // of the ReLU, or -infinity
  MEMBER void load4(Raw& r, int at) const { r.x = four(ldg_f4(x + (unsigned)at)); }
  MEMBER void load1(Raw& r, int j, int at) const { r.x.v[j] = __ldg(x + (unsigned)at); }
  MEMBER bool plain() const { return table == nullptr; }
  MEMBER float given(const Raw& r, int j) const { return r.x.v[j]; }
  MEMBER float value(const Raw& r, const Coefficients& k, int j) const {
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
  MEMBER void load4(Raw& r, int at) const {
    r.g = four(ldg_f4(gradient + (unsigned)at));
    r.y = four(ldg_f4(y + (unsigned)at));
  }
  MEMBER void load1(Raw& r, int j, int at) const {
    r.g.v[j] = __ldg(gradient + (unsigned)at);
    r.y.v[j] = __ldg(y + (unsigned)at);
  }
  MEMBER bool plain() const { return table == nullptr; }
  MEMBER float given(const Raw& r, int j) const { return r.g.v[j]; }
  MEMBER float value(const Raw& r, const Coefficients& k, int j) const {
    const float d = r.y.v[j] - k.mean.v[j], m = fmaf(d, k.factor.v[j], k.shift.v[j]) > floor ? r.g.v[j] : 0.f;
    return fmaf(m, k.factor.v[j], fmaf(d, k.slope.v[j], k.offset.v[j]));
  }
};
// The coefficients of channels c to c + 3, which exist and begin at a multiple of 4; of one channel c, as the j-th.
template <class Source> DEVICE typename Source::Coefficients coefficients_of(const Source& source, int c) {
  typename Source::Coefficients k;
  PRAGMA_UNROLL
  for (int i = 0; i < Source::COEFFICIENTS; i++) reinterpret_cast<Four*>(&k)[i] = four(ldg_f4(source.table + (unsigned)(i * source.channels + c)));
  return k;
}
template <class Source> DEVICE void coefficient_of(const Source& source, typename Source::Coefficients& k, int j, int c) {
  PRAGMA_UNROLL
  for (int i = 0; i < Source::COEFFICIENTS; i++) reinterpret_cast<Four*>(&k)[i].v[j] = __ldg(source.table + (unsigned)(i * source.channels + c));
}
DEVICE float relu_floor(const Normalization& n) { return n.relu ? 0.f : __uint_as_float(0xff800000u); }
DEVICE InputSource input_source(const Convolution& g, int half) {
  const float* table = g.input.present() ? g.inputTable + half * InputSource::COEFFICIENTS * g.inChannels : nullptr;
  return InputSource{g.x, table, g.inChannels, relu_floor(g.input)};
}
DEVICE GradientSource gradient_source(const Convolution& g, int half) {
  const bool fused = g.output.present();
  const float* table = fused ? g.outputTable + half * GradientSource::COEFFICIENTS * g.outChannels : nullptr;
  return GradientSource{g.gradient, fused ? g.y : g.gradient, table, g.outChannels, relu_floor(g.output)};
}

// Pixels i of a grid in each image: row r is image r / (rows columns), grid place (r / columns) % rows, r % columns; it looks at (place step + offset).
struct PixelGrid {
  int rows, columns, step, offsetRow, offsetColumn;
  int image, first, count;                                             // first image of the half, first row of the tile, rows of the half
  MEMBER bool at(int r, int& n, int& i, int& j) const {
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
// All vectors of a thread have the same k, so the channels' coefficients are loaded once per step. What lies outside is read at offset 0 and replaced by zeros:
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
  MEMBER void fill() const {
    for (int row = threadIdx.x; row < TILE_ROWS; row += blockDim.x) {
      int n = 0, h = 0, w = 0;
      const bool valid = grid.at(row, n, h, w);
      h = valid ? h * grid.step + grid.offsetRow : -16384;
      w = w * grid.step + grid.offsetColumn;
      pixels[row] = make_int2((n * height + h) * width + w, h * 65536 + (w & 0xffff));
    }
  }

  MEMBER void start(int i, int row, int k) {
    rows[i] = row;
    first = k;
    inside = 0;
    reciprocal = 1.f / (float)tapColumns;
  }
  MEMBER void split(int k, int& a, int& b, int& c) const {
    const int tap = quotient(byChannels, k);
    c = k - tap * channels;
    a = small_quotient(tap, reciprocal);
    b = tap - a * tapColumns;
  }
  MEMBER bool find(int i, int a, int b, int c, int& at) const {
    const int2 pixel = pixels[rows[i]];
    const int h = (pixel.y >> 16) + sign * a, w = (int)(short)pixel.y + sign * b;
    at = (pixel.x + sign * (a * width + b)) * channels + c;
    return (unsigned)h < (unsigned)height && (unsigned)w < (unsigned)width;
  }
  MEMBER Raw load(int i, int k) {
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
  MEMBER bool plain() const { return source.plain(); }
  MEMBER bool in(int i, int j) const { return inside >> (WHOLE ? i : 4 * i + j) & 1; }
  MEMBER float4 given(int i, int, const Raw& r) const {
    Four v;
    PRAGMA_UNROLL
    for (int j = 0; j < 4; j++) v.v[j] = in(i, j) ? source.given(r, j) : 0.f;
    return v.vector();
  }
  MEMBER void step(int k) {
    if (!WHOLE) return;
    int a, b, c;
    split(k + first, a, b, c);
    of = coefficients_of(source, c);
  }
  MEMBER float4 finish(int i, int k, const Raw& r) {
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

  MEMBER void start(int i, int row, int k) {
    column = corner + row;
    at[i] = k;
    reciprocal = 1.f / (float)tapColumns;
  }
  MEMBER bool plain() const { return true; }
  MEMBER float4 given(int, int, float4 v) const { return v; }
  MEMBER void step(int) const {}
  MEMBER float4 load(int i, int k) const {
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
  MEMBER float4 finish(int, int, float4 v) const { return v; }
};

// Coefficients of the LINES rows or columns of a tile of backward-filter, [coefficient][line] in shared memory: a thread's lines are the same all the time, but
// reading their coefficients anew every step costs less than keeping them in registers.
template <class Source, int LINES> struct LineCoefficients {
  static constexpr int BYTES = Source::COEFFICIENTS * LINES * 4;
  typedef typename Source::Coefficients Coefficients;
  MEMBER static void set(float* table, const Source& source, int line, int c) {
    PRAGMA_UNROLL
    for (int i = 0; i < Source::COEFFICIENTS; i++) table[i * LINES + line] = __ldg(source.table + (unsigned)(i * source.channels + c));
  }
  MEMBER static Coefficients get(const float* table, int line) {
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
  MEMBER void fill() const {
    if (source.plain()) return;
    for (int i = threadIdx.x; i < LINES; i += blockDim.x) {
      const int r = min(corner + i, rows - 1);
      Lines::set(table, source, i, r - quotient(byChannels, r) * channels);
    }
  }
  MEMBER void start(int i, int row, int k) {
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
  MEMBER Raw load(int i, int k) {
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
  MEMBER bool plain() const { return source.plain(); }
  MEMBER bool in(int i, int j) const { return inside >> (WHOLE ? i : 4 * i + j) & 1; }
  MEMBER float4 given(int i, int, const Raw& r) const {
    Four v;
    PRAGMA_UNROLL
    for (int j = 0; j < 4; j++) v.v[j] = in(i, j) ? source.given(r, j) : 0.f;
    return v.vector();
  }
  MEMBER void step(int) { of = Lines::get(table, fresh_thread() % (LINES / 4) * 4); }       // the line, which registers then need not hold
  MEMBER float4 finish(int i, int, const Raw& r) const {
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

  MEMBER void fill() const {
    if (source.plain()) return;
    for (int i = threadIdx.x; i < LINES; i += blockDim.x) Lines::set(table, source, i, min(corner + i, channels - 1));
  }
  MEMBER void start(int i, int row, int k) {
    at[i] = k;
    if (i > 0) return;
    line = row;
    bias = four(zero4());
  }
  MEMBER bool in(int i, int k, int j) const { return k + at[i] < end && corner + line + j < channels; }
  MEMBER Raw load(int i, int k) {
    Raw r = {};
    const int from = (k + at[i]) * channels + corner + line;
    PRAGMA_UNROLL
    for (int j = 0; j < (WHOLE ? 1 : 4); j++) {
      if (WHOLE) source.load4(r, in(i, k, 0) ? from : 0);
      else source.load1(r, j, in(i, k, j) ? from + j : 0);
    }
    return r;
  }
  MEMBER bool plain() const { return source.plain(); }
  MEMBER float4 given(int i, int k, const Raw& r) {
    Four v;
    PRAGMA_UNROLL
    for (int j = 0; j < 4; j++) {
      v.v[j] = in(i, k, WHOLE ? 0 : j) ? source.given(r, j) : 0.f;
      bias.v[j] += v.v[j];
    }
    return v.vector();
  }
  MEMBER void step(int) { of = Lines::get(table, fresh_thread() % (LINES / 4) * 4); }       // the line, which registers then need not hold
  MEMBER float4 finish(int i, int k, const Raw& r) {
    Four v;
    PRAGMA_UNROLL
    for (int j = 0; j < 4; j++) {
      v.v[j] = in(i, k, WHOLE ? 0 : j) ? source.value(r, of, j) : 0.f;
      bias.v[j] += v.v[j];
    }
    return v.vector();
  }
};
