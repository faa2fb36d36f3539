// Pooling over square windows, x [n][h][w][c] to y [n][oh][ow][c]: the largest value, the average, or the root of the sum of squares (L2).
// Window (oh, ow) begins at row oh stride - padding and column ow stride - padding. It is cut off where the image ends.
//   max      Padding never wins. Ties go to the first pixel in row order. A NaN wins over every number, so that it is not hidden.
//            places [n][oh][ow][c] says which pixel of the window won: row x kernel + column. The backward pass reads it; null where none follows.
//   average  Padding counts as zeros; what a last window has beyond the padding does not count (PyTorch's default).
//   L2       y = sqrt(sum x^2), not divided by the number of pixels (DeepDesc). dx = x dy / y, and 0 where y is 0.
// Backward each pixel of the image gathers from the windows that hold it, in row order: no atomics, the same bits in every run.
// One thread per four neighbouring channels of a pixel (16 bytes), or per channel where the channels are no multiple of 4, in a grid-stride loop. Lanes are
// neighbouring channels, then neighbouring pixels, so a warp reads whole sectors. Bound by memory: forward reads x once (windows that overlap meet in the
// caches) and writes y; backward reads y's gradient and what its rule needs, and writes dx.
#include "normalization.cuh"

struct Pool {
  int height, width, channels, outHeight, outWidth, kernel, stride, padding;
  Divider byStride;
};

// How the elements that threads go over are divided into groups of channels, columns and rows: those of y forward, those of x backward.
struct Layout {
  Divider groups, columns, rows;
};

// Rows or columns [first, end) of a window that lie inside the image; begin is where the whole window begins, size how many count for an average.
struct Span {
  int begin, first, end, size;
  MEMBER Span(const Pool& p, int index, int extent) {
    begin = index * p.stride - p.padding;
    first = max(begin, 0);
    end = min(begin + p.kernel, extent);
    size = min(begin + p.kernel, extent + p.padding) - begin;
  }
};

// Windows [first, last] that hold a row or a column of the image.
struct Holders {
  int first, last;
  MEMBER Holders(const Pool& p, int index, int windows) {
    const int before = index + p.padding - p.kernel;             // the last beginning, counted from the padding, that is too early
    first = before < 0 ? 0 : quotient(p.byStride, before) + 1;
    last = min(windows - 1, quotient(p.byStride, index + p.padding));
  }
};

// Calls f(element, image, row, column, channel) for this thread's groups of WIDTH neighbouring channels.
template <int WIDTH, class F> DEVICE void each_group(int count, const Layout& layout, F f) {
  for (unsigned group = blockIdx.x * blockDim.x + threadIdx.x; group < (unsigned)count / WIDTH; group += gridDim.x * blockDim.x) {
    const int pixel = quotient(layout.groups, (int)group), line = quotient(layout.columns, pixel), image = quotient(layout.rows, line);
    f((long long)group * WIDTH, image, line - image * (int)layout.rows.divisor, pixel - line * (int)layout.columns.divisor,
      ((int)group - pixel * (int)layout.groups.divisor) * WIDTH);
  }
}

// Calls f(x at a pixel, which pixel of the window) for the window's pixels inside the image, in row order.
template <class F> DEVICE void each_pixel(const Pool& p, const float* image, const Span& rows, const Span& columns, F f) {
  for (int row = rows.first; row < rows.end; row++)
    for (int column = columns.first; column < columns.end; column++)
      f(image + ((long long)row * p.width + column) * p.channels, (row - rows.begin) * p.kernel + column - columns.begin);
}

// Calls f(element of y, which pixel of the window this one is, row of windows, column of windows) for the windows that hold a pixel, in row order.
template <class F> DEVICE void each_holder(const Pool& p, int image, int row, int column, int c, F f) {
  const Holders down(p, row, p.outHeight), across(p, column, p.outWidth);
  for (int oh = down.first; oh <= down.last; oh++)
    for (int ow = across.first; ow <= across.last; ow++)
      f((((long long)image * p.outHeight + oh) * p.outWidth + ow) * p.channels + c,
        (row + p.padding - oh * p.stride) * p.kernel + column + p.padding - ow * p.stride, oh, ow);
}

template <int WIDTH> DEVICE Four load(const float* p) {
  if constexpr (WIDTH == 4) return four(ld_f4(p));
  else return Four{{p[0], 0.f, 0.f, 0.f}};
}
template <int WIDTH> DEVICE void store(float* p, const Four& v) {
  if constexpr (WIDTH == 4) st_f4(p, v.vector());
  else p[0] = v.v[0];
}
DEVICE const float* start_of(const Pool& p, const float* x, int image, int c) { return x + (long long)image * p.height * p.width * p.channels + c; }

template <int WIDTH> DEVICE void max_forward(const float* x, float* y, unsigned short* places, int count, const Layout& layout, const Pool& p) {
  each_group<WIDTH>(count, layout, [&](long long i, int image, int oh, int ow, int c) {
    const Span rows(p, oh, p.height), columns(p, ow, p.width);
    Four best;
    unsigned place[WIDTH];
    PRAGMA_UNROLL
    for (int j = 0; j < WIDTH; j++) {
      best.v[j] = -__uint_as_float(0x7f800000u);
      place[j] = (unsigned)((rows.first - rows.begin) * p.kernel + columns.first - columns.begin);
    }
    each_pixel(p, start_of(p, x, image, c), rows, columns, [&](const float* pixel, int which) {
      const Four v = load<WIDTH>(pixel);
      PRAGMA_UNROLL
      for (int j = 0; j < WIDTH; j++) {
        if (v.v[j] > best.v[j] || v.v[j] != v.v[j]) {
          // A NaN that comes after another one does not take its place.
          if (best.v[j] == best.v[j]) place[j] = (unsigned)which;
          best.v[j] = v.v[j];
        }
      }
    });
    store<WIDTH>(y + i, best);
    if (places == nullptr) return;
    if constexpr (WIDTH == 4) {
      *reinterpret_cast<unsigned long long*>(places + i) = (unsigned long long)(place[2] | place[3] << 16) << 32 | place[0] | place[1] << 16;
    } else {
      places[i] = (unsigned short)place[0];
    }
  });
}
extern "C" __global__ __launch_bounds__(256) void pool_max_forward(const float* __restrict__ x, float* __restrict__ y, unsigned short* __restrict__ places,
    int count, Layout layout, Pool p) {
  if (p.channels % 4 == 0) max_forward<4>(x, y, places, count, layout, p);
  else max_forward<1>(x, y, places, count, layout, p);
}
KERNEL(pool_max_forward);

template <int WIDTH> DEVICE void max_backward(const unsigned short* places, const float* dy, float* dx, int count, const Layout& layout, const Pool& p) {
  each_group<WIDTH>(count, layout, [&](long long i, int image, int row, int column, int c) {
    Four sum = {{0.f, 0.f, 0.f, 0.f}};
    each_holder(p, image, row, column, c, [&](long long o, int which, int, int) {
      const Four g = load<WIDTH>(dy + o);
      if constexpr (WIDTH == 4) {
        const unsigned long long place = *reinterpret_cast<const unsigned long long*>(places + o);
        PRAGMA_UNROLL
        for (int j = 0; j < 4; j++) if ((int)(place >> 16 * j & 0xffff) == which) sum.v[j] += g.v[j];
      } else if (places[o] == which) {
        sum.v[0] += g.v[0];
      }
    });
    store<WIDTH>(dx + i, sum);
  });
}
extern "C" __global__ __launch_bounds__(256) void pool_max_backward(const unsigned short* __restrict__ places, const float* __restrict__ dy,
    float* __restrict__ dx, int count, Layout layout, Pool p) {
  if (p.channels % 4 == 0) max_backward<4>(places, dy, dx, count, layout, p);
  else max_backward<1>(places, dy, dx, count, layout, p);
}
KERNEL(pool_max_backward);

template <int WIDTH> DEVICE void average_forward(const float* x, float* y, int count, const Layout& layout, const Pool& p) {
  each_group<WIDTH>(count, layout, [&](long long i, int image, int oh, int ow, int c) {
    const Span rows(p, oh, p.height), columns(p, ow, p.width);
    Four sum = {{0.f, 0.f, 0.f, 0.f}};
    each_pixel(p, start_of(p, x, image, c), rows, columns, [&](const float* pixel, int) {
      const Four v = load<WIDTH>(pixel);
      PRAGMA_UNROLL
      for (int j = 0; j < WIDTH; j++) sum.v[j] += v.v[j];
    });
    const float share = 1.f / (float)(rows.size * columns.size);
    PRAGMA_UNROLL
    for (int j = 0; j < WIDTH; j++) sum.v[j] *= share;
    store<WIDTH>(y + i, sum);
  });
}
extern "C" __global__ __launch_bounds__(256) void pool_average_forward(const float* __restrict__ x, float* __restrict__ y, int count, Layout layout, Pool p) {
  if (p.channels % 4 == 0) average_forward<4>(x, y, count, layout, p);
  else average_forward<1>(x, y, count, layout, p);
}
KERNEL(pool_average_forward);

template <int WIDTH> DEVICE void average_backward(const float* dy, float* dx, int count, const Layout& layout, const Pool& p) {
  each_group<WIDTH>(count, layout, [&](long long i, int image, int row, int column, int c) {
    Four sum = {{0.f, 0.f, 0.f, 0.f}};
    each_holder(p, image, row, column, c, [&](long long o, int, int oh, int ow) {
      const Four g = load<WIDTH>(dy + o);
      const float share = 1.f / (float)(Span(p, oh, p.height).size * Span(p, ow, p.width).size);
      PRAGMA_UNROLL
      for (int j = 0; j < WIDTH; j++) sum.v[j] = fmaf(share, g.v[j], sum.v[j]);
    });
    store<WIDTH>(dx + i, sum);
  });
}
extern "C" __global__ __launch_bounds__(256) void pool_average_backward(const float* __restrict__ dy, float* __restrict__ dx, int count, Layout layout,
    Pool p) {
  if (p.channels % 4 == 0) average_backward<4>(dy, dx, count, layout, p);
  else average_backward<1>(dy, dx, count, layout, p);
}
KERNEL(pool_average_backward);

template <int WIDTH> DEVICE void l2_forward(const float* x, float* y, int count, const Layout& layout, const Pool& p) {
  each_group<WIDTH>(count, layout, [&](long long i, int image, int oh, int ow, int c) {
    Four sum = {{0.f, 0.f, 0.f, 0.f}};
    each_pixel(p, start_of(p, x, image, c), Span(p, oh, p.height), Span(p, ow, p.width), [&](const float* pixel, int) {
      const Four v = load<WIDTH>(pixel);
      PRAGMA_UNROLL
      for (int j = 0; j < WIDTH; j++) sum.v[j] = fmaf(v.v[j], v.v[j], sum.v[j]);
    });
    PRAGMA_UNROLL
    for (int j = 0; j < WIDTH; j++) sum.v[j] = sqrtf(sum.v[j]);
    store<WIDTH>(y + i, sum);
  });
}
extern "C" __global__ __launch_bounds__(256) void pool_l2_forward(const float* __restrict__ x, float* __restrict__ y, int count, Layout layout, Pool p) {
  if (p.channels % 4 == 0) l2_forward<4>(x, y, count, layout, p);
  else l2_forward<1>(x, y, count, layout, p);
}
KERNEL(pool_l2_forward);

template <int WIDTH> DEVICE void l2_backward(const float* x, const float* y, const float* dy, float* dx, int count, const Layout& layout, const Pool& p) {
  each_group<WIDTH>(count, layout, [&](long long i, int image, int row, int column, int c) {
    Four sum = {{0.f, 0.f, 0.f, 0.f}};
    each_holder(p, image, row, column, c, [&](long long o, int, int, int) {
      const Four g = load<WIDTH>(dy + o), root = load<WIDTH>(y + o);
      PRAGMA_UNROLL
      for (int j = 0; j < WIDTH; j++) sum.v[j] += root.v[j] == 0.f ? 0.f : g.v[j] / root.v[j];
    });
    const Four v = load<WIDTH>(x + i);
    PRAGMA_UNROLL
    for (int j = 0; j < WIDTH; j++) sum.v[j] *= v.v[j];
    store<WIDTH>(dx + i, sum);
  });
}
extern "C" __global__ __launch_bounds__(256) void pool_l2_backward(const float* __restrict__ x, const float* __restrict__ y, const float* __restrict__ dy,
    float* __restrict__ dx, int count, Layout layout, Pool p) {
  if (p.channels % 4 == 0) l2_backward<4>(x, y, dy, dx, count, layout, p);
  else l2_backward<1>(x, y, dy, dx, count, layout, p);
}
KERNEL(pool_l2_backward);
