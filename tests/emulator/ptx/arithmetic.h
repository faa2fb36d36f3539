// Arithmetic whose edge cases PTX defines otherwise than C++.
#pragma once
#include <stdint.h>
#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

namespace emu {
// NaN gives way to a number, and -0 is less than 0.
template <class T, bool Least>
T extreme(T a, T b) {
    if constexpr (std::is_floating_point_v<T>) {
        if (a != a) return b;
        if (b != b) return a;
        if (a == b) return std::signbit(a) == Least ? a : b;
    }
    return (a < b) == Least ? a : b;
}
template <class T>
T shift_left(T a, uint32_t n) {
    return n >= sizeof(T) * 8 ? 0 : (T)(a << n);
}
template <class T>
T shift_right(T a, uint32_t n) {
    if (n >= sizeof(T) * 8) return std::is_signed_v<T> && a < 0 ? (T)-1 : 0;
    return (T)(a >> n);
}
// By zero: any number, says the PTX ISA; GPUs give all ones.
template <class T>
T quotient(T a, T b) {
    if (!b) return (T)-1;
    if (std::is_signed_v<T> && b == (T)-1) return (T)(0 - (std::make_unsigned_t<T>)a);
    return a / b;
}
template <class T>
T rest(T a, T b) {
    if (!b) return a;
    if (std::is_signed_v<T> && b == (T)-1) return 0;
    return a % b;
}
template <class T>
T bits_of(T a, uint32_t first, uint32_t count) {
    constexpr int width = sizeof(T) * 8;
    using U = std::make_unsigned_t<T>;
    first &= 255, count &= 255;
    bool negative = std::is_signed_v<T> && count && ((U)a >> std::min<uint32_t>(first + count - 1, width - 1) & 1);
    U field = first >= width ? 0 : (U)a >> first;
    U kept = count >= width ? ~(U)0 : (((U)1 << count) - 1);
    // Bits beyond the number are the sign.
    if (negative && first + count > width) field |= first ? ~(~(U)0 >> std::min<uint32_t>(first, width - 1)) : 0;
    field &= kept;
    return (T)(negative ? field | ~kept : field);
}
inline uint32_t permute(uint32_t a, uint32_t b, uint32_t selector) {
    uint64_t bytes = (uint64_t)b << 32 | a;
    uint32_t r = 0;
    for (int k = 0; k < 4; k++) {
        uint32_t s = selector >> 4 * k & 15;
        uint32_t byte = (uint32_t)(bytes >> (s & 7) * 8) & 255;
        if (s & 8) byte = byte & 128 ? 255 : 0;
        r |= byte << 8 * k;
    }
    return r;
}
template <class T>
inline uint32_t leading_zeros(T a, uint32_t of_zero) {
    return a ? (uint32_t)__builtin_clzll(a) - (64 - (uint32_t)sizeof(T) * 8) : of_zero;
}
// The lower `count` bits of a take the place of those of b from `first` on.
template <class T>
T insert(T a, T b, uint32_t first, uint32_t count) {
    constexpr uint32_t width = sizeof(T) * 8;
    first &= 255, count &= 255;
    if (first >= width || !count) return b;
    T mask = (count >= width ? ~(T)0 : ((T)1 << count) - 1) << first;
    return (b & ~mask) | ((a << first) & mask);
}
// Rounded down: a product of floats is exact as a double, and so is the error of its sum.
inline float fma_down(float a, float b, float c) {
    double product = (double)a * b, sum = product + c, back = sum - product, error = (product - (sum - back)) + (c - back);
    float r = (float)sum;
    return r > sum || (r == sum && error < 0) ? std::nextafter(r, -INFINITY) : r;
}
inline uint32_t dot_of_bytes(uint32_t a, uint32_t b, uint32_t c) {
    for (int k = 0; k < 32; k += 8) c += (a >> k & 255) * (b >> k & 255);
    return c;
}
template <class T, class F>
T to_integer(F x) {
    if (x != x) return 0;
    if (x <= (F)std::numeric_limits<T>::min()) return std::numeric_limits<T>::min();
    if (x >= (F)std::numeric_limits<T>::max()) return std::numeric_limits<T>::max();
    return (T)x;
}
inline float saturated(float x) { return x > 0.f ? (x < 1.f ? x : 1.f) : 0.f; }
}  // namespace emu
