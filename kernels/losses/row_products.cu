// out[z][m][n] = sum over k of a(m, k) b(n, k), z a batch entry and a range of the depth; and sums.
// Suffixes say how a and b lie: d with the depth together, r with the rows together.
// One block a 64 x 64 tile and range. Few tiles of a large depth (64 x 64 maps of 32,768 values are one tile) are cut into ranges of the depth, whose
// sums the reader of the matrix adds in order: more blocks, and shorter chains of float32 sums. Bound by arithmetic: 2 m n k operations.
#include "block_gemm.cuh"
#include "reduce.cuh"

template <bool A_DEPTH, bool B_DEPTH>
static __device__ __forceinline__ void products(const float* a, int a_pitch, long long a_batch, const float* b, int b_pitch, long long b_batch, float* out,
                                                int rows, int columns, int depth, int range) {
  typedef BlockGemm<Float32, 64, 64, 32, 32, A_DEPTH, B_DEPTH> Gemm;
  typedef typename Matrix<Gemm::A_VECTORS, A_DEPTH>::Loader LoaderA;
  typedef typename Matrix<Gemm::B_VECTORS, B_DEPTH>::Loader LoaderB;
  __shared__ __align__(16) unsigned char shared[Gemm::SHARED_BYTES];
  const int ranges = (depth + range - 1) / range, batch = blockIdx.z / ranges, begin = blockIdx.z % ranges * range, end = min(begin + range, depth);
  const int first_row = blockIdx.y * 64, first_column = blockIdx.x * 64;
  LoaderA x = LoaderA::tile(a + batch * a_batch, rows, a_pitch, first_row, end);
  LoaderB y = LoaderB::tile(b + batch * b_batch, columns, b_pitch, first_column, end);
  typename Gemm::Accumulators sums;
  Gemm::run(x, y, begin, end, shared, sums);
  const int column = first_column + Gemm::column();
  const bool vectors = columns % 4 == 0 && (size_t)out % 16 == 0;
  Gemm::rows(sums, shared, [&](int m, float4 (&v)[Gemm::ROW_COUNT]) {
    PRAGMA_UNROLL
    for (int i = 0; i < Gemm::ROW_COUNT; i++) {
      const int row = first_row + m + i * Gemm::ROW_STEP;
      float* to = out + ((size_t)blockIdx.z * rows + row) * columns + column;
      if (row >= rows || column >= columns) continue;
      if (vectors) {
        st_f4(to, v[i]);
      } else {
        to[0] = v[i].x;
        if (column + 1 < columns) to[1] = v[i].y;
        if (column + 2 < columns) to[2] = v[i].z;
        if (column + 3 < columns) to[3] = v[i].w;
      }
    }
  });
}

extern "C" __global__ __launch_bounds__(128) void row_products_dd(
    const float* __restrict__ a, int a_pitch, long long a_batch, const float* __restrict__ b, int b_pitch, long long b_batch, float* __restrict__ out,
    int rows, int columns, int depth, int range) {
  products<true, true>(a, a_pitch, a_batch, b, b_pitch, b_batch, out, rows, columns, depth, range);
}
KERNEL(row_products_dd);
extern "C" __global__ __launch_bounds__(128) void row_products_dr(
    const float* __restrict__ a, int a_pitch, long long a_batch, const float* __restrict__ b, int b_pitch, long long b_batch, float* __restrict__ out,
    int rows, int columns, int depth, int range) {
  products<true, false>(a, a_pitch, a_batch, b, b_pitch, b_batch, out, rows, columns, depth, range);
}
KERNEL(row_products_dr);
extern "C" __global__ __launch_bounds__(128) void row_products_rr(
    const float* __restrict__ a, int a_pitch, long long a_batch, const float* __restrict__ b, int b_pitch, long long b_batch, float* __restrict__ out,
    int rows, int columns, int depth, int range) {
  products<false, false>(a, a_pitch, a_batch, b, b_pitch, b_batch, out, rows, columns, depth, range);
}
KERNEL(row_products_rr);

// out = factor x the sum of the terms; one block.
extern "C" __global__ __launch_bounds__(256) void scaled_sum(const float* __restrict__ terms, int count, float factor, float* __restrict__ out) {
  __shared__ float partial[32];
  float sum = 0.f;
  for (int i = threadIdx.x; i < count; i += blockDim.x) sum += terms[i];
  sum = block_sum(sum, partial);
  if (threadIdx.x == 0) *out = factor * sum;
}
KERNEL(scaled_sum);
