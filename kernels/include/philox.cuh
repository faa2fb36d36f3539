// Philox4x32-10 (Salmon et al., SC 2011), bit for bit src/CudaL2Net/Numerics/Philox.cs: a draw is a function of (seed, purpose, step, index).
#pragma once
#include "cuda_compat.cuh"


// DrawPurpose
constexpr uint32_t PURPOSE_AUGMENTATION = 3, PURPOSE_DROPOUT = 4;

DEVICE uint4 philox(uint64_t seed, uint32_t purpose, uint32_t step, uint64_t index) {
  uint32_t c0 = (uint32_t)index, c1 = (uint32_t)(index >> 32), c2 = step, c3 = purpose, k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
  PRAGMA_UNROLL
  for (int round = 0; round < 10; round++) {
    uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
    c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    c1 = (uint32_t)p1;
    c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c3 = (uint32_t)p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return make_uint4(c0, c1, c2, c3);
}

// A uniform number in [0, 1) with 24 bits.
DEVICE float philox_unit(uint32_t bits) { return (bits >> 8) * (1.f / 16777216.f); }
