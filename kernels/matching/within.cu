// ptx: 7.1
// For each of n queries all of m targets within a radius, the radius itself included, by Euclidean or by Hamming distance. Rows are prepared as for nearest.cu,
// by its kernels; the filter of nearest_scan.cuh has the radius for its limit from the first tile on.
// What is found comes in any order: a pair takes the next place by an atomic addition. Pairs beyond the capacity are counted only.
#include "nearest_scan.cuh"

struct Found {
  int query, target;
  float distance;
};

template <bool FLOATS> struct WithinSink {
  static constexpr bool SEEDED = false;
  unsigned radius;                                                     // its bits, or a number of bits
  Found* found;
  unsigned long long *total, capacity;
  template <class Measure> __device__ __forceinline__ typename Measure::Value opening(const Measure& measure, int query) const {
    typedef Bound<typename Measure::Value> Of;
    return Of::least(Of::open(), measure.threshold(query, radius));
  }
  __device__ __forceinline__ void take(int query, int target, unsigned bits) const {
    if (bits > radius) return;
    const unsigned long long place = atomicAdd(total, 1ull);
    if (place < capacity) found[place] = Found{query, target, FLOATS ? __uint_as_float(bits) : (float)bits};
  }
};

extern "C" __global__ __launch_bounds__(256, 2) void within_bf16(
    const float* __restrict__ queries, const float* __restrict__ targets, const unsigned char* __restrict__ query_rows,
    const unsigned char* __restrict__ target_rows, const float* __restrict__ query_squares, const float* __restrict__ target_squares, unsigned radius,
    Found* found, unsigned long long* total, unsigned long long capacity, int query_count, int target_count, int width, int pitch, int span, float slack) {
  scan<Bf16Tile>(query_rows, target_rows, target_squares, EuclideanMeasure{queries, targets, query_squares, width, slack, 0.f},
                 WithinSink<true>{radius, found, total, capacity}, query_count, target_count, pitch, span);
}
KERNEL(within_bf16);

extern "C" __global__ __launch_bounds__(128, 2) void within_float32(
    const float* __restrict__ queries, const float* __restrict__ targets, const float* __restrict__ query_squares,
    const float* __restrict__ target_squares, unsigned radius, Found* found, unsigned long long* total, unsigned long long capacity, int query_count,
    int target_count, int width, int span, float slack) {
  scan_float32(queries, targets, target_squares, EuclideanMeasure{queries, targets, query_squares, width, slack, 0.f},
               WithinSink<true>{radius, found, total, capacity}, query_count, target_count, width, span);
}
KERNEL(within_float32);

extern "C" __global__ __launch_bounds__(256, 2) void within_hamming(
    const unsigned* __restrict__ query_rows, const unsigned* __restrict__ target_rows, const int* __restrict__ query_ones,
    const int* __restrict__ target_ones, unsigned radius, Found* found, unsigned long long* total, unsigned long long capacity, int query_count,
    int target_count, int words, int span) {
  scan<BitsTile>(reinterpret_cast<const unsigned char*>(query_rows), reinterpret_cast<const unsigned char*>(target_rows), target_ones,
                 HammingMeasure{query_rows, target_rows, query_ones, words}, WithinSink<false>{radius, found, total, capacity}, query_count, target_count,
                 4 * words, span);
}
KERNEL(within_hamming);
