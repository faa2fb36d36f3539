// image_tile.cuh - whole images, or strips of their rows, in shared memory as operands of 3 x 3 convolutions on tensor cores: padding 1, stride 1 or 2.
// Pixels and filters are bf16, or unsigned and signed bytes: both are multiplied 32 bytes of a pixel at a time, and lie in the same places.
// An image is brought in once and looked at nine times: a tap is a shift of the pixel's index, so ldmatrix takes its 8 x 8 blocks straight from the image.
//  - Pixels lie as [row][column][channel] with a margin of one zero pixel; the margin right of a row is the margin left of the next one.
//  - 16-byte chunks are swizzled by the pixel's index, so that the eight rows of an ldmatrix (neighbours, or every second pixel) lie in different banks, also
//    for a reader that takes them transposed.
//  - Filters are packed in the order of the mma fragments: [tap][in / step][out / 16][lane][16 bytes], a step being 16 inputs in bf16, 32 in bytes; a lane's
//    registers for a step x 16 outputs are one 16-byte load from L1 or L2, fetched ahead, and need no barrier. The eight outputs of a lane in a group of
//    32 are neighbours (8 (lane % 4) + 0..7), so that results go out side by side. See conv2d_image_pack and FusedTower.PackFragments.
#pragma once
#include "normalization.cuh"

// Where a byte lies whose place would be offset without a swizzle, in an image whose reader takes rows that are PITCH bytes apart. Its chunk's place in a line
// of 128 bytes is changed by the bits of the offset that tell apart those of eight rows that would meet in the same banks.
template <int PITCH> DEVICE int swizzled(int offset) {
  constexpr int MASK = PITCH < 128 ? PITCH - 16 : 112, SHIFT = PITCH <= 128 ? 3 : PITCH == 256 ? 4 : 5;
  static_assert(PITCH == 32 || PITCH == 64 || PITCH == 128 || PITCH == 256 || PITCH == 512, "rows of whole chunks");
  return offset ^ ((offset >> SHIFT) & MASK);
}
// Where the chunk of a pixel of BYTES bytes lies in an image whose reader moves by STRIDE pixels.
template <int BYTES, int STRIDE> DEVICE int chunk_offset(int pixel, int chunk) {
  // The same where the bits are those of the pixel's index, in fewer instructions.
  if constexpr (BYTES >= 128) return pixel * BYTES + ((chunk ^ ((pixel >> (STRIDE - 1)) & 7)) << 4);
  return swizzled<BYTES * STRIDE>(pixel * BYTES + chunk * 16);
}

// Tables of a number a channel in shared memory: [table][half][channel / 8][4], so that neighbouring lanes, which read eight channels each, meet all the banks.
template <int CHANNELS> struct ChannelTables {
  float* data;
  MEMBER float& at(int table, int c) const { return data[table * CHANNELS + c % 8 / 4 * (CHANNELS / 2) + c / 8 * 4 + c % 4]; }
  MEMBER Eight eight(int table, int c) const {
    const float* from = data + table * CHANNELS + c / 2;
    const float4 a = ld_f4(from), b = ld_f4(from + CHANNELS / 2);
    return Eight{{a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w}};
  }
};

// The part of IMAGES images, in bf16, that ROWS rows of output look at: units of work, counted strip by strip within an image.
template <int CHANNELS_, int SIDE_, int STRIDE_, int ROWS_, int IMAGES_> struct Strip {
  static constexpr int CHANNELS = CHANNELS_, SIDE = SIDE_, STRIDE = STRIDE_, ROWS = ROWS_, IMAGES = IMAGES_;
  static constexpr int OUT_SIDE = SIDE / STRIDE, STRIPS = OUT_SIDE / ROWS, OUT_PIXELS = ROWS * OUT_SIDE;
  static constexpr int IN_ROWS = (ROWS - 1) * STRIDE + 3, PITCH = SIDE + 1, PIXELS = IN_ROWS * PITCH + 1, CHUNKS = CHANNELS / 8;
  static constexpr int BYTES = (IMAGES * PIXELS + 1) / 2 * 2 * CHANNELS * 2;
  static_assert(BYTES % 128 == 0, "swizzled lines are 128 bytes");
  static_assert(IMAGES == 1 || STRIPS == 1, "several images are taken whole");

  static MEMBER int offset(int pixel, int chunk) { return chunk_offset<CHANNELS * 2, STRIDE>(pixel, chunk); }
  static MEMBER int first_image(int unit) { return unit / STRIPS * IMAGES; }
  static MEMBER int first_row(int unit) { return unit % STRIPS * ROWS; }
  // The pixel that tap (0, 0) of an output pixel meets; output pixels of a unit count on from image to image.
  static MEMBER int corner(int pixel) {
    const int image = pixel / OUT_PIXELS, place = pixel % OUT_PIXELS;
    return image * PIXELS + place / OUT_SIDE * STRIDE * PITCH + place % OUT_SIDE * STRIDE;
  }
  // The output pixel of a unit in [image][OUT_SIDE][OUT_SIDE].
  static MEMBER int out_pixel(int unit, int pixel) { return unit * (IMAGES * OUT_PIXELS) + pixel; }

  // The margins left and right, which nothing else writes.
  template <int THREADS> static MEMBER void clear_margins(unsigned char* tile) {
    for (int i = threadIdx.x; i < IMAGES * (IN_ROWS + 1) * CHUNKS; i += THREADS) {
      const int margin = i / CHUNKS, pixel = margin / (IN_ROWS + 1) * PIXELS + margin % (IN_ROWS + 1) * PITCH;
      st_u4(tile + offset(pixel, i % CHUNKS), make_uint4(0, 0, 0, 0));
    }
  }

  // Calls f(offset in the tile, element in the images or -1 outside of them) for this thread's chunks: of one column, channels 8 (threadIdx.x % CHUNKS) + 0..7.
  template <int THREADS, class F> static MEMBER void each_chunk(int unit, int images, int channels, int channel, F f) {
    constexpr int LINE = SIDE * CHUNKS;
    static_assert(THREADS % LINE == 0, "a thread keeps its column and its channels");
    const int chunk = threadIdx.x % CHUNKS, column = threadIdx.x % LINE / CHUNKS, first = first_image(unit), row0 = first_row(unit) * STRIDE - 1;
    PRAGMA_ROLLED
    for (int line = threadIdx.x / LINE; line < IMAGES * IN_ROWS; line += THREADS / LINE) {
      const int image = line / IN_ROWS, r = line % IN_ROWS;
      const bool inside = (unsigned)(row0 + r) < (unsigned)SIDE && first + image < images;
      const int element = (((first + image) * SIDE + row0 + r) * SIDE + column) * channels + channel + chunk * 8;
      f(offset(image * PIXELS + r * PITCH + column + 1, chunk), inside ? element : -1);
    }
  }
  // Starts to bring a unit in: images [images][SIDE][SIDE][channels], of which CHANNELS from the given one on are taken. What lies outside becomes zero.
  template <int THREADS>
  static MEMBER void fetch(unsigned char* tile, const unsigned short* __restrict__ x, int unit, int images, int channels = CHANNELS, int channel = 0) {
    each_chunk<THREADS>(unit, images, channels, channel, [&](int at, int element) { cp_async16(tile + at, x + (element < 0 ? 0 : element), element >= 0); });
  }
  // Normalizes what this thread has fetched where it lies, which needs no barrier: v factor + term, then ReLU if need be. Tables: factor, term.
  template <int THREADS> static MEMBER void normalize(unsigned char* tile, int unit, int images, ChannelTables<CHANNELS> tables, int relu) {
    const int c = threadIdx.x % CHUNKS * 8;
    const Eight a = tables.eight(0, c), b = tables.eight(1, c);
    const float least = least_of(relu);
    each_chunk<THREADS>(unit, images, CHANNELS, 0, [&](int at, int element) {
      if (element < 0) return;
      Eight v = eight(ld_u4(tile + at));
      PRAGMA_UNROLL
      for (int j = 0; j < 8; j++) v.v[j] = fmaxf(fmaf(v.v[j], a.v[j], b.v[j]), least);
      st_u4(tile + at, v.packed());
    });
  }
};

// The nine taps of a forward pass; of a backward pass with stride 1, too, where filters are packed from the last tap to the first.
template <int PITCH> struct AllTaps {
  MEMBER int count() const { return 9; }
  MEMBER int filter(int t) const { return t; }
  MEMBER int shift(int t) const { return t / 3 * PITCH + t % 3; }
};
// Those that input pixels (2 i + row, 2 j + column) of a convolution with stride 2 meet in its output: 1, 2 or 4.
template <int PITCH> struct ClassTaps {
  int row, column;
  MEMBER int count() const { return (1 + row) * (1 + column); }
  MEMBER int filter(int t) const { return (row ? 2 - 2 * (t >> column) : 1) * 3 + (column ? 2 - 2 * (t & 1) : 1); }
  MEMBER int shift(int t) const { return (1 + (t >> column)) * PITCH + 1 + (t & column); }
};

// The numbers that are multiplied, and their sums.
struct Bf16Numbers {
  typedef float Sum;
  static constexpr int BYTES = 2;
  static MEMBER float zero() { return 0.f; }
  static MEMBER float value(float sum) { return sum; }
  static MEMBER void multiply(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) { mma_bf16_16816(d, a, b0, b1); }
};
// Pixels 0..255, filters -127..127. A sum is counted from the bits of the float 1.5 x 2^23 on: while it is below 2^22 either way, which the filters must
// ensure, these are the bits of the float 1.5 x 2^23 + sum. So no sum is converted, and whoever scales it takes the origin off.
struct Int8Numbers {
  typedef int Sum;
  static constexpr int BYTES = 1;
  static MEMBER int zero() { return 0x4b400000; }
  static MEMBER float value(int sum) { return __int_as_float(sum); }
  static MEMBER void multiply(int (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) { mma_u8s8_16832(d, a, b0, b1); }
};

// Sums of 16 ROW_TILES output pixels x 32 GROUPS outputs per warp; 32 GROUPS COLUMN_WARPS outputs in all. Filters are fetched AHEAD steps before they are used:
// a step of 16 mma takes fewer clocks than a load from L2.
template <class Numbers, int IN, int STRIDE, int COLUMN_WARPS, int ROW_TILES, int GROUPS = 1, int AHEAD = 1> struct ImageProduct {
  static constexpr int OUT = 32 * GROUPS * COLUMN_WARPS, STEP = OUT / 16 * 32;     // 16-byte fragments of a step
  static constexpr int PIXEL_BYTES = IN * Numbers::BYTES, STEPS = PIXEL_BYTES / 32;
  // A turn of the loops: more spill, and with a single step registers of filters could not take turns.
  static constexpr int TAPS = STEPS == 1 ? 3 : 1, TURN = AHEAD == 1 ? 2 : STEPS;
  static_assert(AHEAD <= STEPS, "what is fetched is of this tap or of the next one");
  typename Numbers::Sum acc[ROW_TILES][4 * GROUPS][4];

  static MEMBER int warp() { return fresh_thread() / 32; }
  static MEMBER int first_pixel() { return warp() / COLUMN_WARPS * 16 * ROW_TILES; }
  // The first of the eight outputs of this thread in the first group.
  static MEMBER int output() { return warp() % COLUMN_WARPS * (32 * GROUPS) + (fresh_thread() & 3) * 8; }

  // Sums over all taps and inputs. corner(p): the pixel of the image where tap shift 0 of output pixel p lies.
  template <class Taps, class Corner> MEMBER void multiply(const unsigned char* image, const uint4* __restrict__ filters, Taps taps, Corner corner) {
    const int lane = fresh_thread() % 32, row = first_pixel() + (lane & 15);
    int place[ROW_TILES];
    PRAGMA_UNROLL
    for (int i = 0; i < ROW_TILES; i++) place[i] = corner(row + 16 * i) * PIXEL_BYTES + (lane >> 4) * 16;
    PRAGMA_UNROLL
    for (int i = 0; i < ROW_TILES; i++) {
      PRAGMA_UNROLL
      for (int j = 0; j < 4 * GROUPS; j++) {
        PRAGMA_UNROLL
        for (int k = 0; k < 4; k++) acc[i][j][k] = Numbers::zero();
      }
    }
    const uint4* fragment = filters + warp() % COLUMN_WARPS * (64 * GROUPS) + lane;
    const uint4* tap = fragment + taps.filter(0) * (STEPS * STEP);
    uint4 b[AHEAD][2 * GROUPS];
    PRAGMA_UNROLL
    for (int s = 0; s < AHEAD; s++) {
      PRAGMA_UNROLL
      for (int j = 0; j < 2 * GROUPS; j++) b[s][j] = __ldg(tap + s * STEP + j * 32);
    }
    const int count = taps.count();
    PRAGMA_UNROLL_BY(TAPS)
    for (int t = 0; t < count; t++) {
      const int shift = taps.shift(t) * PIXEL_BYTES;
      int first[ROW_TILES];
      PRAGMA_UNROLL
      for (int i = 0; i < ROW_TILES; i++) first[i] = swizzled<PIXEL_BYTES * STRIDE>(place[i] + shift);
      // The filters of the steps to come; behind the last one once more those of the first.
      const uint4* next = fragment + taps.filter(t + 1 < count ? t + 1 : 0) * (STEPS * STEP);
      PRAGMA_UNROLL_BY(TURN)
      for (int c = 0; c < STEPS; c++) {
        const uint4* ahead = c + AHEAD < STEPS ? tap + (c + AHEAD) * STEP : next + (c + AHEAD - STEPS) * STEP;
        uint4 following[2 * GROUPS];
        PRAGMA_UNROLL
        for (int j = 0; j < 2 * GROUPS; j++) following[j] = __ldg(ahead + j * 32);
        PRAGMA_UNROLL
        for (int i = 0; i < ROW_TILES; i++) {
          uint32_t a[4];
          ldmatrix_x4(a, image, first[i] ^ (32 * c));
          PRAGMA_UNROLL
          for (int j = 0; j < 2 * GROUPS; j++) {
            Numbers::multiply(acc[i][2 * j], a, b[0][j].x, b[0][j].y);
            Numbers::multiply(acc[i][2 * j + 1], a, b[0][j].z, b[0][j].w);
          }
        }
        PRAGMA_UNROLL
        for (int j = 0; j < 2 * GROUPS; j++) {
          PRAGMA_UNROLL
          for (int s = 0; s + 1 < AHEAD; s++) b[s][j] = b[s + 1][j];
          b[AHEAD - 1][j] = following[j];
        }
      }
      tap = next;
    }
  }

  // The eight outputs of row tile i, upper or lower half, which belong to the output pixel 16 i + 8 half behind pixel(), and of a group.
  MEMBER Eight values(int i, int half, int group = 0) const {
    Eight v;
    PRAGMA_UNROLL
    for (int j = 0; j < 4; j++) {
      v.v[2 * j] = Numbers::value(acc[i][4 * group + j][2 * half]);
      v.v[2 * j + 1] = Numbers::value(acc[i][4 * group + j][2 * half + 1]);
    }
    return v;
  }
  static MEMBER int pixel() { return first_pixel() + ((fresh_thread() % 32) >> 2); }
};
