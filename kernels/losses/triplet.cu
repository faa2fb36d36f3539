// Losses on the p pairs (positive, hardest negative) and global orthogonal regularization, value and gradient.
//   triplet: mean of f(pos, neg): margin max(0, m + pos - neg); tanh 1 + tanh(s (pos - neg)); softmax log(1 + e^(pos - neg));
//     contrastive max(0, m - neg) + pos.
//     Euclidean d = sqrt(|a - b|^2 + 1e-6) + 1e-8: dd/da = (a - b) / (d - 1e-8);   angular d = 2 (1 - a.b): dd/da = -2 b; dd/db alike.
//   orthogonal: with s_k = a_k . n_k over the negative pairs, m1 = mean s, m2 = mean s^2: m1^2 + max(0, m2 - 1/q).
// Layouts: descriptors and gradient [2p][q]; negative_pair [p][2] rows of the descriptors or -1.
// The slopes of all pairs first (one block, O(p)), then one warp per row of the gradient, which gathers: its own pair's term, then those of the pairs
// whose negative it is, found by comparing all p indices 32 at a time and taken in order of the pairs. So a row that is many pairs' negative needs no
// atomics; the 2p x p comparisons are a 1/q of the mining's multiply-adds. Bound by the comparisons and 12 q bytes per row.
#include "reduce.cuh"

// The slopes with respect to both distances, divided by the distances' roots or times -2, ready for pair_gradient; and the loss.
extern "C" __global__ __launch_bounds__(256) void triplet_slopes(
    int form, int angular, float margin, float scale, float weight, const float* __restrict__ positive, const float* __restrict__ negative,
    const int* __restrict__ negative_pair, float* __restrict__ near_slopes, float* __restrict__ far_slopes, float* __restrict__ loss, int pairs) {
  __shared__ float partial[32];
  const float factor = weight / pairs;
  float total = 0.f;
  for (int pair = threadIdx.x; pair < pairs; pair += blockDim.x) {
    const float near = positive[pair], far = negative[pair], gap = near - far;
    float value = 0.f, near_slope = 0.f, far_slope = 0.f;
    if (negative_pair[2 * pair] < 0) {
      value = near != near ? near : 0.f;    // no distance is below NaN: a network gone to NaN has no negatives, and the loss must show it
    } else if (form == 0) {
      const float hinge = margin + gap;
      if (!(hinge <= 0.f)) { value = hinge; near_slope = 1.f; far_slope = -1.f; }
    } else if (form == 1) {                 // 1 + tanh x = 2 / (1 + e^-2x), 1 - tanh^2 x = (1 + tanh x)(1 + tanh -x): no digits lost in the tails
      value = 2.f / (1.f + expf(-2.f * scale * gap));
      near_slope = scale * value * (2.f / (1.f + expf(2.f * scale * gap)));
      far_slope = -near_slope;
    } else if (form == 2) {
      value = fmaxf(gap, 0.f) + logf(1.f + expf(-fabsf(gap)));
      near_slope = 1.f / (1.f + expf(-gap));
      far_slope = -near_slope;
    } else {
      const float missing = margin - far;
      value = near + fmaxf(missing, 0.f);
      near_slope = 1.f;
      if (missing > 0.f) far_slope = -1.f;
    }
    total += value;
    // The root is at least sqrt(1e-6), also where rounding has made the distance smaller.
    near_slopes[pair] = factor * near_slope * (angular ? -2.f : 1.f / fmaxf(near - 1e-8f, 1e-3f));
    far_slopes[pair] = factor * far_slope * (angular ? -2.f : 1.f / fmaxf(far - 1e-8f, 1e-3f));
  }
  total = block_sum(total, partial);
  if (threadIdx.x == 0) *loss = factor * total;
}
KERNEL(triplet_slopes);

extern "C" __global__ __launch_bounds__(256) void orthogonal_products(
    const float* __restrict__ y, const int* __restrict__ negative_pair, float* __restrict__ products, int pairs, int width) {
  const int pair = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (pair >= pairs) return;
  const int first = negative_pair[2 * pair], second = negative_pair[2 * pair + 1];
  float sum = 0.f;
  if (first >= 0) {
    const float *a = y + (size_t)first * width, *n = y + (size_t)second * width;
    for (int k = lane; k < width; k += 32) sum = fmaf(a[k], n[k], sum);
  }
  sum = warp_sum(sum);
  if (lane == 0) products[pair] = sum;
}
KERNEL(orthogonal_products);

// Replaces the products by the slopes and writes the loss.
extern "C" __global__ __launch_bounds__(256) void orthogonal_slopes(
    float weight, const int* __restrict__ negative_pair, float* __restrict__ products, float* __restrict__ loss, int pairs, int width) {
  __shared__ float partial[32];
  float sum = 0.f, squares = 0.f, counted = 0.f;
  for (int pair = threadIdx.x; pair < pairs; pair += blockDim.x) {
    const float s = products[pair];         // 0 where there is no negative
    sum += s;
    squares = fmaf(s, s, squares);
    counted += negative_pair[2 * pair] >= 0 ? 1.f : 0.f;
  }
  sum = block_sum(sum, partial);
  squares = block_sum(squares, partial);
  counted = fmaxf(block_sum(counted, partial), 1.f);
  const float mean = sum / counted, excess = squares / counted - 1.f / width;
  if (threadIdx.x == 0) *loss = weight * (mean * mean + (excess <= 0.f ? 0.f : excess));
  for (int pair = threadIdx.x; pair < pairs; pair += blockDim.x)
    products[pair] = 2.f * weight * (mean + (excess > 0.f ? products[pair] : 0.f)) / counted;
}
KERNEL(orthogonal_slopes);

// dy_row = sum of slope x (y_row - y_other), or of slope x y_other where the distance is angular. near_slopes may be null.
extern "C" __global__ __launch_bounds__(256) void pair_gradient(
    int angular, const float* __restrict__ y, const int* __restrict__ negative_pair, const float* __restrict__ near_slopes,
    const float* __restrict__ far_slopes, float* __restrict__ dy, int pairs, int width) {
  const int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (row >= 2 * pairs) return;
  const int half = row >= pairs, own = row - half * pairs;
  for (int column = lane; column - lane < width; column += 128) {
    float mine[4], sum[4];
    PRAGMA_UNROLL
    for (int k = 0; k < 4; k++) {
      mine[k] = 0.f;
      sum[k] = 0.f;
      if (!angular && column + 32 * k < width) mine[k] = y[(size_t)row * width + column + 32 * k];
    }
    auto add = [&](float slope, int other) {
      if (slope == 0.f) return;
      PRAGMA_UNROLL
      for (int k = 0; k < 4; k++) {
        if (column + 32 * k >= width) continue;
        const float theirs = y[(size_t)other * width + column + 32 * k];
        sum[k] = fmaf(slope, angular ? theirs : mine[k] - theirs, sum[k]);
      }
    };
    if (near_slopes) add(near_slopes[own], half ? own : pairs + own);
    for (int first = 0; first < pairs; first += 32) {
      const int pair = first + lane;
      unsigned found = __ballot_sync(0xffffffffu, pair < pairs && negative_pair[2 * pair + half] == row);
      for (; found; found &= found - 1) {
        const int next = first + __ffs((int)found) - 1;
        add(far_slopes[next], negative_pair[2 * next + 1 - half]);
      }
    }
    PRAGMA_UNROLL
    for (int k = 0; k < 4; k++)
      if (column + 32 * k < width) dy[(size_t)row * width + column + 32 * k] = sum[k];
  }
}
KERNEL(pair_gradient);
