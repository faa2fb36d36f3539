// L2-Net's own 3 x 3 convolutions in training, bf16 on tensor cores with float32 sums, fused with the batch normalizations before and after. Activations are
// kept as bf16, [n][side][side][channels]: what is stored is the convolution's output y before its normalization, and the gradient g of the normalized one.
//   conv2d_image_forward_*    y = conv(normalized x) + bias; mean and squares of y per block
//   conv2d_image_filter_*     dw = sum over pixels of (normalized x)' dy, in parts; dy, the gradient of y, is finished from g, y and two sums per channel,
//                             dy = r scale (m - sum(m) / n - xhat sum(m xhat) / n), and left in memory for the next kernel
//   conv2d_image_data_*       g of the layer before = conv(dy, turned filters); sum(m) and sum(m xhat) of that layer per block
//   conv2d_image_first, _first_filter    the same for the layer with one input channel, on FMA units: bound by its 64 KB per patch
//   conv2d_image_pack         filters [out][9][in] as mma fragments, for the forward and the backward pass
// Names end in the input's side, input channels and output channels. A block takes a run of units (strips of images, see image_tile.cuh) of one half of the
// batch. cp.async brings a unit in while the one before is multiplied, in place in its swizzled lines; each thread then normalizes what it brought itself, once
// for all nine taps. The only barriers are before and after the products. A warp computes 64 x 64 sums: 16 ldmatrix and filter loads feed 64 mma.sync.
// With 32 input channels products take less of the time. There a warp computes 64 x 32 sums (32 x 32 backward with stride 2), with twice as many warps.
// A patch moves 0.45 MB forward and 1.4 MB backward over all layers, for 234 MFLOP: half of what float32 activations take.
// Shared memory: 80 to 110 KB per block with two stages where that lets two blocks share a multiprocessor, else one stage; 54 to 69 KB per stage for filters.
#include "image_filter_pass.cuh"

template <int IN, int OUT, int SIDE, int STRIDE, int ROWS, int IMAGES> struct ForwardPass {
  typedef Strip<IN, SIDE, STRIDE, ROWS, IMAGES> Tile;
  static constexpr int GROUPS = IN >= 64 ? 2 : 1, ROW_WARPS = IMAGES * Tile::OUT_PIXELS / 64, THREADS = ROW_WARPS * OUT / GROUPS;
  typedef ImageProduct<Bf16Numbers, IN, STRIDE, OUT / (32 * GROUPS), 4, GROUPS> Product;
  typedef Parked<THREADS, GROUPS> Waiting;

  static constexpr PassShape shape(int blocks) {
    return {THREADS, blocks, Tile::STRIPS, IMAGES, IMAGES * Tile::OUT_PIXELS, Tile::BYTES, 2 * IN * 4 + Waiting::BYTES, 1};
  }

  static MEMBER void run(const ImageConvolution& g) {
    DYN_SHARED(unsigned char, shared);
    const ChannelTables<IN> tables{reinterpret_cast<float*>(shared + g.stages * Tile::BYTES)};
    const Waiting parked(tables.data + 2 * IN);
    parked.clear();
    const Units units(g, (g.images + IMAGES - 1) / IMAGES * Tile::STRIPS);
    const unsigned short* x = g.x + (size_t)units.half * g.images * SIDE * SIDE * IN;
    for (int s = 0; s < g.stages; s++) {
      Tile::template clear_margins<THREADS>(shared + s * Tile::BYTES);
      if (units.first + s < units.last) Tile::template fetch<THREADS>(shared + s * Tile::BYTES, x, units.first + s, g.images);
      cp_async_commit();
    }
    normalization_tables<IN, THREADS>(g.input, units.half, 0, tables);
    __syncthreads();
    float count = 0.f;
    int stage = 0;
    PRAGMA_ROLLED
    for (int unit = units.first; unit < units.last; unit++) {
      unsigned char* tile = shared + stage * Tile::BYTES;
      wait_for_unit(g.stages);
      Tile::template normalize<THREADS>(tile, unit, g.images, tables, g.input.relu);
      __syncthreads();
      Product product;
      product.multiply(tile, g.filters, AllTaps<Tile::PITCH>{}, [](int p) { return Tile::corner(p); });
      __syncthreads();
      if (unit + g.stages < units.last) Tile::template fetch<THREADS>(tile, x, unit + g.stages, g.images);
      cp_async_commit();
      // A warp's 64 pixels belong to one image, which is there or not.
      if (Tile::first_image(unit) + Product::first_pixel() / Tile::OUT_PIXELS < g.images) {
        PRAGMA_UNROLL
        for (int group = 0; group < GROUPS; group++) store(g, units.half, unit, group, product, parked, count);
        count += 8.f;
      }
      stage = stage + 1 == g.stages ? 0 : stage + 1;
    }
    cp_async_wait<0>();
    Moments* parts = reinterpret_cast<Moments*>(shared);
    __syncthreads();
    PRAGMA_UNROLL
    for (int group = 0; group < GROUPS; group++) {
      const EightMoments own = {count, parked.half(16 * group), parked.half(16 * group + 8)};
      put_moments<OUT>(own, Product::first_pixel() / 64, Product::output() + 32 * group, parts);
    }
    write_moments<OUT, ROW_WARPS>(parts, g.tiles);
  }

  static MEMBER void store(const ImageConvolution& g, int half, int unit, int group, const Product& product, const Waiting& parked, float count) {
    const int channel = Product::output() + 32 * group;
    const Eight bias = g.bias ? eight(g.bias + channel) : eight_of(0.f);
    unsigned short* y = g.result + ((size_t)half * g.images * Tile::OUT_SIDE * Tile::OUT_SIDE + Tile::out_pixel(unit, Product::pixel())) * OUT + channel;
    Eight mean = eight_of(0.f), squares = mean;
    PRAGMA_UNROLL
    for (int k = 0; k < 8; k++) {
      Eight v = product.values(k / 2, k % 2, group);
      PRAGMA_UNROLL
      for (int j = 0; j < 8; j++) {
        v.v[j] += bias.v[j];
        mean.v[j] += v.v[j];
      }
      st_u4(y + 8 * k * OUT, v.packed());
    }
    PRAGMA_UNROLL
    for (int j = 0; j < 8; j++) mean.v[j] *= 0.125f;
    PRAGMA_UNROLL
    for (int k = 0; k < 8; k++) {
      const Eight v = product.values(k / 2, k % 2, group);
      PRAGMA_UNROLL
      for (int j = 0; j < 8; j++) {
        const float d = v.v[j] + bias.v[j] - mean.v[j];
        squares.v[j] = fmaf(d, d, squares.v[j]);
      }
    }
    EightMoments all = {count, parked.half(16 * group), parked.half(16 * group + 8)};
    all.join(8.f, mean, squares);
    parked.put(16 * group, all.mean);
    parked.put(16 * group + 8, all.squares);
  }
};

// IN and OUT are the forward pass's; the image in shared memory is dy. CLASSES: 1 with stride 1, 4 with stride 2.
template <int IN, int OUT, int SIDE, int STRIDE, int ROWS, int IMAGES> struct DataPass {
  static constexpr int OUT_SIDE = SIDE / STRIDE, ROW_TILES = STRIDE == 1 ? 4 : 2, WARP_ROWS = 16 * ROW_TILES, GROUPS = STRIDE == 1 && IN >= 64 ? 2 : 1;
  typedef Strip<OUT, OUT_SIDE, 1, ROWS, IMAGES> Tile;
  typedef ImageProduct<Bf16Numbers, OUT, 1, IN / (32 * GROUPS), ROW_TILES, GROUPS> Product;
  static constexpr int ROW_WARPS = IMAGES * Tile::OUT_PIXELS / WARP_ROWS, THREADS = ROW_WARPS * IN / GROUPS;
  typedef Parked<THREADS, GROUPS> Waiting;

  static constexpr PassShape shape(int blocks) {
    return {THREADS, blocks, Tile::STRIPS, IMAGES, IMAGES * Tile::OUT_PIXELS, Tile::BYTES, Waiting::BYTES, 1};
  }

  static MEMBER void run(const ImageConvolution& g) {
    DYN_SHARED(unsigned char, shared);
    const Waiting parked(shared + g.stages * Tile::BYTES);
    parked.clear();
    const Units units(g, (g.images + IMAGES - 1) / IMAGES * Tile::STRIPS);
    const unsigned short* dy = g.finished + (size_t)units.half * g.images * OUT_SIDE * OUT_SIDE * OUT;
    for (int s = 0; s < g.stages; s++) {
      Tile::template clear_margins<THREADS>(shared + s * Tile::BYTES);
      if (units.first + s < units.last) Tile::template fetch<THREADS>(shared + s * Tile::BYTES, dy, units.first + s, g.images);
      cp_async_commit();
    }
    int stage = 0;
    PRAGMA_ROLLED
    for (int unit = units.first; unit < units.last; unit++) {
      unsigned char* tile = shared + stage * Tile::BYTES;
      wait_for_unit(g.stages);
      __syncthreads();
      const auto corner = [](int p) { return Tile::corner(p); };
      if constexpr (STRIDE == 1) {
        Product product;
        product.multiply(tile, g.filters, AllTaps<Tile::PITCH>{}, corner);
        PRAGMA_UNROLL
        for (int group = 0; group < GROUPS; group++) store(g, units.half, unit, 0, 0, group, product, parked);
      } else {
        PRAGMA_ROLLED
        for (int k = 0; k < 4; k++) {
          Product product;
          product.multiply(tile, g.filters, ClassTaps<Tile::PITCH>{k >> 1, k & 1}, corner);
          store(g, units.half, unit, k >> 1, k & 1, 0, product, parked);
        }
      }
      __syncthreads();
      if (unit + g.stages < units.last) Tile::template fetch<THREADS>(tile, dy, unit + g.stages, g.images);
      cp_async_commit();
      stage = stage + 1 == g.stages ? 0 : stage + 1;
    }
    cp_async_wait<0>();
    if (g.tiles != nullptr) write_sums(parked, shared, g.tiles);
  }

  static MEMBER void store(const ImageConvolution& g, int half, int unit, int row, int column, int group, const Product& product, const Waiting& parked) {
    static_assert(WARP_ROWS % OUT_SIDE == 0, "a warp takes whole rows of dy");
    const int pixel = Product::pixel(), image = Tile::first_image(unit) + pixel / Tile::OUT_PIXELS, channel = Product::output() + 32 * group;
    if (image >= g.images) return;
    const int y = (Tile::first_row(unit) + pixel % Tile::OUT_PIXELS / OUT_SIDE) * STRIDE + row, x = pixel % OUT_SIDE * STRIDE + column;
    const size_t base = (size_t)half * g.images * SIDE * SIDE * IN;
    const int begin = ((image * SIDE + y) * SIDE + x) * IN + channel;
    const bool gather = g.tiles != nullptr;
    Normalization n = g.input;
    n.use_half(half);
    const float least = least_of(n.relu);
    // Four rows at a time: their loads are under way together.
    PRAGMA_UNROLL
    for (int first = 0; first < 2 * ROW_TILES; first += 4) {
      uint4 raw[4];
      PRAGMA_UNROLL
      for (int k = 0; k < 4; k++) {
        const int further = 8 * (first + k);
        const size_t at = base + (begin + (further / OUT_SIDE * SIDE + further % OUT_SIDE) * STRIDE * IN);
        raw[k] = gather ? ld_u4(g.x + at) : make_uint4(0, 0, 0, 0);
        st_u4(g.result + at, product.values((first + k) / 2, k % 2, group).packed());
      }
      if (!gather) continue;
      PRAGMA_UNROLL
      for (int part = 0; part < 2; part++) {
        const int c = channel + 4 * part;
        const Four mean = four(ldg_f4(n.mean + c)), inverse = four(ldg_f4(n.inverseDeviation + c));
        const Four scale = channels_of<true>(n.scale, c, 0, 1.f), shift = channels_of<true>(n.shift, c, 0, 0.f);
        PRAGMA_UNROLL
        for (int i = 0; i < 4; i++) {
          const int j = 4 * part + i;
          const float factor = inverse.v[i] * scale.v[i];
          float sum = 0.f, products = 0.f;
          PRAGMA_UNROLL
          for (int k = 0; k < 4; k++) {
            const unsigned pair = j / 2 == 0 ? raw[k].x : j / 2 == 1 ? raw[k].y : j / 2 == 2 ? raw[k].z : raw[k].w;
            const float centred = (j % 2 ? high_bf16(pair) : low_bf16(pair)) - mean.v[i];
            const float m = fmaf(centred, factor, shift.v[i]) > least ? product.values((first + k) / 2, k % 2, group).v[j] : 0.f;
            sum += m;
            products = fmaf(m, centred, products);
          }
          float *sums = parked.at + (16 * group + j) * THREADS, *sumsOfProducts = sums + 8 * THREADS;
          *sums += sum;
          *sumsOfProducts = fmaf(products, inverse.v[i], *sumsOfProducts);
        }
      }
    }
  }

  static MEMBER void write_sums(const Waiting& parked, unsigned char* shared, float* tiles) {
    float* parts = reinterpret_cast<float*>(shared);
    __syncthreads();
    PRAGMA_UNROLL
    for (int group = 0; group < GROUPS; group++) {
      Eight sum = parked.half(16 * group), products = parked.half(16 * group + 8);
      PRAGMA_UNROLL
      for (int offset = 4; offset < 32; offset *= 2) {
        PRAGMA_UNROLL
        for (int j = 0; j < 8; j++) {
          sum.v[j] += __shfl_xor_sync(0xffffffffu, sum.v[j], offset);
          products.v[j] += __shfl_xor_sync(0xffffffffu, products.v[j], offset);
        }
      }
      if ((threadIdx.x & 31) >= 4) continue;
      float* to = parts + Product::first_pixel() / WARP_ROWS * 2 * IN + Product::output() + 32 * group;
      PRAGMA_UNROLL
      for (int j = 0; j < 8; j++) {
        to[j] = sum.v[j];
        to[IN + j] = products.v[j];
      }
    }
    __syncthreads();
    for (int c = threadIdx.x; c < 2 * IN; c += THREADS) {
      float all = parts[c];
      for (int i = 1; i < ROW_WARPS; i++) all += parts[i * 2 * IN + c];
      tiles[(size_t)blockIdx.x * 2 * IN + c] = all;
    }
  }
};

constexpr int DATA_BLOCKS = 2;

// The kernels of a layer: its name, input and output channels, the input's side, stride; rows of output and images of a unit in each pass; blocks of the
// forward and data kernels that are to share a multiprocessor; warps of the filter kernel.
#define IMAGE_KERNELS(NAME, IN, OUT, SIDE, STRIDE, FORWARD_ROWS, FORWARD_IMAGES, FORWARD_BLOCKS, DATA_ROWS, DATA_IMAGES, FILTER_ROWS, FILTER_IMAGES, \
                      C, N, K)                                                                                                                       \
  typedef ForwardPass<IN, OUT, SIDE, STRIDE, FORWARD_ROWS, FORWARD_IMAGES> Forward##NAME;                                                            \
  extern "C" __global__ __launch_bounds__(Forward##NAME::THREADS, FORWARD_BLOCKS) void conv2d_image_forward_##NAME(const ImageConvolution g) {       \
    Forward##NAME::run(g);                                                                                                                           \
  }                                                                                                                                                  \
  KERNEL(conv2d_image_forward_##NAME);                                                                                                               \
  HOST_CONSTANT(conv2d_image_forward_##NAME##_shape, Forward##NAME::shape(FORWARD_BLOCKS));                                                          \
  typedef DataPass<IN, OUT, SIDE, STRIDE, DATA_ROWS, DATA_IMAGES> Data##NAME;                                                                        \
  extern "C" __global__ __launch_bounds__(Data##NAME::THREADS, DATA_BLOCKS) void conv2d_image_data_##NAME(const ImageConvolution g) {                \
    Data##NAME::run(g);                                                                                                                              \
  }                                                                                                                                                  \
  KERNEL(conv2d_image_data_##NAME);                                                                                                                  \
  HOST_CONSTANT(conv2d_image_data_##NAME##_shape, Data##NAME::shape(DATA_BLOCKS));                                                                   \
  typedef FilterPass<IN, OUT, SIDE, STRIDE, FILTER_ROWS, FILTER_IMAGES, C, N, K> Filter##NAME;                                                       \
  extern "C" __global__ __launch_bounds__(Filter##NAME::THREADS, 1) void conv2d_image_filter_##NAME(const ImageConvolution g) {                      \
    Filter##NAME::run(g);                                                                                                                            \
  }                                                                                                                                                  \
  KERNEL(conv2d_image_filter_##NAME);                                                                                                                \
  HOST_CONSTANT(conv2d_image_filter_##NAME##_shape, Filter##NAME::shape())

IMAGE_KERNELS(32_32_32, 32, 32, 32, 1, 16, 1, 2, 16, 1, 8, 1, 1, 1, 4);
IMAGE_KERNELS(32_32_64, 32, 64, 32, 2, 8, 1, 3, 16, 1, 8, 1, 1, 2, 2);
IMAGE_KERNELS(16_64_64, 64, 64, 16, 1, 16, 1, 2, 16, 1, 8, 1, 2, 2, 1);
IMAGE_KERNELS(16_64_128, 64, 128, 16, 2, 8, 2, 2, 8, 2, 8, 1, 2, 2, 1);
IMAGE_KERNELS(8_128_128, 128, 128, 8, 1, 8, 2, 2, 8, 2, 8, 2, 2, 2, 1);

// One thread a 16-byte fragment of the forward order, then of the backward order, whose taps run from the last to the first with stride 1.
extern "C" __global__ __launch_bounds__(256) void conv2d_image_pack(const float* __restrict__ filters, int in, int out, int stride,
    uint4* __restrict__ packed) {
  const int fragments = 9 * in * out / 8, index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= 2 * fragments) return;
  const bool backward = index >= fragments;
  const int rest = backward ? index - fragments : index, depth = backward ? out : in, width = backward ? in : out;
  const int lane = rest % 32, pair = rest / 32 % (width / 16), step = rest / 32 / (width / 16), tap = step / (depth / 16), k = step % (depth / 16) * 16;
  unsigned words[4];
  PRAGMA_UNROLL
  for (int w = 0; w < 4; w++) {
    const int column = pair / 2 * 32 + (lane >> 3) * 8 + (pair % 2 * 2 + w / 2) * 2 + (lane >> 2 & 1), row = k + (lane & 3) * 2 + w % 2 * 8;
    const int o = backward ? row : column, c = backward ? column : row, from = backward && stride == 1 ? 8 - tap : tap;
    const float* at = filters + ((size_t)o * 9 + from) * in + c;
    words[w] = pack_bf16(at[0], at[backward ? 9 * in : 1]);
  }
  st_u4(packed + index, make_uint4(words[0], words[1], words[2], words[3]));
}
KERNEL(conv2d_image_pack);

// The first layer: one input channel, 32 x 32, 32 outputs. A thread has eight outputs (lanes 4 apart the same ones).
constexpr int FIRST_SIDE = 32, FIRST_PITCH = 34, FIRST_IMAGE = 34 * 34, FIRST_OUT = 32, FIRST_THREADS = 128, FIRST_WARPS = FIRST_THREADS / 32, FIRST_BLOCKS = 3;
constexpr PassShape FIRST_SHAPE = {FIRST_THREADS, FIRST_BLOCKS, 1, 1, FIRST_SIDE * FIRST_SIDE, 0, 0, 1};
HOST_CONSTANT(conv2d_image_first_shape, FIRST_SHAPE);

DEVICE void load_patch(const float* __restrict__ patch, float* image) {
  for (int i = threadIdx.x; i < FIRST_IMAGE; i += FIRST_THREADS) {
    const int y = i / FIRST_PITCH - 1, x = i % FIRST_PITCH - 1;
    image[i] = (unsigned)y < 32u && (unsigned)x < 32u ? __ldg(patch + y * FIRST_SIDE + x) : 0.f;
  }
}

// filters [32][9] float32. The unit is an image.
extern "C" __global__ __launch_bounds__(FIRST_THREADS, FIRST_BLOCKS) void conv2d_image_first(const ImageConvolution g, const float* __restrict__ filters) {
  __shared__ float image[FIRST_IMAGE], taps[9][FIRST_OUT];
  __shared__ Moments parts[FIRST_WARPS * FIRST_OUT];
  const Units units(g, g.images);
  const int channel = threadIdx.x % 4 * 8, slot = threadIdx.x / 4;
  for (int i = threadIdx.x; i < 9 * FIRST_OUT; i += FIRST_THREADS) taps[i / FIRST_OUT][i % FIRST_OUT] = filters[i % FIRST_OUT * 9 + i / FIRST_OUT];
  const Eight bias = g.bias ? eight(g.bias + channel) : eight_of(0.f);
  EightMoments moments = {0.f, eight_of(0.f), eight_of(0.f)};
  for (int unit = units.first; unit < units.last; unit++) {
    const size_t n = (size_t)units.half * g.images + unit;
    __syncthreads();
    load_patch(g.patches + n * 1024, image);
    __syncthreads();
    // Two neighbouring pixels at a time: that leaves registers for all the filters of eight outputs.
    PRAGMA_ROLLED
    for (int pair = slot; pair < 512; pair += FIRST_THREADS / 4) {
      const int y = pair / 16, x = pair % 16 * 2;
      Eight v[2] = {bias, bias};
      PRAGMA_UNROLL
      for (int r = 0; r < 3; r++) {
        float in[4];
        PRAGMA_UNROLL
        for (int c = 0; c < 4; c++) in[c] = image[(y + r) * FIRST_PITCH + x + c];
        PRAGMA_UNROLL
        for (int c = 0; c < 3; c++) {
          const Eight w = eight(&taps[3 * r + c][channel]);
          PRAGMA_UNROLL
          for (int p = 0; p < 2; p++) {
            PRAGMA_UNROLL
            for (int j = 0; j < 8; j++) v[p].v[j] = fmaf(in[c + p], w.v[j], v[p].v[j]);
          }
        }
      }
      unsigned short* to = g.result + (n * 1024 + pair * 2) * FIRST_OUT + channel;
      Eight mean, squares = eight_of(0.f);
      PRAGMA_UNROLL
      for (int j = 0; j < 8; j++) mean.v[j] = 0.5f * (v[0].v[j] + v[1].v[j]);
      PRAGMA_UNROLL
      for (int p = 0; p < 2; p++) {
        st_u4(to + p * FIRST_OUT, v[p].packed());
        PRAGMA_UNROLL
        for (int j = 0; j < 8; j++) squares.v[j] = fmaf(v[p].v[j] - mean.v[j], v[p].v[j] - mean.v[j], squares.v[j]);
      }
      moments.join(2.f, mean, squares);
    }
  }
  put_moments<FIRST_OUT>(moments, threadIdx.x / 32, channel, parts);
  write_moments<FIRST_OUT, FIRST_WARPS>(parts, g.tiles);
}
KERNEL(conv2d_image_first);

// parts [block][9][32].
extern "C" __global__ __launch_bounds__(FIRST_THREADS, FIRST_BLOCKS) void conv2d_image_first_filter(const ImageConvolution g) {
  __shared__ float image[FIRST_IMAGE], numbers[4 * FIRST_OUT], sums[FIRST_WARPS][9][FIRST_OUT];
  const Units units(g, g.images);
  const int channel = threadIdx.x % 4 * 8, slot = threadIdx.x / 4, lane = threadIdx.x % 32;
  const ChannelTables<FIRST_OUT> tables{numbers};
  gradient_tables<FIRST_OUT, FIRST_THREADS>(g, units.half, 1.f / ((float)g.images * 1024), FIRST_OUT, 0, tables);
  __syncthreads();
  const Eight k = tables.eight(0, channel), q = tables.eight(1, channel), u = tables.eight(2, channel), v = tables.eight(3, channel);
  const float least = least_of(g.output.relu);
  Eight own[9];
  PRAGMA_UNROLL
  for (int tap = 0; tap < 9; tap++) own[tap] = eight_of(0.f);
  for (int unit = units.first; unit < units.last; unit++) {
    const size_t n = (size_t)units.half * g.images + unit;
    __syncthreads();
    load_patch(g.patches + n * 1024, image);
    __syncthreads();
    for (int pixel = slot; pixel < 1024; pixel += FIRST_THREADS / 4) {
      const size_t at = (n * 1024 + pixel) * FIRST_OUT + channel;
      Eight d = eight(ld_u4(g.gradient + at));
      const Eight y = eight(ld_u4(g.y + at));
      PRAGMA_UNROLL
      for (int j = 0; j < 8; j++) d.v[j] = finished_gradient(d.v[j], y.v[j], k.v[j], q.v[j], u.v[j], v.v[j], least);
      const float* corner = image + pixel / FIRST_SIDE * FIRST_PITCH + pixel % FIRST_SIDE;
      PRAGMA_UNROLL
      for (int tap = 0; tap < 9; tap++) {
        const float x = corner[tap / 3 * FIRST_PITCH + tap % 3];
        PRAGMA_UNROLL
        for (int j = 0; j < 8; j++) own[tap].v[j] = fmaf(x, d.v[j], own[tap].v[j]);
      }
    }
  }
  PRAGMA_UNROLL
  for (int tap = 0; tap < 9; tap++) {
    PRAGMA_UNROLL
    for (int j = 0; j < 8; j++) {
      float sum = own[tap].v[j];
      PRAGMA_UNROLL
      for (int offset = 4; offset < 32; offset *= 2) sum += __shfl_xor_sync(0xffffffffu, sum, offset);
      if (lane < 4) sums[threadIdx.x / 32][tap][channel + j] = sum;
    }
  }
  __syncthreads();
  for (int i = threadIdx.x; i < 9 * FIRST_OUT; i += FIRST_THREADS) {
    float sum = 0.f;
    PRAGMA_UNROLL
    for (int warp = 0; warp < FIRST_WARPS; warp++) sum += sums[warp][i / FIRST_OUT][i % FIRST_OUT];
    g.parts[(size_t)blockIdx.x * 9 * FIRST_OUT + i] = sum;
  }
}
KERNEL(conv2d_image_first_filter);
