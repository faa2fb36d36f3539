// normalization.cuh - batch normalization as its kernels and the convolutions around it apply it: one formula for value, mask and gradient.
#pragma once
#include "block_gemm.cuh"

// y = max(0, scale (x - mean_s) inverseDeviation_s + shift); mean null: nothing is to be done. scale and shift may be null for 1 and 0.
struct Normalization {
  const float *mean, *inverseDeviation, *scale, *shift;
  int relu, channels;
  MEMBER bool present() const { return mean != nullptr; }
  MEMBER void use_half(int half) {
    if (!present()) return;
    mean += half * channels;
    inverseDeviation += half * channels;
  }
};

// Four numbers as an array that stays in registers.
struct Four {
  float v[4];
  MEMBER float4 vector() const { return make_float4(v[0], v[1], v[2], v[3]); }
};
DEVICE Four four(float4 v) { return Four{{v.x, v.y, v.z, v.w}}; }

DEVICE float low_bf16(unsigned pair) { return __uint_as_float(pair << 16); }
DEVICE float high_bf16(unsigned pair) { return __uint_as_float(pair & 0xffff0000u); }

// Eight neighbouring channels, which bf16 keeps in 16 bytes.
struct Eight {
  float v[8];
  MEMBER uint4 packed() const { return make_uint4(pack_bf16(v[0], v[1]), pack_bf16(v[2], v[3]), pack_bf16(v[4], v[5]), pack_bf16(v[6], v[7])); }
};
DEVICE Eight eight(uint4 u) {
  return Eight{{low_bf16(u.x), high_bf16(u.x), low_bf16(u.y), high_bf16(u.y), low_bf16(u.z), high_bf16(u.z), low_bf16(u.w), high_bf16(u.w)}};
}
DEVICE Eight eight(const float* p) {
  const float4 a = ld_f4(p), b = ld_f4(p + 4);
  return Eight{{a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w}};
}
DEVICE Eight eight_of(float v) { return Eight{{v, v, v, v, v, v, v, v}}; }

// Of four neighbouring channels; WHOLE: they exist and begin at a multiple of 4.
template <bool WHOLE> DEVICE Four channels_of(const float* p, int c, int count, float otherwise) {
  Four r = {{otherwise, otherwise, otherwise, otherwise}};
  if (p == nullptr) return r;
  if constexpr (WHOLE) {
    r = four(ldg_f4(p + c));
  } else {
    PRAGMA_UNROLL
    for (int j = 0; j < 4; j++) if (c + j < count) r.v[j] = __ldg(p + c + j);
  }
  return r;
}
// Of eight neighbouring channels that begin at a multiple of 8.
DEVICE Eight eight_channels_of(const float* p, int c, float otherwise) { return p == nullptr ? eight_of(otherwise) : eight(p + c); }
DEVICE float channel_of(const float* p, int c, float otherwise) { return p == nullptr ? otherwise : __ldg(p + c); }

DEVICE float standardized(float x, float mean, float inverseDeviation) { return (x - mean) * inverseDeviation; }
DEVICE float activated(float xhat, float scale, float shift, int relu) {
  const float v = fmaf(xhat, scale, shift);
  return relu ? fmaxf(v, 0.f) : v;
}
// What a normalized number is cut off at, if at all.
DEVICE float least_of(int relu) { return relu ? 0.f : -__uint_as_float(0x7f800000u); }
// The gradient behind the ReLU.
DEVICE float masked(float g, float xhat, float scale, float shift, int relu) { return relu && !(fmaf(xhat, scale, shift) > 0.f) ? 0.f : g; }

// Count, mean and sum of squared deviations of some values; two such are joined without loss of digits (Chan, Golub, LeVeque 1979).
struct Moments {
  float count, mean, squares;
};
DEVICE Moments joined(Moments a, Moments b) {
  if (b.count == 0.f) return a;
  const float count = a.count + b.count, delta = b.mean - a.mean, part = b.count / count;
  return Moments{count, a.mean + delta * part, a.squares + b.squares + delta * delta * a.count * part};
}
