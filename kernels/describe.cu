// Describe: L2-Net's tower for inference in two kernels, bf16 on tensor cores with float32 accumulation. Batch normalization is folded into filters and bias.
//   describe_tower    bytes [n][32][32] -> normalized patch -> layers 1 to 6 -> features [n][8][8][128] bf16; no activation leaves the multiprocessor.
//   describe_project  layer 7 as a matrix product, features [n][8192] x filters [128][8192], then the unit vector, or only signs.
//   describe_signs    the signs of descriptors that other kernels have computed.
// Tower: 78.2 MFLOP a patch, 1 KB read, 16 KB written; 558 KB of weights come from L2 for each patch. A block of 8 warps takes one patch at a time through all
// layers in 113 KB of shared memory, so two blocks share a multiprocessor and one computes while the other waits at a barrier.
//    That leaves 128 registers a thread, so each layer reads its thread's index anew: what is derived from it would otherwise be kept, and spilled.
//  - A layer is an implicit matrix product of an image in shared memory and packed filters (image_tile.cuh); there is no barrier but between layers.
//  - Layer 2 writes its image over that of layer 1, two rows higher, half a picture at a time: rows still to be read are never overwritten.
#include "image_tile.cuh"
#include "reduce.cuh"

constexpr int PATCH_SIDE = 32, PATCH_AREA = 1024, THREADS = 256, FEATURES = 8 * 8 * 128, DIMENSION = 128;

// Pixels of an image with its margin; pixel (y, x) has index (y + 1) (SIDE + 1) + x + 1.
constexpr int image_pixels(int side) { return (side + 2) * (side + 1) + 1; }

// The image of layer 1 starts two rows behind that of layer 2, in the same memory.
constexpr int LAYER1_OFFSET = 2 * (PATCH_SIDE + 1) * 32 * 2;
constexpr int BYTES_X = LAYER1_OFFSET + (image_pixels(32) + 1) / 2 * 128, BYTES_Y = image_pixels(16) * 64 * 2;
static_assert(LAYER1_OFFSET % 128 == 0 && BYTES_X % 128 == 0, "swizzled lines are 128 bytes");
static_assert(2 * (BYTES_X + BYTES_Y + 1024) <= 228 * 1024, "two blocks share a multiprocessor");

template <int CHANNELS, int STRIDE, int SIDE> VEC_D void clear_margin(unsigned char* image) {
  constexpr int CHUNKS = CHANNELS / 8, PIXELS = 3 * SIDE + 3;
  for (int i = fresh_thread(); i < PIXELS * CHUNKS; i += THREADS) {
    const int k = i / CHUNKS;
    const int pixel = k <= SIDE ? k : k <= 2 * SIDE ? (k - SIDE) * (SIDE + 1) : (SIDE + 1) * (SIDE + 1) + k - (2 * SIDE + 1);
    st_u4(image + chunk_offset<CHANNELS, STRIDE>(pixel, i % CHUNKS), make_uint4(0, 0, 0, 0));
  }
}

// x = (x - mean) / (deviation + epsilon), deviation with n - 1, into a float image with a margin; see patches.cu.
VEC_D void normalize(const unsigned char* __restrict__ patch, const float* __restrict__ mean_image, float epsilon, float* image, float* partial) {
  const int thread = fresh_thread(), i = 4 * thread;
  const unsigned bytes = __ldg(reinterpret_cast<const unsigned*>(patch + i));
  float v[4];
  PRAGMA_UNROLL
  for (int k = 0; k < 4; k++) v[k] = (float)((bytes >> (8 * k)) & 255u);
  // Bytes add up exactly; a difference from the mean image is counted from the first one, so that a flat one is exactly 0 as well.
  if (mean_image != nullptr) {
    const float4 m = ld_f4(mean_image + i);
    const float origin = (float)patch[0] - mean_image[0];
    v[0] = v[0] - m.x - origin;
    v[1] = v[1] - m.y - origin;
    v[2] = v[2] - m.z - origin;
    v[3] = v[3] - m.w - origin;
  }
  const float mean = block_sum((v[0] + v[1]) + (v[2] + v[3]), partial) * (1.f / PATCH_AREA);
  float square = 0.f;
  PRAGMA_UNROLL
  for (int k = 0; k < 4; k++) {
    v[k] -= mean;
    square = fmaf(v[k], v[k], square);
  }
  const float scale = 1.f / (sqrtf(block_sum(square, partial) * (1.f / (PATCH_AREA - 1))) + epsilon);
  float* to = image + (i / PATCH_SIDE + 1) * (PATCH_SIDE + 1) + i % PATCH_SIDE + 1;
  PRAGMA_UNROLL
  for (int k = 0; k < 4; k++) to[k] = v[k] * scale;
  for (int k = thread; k < 3 * PATCH_SIDE + 3; k += THREADS) {
    image[k <= PATCH_SIDE ? k : k <= 2 * PATCH_SIDE ? (k - PATCH_SIDE) * (PATCH_SIDE + 1) : (PATCH_SIDE + 1) * (PATCH_SIDE + 1) + k - (2 * PATCH_SIDE + 1)] = 0.f;
  }
}

VEC_D unsigned relu_pair(float a, float b) { return pack_bf16(fmaxf(a, 0.f), fmaxf(b, 0.f)); }

// Layer 1, one input channel: float32, four neighbouring pixels and eight channels a thread at a time. Filters [3][3][32].
VEC_D void first_layer(const float* image, const float* __restrict__ filters, const float* __restrict__ bias, unsigned char* output) {
  const int thread = fresh_thread(), y = thread / 8, x = thread % 8 * 4;
  float in[3][6];
  PRAGMA_UNROLL
  for (int r = 0; r < 3; r++) {
    PRAGMA_UNROLL
    for (int c = 0; c < 6; c++) in[r][c] = image[(y + r) * (PATCH_SIDE + 1) + x + c];
  }
  const int pixel = (y + 1) * (PATCH_SIDE + 1) + x + 1;
  for (int chunk = 0; chunk < 4; chunk++) {
    float acc[4][8];
    const float4 low = ld_f4(bias + 8 * chunk), high = ld_f4(bias + 8 * chunk + 4);
    PRAGMA_UNROLL
    for (int p = 0; p < 4; p++) {
      acc[p][0] = low.x; acc[p][1] = low.y; acc[p][2] = low.z; acc[p][3] = low.w;
      acc[p][4] = high.x; acc[p][5] = high.y; acc[p][6] = high.z; acc[p][7] = high.w;
    }
    PRAGMA_UNROLL
    for (int tap = 0; tap < 9; tap++) {
      const float4 a = ld_f4(filters + tap * 32 + 8 * chunk), b = ld_f4(filters + tap * 32 + 8 * chunk + 4);
      PRAGMA_UNROLL
      for (int p = 0; p < 4; p++) {
        const float v = in[tap / 3][tap % 3 + p];
        acc[p][0] = fmaf(v, a.x, acc[p][0]); acc[p][1] = fmaf(v, a.y, acc[p][1]); acc[p][2] = fmaf(v, a.z, acc[p][2]); acc[p][3] = fmaf(v, a.w, acc[p][3]);
        acc[p][4] = fmaf(v, b.x, acc[p][4]); acc[p][5] = fmaf(v, b.y, acc[p][5]); acc[p][6] = fmaf(v, b.z, acc[p][6]); acc[p][7] = fmaf(v, b.w, acc[p][7]);
      }
    }
    PRAGMA_UNROLL
    for (int p = 0; p < 4; p++) {
      st_u4(output + chunk_offset<32, 1>(pixel + p, chunk),
            make_uint4(relu_pair(acc[p][0], acc[p][1]), relu_pair(acc[p][2], acc[p][3]), relu_pair(acc[p][4], acc[p][5]), relu_pair(acc[p][6], acc[p][7])));
    }
  }
}

// Stores a pixel's eight channels into an image of SIDE x SIDE pixels that is read with STRIDE.
template <int CHANNELS, int SIDE, int STRIDE> struct ImageStore {
  unsigned char* image;
  VEC_MEMBER void operator()(int row, int channel, uint4 values) const {
    st_u4(image + chunk_offset<CHANNELS, STRIDE>((row / SIDE + 1) * (SIDE + 1) + row % SIDE + 1, channel >> 3), values);
  }
};

struct FeatureStore {
  uint4* features;
  VEC_MEMBER void operator()(int row, int channel, uint4 values) const { st_u4(features + (row * 128 + channel) / 8, values); }
};

// A 3 x 3 layer: SIDE x SIDE pixels of OUT channels; a warp's part is 16 ROW_TILES pixels x 32 channels.
template <int IN, int OUT, int SIDE, int STRIDE, int ROW_TILES> struct Layer {
  typedef Strip<IN, SIDE * STRIDE, STRIDE, SIDE, 1> Tile;
  ImageProduct<IN, STRIDE, OUT / 32, ROW_TILES> product;

  // Sums for the output pixels from the first on, as many as the warps have.
  VEC_MEMBER void multiply(const unsigned char* input, const uint4* __restrict__ filters, int first) {
    product.multiply(input, filters, AllTaps<Tile::PITCH>{}, [=](int p) { return Tile::corner(first + p); });
  }
  // Calls store(output pixel, channel, eight neighbouring channels as bf16) after bias and ReLU.
  template <class Store> VEC_MEMBER void finish(const float* __restrict__ bias, int first, Store store) {
    const int channel = product.output();
    const Eight b = eight(bias + channel);
    PRAGMA_UNROLL
    for (int k = 0; k < 2 * ROW_TILES; k++) {
      Eight v = product.values(k / 2, k % 2);
      PRAGMA_UNROLL
      for (int j = 0; j < 8; j++) v.v[j] = fmaxf(v.v[j] + b.v[j], 0.f);
      store(first + product.pixel(k / 2, k % 2), channel, v.packed());
    }
  }
};

// A layer from one image to another place.
template <class L, class Store> VEC_D void run_layer(const unsigned char* input, const uint4* filters, const float* bias, Store store) {
  L layer;
  layer.multiply(input, filters, 0);
  layer.finish(bias, 0, store);
}

// filters: layer 1 as float32 [3][3][32], the others as packed fragments; bias [7][128], layer by layer.
extern "C" __global__ __launch_bounds__(THREADS, 2) void describe_tower(const unsigned char* __restrict__ patches, const float* __restrict__ mean_image,
    float epsilon, const float* __restrict__ filters1, const uint4* __restrict__ filters2, const uint4* __restrict__ filters3,
    const uint4* __restrict__ filters4, const uint4* __restrict__ filters5, const uint4* __restrict__ filters6, const float* __restrict__ bias,
    uint4* __restrict__ features, int count) {
  DYN_SHARED(unsigned char, shared);
  unsigned char *x = shared, *y = shared + BYTES_X;
  float *input = reinterpret_cast<float*>(y), *partial = input + 2048;
  for (int patch = blockIdx.x; patch < count; patch += gridDim.x) {
    normalize(patches + (size_t)patch * PATCH_AREA, mean_image, epsilon, input, partial);
    unsigned char* first = x + LAYER1_OFFSET;
    clear_margin<32, 1, 32>(first);
    __syncthreads();
    first_layer(input, filters1, bias, first);
    __syncthreads();

    {
      Layer<32, 32, 32, 1, 4> layer;
      PRAGMA_ROLLED
      for (int half = 0; half < 2; half++) {
        layer.multiply(first, filters2, 512 * half);
        __syncthreads();
        layer.finish(bias + 128, 512 * half, ImageStore<32, 32, 2>{x});
      }
    }
    clear_margin<32, 2, 32>(x);
    __syncthreads();

    clear_margin<64, 1, 16>(y);
    run_layer<Layer<32, 64, 16, 2, 4>>(x, filters3, bias + 2 * 128, ImageStore<64, 16, 1>{y});
    __syncthreads();

    clear_margin<64, 2, 16>(x);
    run_layer<Layer<64, 64, 16, 1, 4>>(y, filters4, bias + 3 * 128, ImageStore<64, 16, 2>{x});
    __syncthreads();

    clear_margin<128, 1, 8>(y);
    run_layer<Layer<64, 128, 8, 2, 2>>(x, filters5, bias + 4 * 128, ImageStore<128, 8, 1>{y});
    __syncthreads();

    run_layer<Layer<128, 128, 8, 1, 2>>(y, filters6, bias + 5 * 128, FeatureStore{features + (size_t)patch * (FEATURES / 8)});
    __syncthreads();
  }
}
KERNEL(describe_tower);

// 32 patches x 128 dimensions a block, K in stages of 64 through four buffers of cp.async. A warp computes 16 patches x 32 dimensions.
constexpr int PROJECT_ROWS = 32, PROJECT_DEPTH = 64, PROJECT_STAGES = 4, PROJECT_STAGE_BYTES = (PROJECT_ROWS + DIMENSION) * PROJECT_DEPTH * 2;

VEC_D int project_offset(int row, int chunk) { return row * (PROJECT_DEPTH * 2) + ((chunk ^ (row & 7)) << 4); }

VEC_D void project_fetch(unsigned char* stage, const __nv_bfloat16* __restrict__ features, const __nv_bfloat16* __restrict__ filters, int first, int count,
                              int depth) {
  PRAGMA_UNROLL
  for (int i = 0; i < (PROJECT_ROWS + DIMENSION) * 8 / THREADS; i++) {
    const int k = i * THREADS + threadIdx.x, row = k / 8, chunk = k % 8;
    const bool weights = row >= PROJECT_ROWS, inside = weights || first + row < count;
    const __nv_bfloat16* from = weights ? filters + (size_t)(row - PROJECT_ROWS) * FEATURES : features + (size_t)(inside ? first + row : 0) * FEATURES;
    cp_async16(stage + project_offset(row, chunk), from + depth + chunk * 8, inside);
  }
  cp_async_commit();
}

// features [count][8192] bf16, filters [128][8192] bf16, bias [128]; either descriptors [count][128], unit vectors, or their signs, [count][128] bits.
extern "C" __global__ __launch_bounds__(THREADS) void describe_project(const __nv_bfloat16* __restrict__ features, const __nv_bfloat16* __restrict__ filters,
    const float* __restrict__ bias, float* __restrict__ descriptors, unsigned* __restrict__ signs, int count) {
  DYN_SHARED(unsigned char, shared);
  __shared__ float norm[4][PROJECT_ROWS];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, first = blockIdx.x * PROJECT_ROWS;
  const int row = warp / 4 * 16, column = warp % 4 * 32;
  constexpr int TILES = FEATURES / PROJECT_DEPTH;
  float acc[4][4];
  PRAGMA_UNROLL
  for (int j = 0; j < 4; j++) {
    PRAGMA_UNROLL
    for (int k = 0; k < 4; k++) acc[j][k] = 0.f;
  }
  PRAGMA_UNROLL
  for (int s = 0; s < PROJECT_STAGES - 1; s++) project_fetch(shared + s * PROJECT_STAGE_BYTES, features, filters, first, count, s * PROJECT_DEPTH);
  for (int tile = 0; tile < TILES; tile++) {
    cp_async_wait<PROJECT_STAGES - 2>();
    __syncthreads();
    const int ahead = tile + PROJECT_STAGES - 1;
    if (ahead < TILES) {
      project_fetch(shared + ahead % PROJECT_STAGES * PROJECT_STAGE_BYTES, features, filters, first, count, ahead * PROJECT_DEPTH);
    } else {
      cp_async_commit();
    }
    const unsigned char* stage = shared + tile % PROJECT_STAGES * PROJECT_STAGE_BYTES;
    PRAGMA_UNROLL
    for (int c = 0; c < PROJECT_DEPTH / 16; c++) {
      uint32_t a[4];
      ldmatrix_x4(a, stage, project_offset(row + (lane & 15), 2 * c + (lane >> 4)));
      PRAGMA_UNROLL
      for (int j = 0; j < 2; j++) {
        uint32_t b[4];
        ldmatrix_x4(b, stage, project_offset(PROJECT_ROWS + column + 16 * j + (lane & 7) + (lane >> 4) * 8, 2 * c + ((lane >> 3) & 1)));
        mma_bf16_16816(acc[2 * j], a, b[0], b[1]);
        mma_bf16_16816(acc[2 * j + 1], a, b[2], b[3]);
      }
    }
  }
  cp_async_wait<0>();

  // Bias, then the unit vector: the squares of a row lie in four lanes of four warps.
  float low = 0.f, high = 0.f;
  PRAGMA_UNROLL
  for (int j = 0; j < 4; j++) {
    const float left = __ldg(bias + column + 8 * j + (lane & 3) * 2), right = __ldg(bias + column + 8 * j + (lane & 3) * 2 + 1);
    acc[j][0] += left;
    acc[j][1] += right;
    acc[j][2] += left;
    acc[j][3] += right;
    low = fmaf(acc[j][0], acc[j][0], fmaf(acc[j][1], acc[j][1], low));
    high = fmaf(acc[j][2], acc[j][2], fmaf(acc[j][3], acc[j][3], high));
  }
  const int local = row + (lane >> 2);
  if (signs != nullptr) {
    // The 32 dimensions of a row and warp lie in four lanes.
    PRAGMA_UNROLL
    for (int h = 0; h < 2; h++) {
      unsigned bits = 0;
      PRAGMA_UNROLL
      for (int j = 0; j < 4; j++) bits |= ((acc[j][2 * h] > 0.f ? 1u : 0u) | (acc[j][2 * h + 1] > 0.f ? 2u : 0u)) << (8 * j + (lane & 3) * 2);
      bits |= __shfl_xor_sync(0xffffffffu, bits, 1);
      bits |= __shfl_xor_sync(0xffffffffu, bits, 2);
      if ((lane & 3) == 0 && first + local + 8 * h < count) signs[(size_t)(first + local + 8 * h) * (DIMENSION / 32) + column / 32] = bits;
    }
    return;
  }
  PRAGMA_UNROLL
  for (int offset = 1; offset < 4; offset *= 2) {
    low += __shfl_xor_sync(0xffffffffu, low, offset);
    high += __shfl_xor_sync(0xffffffffu, high, offset);
  }
  if ((lane & 3) == 0) {
    norm[warp % 4][local] = low;
    norm[warp % 4][local + 8] = high;
  }
  __syncthreads();
  PRAGMA_UNROLL
  for (int h = 0; h < 2; h++) {
    const int r = local + 8 * h;
    const float scale = 1.f / sqrtf(((norm[0][r] + norm[1][r]) + (norm[2][r] + norm[3][r])) + 1e-10f);
    if (first + r < count) {
      float* to = descriptors + (size_t)(first + r) * DIMENSION + column + (lane & 3) * 2;
      PRAGMA_UNROLL
      for (int j = 0; j < 4; j++) *reinterpret_cast<float2*>(to + 8 * j) = make_float2(acc[j][2 * h] * scale, acc[j][2 * h + 1] * scale);
    }
  }
}
KERNEL(describe_project);

// Bit j of byte k is set where value 8 k + j is above 0.
extern "C" __global__ __launch_bounds__(256) void describe_signs(const float* __restrict__ values, unsigned char* __restrict__ signs, int bytes) {
  for (int k = blockIdx.x * blockDim.x + threadIdx.x; k < bytes; k += gridDim.x * blockDim.x) {
    const Eight v = eight(values + 8 * (size_t)k);
    unsigned bits = 0;
    PRAGMA_UNROLL
    for (int j = 0; j < 8; j++) bits |= v.v[j] > 0.f ? 1u << j : 0u;
    signs[k] = (unsigned char)bits;
  }
}
KERNEL(describe_signs);
