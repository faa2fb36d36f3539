// The channels of two rows side by side: x [2p][pixels][c] -> y [2p][pixels][2c]. Row i below p takes the channels of x_i, then of x_(p + i): a pair that
// matches. Row p + i takes those of x_i, then of x_(p + (i + 1) mod p): a pair that does not.
// One thread per value of x, or per four where c is a multiple of 4, in a grid-stride loop. A value of x is in two rows of y: forward writes it to both,
// backward adds the gradients of both, the matching pair's first, so that the bits are always the same. Bound by memory: 12 bytes per value of x.
#include "cuda_compat.cuh"

DEVICE void copy(const float* x, float* first, float* second, float) { *first = *second = *x; }
DEVICE void copy(const float* x, float* first, float* second, float4) {
  const float4 v = ld_f4(x);
  st_f4(first, v);
  st_f4(second, v);
}
DEVICE void sum(const float* first, const float* second, float* x, float) { *x = *first + *second; }
DEVICE void sum(const float* first, const float* second, float* x, float4) {
  const float4 a = ld_f4(first), b = ld_f4(second);
  st_f4(x, make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w));
}

// Calls use(place in x, place in the matching row of y, place in the other row) for each V of x.
template <class V, class Use> DEVICE void for_pairs(int pairs, int pixels, int channels, Use use) {
  constexpr int WIDTH = sizeof(V) / sizeof(float);
  const long long row_length = (long long)pixels * channels, count = 2LL * pairs * row_length / WIDTH;
  const long long threads = (long long)gridDim.x * blockDim.x;
  for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += threads) {
    const long long at = i * WIDTH;
    const int row = (int)(at / row_length), place = (int)(at % row_length), pixel = place / channels;
    const int second = row < pairs ? 0 : 1, matching = row - second * pairs;
    const int other = pairs + (second == 0 ? matching : (matching == 0 ? pairs : matching) - 1);
    const long long in_row = place + (long long)(pixel + second) * channels;
    use(at, 2LL * matching * row_length + in_row, 2LL * other * row_length + in_row);
  }
}

template <class V> struct Forward {
  const float* x;
  float* y;
  MEMBER void operator()(long long at, long long matching, long long other) const { copy(x + at, y + matching, y + other, V()); }
};

template <class V> struct Backward {
  const float* dy;
  float* dx;
  MEMBER void operator()(long long at, long long matching, long long other) const { sum(dy + matching, dy + other, dx + at, V()); }
};

DEVICE bool in_fours(const float* x, const float* y, int channels) { return channels % 4 == 0 && (((uintptr_t)x | (uintptr_t)y) & 15) == 0; }

extern "C" __global__ __launch_bounds__(256) void pair_channels_forward(const float* __restrict__ x, float* __restrict__ y, int pairs, int pixels,
                                                                        int channels) {
  if (in_fours(x, y, channels)) {
    for_pairs<float4>(pairs, pixels, channels, Forward<float4>{x, y});
  } else {
    for_pairs<float>(pairs, pixels, channels, Forward<float>{x, y});
  }
}
KERNEL(pair_channels_forward);

extern "C" __global__ __launch_bounds__(256) void pair_channels_backward(const float* __restrict__ dy, float* __restrict__ dx, int pairs, int pixels,
                                                                         int channels) {
  if (in_fours(dy, dx, channels)) {
    for_pairs<float4>(pairs, pixels, channels, Backward<float4>{dy, dx});
  } else {
    for_pairs<float>(pairs, pixels, channels, Backward<float>{dy, dx});
  }
}
KERNEL(pair_channels_backward);
