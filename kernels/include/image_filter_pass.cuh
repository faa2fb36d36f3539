// image_filter_pass.cuh - the gradient of the filters of conv2d_image.cu, and of what their output is before its normalization.
#pragma once
#include "image_convolution.cuh"

// dy = k m + u y + v with m = g where k y + q is positive (all of g without ReLU): tables of k, q, u, v.
template <int CHANNELS, int THREADS>
DEVICE void gradient_tables(const ImageConvolution& g, int half, float share, int channels, int c0, ChannelTables<CHANNELS> tables) {
  Normalization n = g.output;
  n.use_half(half);
  const float* sums = g.sums + half * 2 * channels;
  for (int i = threadIdx.x; i < CHANNELS; i += THREADS) {
    const int c = c0 + i;
    const float inverse = n.inverseDeviation[c], a = inverse * channel_of(n.scale, c, 1.f), product = share * sums[channels + c];
    tables.at(0, i) = a;
    tables.at(1, i) = fmaf(-n.mean[c], a, channel_of(n.shift, c, 0.f));
    tables.at(2, i) = -a * product * inverse;
    tables.at(3, i) = -a * (share * sums[c] - product * n.mean[c] * inverse);
  }
}
DEVICE float finished_gradient(float g, float y, float k, float q, float u, float v, float least) {
  return fmaf(k, fmaf(y, k, q) > least ? g : 0.f, fmaf(u, y, v));
}

// A warp sums 32 input channels x 3 taps of one filter row x 32 outputs. 12 warps: the three rows, C_WARPS x 32 input channels, N_WARPS x 32 outputs, and
// K_WARPS shares of the pixels. blockIdx.y: which input channels and outputs of the whole.
template <int IN, int OUT, int SIDE, int STRIDE, int ROWS, int IMAGES, int C_WARPS, int N_WARPS, int K_WARPS> struct FilterPass {
  static_assert(C_WARPS * N_WARPS * K_WARPS == 4, "12 warps");
  static constexpr int THREADS = 384, CHANNELS = 32 * C_WARPS, OUTPUTS = 32 * N_WARPS, C_BLOCKS = IN / CHANNELS;
  typedef Strip<CHANNELS, SIDE, STRIDE, ROWS, IMAGES> Tile;
  static constexpr int PIXELS = IMAGES * Tile::OUT_PIXELS, GRADIENT_BYTES = PIXELS * OUTPUTS * 2, STAGE = Tile::BYTES + 2 * GRADIENT_BYTES;
  static constexpr int CHUNKS = OUTPUTS / 8, SHARE = PIXELS / K_WARPS;

  static constexpr PassShape shape() {
    return {THREADS, 1, Tile::STRIPS, IMAGES, PIXELS, STAGE, (2 * CHANNELS + 4 * OUTPUTS) * 4, C_BLOCKS * (OUT / OUTPUTS)};
  }

  // Calls f(offset in shared memory, element of the outputs or -1) for this thread's chunks of a unit's outputs.
  template <class F> static MEMBER void each_gradient(int unit, int images, int n0, F f) {
    constexpr int STEP = THREADS / CHUNKS;
    static_assert(THREADS % CHUNKS == 0 && STEP % 8 == 0, "a thread keeps its channels, and the swizzle is the same");
    const int chunk = threadIdx.x % CHUNKS, first = threadIdx.x / CHUNKS, at = chunk_offset<OUTPUTS * 2, 1>(first, chunk);
    PRAGMA_ROLLED
    for (int pixel = first; pixel < PIXELS; pixel += STEP) {
      const int place = Tile::out_pixel(unit, pixel);
      f(at + (pixel - first) * (OUTPUTS * 2), place < images * Tile::OUT_SIDE * Tile::OUT_SIDE ? place * OUT + n0 + chunk * 8 : -1);
    }
  }

  static MEMBER void fetch(const ImageConvolution& g, const Units& units, int unit, int c0, int n0, unsigned char* stage) {
    Tile::template fetch<THREADS>(stage, g.x + (size_t)units.half * g.images * SIDE * SIDE * IN, unit, g.images, IN, c0);
    const size_t base = (size_t)units.half * g.images * Tile::OUT_SIDE * Tile::OUT_SIDE * OUT;
    each_gradient(unit, g.images, n0, [&](int at, int element) {
      const size_t from = base + (element < 0 ? 0 : element);
      cp_async16(stage + Tile::BYTES + at, g.gradient + from, element >= 0);
      cp_async16(stage + Tile::BYTES + GRADIENT_BYTES + at, g.y + from, element >= 0);
    });
  }

  // Turns g into dy where this thread brought it in.
  static MEMBER void finish(const ImageConvolution& g, const Units& units, int unit, int n0, ChannelTables<OUTPUTS> tables, bool keep,
      unsigned char* stage) {
    const int c = threadIdx.x % CHUNKS * 8;
    const Eight k = tables.eight(0, c), q = tables.eight(1, c), u = tables.eight(2, c), v = tables.eight(3, c);
    const float least = least_of(g.output.relu);
    unsigned short* finished = g.finished + (size_t)units.half * g.images * Tile::OUT_SIDE * Tile::OUT_SIDE * OUT;
    each_gradient(unit, g.images, n0, [&](int at, int element) {
      if (element < 0) return;                                   // zero as it is
      unsigned char* place = stage + Tile::BYTES + at;
      Eight d = eight(ld_u4(place));
      const Eight y = eight(ld_u4(place + GRADIENT_BYTES));
      PRAGMA_UNROLL
      for (int j = 0; j < 8; j++) d.v[j] = finished_gradient(d.v[j], y.v[j], k.v[j], q.v[j], u.v[j], v.v[j], least);
      const uint4 packed = d.packed();
      st_u4(place, packed);
      if (keep) st_u4(finished + element, packed);
    });
  }

  static MEMBER void run(const ImageConvolution& g) {
    DYN_SHARED(unsigned char, shared);
    const int c0 = blockIdx.y % C_BLOCKS * CHANNELS, n0 = blockIdx.y / C_BLOCKS * OUTPUTS;
    const ChannelTables<CHANNELS> input{reinterpret_cast<float*>(shared + g.stages * STAGE)};
    const ChannelTables<OUTPUTS> output{input.data + 2 * CHANNELS};
    const Units units(g, (g.images + IMAGES - 1) / IMAGES * Tile::STRIPS);
    for (int s = 0; s < g.stages; s++) {
      Tile::template clear_margins<THREADS>(shared + s * STAGE);
      if (units.first + s < units.last) fetch(g, units, units.first + s, c0, n0, shared + s * STAGE);
      cp_async_commit();
    }
    normalization_tables<CHANNELS, THREADS>(g.input, units.half, c0, input);
    gradient_tables<OUTPUTS, THREADS>(g, units.half, 1.f / ((float)g.images * Tile::OUT_SIDE * Tile::OUT_SIDE), OUT, n0, output);
    __syncthreads();

    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, row = warp % 3, quarter = warp / 3;
    const int c = quarter % C_WARPS * 4, n = quarter / C_WARPS % N_WARPS * 4, begin = quarter / (C_WARPS * N_WARPS) * SHARE;     // chunks; pixels
    float acc[3][2][4][4];
    PRAGMA_UNROLL
    for (int tap = 0; tap < 3; tap++) {
      PRAGMA_UNROLL
      for (int e = 0; e < 32; e++) acc[tap][e / 16][e / 4 % 4][e % 4] = 0.f;
    }
    int stage = 0;
    PRAGMA_ROLLED
    for (int unit = units.first; unit < units.last; unit++) {
      unsigned char* tile = shared + stage * STAGE;
      wait_for_unit(g.stages);
      Tile::template normalize<THREADS>(tile, unit, g.images, input, g.input.relu);
      finish(g, units, unit, n0, output, c0 == 0 && g.finished != nullptr, tile);
      __syncthreads();
      const unsigned char* gradient = tile + Tile::BYTES;
      const int from = chunk_offset<OUTPUTS * 2, 1>((lane >> 3 & 1) * 8 + (lane & 7), n + (lane >> 4));
      for (int k = begin; k < begin + SHARE; k += 16) {
        // Both operands lie with their rows along K, so ldmatrix turns them. The chunk after the next one lies 32 bytes further, before the swizzle.
        uint32_t b[2][4];
        PRAGMA_UNROLL
        for (int j = 0; j < 2; j++) ldmatrix_x4_trans(b[j], gradient + k * (OUTPUTS * 2) + (from ^ (32 * j)));
        const int corner = Tile::corner(k + (lane >> 4) * 8 + (lane & 7)) + row * Tile::PITCH;
        PRAGMA_UNROLL
        for (int tap = 0; tap < 3; tap++) {
          const int at = Tile::offset(corner + tap, c + (lane >> 3 & 1));
          PRAGMA_UNROLL
          for (int i = 0; i < 2; i++) {
            uint32_t a[4];
            ldmatrix_x4_trans(a, tile + (at ^ (32 * i)));
            PRAGMA_UNROLL
            for (int j = 0; j < 4; j++) mma_bf16_16816(acc[tap][i][j], a, b[j / 2][j % 2 * 2], b[j / 2][j % 2 * 2 + 1]);
          }
        }
      }
      __syncthreads();
      if (unit + g.stages < units.last) fetch(g, units, unit + g.stages, c0, n0, tile);
      cp_async_commit();
      stage = stage + 1 == g.stages ? 0 : stage + 1;
    }
    cp_async_wait<0>();

    // The shares of the pixels are added in order, tap by tap through shared memory.
    float* exchange = reinterpret_cast<float*>(shared) + (row * (4 / K_WARPS) + quarter % (4 / K_WARPS)) * 1024 + lane;
    PRAGMA_UNROLL
    for (int other = 1; other < K_WARPS; other++) {
      PRAGMA_UNROLL
      for (int tap = 0; tap < 3; tap++) {
        __syncthreads();
        PRAGMA_UNROLL
        for (int e = 0; e < 32; e++) if (quarter / (4 / K_WARPS) == other) exchange[32 * e] = acc[tap][e / 16][e / 4 % 4][e % 4];
        __syncthreads();
        PRAGMA_UNROLL
        for (int e = 0; e < 32; e++) if (quarter / (4 / K_WARPS) == 0) acc[tap][e / 16][e / 4 % 4][e % 4] += exchange[32 * e];
      }
    }
    if (quarter / (4 / K_WARPS) > 0) return;
    PRAGMA_UNROLL
    for (int tap = 0; tap < 3; tap++) {
      PRAGMA_UNROLL
      for (int i = 0; i < 2; i++) {
        float* to = g.parts + ((size_t)blockIdx.x * 9 * IN + (3 * row + tap) * IN + c0 + c * 8 + i * 16 + (lane >> 2)) * OUT + n0 + n * 8 + (lane & 3) * 2;
        PRAGMA_UNROLL
        for (int j = 0; j < 4; j++) {
          st_f2(to + 8 * j, make_float2(acc[tap][i][j][0], acc[tap][i][j][1]));
          st_f2(to + 8 * OUT + 8 * j, make_float2(acc[tap][i][j][2], acc[tap][i][j][3]));
        }
      }
    }
  }
};
