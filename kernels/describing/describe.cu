// Describe: L2-Net's tower for inference in two kernels on tensor cores. Batch normalization is folded into filters and bias.
//   describe_tower       bytes [n][32][32] -> normalized patch -> layers 1 to 6 -> features [n][8][8][128] bf16; no activation leaves the multiprocessor.
//                        Layers 2 to 6 multiply bf16 with float32 sums.
//   describe_tower_int8  the same with bytes: activations 0..255, filters -127..127 with a scale for each output, integer sums.
//   describe_project     layer 7 as a matrix product, features [n][8192] x filters [128][8192] bf16, then the unit vector, or only signs.
//   describe_signs       the signs of descriptors that other kernels have computed.
// Tower: 78.2 MFLOP per patch, 1 KB read, 16 KB written; 558 KB of weights (half in bytes) come from L2 for each patch. A block of 4 warps takes one patch
// at a time through all layers in 113 KB of shared memory, in bytes 56 KB, so two blocks share a multiprocessor and one computes while the other waits at a
// barrier. Four warps with all registers, not eight with half of them: 128 sums per thread (64 pixels x 64 channels per warp, or 128 x 32) need fewer reads.
//  - Each layer reads its thread's index anew: what is derived from it would otherwise be kept, and spilled.
//  - A layer is an implicit matrix product of an image in shared memory and packed filters (image_tile.cuh); there is no barrier but between layers.
//  - Layer 2 writes its image over that of layer 1, two rows higher, half an image at a time: rows still to be read are never overwritten.
//  - A byte is an activation in 255ths of its channel's limit, which is folded into the filters of both sides: a sum becomes a byte by a multiply-add that
//    saturates, which is the ReLU as well, and one that rounds.
#include "host_constant.cuh"
#include "image_tile.cuh"
#include "reduce.cuh"

// The layers of the tower, the last one included.
struct LayerShape {
  int kernel, stride, padding, in, out;
};
struct TowerShape {
  LayerShape layers[7];
};
constexpr TowerShape TOWER = {{{3, 1, 1, 1, 32}, {3, 1, 1, 32, 32}, {3, 2, 1, 32, 64}, {3, 1, 1, 64, 64}, {3, 2, 1, 64, 128}, {3, 1, 1, 128, 128},
                               {8, 1, 0, 128, 128}}};
HOST_CONSTANT(describe_layers, TOWER);

constexpr int PATCH_SIDE = 32, PATCH_AREA = 1024, THREADS = 128, FEATURES = 8 * 8 * 128, DIMENSION = 128;

// The side of what a layer of 3 x 3, counted from 0, makes.
constexpr int side_of(int layer) { return (layer == 0 ? PATCH_SIDE : side_of(layer - 1)) / TOWER.layers[layer].stride; }

// Pixels of an image with its margin; pixel (y, x) has index (y + 1) (SIDE + 1) + x + 1.
constexpr int image_pixels(int side) { return (side + 2) * (side + 1) + 1; }

// Shared memory in lines of 128 bytes: X for the images of layers 1, 2 and 4, Y for the normalized patch and the images of layers 3 and 5.
constexpr int lines(int bytes) { return (bytes + 127) / 128 * 128; }
template <class Numbers> struct Memory {
  // The image of layer 1 starts two rows behind that of layer 2, in the same memory.
  static constexpr int LAYER1 = lines(2 * (PATCH_SIDE + 1) * 32 * Numbers::BYTES);
  static constexpr int X = LAYER1 + lines(image_pixels(32) * 32 * Numbers::BYTES), Y = image_pixels(16) * 64 * Numbers::BYTES;
  static constexpr int BYTES = X + Y;
  static_assert(2 * (BYTES + 1024) <= 228 * 1024, "two blocks share a multiprocessor");
};
HOST_CONSTANT(describe_tower_threads, THREADS);
HOST_CONSTANT(describe_tower_bytes, Memory<Bf16Numbers>::BYTES);
HOST_CONSTANT(describe_tower_int8_bytes, Memory<Int8Numbers>::BYTES);

// A layer's sums in bf16: the bias is added. Table [128].
struct Bf16Tower {
  typedef Bf16Numbers Numbers;
  static constexpr int TABLE = 128;
  struct Terms {
    Eight bias;
    MEMBER Terms(const float* table, int channel) : bias(eight(table + channel)) {}
    MEMBER float operator()(float sum, int j) const { return sum + bias.v[j]; }
  };
  static MEMBER void store(unsigned char* to, Eight v) { store_bf16(to, v); }
  // After ReLU.
  static MEMBER void store_bf16(void* to, Eight v) {
    PRAGMA_UNROLL
    for (int j = 0; j < 8; j++) v.v[j] = fmaxf(v.v[j], 0.f);
    st_u4(to, v.packed());
  }
};
// In bytes: a multiply-add, which also takes off what sums are counted from, gives parts of the channel's limit. Table [factor, term][128].
struct Int8Tower {
  typedef Int8Numbers Numbers;
  static constexpr int TABLE = 2 * 128;
  struct Terms {
    Eight factor, term;
    MEMBER Terms(const float* table, int channel) : factor(eight(table + channel)), term(eight(table + 128 + channel)) {}
    MEMBER float operator()(float sum, int j) const { return fmaf(sum, factor.v[j], term.v[j]); }
  };
  // The low byte of the result is v, cut off at 0 and 1, in 255ths, rounded to nearest.
  static MEMBER unsigned rounded(float v) { return __float_as_uint(fmaf(__saturatef(v), 255.f, 12582912.f)); }
  static MEMBER unsigned four_bytes(float a, float b, float c, float d) {
    return __byte_perm(__byte_perm(rounded(a), rounded(b), 0x0040), __byte_perm(rounded(c), rounded(d), 0x0040), 0x5410);
  }
  static MEMBER void store(unsigned char* to, const Eight& v) {
    st_u2(to, make_uint2(four_bytes(v.v[0], v.v[1], v.v[2], v.v[3]), four_bytes(v.v[4], v.v[5], v.v[6], v.v[7])));
  }
};

// An image of SIDE x SIDE pixels with a margin, for a reader that moves by STRIDE pixels.
template <class Tower, int CHANNELS, int SIDE, int STRIDE> struct Image {
  static constexpr int BYTES = CHANNELS * Tower::Numbers::BYTES;
  unsigned char* data;

  // Stores eight neighbouring channels of pixel (row / SIDE, row % SIDE).
  MEMBER void operator()(int row, int channel, const Eight& values) const {
    const int byte = channel * Tower::Numbers::BYTES;
    Tower::store(data + chunk_offset<BYTES, STRIDE>((row / SIDE + 1) * (SIDE + 1) + row % SIDE + 1, byte / 16) + byte % 16, values);
  }
  MEMBER void clear_margin() const {
    constexpr int CHUNKS = BYTES / 16, PIXELS = 3 * SIDE + 3;
    for (int i = fresh_thread(); i < PIXELS * CHUNKS; i += THREADS) {
      const int k = i / CHUNKS;
      const int pixel = k <= SIDE ? k : k <= 2 * SIDE ? (k - SIDE) * (SIDE + 1) : (SIDE + 1) * (SIDE + 1) + k - (2 * SIDE + 1);
      st_u4(data + chunk_offset<BYTES, STRIDE>(pixel, i % CHUNKS), make_uint4(0, 0, 0, 0));
    }
  }
};

// The image that a layer, counted from 0, makes for the next one.
template <class Tower, int NUMBER> using ImageOf = Image<Tower, TOWER.layers[NUMBER].out, side_of(NUMBER), TOWER.layers[NUMBER + 1].stride>;

struct Features {
  uint4* data;
  MEMBER void operator()(int row, int channel, const Eight& values) const { Bf16Tower::store_bf16(data + (row * 128 + channel) / 8, values); }
};

// x = (x - mean) / (deviation + epsilon), deviation with n - 1, into a float image with a margin; see patches.cu.
DEVICE void normalize(const unsigned char* __restrict__ patch, const float* __restrict__ mean_image, float epsilon, float* image, float* partial) {
  constexpr int FOURS = PATCH_AREA / 4 / THREADS;
  const int thread = fresh_thread();
  float v[FOURS][4], sum = 0.f, square = 0.f;
  PRAGMA_UNROLL
  for (int f = 0; f < FOURS; f++) {
    const int i = 4 * (thread + f * THREADS);
    const unsigned bytes = __ldg(reinterpret_cast<const unsigned*>(patch + i));
    PRAGMA_UNROLL
    for (int k = 0; k < 4; k++) v[f][k] = (float)((bytes >> (8 * k)) & 255u);
    // Bytes add up exactly; a difference from the mean image is counted from the first one, so that a flat one is exactly 0 as well.
    if (mean_image != nullptr) {
      const Four m = four(ld_f4(mean_image + i));
      const float origin = (float)patch[0] - mean_image[0];
      PRAGMA_UNROLL
      for (int k = 0; k < 4; k++) v[f][k] = v[f][k] - m.v[k] - origin;
    }
    sum += (v[f][0] + v[f][1]) + (v[f][2] + v[f][3]);
  }
  const float mean = block_sum(sum, partial) * (1.f / PATCH_AREA);
  PRAGMA_UNROLL
  for (int f = 0; f < FOURS; f++) {
    PRAGMA_UNROLL
    for (int k = 0; k < 4; k++) {
      v[f][k] -= mean;
      square = fmaf(v[f][k], v[f][k], square);
    }
  }
  const float scale = 1.f / (sqrtf(block_sum(square, partial) * (1.f / (PATCH_AREA - 1))) + epsilon);
  PRAGMA_UNROLL
  for (int f = 0; f < FOURS; f++) {
    const int i = 4 * (thread + f * THREADS);
    float* to = image + (i / PATCH_SIDE + 1) * (PATCH_SIDE + 1) + i % PATCH_SIDE + 1;
    PRAGMA_UNROLL
    for (int k = 0; k < 4; k++) to[k] = v[f][k] * scale;
  }
  for (int k = thread; k < 3 * PATCH_SIDE + 3; k += THREADS) {
    image[k <= PATCH_SIDE ? k : k <= 2 * PATCH_SIDE ? (k - PATCH_SIDE) * (PATCH_SIDE + 1)
                                                    : (PATCH_SIDE + 1) * (PATCH_SIDE + 1) + k - (2 * PATCH_SIDE + 1)] = 0.f;
  }
}

// Layer 1, one input channel: float32, four pixels one below the other and eight channels per thread at a time. Filters [3][3][32].
template <class Store> DEVICE void first_layer(const float* image, const float* __restrict__ filters, const float* __restrict__ bias, Store store) {
  const int thread = fresh_thread(), x = thread % 32;
  PRAGMA_ROLLED
  for (int y = thread / 32 * 4; y < PATCH_SIDE; y += THREADS / 32 * 4) {
    float in[6][3];
    PRAGMA_UNROLL
    for (int r = 0; r < 6; r++) {
      PRAGMA_UNROLL
      for (int c = 0; c < 3; c++) in[r][c] = image[(y + r) * (PATCH_SIDE + 1) + x + c];
    }
    for (int chunk = 0; chunk < 4; chunk++) {
      const Eight b = eight(bias + 8 * chunk);
      Eight acc[4] = {b, b, b, b};
      PRAGMA_UNROLL
      for (int tap = 0; tap < 9; tap++) {
        const Eight f = eight(filters + tap * 32 + 8 * chunk);
        PRAGMA_UNROLL
        for (int p = 0; p < 4; p++) {
          PRAGMA_UNROLL
          for (int j = 0; j < 8; j++) acc[p].v[j] = fmaf(in[tap / 3 + p][tap % 3], f.v[j], acc[p].v[j]);
        }
      }
      PRAGMA_UNROLL
      for (int p = 0; p < 4; p++) store((y + p) * PATCH_SIDE + x, 8 * chunk, acc[p]);
    }
  }
}

// A 3 x 3 layer, counted from 0: SIDE x SIDE pixels of OUT channels; a warp's part is 16 ROW_TILES pixels x 32 GROUPS channels.
template <class Tower, int NUMBER, int ROW_TILES, int GROUPS, int AHEAD = 1> struct Layer {
  static constexpr int IN = TOWER.layers[NUMBER].in, OUT = TOWER.layers[NUMBER].out, STRIDE = TOWER.layers[NUMBER].stride, SIDE = side_of(NUMBER);
  typedef Strip<IN, SIDE * STRIDE, STRIDE, SIDE, 1> Tile;
  ImageProduct<typename Tower::Numbers, IN, STRIDE, OUT / (32 * GROUPS), ROW_TILES, GROUPS, AHEAD> product;

  // Sums for the output pixels from the first on, as many as the warps have.
  MEMBER void multiply(const unsigned char* input, const uint4* __restrict__ filters, int first) {
    product.multiply(input, filters, AllTaps<Tile::PITCH>{}, [=](int p) { return Tile::corner(first + p); });
  }
  // Calls store(output pixel, channel, eight neighbouring channels) before ReLU.
  template <class Store> MEMBER void finish(const float* __restrict__ table, int first, Store store) {
    const int pixel = first + product.pixel();
    PRAGMA_UNROLL
    for (int group = 0; group < GROUPS; group++) {
      const int channel = product.output() + 32 * group;
      const typename Tower::Terms terms(table, channel);
      PRAGMA_UNROLL
      for (int k = 0; k < 2 * ROW_TILES; k++) {
        Eight v = product.values(k / 2, k % 2, group);
        PRAGMA_UNROLL
        for (int j = 0; j < 8; j++) v.v[j] = terms(v.v[j], j);
        store(pixel + 8 * k, channel, v);
      }
    }
  }
};

// A layer from one image to another place.
template <class L, class Store> DEVICE void run_layer(const unsigned char* input, const uint4* filters, const float* table, Store store) {
  L layer;
  layer.multiply(input, filters, 0);
  layer.finish(table, 0, store);
}

template <class Tower>
DEVICE void describe(unsigned char* shared, const unsigned char* __restrict__ patches, const float* __restrict__ mean_image, float epsilon,
    const float* __restrict__ filters1, const uint4* __restrict__ filters2, const uint4* __restrict__ filters3, const uint4* __restrict__ filters4,
    const uint4* __restrict__ filters5, const uint4* __restrict__ filters6, const float* __restrict__ tables, uint4* __restrict__ features, int count) {
  typedef Memory<typename Tower::Numbers> Places;
  constexpr int TABLE = Tower::TABLE;
  unsigned char *x = shared, *y = shared + Places::X;
  float *input = reinterpret_cast<float*>(y), *partial = input + 2048;
  const ImageOf<Tower, 0> image1{x + Places::LAYER1};
  const ImageOf<Tower, 1> image2{x};
  const ImageOf<Tower, 2> image3{y};
  const ImageOf<Tower, 3> image4{x};
  const ImageOf<Tower, 4> image5{y};
  for (int patch = blockIdx.x; patch < count; patch += gridDim.x) {
    normalize(patches + (size_t)patch * PATCH_AREA, mean_image, epsilon, input, partial);
    image1.clear_margin();
    __syncthreads();
    first_layer(input, filters1, tables, image1);
    __syncthreads();

    {
      Layer<Tower, 1, 8, 1> layer;
      PRAGMA_ROLLED
      for (int half = 0; half < 2; half++) {
        layer.multiply(image1.data, filters2, 512 * half);
        __syncthreads();
        layer.finish(tables + TABLE, 512 * half, image2);
      }
    }
    image2.clear_margin();
    __syncthreads();

    image3.clear_margin();
    run_layer<Layer<Tower, 2, 4, 2>>(x, filters3, tables + 2 * TABLE, image3);
    __syncthreads();

    image4.clear_margin();
    run_layer<Layer<Tower, 3, 4, 2>>(y, filters4, tables + 3 * TABLE, image4);
    __syncthreads();

    image5.clear_margin();
    run_layer<Layer<Tower, 4, 4, 1, 2>>(x, filters5, tables + 4 * TABLE, image5);
    __syncthreads();

    run_layer<Layer<Tower, 5, 4, 1, 2>>(y, filters6, tables + 5 * TABLE, Features{features + (size_t)patch * (FEATURES / 8)});
    __syncthreads();
  }
}

// filters: layer 1 as float32 [3][3][32], the others as packed fragments; tables: layer by layer, of the first one only its bias.
#define DESCRIBE_TOWER(NAME, TOWER)                                                                                                                 \
  extern "C" __global__ __launch_bounds__(THREADS, 2) void NAME(const unsigned char* __restrict__ patches, const float* __restrict__ mean_image,    \
      float epsilon, const float* __restrict__ filters1, const uint4* __restrict__ filters2, const uint4* __restrict__ filters3,                    \
      const uint4* __restrict__ filters4, const uint4* __restrict__ filters5, const uint4* __restrict__ filters6, const float* __restrict__ tables, \
      uint4* __restrict__ features, int count) {                                                                                                    \
    DYN_SHARED(unsigned char, shared);                                                                                                              \
    describe<TOWER>(shared, patches, mean_image, epsilon, filters1, filters2, filters3, filters4, filters5, filters6, tables, features, count);     \
  }                                                                                                                                                 \
  KERNEL(NAME)
DESCRIBE_TOWER(describe_tower, Bf16Tower);
DESCRIBE_TOWER(describe_tower_int8, Int8Tower);

// 32 patches x 128 dimensions per block, K in stages of 64 through four buffers of cp.async. A warp computes 16 patches x 32 dimensions.
constexpr int PROJECT_THREADS = 256, PROJECT_ROWS = 32, PROJECT_DEPTH = 64, PROJECT_STAGES = 4;
constexpr int PROJECT_STAGE_BYTES = (PROJECT_ROWS + DIMENSION) * PROJECT_DEPTH * 2;
HOST_CONSTANT(describe_project_threads, PROJECT_THREADS);
HOST_CONSTANT(describe_project_rows, PROJECT_ROWS);
HOST_CONSTANT(describe_project_bytes, PROJECT_STAGES * PROJECT_STAGE_BYTES);

DEVICE int project_offset(int row, int chunk) { return row * (PROJECT_DEPTH * 2) + ((chunk ^ (row & 7)) << 4); }

DEVICE void project_fetch(unsigned char* stage, const __nv_bfloat16* __restrict__ features, const __nv_bfloat16* __restrict__ filters, int first, int count,
                              int depth) {
  PRAGMA_UNROLL
  for (int i = 0; i < (PROJECT_ROWS + DIMENSION) * 8 / PROJECT_THREADS; i++) {
    const int k = i * PROJECT_THREADS + threadIdx.x, row = k / 8, chunk = k % 8;
    const bool weights = row >= PROJECT_ROWS, inside = weights || first + row < count;
    const __nv_bfloat16* from = weights ? filters + (size_t)(row - PROJECT_ROWS) * FEATURES : features + (size_t)(inside ? first + row : 0) * FEATURES;
    cp_async16(stage + project_offset(row, chunk), from + depth + chunk * 8, inside);
  }
  cp_async_commit();
}

// features [count][8192] bf16, filters [128][8192] bf16, bias [128]; either descriptors [count][128], unit vectors, or their signs, [count][128] bits.
extern "C" __global__ __launch_bounds__(PROJECT_THREADS) void describe_project(const __nv_bfloat16* __restrict__ features,
    const __nv_bfloat16* __restrict__ filters, const float* __restrict__ bias, float* __restrict__ descriptors, unsigned* __restrict__ signs, int count) {
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
