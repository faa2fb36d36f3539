// Patches: gathered by index, turned by one of the 8 symmetries of the square (drawn by Philox for each pair), then normalized, in one of these forms:
//   0  x' = (x - mean) / (deviation + epsilon) over each patch, deviation with n - 1; before that minus the mean image, where there is one
//   1  x' = (x - mean) factor
//   2  x' = (x - mean image - subtracted) factor; the mean image may be missing
// Bytes [count][S][S] in, floats [rows][S][S] out, S = 32 or 64. A patch of 32 x 32 has one warp, 8 per block; a patch of 64 x 64 has four warps, the block.
// Each thread reads 32 bytes in 16-byte loads and writes 32 floats in 16-byte stores.
// The patch waits in shared memory, its rows S + 4 bytes apart, so that it can be read along columns too: without bank conflicts for 32, two ways for 64.
// Bytes and their squares are added as integers: mean and deviation are exact, a flat patch becomes zeros. With a mean image the values are floats; they are
// counted from the first one, so that a flat difference is exactly 0 too, and take two passes.
#include "philox.cuh"
#include "reduce.cuh"
#include "step.cuh"


constexpr int WARPS = 8, VECTORS = 8, LARGE_THREADS = 128;
constexpr int CENTRED = 1, FIXED = 2;

constexpr int pitch(int side) { return side + 4; }

// How values are normalized, see above.
struct Form {
  int kind;
  float epsilon, subtracted, factor;
};

// Adds the four bytes of a word and their squares, and stores them.
DEVICE void take(unsigned word, unsigned char* to, unsigned& sum, unsigned& squares) {
  *reinterpret_cast<unsigned*>(to) = word;
  PRAGMA_UNROLL
  for (int k = 0; k < 4; k++) {
    unsigned b = (word >> (8 * k)) & 255u;
    sum += b;
    squares += b * b;
  }
}

// The threads of a patch of 32 x 32: a warp.
struct WarpTeam {
  static constexpr int SIDE = 32, THREADS = 32;
  int thread;

  template <class T> MEMBER T sum(T v) const { return warp_sum(v); }
  MEMBER void sync() const { __syncwarp(); }
};

// The threads of a patch of 64 x 64: a block. partial: a word per warp.
struct BlockTeam {
  static constexpr int SIDE = 64, THREADS = LARGE_THREADS;
  int thread;
  void* partial;

  template <class T> MEMBER T sum(T v) const {
    T* of_warps = reinterpret_cast<T*>(partial);
    v = warp_sum(v);
    if (thread % 32 == 0) of_warps[thread / 32] = v;
    __syncthreads();
    v = (of_warps[0] + of_warps[1]) + (of_warps[2] + of_warps[3]);
    __syncthreads();
    return v;
  }
  MEMBER void sync() const { __syncthreads(); }
};

template <class Team> DEVICE void normalize(const Team team, const unsigned char* __restrict__ patch, unsigned char* held, int symmetry, const Form form,
                                             const float* __restrict__ mean_image, float* __restrict__ output) {
  constexpr int SIDE = Team::SIDE, AREA = SIDE * SIDE, PITCH = pitch(SIDE);
  static_assert(AREA == 4 * VECTORS * Team::THREADS, "a thread has 8 vectors of 4 pixels");
  unsigned sum = 0, squares = 0;
  PRAGMA_UNROLL
  for (int half = 0; half < 2; half++) {
    const int i = half * (AREA / 2) + team.thread * 16;
    const uint4 bytes = ld_u4(patch + i);
    unsigned char* to = held + i / SIDE * PITCH + i % SIDE;
    take(bytes.x, to, sum, squares);
    take(bytes.y, to + 4, sum, squares);
    take(bytes.z, to + 8, sum, squares);
    take(bytes.w, to + 12, sum, squares);
  }
  team.sync();

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
    const int i = 4 * (k * Team::THREADS + team.thread);
    const unsigned char* from = held + start + i / SIDE * down + i % SIDE * right;
    v[k] = make_float4(from[0], from[right], from[2 * right], from[3 * right]);
  }
  if (mean_image != nullptr) {
    PRAGMA_UNROLL
    for (int k = 0; k < VECTORS; k++) {
      const float4 m = ld_f4(mean_image + 4 * (k * Team::THREADS + team.thread));
      v[k] = make_float4(v[k].x - m.x, v[k].y - m.y, v[k].z - m.z, v[k].w - m.w);
    }
  }

  float mean, scale = form.factor;
  if (form.kind == FIXED) {
    mean = form.subtracted;
  } else {
    float variance;
    if (mean_image == nullptr) {
      sum = team.sum(sum);
      squares = team.sum(squares);
      mean = (float)sum * (1.f / AREA);
      variance = (float)((long long)AREA * squares - (long long)sum * sum) * (1.f / ((float)AREA * (AREA - 1)));
    } else {
      const float origin = (float)held[start] - mean_image[0];
      float total = 0.f;
      PRAGMA_UNROLL
      for (int k = 0; k < VECTORS; k++) {
        v[k] = make_float4(v[k].x - origin, v[k].y - origin, v[k].z - origin, v[k].w - origin);
        total += (v[k].x + v[k].y) + (v[k].z + v[k].w);
      }
      mean = team.sum(total) * (1.f / AREA);
      total = 0.f;
      PRAGMA_UNROLL
      for (int k = 0; k < VECTORS; k++) {
        const float4 d = make_float4(v[k].x - mean, v[k].y - mean, v[k].z - mean, v[k].w - mean);
        total += fmaf(d.x, d.x, d.y * d.y) + fmaf(d.z, d.z, d.w * d.w);
      }
      variance = team.sum(total) * (1.f / (AREA - 1));
    }
    if (form.kind != CENTRED) scale = 1.f / (sqrtf(variance) + form.epsilon);
  }

  PRAGMA_UNROLL
  for (int k = 0; k < VECTORS; k++) {
    st_f4(output + 4 * (k * Team::THREADS + team.thread),
          make_float4((v[k].x - mean) * scale, (v[k].y - mean) * scale, (v[k].z - mean) * scale, (v[k].w - mean) * scale));
  }
  team.sync();
}

// symmetries: which of the 8 may be drawn, a mask of the bits of a draw (0 for none). Both patches of a pair get the same one.
DEVICE int draw_symmetry(unsigned symmetries, uint64_t seed, uint32_t step, long long row, int rows) {
  const int pairs = rows / 2, pair = (int)row < pairs ? (int)row : (int)row - pairs;
  return symmetries == 0 ? 0 : (int)(philox(seed, PURPOSE_AUGMENTATION, step, (uint64_t)pair).x & symmetries);
}

// The patch of a row of the batch; -1 where its place is not among the indices, or what stands there is no patch.
DEVICE int patch_of(const int* __restrict__ indices, int index_count, int offset, long long row, int patch_count) {
  const long long at = offset + row;
  const int patch = at >= 0 && at < index_count ? indices[at] : -1;
  return patch < patch_count ? patch : -1;
}

// A row that has no patch is not a number: nothing is read where nothing is, and the loss shows it.
DEVICE void fill_without_patch(float* __restrict__ output, int area, int thread, int threads) {
  const float nan = __int_as_float(0x7fffffff);
  for (int i = 4 * thread; i < area; i += 4 * threads) st_f4(output + i, make_float4(nan, nan, nan, nan));
}

extern "C" __global__ __launch_bounds__(32 * WARPS) void gather_patches(const unsigned char* __restrict__ patches, const int* __restrict__ indices,
    const StepParameters* __restrict__ parameters, unsigned symmetries, uint64_t seed, int kind, float epsilon, float subtracted, float factor,
    const float* __restrict__ mean_image, float* __restrict__ output, int rows, int index_count, int patch_count) {
  __shared__ __align__(16) unsigned char held[WARPS][32 * pitch(32)];
  const int warp = threadIdx.x / 32, warps = gridDim.x * WARPS;
  for (long long row = blockIdx.x * WARPS + warp; row < rows; row += warps) {
    const int patch = patch_of(indices, index_count, parameters->batch_offset, row, patch_count);
    if (patch < 0) {
      fill_without_patch(output + row * 1024, 1024, threadIdx.x % 32, 32);
      continue;
    }
    const int symmetry = draw_symmetry(symmetries, seed, parameters->step, row, rows);
    normalize(WarpTeam{(int)threadIdx.x % 32}, patches + (long long)patch * 1024, held[warp], symmetry, Form{kind, epsilon, subtracted, factor}, mean_image,
              output + row * 1024);
  }
}
KERNEL(gather_patches);

// The same of patches of 64 x 64.
extern "C" __global__ __launch_bounds__(LARGE_THREADS) void gather_patches_64(const unsigned char* __restrict__ patches, const int* __restrict__ indices,
    const StepParameters* __restrict__ parameters, unsigned symmetries, uint64_t seed, int kind, float epsilon, float subtracted, float factor,
    const float* __restrict__ mean_image, float* __restrict__ output, int rows, int index_count, int patch_count) {
  __shared__ __align__(16) unsigned char held[64 * pitch(64)];
  __shared__ __align__(16) unsigned partial[LARGE_THREADS / 32];
  for (long long row = blockIdx.x; row < rows; row += gridDim.x) {
    const int patch = patch_of(indices, index_count, parameters->batch_offset, row, patch_count);
    if (patch < 0) {
      fill_without_patch(output + row * 4096, 4096, threadIdx.x, LARGE_THREADS);
      continue;
    }
    const int symmetry = draw_symmetry(symmetries, seed, parameters->step, row, rows);
    normalize(BlockTeam{(int)threadIdx.x, partial}, patches + (long long)patch * 4096, held, symmetry, Form{kind, epsilon, subtracted, factor}, mean_image,
              output + row * 4096);
  }
}
KERNEL(gather_patches_64);

// All patches of 32 x 32 in order and as they are, in form 0: what a folded network sees when it describes.
extern "C" __global__ __launch_bounds__(32 * WARPS) void normalize_patches(const unsigned char* __restrict__ patches, float epsilon,
    const float* __restrict__ mean_image, float* __restrict__ output, int rows) {
  __shared__ __align__(16) unsigned char held[WARPS][32 * pitch(32)];
  const int warp = threadIdx.x / 32, warps = gridDim.x * WARPS;
  for (long long row = blockIdx.x * WARPS + warp; row < rows; row += warps) {
    normalize(WarpTeam{(int)threadIdx.x % 32}, patches + row * 1024, held[warp], 0, Form{0, epsilon, 0.f, 1.f}, mean_image, output + row * 1024);
  }
}
KERNEL(normalize_patches);
