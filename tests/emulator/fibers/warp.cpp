// What the last lane to arrive does for the whole warp.
#include "fibers/fibers.h"
#include "fibers/matrices.h"

namespace emu {
namespace {
void shuffle(Thread** lanes, unsigned mask, Op op) {
    uint64_t v[32];
    for (int i = 0; i < 32; i++) v[i] = mask >> i & 1 ? lanes[i]->val : 0;
    for (int i = 0; i < 32; i++) {
        if (!(mask >> i & 1)) continue;
        int width = lanes[i]->width, lo = i & ~(width - 1), hi = lo + width - 1, a = lanes[i]->arg;
        int source = op == SHFL_IDX ? lo + (a & (width - 1)) : op == SHFL_UP ? i - a : op == SHFL_DOWN ? i + a : i ^ a;
        if ((op == SHFL_UP && source < lo) || ((op == SHFL_DOWN || op == SHFL_XOR) && source > hi)) source = i;
        if (!(mask >> source & 1)) fail("a shuffle reads lane %d, which is not in its mask %08x", source, mask);
        lanes[i]->val = v[source];
    }
}
void ballot(Thread** lanes, unsigned mask) {
    unsigned votes = 0;
    for (unsigned m = mask; m; m &= m - 1) votes |= (unsigned)lanes[__builtin_ctz(m)]->arg << __builtin_ctz(m);
    for (unsigned m = mask; m; m &= m - 1) lanes[__builtin_ctz(m)]->val = votes;
}
unsigned combine(int reduction, unsigned a, unsigned b) {
    switch (reduction) {
        case ADD:
            return a + b;
        case MIN_S:
            return (int)a < (int)b ? a : b;
        case MIN_U:
            return a < b ? a : b;
        case MAX_S:
            return (int)a > (int)b ? a : b;
        case MAX_U:
            return a > b ? a : b;
        case AND:
            return a & b;
        case OR:
            return a | b;
        default:
            return a ^ b;
    }
}
void reduction(Thread** lanes, unsigned mask) {
    Thread* first = lanes[__builtin_ctz(mask)];
    unsigned r = (unsigned)first->val;
    for (unsigned m = mask & (mask - 1); m; m &= m - 1) r = combine(first->arg, r, (unsigned)lanes[__builtin_ctz(m)]->val);
    for (unsigned m = mask; m; m &= m - 1) lanes[__builtin_ctz(m)]->val = r;
}
void load_matrices(Thread** lanes) {
    for (int i = 0; i < lanes[0]->arg * 8; i++)
        if ((uintptr_t)lanes[i]->p[1] & 15) fail("ldmatrix: the address of lane %d is not 16-byte aligned", i);
    for (int m = 0; m < lanes[0]->arg; m++) {
        const void* rows[8];
        uint32_t loaded[32];
        for (int i = 0; i < 8; i++) rows[i] = lanes[m * 8 + i]->p[1];
        load_matrix(rows, lanes[0]->flag, loaded);
        for (int i = 0; i < 32; i++) ((uint32_t*)lanes[i]->p[0])[m] = loaded[i];
    }
}
void multiply(Thread** lanes, Product product) {
    Fragments f;
    for (int i = 0; i < 32; i++) {
        for (int r = 0; r < 4; r++) {
            f.d[r][i] = ((const uint32_t*)lanes[i]->p[0])[r];
            f.a[r][i] = ((const uint32_t*)lanes[i]->p[1])[r];
        }
        f.b[0][i] = (uint32_t)lanes[i]->val;
        f.b[1][i] = (uint32_t)(lanes[i]->val >> 32);
    }
    multiply_fragments(product, f);
    for (int i = 0; i < 32; i++)
        for (int r = 0; r < 4; r++) ((uint32_t*)lanes[i]->p[0])[r] = f.d[r][i];
}
}  // namespace

void perform(Thread** lanes, unsigned mask, Op op) {
    // What moves matrices needs all 32 lanes.
    if (op >= LDMATRIX && mask != ~0u) fail("a matrix operation in a warp of fewer than 32 threads");
    switch (op) {
        case SHFL_IDX:
        case SHFL_UP:
        case SHFL_DOWN:
        case SHFL_XOR:
            shuffle(lanes, mask, op);
            break;
        case BALLOT:
            ballot(lanes, mask);
            break;
        case REDUCE:
            reduction(lanes, mask);
            break;
        case LDMATRIX:
            load_matrices(lanes);
            break;
        case MMA_BF16:
            multiply(lanes, Product::Bf16);
            break;
        case MMA_F16:
            multiply(lanes, Product::F16);
            break;
        case MMA_TF32:
            multiply(lanes, Product::Tf32);
            break;
        case MMA_U8S8:
            multiply(lanes, Product::U8S8);
            break;
        case MMA_AND_POPC:
            multiply(lanes, Product::AndPopc);
            break;
        default:
            break;
    }
}
}  // namespace emu
