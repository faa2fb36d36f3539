// Patches as a caller's program has them, bytes or floats of any strides, to the bytes that networks take: [n][to][to], to = 32 or 64.
// A side of 64 becomes 32 by the mean of 2 x 2 pixels, halves rounded up; a side of 65 becomes either by the area-weighted mean, rounded to the nearest; an equal
// side is copied. The sums are of integers: the bytes are those of PatchResize on the host.
// Floats are multiplied by factor, rounded to the nearest (halves to even) and bounded by 0 and 255; NaN becomes 0.
// A thread makes four pixels of a row and stores them as one word; words grid-stride, so that a warp writes 128 bytes. Bound by memory: reads the patches once
// (65: some pixels four times, from the cache).
#include "cuda_compat.cuh"

// How a patch lies: bytes from one row and pixel to the next.
struct Layout {
  long long row, pixel;
  int floats;
  float factor;
};

DEVICE int pixel_of(const Layout& layout, const char* patch, int y, int x) {
  const char* at = patch + y * layout.row + x * layout.pixel;
  if (!layout.floats) return *reinterpret_cast<const unsigned char*>(at);
  return __float2int_rn(fminf(fmaxf(*reinterpret_cast<const float*>(at) * layout.factor, 0.f), 255.f));
}

// In units of 1/to pixel output i covers 65 i to 65 i + 65 and input j covers to j to to j + to.
DEVICE int overlap(int output, int input, int to) { return min(65 * (output + 1), to * (input + 1)) - max(65 * output, to * input); }

DEVICE int area_mean(const Layout& layout, const char* patch, int row, int column, int to) {
  int sum = 0;
  for (int y = 65 * row / to; to * y < 65 * (row + 1); y++) {
    int line = 0;
    for (int x = 65 * column / to; to * x < 65 * (column + 1); x++) line += overlap(column, x, to) * pixel_of(layout, patch, y, x);
    sum += overlap(row, y, to) * line;
  }
  return (sum + 65 * 65 / 2) / (65 * 65);
}

extern "C" __global__ __launch_bounds__(256) void pack_patches(const char* first, long long patch_stride, long long row_stride, long long pixel_stride,
                                                                 int side, int floats, float factor, int n, int to, unsigned* __restrict__ patches) {
  const Layout layout = {row_stride, pixel_stride, floats, factor};
  const int words = to / 4;
  const long long all = (long long)n * to * words, step = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < all; i += step) {
    const int column = (int)(i % words) * 4, row = (int)(i / words % to);
    const char* patch = first + i / words / to * patch_stride;
    unsigned word = 0;
    for (int k = 0; k < 4; k++) {
      const int x = column + k;
      int value;
      if (side == to) {
        value = pixel_of(layout, patch, row, x);
      } else if (side == 64) {
        value = (pixel_of(layout, patch, 2 * row, 2 * x) + pixel_of(layout, patch, 2 * row, 2 * x + 1) + pixel_of(layout, patch, 2 * row + 1, 2 * x) +
                 pixel_of(layout, patch, 2 * row + 1, 2 * x + 1) + 2) >> 2;
      } else {
        value = area_mean(layout, patch, row, x, to);
      }
      word |= (unsigned)value << (8 * k);
    }
    patches[i] = word;
  }
}
KERNEL(pack_patches);
