// Number formats that C++ does not have, and the bits that mark memory nobody wrote.
#pragma once
#include <stdint.h>

namespace emu {
// NaN as float32, an absurd number as an integer: reading what was never written shows.
constexpr uint32_t Unwritten = 0x7fbadbadu;

// bfloat16: rounded to nearest, ties to the even one; NaN becomes the canonical one, as the PTX ISA has it.
inline float from_bf16(uint32_t bits) { return __builtin_bit_cast(float, bits << 16); }
inline uint16_t to_bf16(float value) {
    uint32_t bits = __builtin_bit_cast(uint32_t, value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fff;
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}
// TensorFloat-32, in float32's place: rounded to nearest, ties away from zero; the lower 13 bits are ignored.
inline float from_tf32(uint32_t bits) { return __builtin_bit_cast(float, bits & 0xffffe000u); }
inline uint32_t to_tf32(float value) {
    uint32_t bits = __builtin_bit_cast(uint32_t, value);
    return (bits & 0x7f800000u) == 0x7f800000u ? bits : (bits + 0x1000u) & 0xffffe000u;
}
}  // namespace emu
