// What a warp does with matrices, on registers laid out lane by lane; fragments as the PTX ISA gives them: lane = 4 g + t.
#pragma once
#include <stdint.h>
#include <string.h>
#include "fibers/numbers.h"

namespace emu {
struct Fragments {
    // Float or int bits; the sums go in and come out.
    uint32_t d[4][32];
    uint32_t a[4][32], b[2][32];
};
enum class Product { Bf16, F16, Tf32, U8S8, AndPopc };

namespace matrices {
inline float from_f16(uint32_t u) { return (float)__builtin_bit_cast(_Float16, (uint16_t)u); }
// Row and column of a lane's e-th sum.
inline int row(int lane, int e) { return lane / 4 + e / 2 * 8; }
inline int column(int lane, int e) { return lane % 4 * 2 + e % 2; }

template <int K>
void multiply(Fragments& f, const float (&A)[16][K], const float (&B)[K][8]) {
    float D[16][8];
    for (int e = 0; e < 4; e++)
        for (int i = 0; i < 32; i++) D[row(i, e)][column(i, e)] = __builtin_bit_cast(float, f.d[e][i]);
    for (int r = 0; r < 16; r++)
        for (int k = 0; k < K; k++)
            for (int c = 0; c < 8; c++) D[r][c] += A[r][k] * B[k][c];
    for (int e = 0; e < 4; e++)
        for (int i = 0; i < 32; i++) f.d[e][i] = __builtin_bit_cast(uint32_t, D[row(i, e)][column(i, e)]);
}
template <class F>
void multiply_16bit(Fragments& f, F value) {
    float A[16][16], B[16][8];
    for (int i = 0; i < 32; i++) {
        int g = i / 4, t = i % 4 * 2;
        for (int h = 0; h < 2; h++) {
            for (int r = 0; r < 4; r++) A[g + r % 2 * 8][t + r / 2 * 8 + h] = value(f.a[r][i] >> 16 * h & 0xffff);
            for (int r = 0; r < 2; r++) B[t + r * 8 + h][g] = value(f.b[r][i] >> 16 * h & 0xffff);
        }
    }
    multiply(f, A, B);
}
inline void multiply_tf32(Fragments& f) {
    float A[16][8], B[8][8];
    for (int i = 0; i < 32; i++) {
        int g = i / 4, t = i % 4;
        for (int r = 0; r < 4; r++) A[g + r % 2 * 8][t + r / 2 * 4] = from_tf32(f.a[r][i]);
        for (int r = 0; r < 2; r++) B[t + r * 4][g] = from_tf32(f.b[r][i]);
    }
    multiply(f, A, B);
}
// 32 bits of a row and of a column are multiplied by `of`.
template <class F>
void multiply_words(Fragments& f, F of) {
    uint32_t A[16][8], B[8][8];
    for (int i = 0; i < 32; i++) {
        int g = i / 4, t = i % 4;
        for (int r = 0; r < 4; r++) A[g + r % 2 * 8][t + r / 2 * 4] = f.a[r][i];
        for (int r = 0; r < 2; r++) B[g][t + r * 4] = f.b[r][i];
    }
    for (int e = 0; e < 4; e++)
        for (int i = 0; i < 32; i++)
            for (int k = 0; k < 8; k++) f.d[e][i] += (uint32_t)of(A[row(i, e)][k], B[column(i, e)][k]);
}
inline int of_bytes(uint32_t a, uint32_t b) {
    int sum = 0;
    for (int k = 0; k < 32; k += 8) sum += (uint8_t)(a >> k) * (int8_t)(b >> k);
    return sum;
}
inline int of_bits(uint32_t a, uint32_t b) { return __builtin_popcount(a & b); }
}  // namespace matrices

// mma.sync.
inline void multiply_fragments(Product product, Fragments& f) {
    switch (product) {
        case Product::Bf16:
            return matrices::multiply_16bit(f, from_bf16);
        case Product::F16:
            return matrices::multiply_16bit(f, matrices::from_f16);
        case Product::Tf32:
            return matrices::multiply_tf32(f);
        case Product::U8S8:
            return matrices::multiply_words(f, matrices::of_bytes);
        case Product::AndPopc:
            return matrices::multiply_words(f, matrices::of_bits);
    }
}
// ldmatrix, of one matrix: its eight rows of 16 bytes, to a register of each lane.
inline void load_matrix(const void* const* rows, bool transposed, uint32_t* registers) {
    auto element = [&](int row, int column) {
        uint16_t v;
        memcpy(&v, (const char*)rows[row] + column * 2, 2);
        return (uint32_t)v;
    };
    for (int i = 0; i < 32; i++) {
        int g = i / 4, t = i % 4 * 2;
        registers[i] = transposed ? element(t, g) | element(t + 1, g) << 16 : element(g, t) | element(g, t + 1) << 16;
    }
}
}  // namespace emu
