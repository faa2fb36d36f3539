// Copies a block of columns from one matrix into another: the concatenation of two descriptors, and its gradient.
// One warp per row, its lanes along the columns, 16 bytes at a time where both rows are aligned; rows grid-stride. Moves 8 bytes per element.
#include "cuda_compat.cuh"

extern "C" __global__ __launch_bounds__(256) void copy_columns(const float* __restrict__ x, int x_stride, float* __restrict__ y, int y_stride, int rows,
                                                               int columns) {
  const int lane = threadIdx.x % 32, warps = gridDim.x * (blockDim.x / 32);
  for (long long row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32; row < rows; row += warps) {
    const float* from = x + row * x_stride;
    float* to = y + row * y_stride;
    const int vectors = (((uintptr_t)from | (uintptr_t)to) & 15) == 0 ? columns / 4 : 0;
    for (int i = lane; i < vectors; i += 32) st_f4(to + 4 * i, ld_f4(from + 4 * i));
    for (int i = 4 * vectors + lane; i < columns; i += 32) to[i] = from[i];
  }
}
KERNEL(copy_columns);
