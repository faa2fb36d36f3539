// Patches: x' = (x - mean) / (deviation + epsilon) over each 32 x 32 patch, deviation with n - 1; before that the patch is gathered by index, turned by one of
// the 8 symmetries of the square (drawn by Philox for each pair) and, where there is one, freed of the mean image.
// Bytes [count][32][32] in, floats [rows][32][32] out. One warp a patch, 8 a block: 1 KB read in 16-byte loads, 4 KB written in 16-byte stores.
// The patch waits in shared memory, its rows 36 bytes apart, so that it can be read along columns too without bank conflicts. Bytes and their squares are added
// as integers: mean and deviation are exact, a flat patch becomes zeros. With a mean image the values are floats; they are counted from the first one, so that
// a flat difference is exactly 0 too, and take two passes.
#include "philox.cuh"
#include "step.cuh"

#if defined(CUDA_EMU)
#  define PATCH_D static inline
#else
#  define PATCH_D static __device__ __forceinline__
#endif

constexpr int SIDE = 32, AREA = SIDE * SIDE, WARPS = 8, PITCH = 36, VECTORS = AREA / (4 * 32);
constexpr unsigned ALL = 0xffffffffu;

template <class T> PATCH_D T warp_sum(T v) {
  PRAGMA_UNROLL
  for (int offset = 16; offset > 0; offset /= 2) v += __shfl_xor_sync(ALL, v, offset);
  return v;
}

// Adds the four bytes of a word and their squares, and stores them.
PATCH_D void take(unsigned word, unsigned char* to, unsigned& sum, unsigned& squares) {
  *reinterpret_cast<unsigned*>(to) = word;
  PRAGMA_UNROLL
  for (int k = 0; k < 4; k++) {
    unsigned b = (word >> (8 * k)) & 255u;
    sum += b;
    squares += b * b;
  }
}

PATCH_D void normalize(const unsigned char* __restrict__ patch, unsigned char* held, int symmetry, float epsilon, const float* __restrict__ mean_image,
                       float* __restrict__ output, int lane) {
  unsigned sum = 0, squares = 0;
  PRAGMA_UNROLL
  for (int half = 0; half < 2; half++) {
    const int i = half * 512 + lane * 16;
    const uint4 bytes = ld_u4(patch + i);
    unsigned char* to = held + i / SIDE * PITCH + i % SIDE;
    take(bytes.x, to, sum, squares);
    take(bytes.y, to + 4, sum, squares);
    take(bytes.z, to + 8, sum, squares);
    take(bytes.w, to + 12, sum, squares);
  }
  __syncwarp();

  // Pixel (row, column) of the turned patch is held[start + row * down + column * right].
  int right = (symmetry & 1) ? PITCH : 1, down = (symmetry & 1) ? 1 : PITCH, start = 0;
  if (symmetry & 2) {
    start += (SIDE - 1) * right;
    right = -right;
  }
  if (symmetry & 4) {
    start += (SIDE - 1) * down;
    down = -down;
  }
  float4 v[VECTORS];
  PRAGMA_UNROLL
  for (int k = 0; k < VECTORS; k++) {
    const int i = 4 * (k * 32 + lane);
    const unsigned char* from = held + start + i / SIDE * down + i % SIDE * right;
    v[k] = make_float4(from[0], from[right], from[2 * right], from[3 * right]);
  }

  float mean, variance;
  if (mean_image == nullptr) {
    sum = warp_sum(sum);
    squares = warp_sum(squares);
    mean = (float)sum * (1.f / AREA);
    variance = (float)((long long)AREA * squares - (long long)sum * sum) * (1.f / ((float)AREA * (AREA - 1)));
  } else {
    PRAGMA_UNROLL
    for (int k = 0; k < VECTORS; k++) {
      const float4 m = ld_f4(mean_image + 4 * (k * 32 + lane));
      v[k] = make_float4(v[k].x - m.x, v[k].y - m.y, v[k].z - m.z, v[k].w - m.w);
    }
    const float origin = __shfl_sync(ALL, v[0].x, 0);
    float total = 0.f;
    PRAGMA_UNROLL
    for (int k = 0; k < VECTORS; k++) {
      v[k] = make_float4(v[k].x - origin, v[k].y - origin, v[k].z - origin, v[k].w - origin);
      total += (v[k].x + v[k].y) + (v[k].z + v[k].w);
    }
    mean = warp_sum(total) * (1.f / AREA);
    total = 0.f;
    PRAGMA_UNROLL
    for (int k = 0; k < VECTORS; k++) {
      const float4 d = make_float4(v[k].x - mean, v[k].y - mean, v[k].z - mean, v[k].w - mean);
      total += fmaf(d.x, d.x, d.y * d.y) + fmaf(d.z, d.z, d.w * d.w);
    }
    variance = warp_sum(total) * (1.f / (AREA - 1));
  }

  const float scale = 1.f / (sqrtf(variance) + epsilon);
  PRAGMA_UNROLL
  for (int k = 0; k < VECTORS; k++) {
    st_f4(output + 4 * (k * 32 + lane), make_float4((v[k].x - mean) * scale, (v[k].y - mean) * scale, (v[k].z - mean) * scale, (v[k].w - mean) * scale));
  }
  __syncwarp();
}

// symmetries: which of the 8 may be drawn, a mask of the bits of a draw (0 for none).
extern "C" __global__ __launch_bounds__(32 * WARPS) void gather_patches(const unsigned char* __restrict__ patches, const int* __restrict__ indices,
    const StepParameters* __restrict__ parameters, unsigned symmetries, uint64_t seed, float epsilon, const float* __restrict__ mean_image,
    float* __restrict__ output, int rows) {
  __shared__ __align__(16) unsigned char held[WARPS][SIDE * PITCH];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, pairs = rows / 2, warps = gridDim.x * WARPS;
  const int* batch = indices + parameters->batch_offset;
  for (long long row = blockIdx.x * WARPS + warp; row < rows; row += warps) {
    const int pair = (int)row < pairs ? (int)row : (int)row - pairs;
    const int symmetry = symmetries == 0 ? 0 : (int)(philox(seed, PURPOSE_AUGMENTATION, parameters->step, (uint64_t)pair).x & symmetries);
    normalize(patches + (long long)batch[row] * AREA, held[warp], symmetry, epsilon, mean_image, output + row * AREA, lane);
  }
}
KERNEL(gather_patches);

// All patches in order and as they are: what a network sees when it describes.
extern "C" __global__ __launch_bounds__(32 * WARPS) void normalize_patches(const unsigned char* __restrict__ patches, float epsilon,
    const float* __restrict__ mean_image, float* __restrict__ output, int rows) {
  __shared__ __align__(16) unsigned char held[WARPS][SIDE * PITCH];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = gridDim.x * WARPS;
  for (long long row = blockIdx.x * WARPS + warp; row < rows; row += warps) {
    normalize(patches + row * AREA, held[warp], 0, epsilon, mean_image, output + row * AREA, lane);
  }
}
KERNEL(normalize_patches);
