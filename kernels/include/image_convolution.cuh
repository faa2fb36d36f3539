// image_convolution.cuh - what the kernels of conv2d_image.cu share: the arguments of a launch, the units of a block, tables of normalizations, and the
// statistics that a block gathers.
#pragma once
#include "host_constant.cuh"
#include "image_tile.cuh"

// What the host must know of a pass to launch it; for HOST_CONSTANT.
struct PassShape {
  int threads, blocks;                                           // of a block; blocks that are to share a multiprocessor
  int strips, images, pixels;                                    // units of an image; images and output pixels of a unit
  int stageBytes, otherBytes;                                    // shared memory: of each stage, and beside them
  int columns;                                                   // blockIdx.y: blocks that work on the same units
};

struct ImageConvolution {
  int images, blocksOfHalf, unitsOfBlock, stages;                // of a half; stages of shared memory, 1 or 2
  const unsigned short *x, *y, *gradient;                        // x: not normalized yet; what backward-data gathers its sums of
  const uint4* filters;
  const float *bias, *sums, *patches;                            // bias may be null; sums [halves][2][out]; patches: the first layer's input
  unsigned short *result, *finished;                             // y or g; dy, written by the filter kernel, read by the data kernel
  float *tiles, *parts;                                          // [block][2][channels]; [block][9 in][out]
  Normalization input, output;
};

// The units of this block.
struct Units {
  int half, first, last;
  MEMBER Units(const ImageConvolution& g, int units) {
    half = blockIdx.x / g.blocksOfHalf;
    first = (blockIdx.x - half * g.blocksOfHalf) * g.unitsOfBlock;
    last = min(units, first + g.unitsOfBlock);
  }
};

// Unit u is there when this thread's copies have arrived; one more unit may be under way.
DEVICE void wait_for_unit(int stages) {
  if (stages == 2) cp_async_wait<1>();
  else cp_async_wait<0>();
}

// Factor and term, x factor + term being the normalization, of channels from c0 on.
template <int CHANNELS, int THREADS> DEVICE void normalization_tables(Normalization n, int half, int c0, ChannelTables<CHANNELS> tables) {
  n.use_half(half);
  for (int c = threadIdx.x; c < CHANNELS; c += THREADS) {
    const float a = n.inverseDeviation[c0 + c] * channel_of(n.scale, c0 + c, 1.f);
    tables.at(0, c) = a;
    tables.at(1, c) = fmaf(-n.mean[c0 + c], a, channel_of(n.shift, c0 + c, 0.f));
  }
}

// Sixteen numbers per thread and group of outputs that wait in shared memory while the registers are needed for products: [16 GROUPS][THREADS] floats.
template <int THREADS, int GROUPS> struct Parked {
  static constexpr int BYTES = 16 * GROUPS * THREADS * 4;
  float* at;
  MEMBER Parked(void* shared) : at(static_cast<float*>(shared) + threadIdx.x) {}
  MEMBER void clear() const {
    PRAGMA_UNROLL
    for (int j = 0; j < 16 * GROUPS; j++) at[j * THREADS] = 0.f;
  }
  MEMBER Eight half(int first) const {
    Eight v;
    PRAGMA_UNROLL
    for (int j = 0; j < 8; j++) v.v[j] = at[(first + j) * THREADS];
    return v;
  }
  MEMBER void put(int first, const Eight& v) const {
    PRAGMA_UNROLL
    for (int j = 0; j < 8; j++) at[(first + j) * THREADS] = v.v[j];
  }
};

// Count, mean and squared deviations of eight channels.
struct EightMoments {
  float count;
  Eight mean, squares;
  MEMBER void join(float othersCount, const Eight& othersMean, const Eight& othersSquares) {
    const float all = count + othersCount, part = othersCount / all;
    PRAGMA_UNROLL
    for (int j = 0; j < 8; j++) {
      const float delta = othersMean.v[j] - mean.v[j];
      mean.v[j] = fmaf(delta, part, mean.v[j]);
      squares.v[j] += othersSquares.v[j] + delta * delta * (count * part);
    }
    count = all;
  }
};

// Lanes 4 apart hold the same channels: they are joined, and stand for their warp.
template <int OUT> DEVICE void put_moments(EightMoments own, int row_warp, int channel, Moments* parts) {
  PRAGMA_UNROLL
  for (int offset = 4; offset < 32; offset *= 2) {
    Eight mean, squares;
    PRAGMA_UNROLL
    for (int j = 0; j < 8; j++) {
      mean.v[j] = __shfl_xor_sync(0xffffffffu, own.mean.v[j], offset);
      squares.v[j] = __shfl_xor_sync(0xffffffffu, own.squares.v[j], offset);
    }
    const float count = __shfl_xor_sync(0xffffffffu, own.count, offset);
    if (count > 0.f) own.join(count, mean, squares);
  }
  if ((threadIdx.x & 31) >= 4) return;
  PRAGMA_UNROLL
  for (int j = 0; j < 8; j++) parts[row_warp * OUT + channel + j] = Moments{own.count, own.mean.v[j], own.squares.v[j]};
}
// So do the warps of the same column: one thread per channel joins them in order and writes the block's tile.
template <int OUT, int ROW_WARPS> DEVICE void write_moments(const Moments* parts, float* tiles) {
  __syncthreads();
  if (threadIdx.x >= OUT) return;
  Moments all = parts[threadIdx.x];
  for (int i = 1; i < ROW_WARPS; i++) all = joined(all, parts[i * OUT + threadIdx.x]);
  float* to = tiles + (size_t)blockIdx.x * 2 * OUT + threadIdx.x;
  to[0] = all.mean;
  to[OUT] = all.squares;
}
