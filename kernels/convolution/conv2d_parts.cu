// What the convolutions of all precisions share (see convolution.cuh): sums over the parts of a depth, in order, and the filters' gradient where there are
// few filter elements per output channel (L2-Net's first layer: 9).
//   conv2d_sum           y = bias + sum of parts [parts][pixels][out], with ReLU where it is wanted
//   conv2d_filter_sum    dw [out][taps in] = sum of parts [parts][taps in][out]; eight threads per sum, eight sums per thread: 64 loads are in flight
//   conv2d_small_filter  parts of dw: lanes are output channels, warps pixels, all elements of a channel in registers; float32 in every precision
//   conv2d_coefficients  the tables of the normalizations before and behind a convolution (InputSource, GradientSource of convolution.cuh)
//   conv2d_round_*       filters for the tensor cores, rounded to tf32 or bf16, k contiguous, so that cp.async can fetch them; and those tables
// All are bound by memory: every number is read once, neighbouring lanes beside each other; the second turns its tile in shared memory before it writes.
#include "convolution.cuh"

extern "C" __global__ __launch_bounds__(256) void conv2d_sum(const float* __restrict__ parts, int count, int length, int channels,
    const float* __restrict__ bias, int relu, float* __restrict__ y) {
  for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < (unsigned)length; i += gridDim.x * blockDim.x) {
    float sum = 0.f;
    for (int part = 0; part < count; part++) sum += parts[(long long)part * length + i];
    if (bias) sum += bias[i % channels];
    y[i] = relu ? fmaxf(sum, 0.f) : sum;
  }
}
KERNEL(conv2d_sum);

// 8 rows (x) of 32 columns (y).
extern "C" __global__ __launch_bounds__(256) void conv2d_filter_sum(const float* __restrict__ parts, int count, int rows, int columns,
    float* __restrict__ filters) {
  // A slot's rows lie 36 apart, so that the eight rows that neighbouring lanes read lie in different banks.
  __shared__ float sums[8][8][36];
  const int lane = threadIdx.x % 32, slot = threadIdx.x / 32, first = blockIdx.x * 8, column = blockIdx.y * 32 + lane;
  float own[8];
  PRAGMA_UNROLL
  for (int i = 0; i < 8; i++) own[i] = 0.f;
  for (int part = slot; part < count; part += 8) {
    const float* from = parts + ((long long)part * rows + first) * columns + column;
    PRAGMA_UNROLL
    for (int i = 0; i < 8; i++) if (first + i < rows && column < columns) own[i] += __ldg(from + (long long)i * columns);
  }
  PRAGMA_UNROLL
  for (int i = 0; i < 8; i++) sums[slot][i][lane] = own[i];
  __syncthreads();
  const int r = threadIdx.x % 8, c = threadIdx.x / 8;
  float sum = 0.f;
  PRAGMA_UNROLL
  for (int i = 0; i < 8; i++) sum += sums[i][r][c];
  if (first + r < rows && blockIdx.y * 32 + c < (unsigned)columns) filters[(long long)(blockIdx.y * 32 + c) * rows + first + r] = sum;
}
KERNEL(conv2d_filter_sum);

// One channel of one half per thread.
DEVICE void fill_tables(const Convolution& g, int thread, int threads) {
  if (g.input.present() && g.inputTable != nullptr) {             // backward-data has the normalization for its epilogue only
    for (int i = thread; i < g.halves * g.inChannels; i += threads) {
      const int half = i / g.inChannels, c = i - half * g.inChannels;
      float* to = g.inputTable + half * InputSource::COEFFICIENTS * g.inChannels + c;
      to[0] = g.input.mean[i];
      to[g.inChannels] = g.input.inverseDeviation[i] * channel_of(g.input.scale, c, 1.f);
      to[2 * g.inChannels] = channel_of(g.input.shift, c, 0.f);
    }
  }
  if (g.output.present()) {
    const float share = 1.f / ((float)g.half_items() * g.outHeight * g.outWidth);
    for (int i = thread; i < g.halves * g.outChannels; i += threads) {
      const int half = i / g.outChannels, c = i - half * g.outChannels;
      const float *sums = g.sums + half * 2 * g.outChannels + c, inverse = g.output.inverseDeviation[i], factor = inverse * channel_of(g.output.scale, c, 1.f);
      float* to = g.outputTable + half * GradientSource::COEFFICIENTS * g.outChannels + c;
      to[0] = g.output.mean[i];
      to[g.outChannels] = factor;
      to[2 * g.outChannels] = channel_of(g.output.shift, c, 0.f);
      to[3 * g.outChannels] = -share * sums[g.outChannels] * inverse * factor;
      to[4 * g.outChannels] = -share * sums[0] * factor;
    }
  }
}
extern "C" __global__ __launch_bounds__(256) void conv2d_coefficients(const Convolution g) { fill_tables(g, threadIdx.x, 256); }
KERNEL(conv2d_coefficients);

// Four numbers of a row from k on, zeros from the end on.
DEVICE Four four_filters(const float* __restrict__ row, int k, int end) {
  return end % 4 == 0 && k < end ? channels_of<true>(row, k, end, 0.f) : channels_of<false>(row, k, end, 0.f);
}
// Rounds the four that come from k on, as far as they lie before the end; a whole four that begins at a multiple of 4 goes out as one.
DEVICE void put_rounded(unsigned char* row, int k, const Four& v, int end, int bf16) {
  if (k % 4 == 0 && k + 4 <= end) {
    if (bf16) st_u2(row + 2 * k, make_uint2(pack_bf16(v.v[0], v.v[1]), pack_bf16(v.v[2], v.v[3])));
    else st_u4(row + 4 * k, make_uint4(round_tf32(v.v[0]), round_tf32(v.v[1]), round_tf32(v.v[2]), round_tf32(v.v[3])));
    return;
  }
  PRAGMA_UNROLL
  for (int j = 0; j < 4; j++) {
    if (k + j >= end) continue;
    if (bf16) reinterpret_cast<unsigned short*>(row)[k + j] = (unsigned short)pack_bf16(v.v[j], 0.f);
    else reinterpret_cast<uint32_t*>(row)[k + j] = round_tf32(v.v[j]);
  }
}

// [out][tap, in] as it lies, zeros up to roundedRows and roundedPitch. One row per block (y), four numbers per thread at a time.
extern "C" __global__ __launch_bounds__(256) void conv2d_round_forward(const Convolution g, int bf16, unsigned char* __restrict__ rounded) {
  const int depth = g.kernelHeight * g.kernelWidth * g.inChannels, length = g.roundedPitch / (bf16 ? 2 : 4), row = blockIdx.y;
  const float* filters = g.filters + (long long)row * depth;
  unsigned char* to = rounded + (long long)row * g.roundedPitch;
  for (int k = 4 * (blockIdx.x * 256 + threadIdx.x); k < length; k += 1024 * gridDim.x)
    put_rounded(to, k, four_filters(filters, k, row < g.outChannels ? depth : 0), length, bf16);
  if (blockIdx.x == 0 && blockIdx.y == 0) fill_tables(g, threadIdx.x, 256);
}
KERNEL(conv2d_round_forward);

// [class][in][tap of the class, out] of backward-data. One tile of 32 output (x) x 32 input channels (y), turned, a block and tap (z). Where out is no multiple
// of a stage's depth the memory is zeros before.
extern "C" __global__ __launch_bounds__(256) void conv2d_round_backward(const Convolution g, int bf16, unsigned char* __restrict__ rounded) {
  __shared__ float tile[32][33];
  const int line = threadIdx.x / 8, first = threadIdx.x % 8 * 4, taps = g.kernelHeight * g.kernelWidth, o0 = blockIdx.x * 32, c0 = blockIdx.y * 32;
  const float* from = g.filters + ((long long)(o0 + line) * taps + blockIdx.z) * g.inChannels;
  const Four v = four_filters(from, c0 + first, o0 + line < g.outChannels ? g.inChannels : 0);
  PRAGMA_UNROLL
  for (int j = 0; j < 4; j++) tile[line][first + j] = v.v[j];
  __syncthreads();
  // The class whose pixels meet this tap, and which of its taps it is.
  const int kh = blockIdx.z / g.kernelWidth, kw = blockIdx.z - kh * g.kernelWidth;
  const int ph = (kh + g.classRows - g.padding % g.classRows) % g.classRows, pw = (kw + g.classColumns - g.padding % g.classColumns) % g.classColumns;
  const int a = kh / g.classRows, b = kw / g.classColumns, tapColumns = (g.kernelWidth - kw % g.classColumns + g.classColumns - 1) / g.classColumns;
  const long long row = (long long)(ph * g.classColumns + pw) * g.roundedRows + c0 + line;
  const int tap = (a * tapColumns + b) * g.outChannels;
  put_rounded(rounded + row * g.roundedPitch, tap + o0 + first, Four{{tile[first][line], tile[first + 1][line], tile[first + 2][line], tile[first + 3][line]}},
              tap + g.outChannels, bf16);
  if (blockIdx.x + blockIdx.y + blockIdx.z == 0) fill_tables(g, threadIdx.x, 256);
}
KERNEL(conv2d_round_backward);

constexpr int SMALL = 16, WARPS = 16;                                  // filter elements per output channel, at most; pixels at a time

// 32 output channels (y), part (z) of a half.
extern "C" __global__ __launch_bounds__(512) void conv2d_small_filter(const Convolution g) {
  __shared__ float sums[WARPS][SMALL + 1][32];
  __shared__ int dh[SMALL], dw[SMALL], channel[SMALL];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, o = blockIdx.y * 32 + lane;
  const int half = blockIdx.z / g.partsOfHalf, part = blockIdx.z - half * g.partsOfHalf;
  const int rows = g.kernelHeight * g.kernelWidth * g.inChannels, pixels = g.half_items() * g.outHeight * g.outWidth;
  const int begin = half * pixels + part * g.partDepth, end = min((half + 1) * pixels, begin + g.partDepth);
  if (threadIdx.x < SMALL) {
    const int tap = threadIdx.x / g.inChannels;
    channel[threadIdx.x] = threadIdx.x - tap * g.inChannels;
    dh[threadIdx.x] = tap / g.kernelWidth - g.padding;
    dw[threadIdx.x] = tap % g.kernelWidth - g.padding;
  }
  __syncthreads();
  const InputSource input = input_source(g, half);
  const GradientSource source = gradient_source(g, half);
  GradientSource::Coefficients of = {};
  if (!source.plain()) coefficient_of(source, of, 0, min(o, g.outChannels - 1));
  float own[SMALL], bias = 0.f;
  PRAGMA_UNROLL
  for (int r = 0; r < SMALL; r++) own[r] = 0.f;
  for (int p = begin + warp; p < end; p += WARPS) {
    float d = 0.f;
    if (o < g.outChannels) {
      GradientSource::Raw raw = {};
      source.load1(raw, 0, p * g.outChannels + o);
      d = source.plain() ? source.given(raw, 0) : source.value(raw, of, 0);
    }
    bias += d;
    const int n = quotient(g.byOutPixels, p), pixel = p - n * (int)g.byOutPixels.divisor, oh = quotient(g.byOutWidth, pixel);
    const int top = oh * g.stride, left = (pixel - oh * (int)g.byOutWidth.divisor) * g.stride;
    PRAGMA_UNROLL
    for (int r = 0; r < SMALL; r++) {
      // Read anew for every pixel: what depends on r would otherwise be kept for all 16, and spilled.
      const int h = top + *(const volatile int*)&dh[r], w = left + *(const volatile int*)&dw[r], c = *(const volatile int*)&channel[r];
      if (r >= rows || (unsigned)h >= (unsigned)g.height || (unsigned)w >= (unsigned)g.width) continue;        // the same in all lanes
      InputSource::Raw x = {};
      input.load1(x, 0, ((n * g.height + h) * g.width + w) * g.inChannels + c);
      float v = input.given(x, 0);
      if (!input.plain()) {
        InputSource::Coefficients k = {};
        coefficient_of(input, k, 0, c);
        v = input.value(x, k, 0);
      }
      own[r] = fmaf(v, d, own[r]);
    }
  }
  PRAGMA_UNROLL
  for (int r = 0; r < SMALL; r++) sums[warp][r][lane] = own[r];
  sums[warp][SMALL][lane] = bias;
  __syncthreads();
  for (int i = threadIdx.x; i < (SMALL + 1) * 32; i += WARPS * 32) {
    const int r = i / 32, c = blockIdx.y * 32 + lane;
    float sum = 0.f;
    PRAGMA_UNROLL
    for (int k = 0; k < WARPS; k++) sum += sums[k][r][lane];
    if (c >= g.outChannels) continue;
    if (r < rows) g.result[((long long)blockIdx.z * rows + r) * g.outChannels + c] = sum;
    else if (r == SMALL && g.tiles != nullptr) g.tiles[(long long)blockIdx.z * g.outChannels + c] = sum;
  }
}
KERNEL(conv2d_small_filter);
