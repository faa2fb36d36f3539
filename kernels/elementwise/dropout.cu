// Dropout: y = x m / (1 - rate). Element e is dropped where word e mod 4 of a Philox draw of (seed, Dropout, step) is below the rate: draw e div 4 of the
// layer, whose draws begin at layer 2^32, so that the layers of a network drop different elements.
// One draw per thread serves four elements, read and written as 16 bytes; grid-stride. Moves 8 bytes per element, about 20 integer operations each.
// The mask is never stored: the backward pass is the same kernel on the gradient, and a replayed step reads its number from device memory.
#include "philox.cuh"
#include "step.cuh"

extern "C" __global__ __launch_bounds__(256) void dropout(const float* x, float* y, int count, float rate, float factor, uint64_t seed,
                                                          int layer, const StepParameters* __restrict__ parameters) {
  const uint32_t step = parameters->step;
  const long long thread = (long long)blockIdx.x * blockDim.x + threadIdx.x, threads = (long long)gridDim.x * blockDim.x;
  const bool aligned = (((uintptr_t)x | (uintptr_t)y) & 15) == 0;
  for (long long quad = thread; quad * 4 < count; quad += threads) {
    uint4 bits = philox(seed, PURPOSE_DROPOUT, step, (uint64_t)layer << 32 | (uint64_t)quad);
    const long long i = quad * 4;
    if (aligned && i + 4 <= count) {
      float4 v = ld_f4(x + i);
      v.x = philox_unit(bits.x) < rate ? 0.f : factor * v.x;
      v.y = philox_unit(bits.y) < rate ? 0.f : factor * v.y;
      v.z = philox_unit(bits.z) < rate ? 0.f : factor * v.z;
      v.w = philox_unit(bits.w) < rate ? 0.f : factor * v.w;
      st_f4(y + i, v);
    } else {
      y[i] = philox_unit(bits.x) < rate ? 0.f : factor * x[i];
      if (i + 1 < count) y[i + 1] = philox_unit(bits.y) < rate ? 0.f : factor * x[i + 1];
      if (i + 2 < count) y[i + 2] = philox_unit(bits.z) < rate ? 0.f : factor * x[i + 2];
      if (i + 3 < count) y[i + 3] = philox_unit(bits.w) < rate ? 0.f : factor * x[i + 3];
    }
  }
}
KERNEL(dropout);
