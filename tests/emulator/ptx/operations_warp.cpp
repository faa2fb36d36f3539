// Instructions for which the lanes of a warp meet: shuffles, votes, and products of matrices.
#include <string.h>
#include "fibers/matrices.h"
#include "ptx/access.h"
#include "ptx/operations.h"

namespace emu {
namespace {
void require_lanes(const Warp& w, uint32_t mask) {
    if (uint32_t absent = mask & ~w.active) {
        bool ended = (absent & ~w.live) == absent;
        fail_in_ptx("deadlock: the lanes %08x of a warp operation's mask %08x %s", absent, mask, ended ? "have ended" : "are elsewhere");
    }
    if (w.active & ~mask) fail_in_ptx("lanes %08x execute a warp operation without being in its mask %08x", w.active & ~mask, mask);
}
void require_all(const Warp& w) {
    if (w.active != ~0u) fail_in_ptx("a matrix operation in %d lanes instead of 32", __builtin_popcount(w.active));
}
enum class Shuffle { Up, Down, Butterfly, Index };
template <Shuffle Kind>
void shuffle(Warp& w, const Instruction& i) {
    uint32_t before[32];
    memcpy(before, w.at<uint32_t>(i.operand[1]), sizeof before);
    require_lanes(w, w.at<uint32_t>(i.operand[4])[__builtin_ctz(w.active)]);
    each(w, [&](int l) {
        uint32_t b = w.at<uint32_t>(i.operand[2])[l] & 31, c = w.at<uint32_t>(i.operand[3])[l];
        uint32_t clamp = c & 31, segment = c >> 8 & 31, lane = (uint32_t)l;
        uint32_t last = (lane & segment) | (clamp & ~segment), first = lane & segment;
        uint32_t source = Kind == Shuffle::Up ? lane - b : Kind == Shuffle::Down ? lane + b : Kind == Shuffle::Butterfly ? lane ^ b : first | (b & ~segment);
        bool there = Kind == Shuffle::Up ? (int)source >= (int)last : source <= last;
        if (!there) source = lane;
        if (!(w.active >> source & 1)) fail_in_ptx("a shuffle reads lane %u, which does not take part", source);
        w.at<uint32_t>(i.operand[0])[l] = before[source];
    });
}
void ballot(Warp& w, const Instruction& i) {
    require_lanes(w, w.at<uint32_t>(i.operand[2])[__builtin_ctz(w.active)]);
    uint32_t votes = w.predicates[i.operand[1]] & w.active;
    each(w, [&](int l) { w.at<uint32_t>(i.operand[0])[l] = votes; });
}
template <Product P>
void multiply(Warp& w, const Instruction& i) {
    require_all(w);
    Fragments f;
    for (int r = 0; r < 4; r++) {
        memcpy(f.a[r], w.at<uint32_t>(i.operand[4 + r]), sizeof f.a[r]);
        memcpy(f.d[r], w.at<uint32_t>(i.operand[10 + r]), sizeof f.d[r]);
    }
    for (int r = 0; r < 2; r++) memcpy(f.b[r], w.at<uint32_t>(i.operand[8 + r]), sizeof f.b[r]);
    multiply_fragments(P, f);
    for (int r = 0; r < 4; r++) memcpy(w.at<uint32_t>(i.operand[r]), f.d[r], sizeof f.d[r]);
}
template <int Matrices, bool Transposed>
void load_matrices(Warp& w, const Instruction& i) {
    require_all(w);
    const void* rows[32];
    uint64_t addresses[32];
    for (int l = 0; l < Matrices * 8; l++) {
        rows[l] = pointer<Shared>(w, i, l, 16);
        addresses[l] = (uint64_t)rows[l];
    }
    for (int m = 0; m < Matrices; m++) load_matrix(rows + m * 8, Transposed, w.at<uint32_t>(i.operand[m]));
    if (w.count) count_passes(*w.count, addresses, Matrices == 4 ? ~0u : (1u << Matrices * 8) - 1, 16);
}
}  // namespace

void Operations::warps() {
    add("shfl.sync.up.b32", "44444", shuffle<Shuffle::Up>);
    add("shfl.sync.down.b32", "44444", shuffle<Shuffle::Down>);
    add("shfl.sync.bfly.b32", "44444", shuffle<Shuffle::Butterfly>);
    add("shfl.sync.idx.b32", "44444", shuffle<Shuffle::Index>);
    add("vote.sync.ballot.b32", "4p4", ballot);
    add("bar.warp.sync", "4", [](Warp& w, const Instruction& i) { require_lanes(w, w.at<uint32_t>(i.operand[0])[__builtin_ctz(w.active)]); });
    add("ldmatrix.sync.aligned.m8n8.x4.shared.b16", "4444", load_matrices<4, false>);
    add("ldmatrix.sync.aligned.m8n8.x2.shared.b16", "44", load_matrices<2, false>);
    add("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16", "4444", load_matrices<4, true>);
    add("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16", "44", load_matrices<2, true>);
    std::string fragments = times('4', 14);
    add("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", fragments, multiply<Product::Bf16>);
    add("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32", fragments, multiply<Product::F16>);
    add("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32", fragments, multiply<Product::Tf32>);
    add("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32", fragments, multiply<Product::U8S8>);
    add("mma.sync.aligned.m16n8k256.row.col.s32.b1.b1.s32.and.popc", fragments, multiply<Product::AndPopc>);
}
}  // namespace emu
