// A warp at work: its registers lane by lane, and what an instruction does in every active lane.
#pragma once
#include <stdint.h>
#include <string>
#include <type_traits>
#include <vector>
#include "ptx/program.h"

namespace emu {
// One side of a branch, or all: the lanes of `mask` go on at `at` until they are at `join`.
struct Side {
    uint32_t at, join, mask;
};
struct PendingCopy {
    char* to;
    const char* from;
    uint32_t bytes, given, group, lane;
};
struct Warp {
    char* file;
    uint32_t* predicates;
    // Lanes of the present instruction, lanes that have not ended.
    uint32_t active, live;
    std::vector<Side> sides;
    bool at_barrier;
    uint32_t vote;
    char* shared;
    unsigned shared_bytes, number;
    const char* parameters;
    std::vector<PendingCopy> copies;
    uint32_t open_group[32];
    // Of the present instruction, where it is counted; of the launch, what was touched.
    Count* count;
    Sectors *read, *written;

    template <class T>
    T* at(uint32_t place) {
        return (T*)(file + place);
    }
};
enum Space { Global, Shared, Generic };
struct PtxFault {
    std::string message;
};
[[noreturn]] void fail_in_ptx(const char* format, ...) __attribute__((format(printf, 1, 2)));

// ---- values in registers: 4 bytes for all types up to those, narrower ones extended by their sign ----
template <class T>
using Slot = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
template <class T>
inline T from_slot(Slot<T> s) {
    if constexpr (std::is_floating_point_v<T>)
        return __builtin_bit_cast(T, s);
    else
        return (T)s;
}
template <class T>
inline Slot<T> to_slot(T v) {
    if constexpr (std::is_floating_point_v<T>)
        return __builtin_bit_cast(Slot<T>, v);
    else
        return (Slot<T>)(std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>)v;
}
template <class T>
inline T value(Warp& w, uint32_t place, int lane) {
    return from_slot<T>(w.at<Slot<T>>(place)[lane]);
}
template <class T>
inline void set(Warp& w, uint32_t place, int lane, T v) {
    w.at<Slot<T>>(place)[lane] = to_slot(v);
}
// The same with a register of 8 bytes where `Wide` says so.
template <class T, bool Wide>
inline T moved(Warp& w, uint32_t place, int lane) {
    return Wide ? (T)w.at<uint64_t>(place)[lane] : value<T>(w, place, lane);
}
template <class T, bool Wide>
inline void move(Warp& w, uint32_t place, int lane, T v) {
    if constexpr (Wide)
        set<std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>>(w, place, lane, v);
    else
        set<T>(w, place, lane, v);
}
// f(lane) in every active lane; in all of them without a test, so that the compiler makes vectors of it.
template <class F>
inline void each(const Warp& w, F f) {
    if (w.active == ~0u) {
#pragma GCC ivdep
        for (int l = 0; l < 32; l++) f(l);
    } else {
        for (uint32_t m = w.active; m; m &= m - 1) f(__builtin_ctz(m));
    }
}
// Places are read before the loops: what is written there could be the instruction itself, as far as the compiler knows, and no vectors would be made.
template <class D, class A, class F>
inline void map1(Warp& w, const Instruction& i, F f) {
    const uint32_t to = i.operand[0], a = i.operand[1];
    each(w, [&w, to, a, f](int l) { set<D>(w, to, l, f(value<A>(w, a, l))); });
}
template <class D, class A, class B, class F>
inline void map2(Warp& w, const Instruction& i, F f) {
    const uint32_t to = i.operand[0], a = i.operand[1], b = i.operand[2];
    each(w, [&w, to, a, b, f](int l) { set<D>(w, to, l, f(value<A>(w, a, l), value<B>(w, b, l))); });
}
template <class D, class A, class B, class C, class F>
inline void map3(Warp& w, const Instruction& i, F f) {
    const uint32_t to = i.operand[0], a = i.operand[1], b = i.operand[2], c = i.operand[3];
    each(w, [&w, to, a, b, c, f](int l) { set<D>(w, to, l, f(value<A>(w, a, l), value<B>(w, b, l), value<C>(w, c, l))); });
}
inline void set_predicate(Warp& w, uint32_t number, uint32_t bits) { w.predicates[number] = (w.predicates[number] & ~w.active) | (bits & w.active); }
template <class T, class F>
inline void compare(Warp& w, const Instruction& i, F f) {
    const uint32_t a = i.operand[1], b = i.operand[2];
    uint32_t bits = 0;
    if (w.active == ~0u) {
        for (int l = 0; l < 32; l++) bits |= (uint32_t)f(value<T>(w, a, l), value<T>(w, b, l)) << l;
    } else {
        each(w, [&](int l) { bits |= (uint32_t)f(value<T>(w, a, l), value<T>(w, b, l)) << l; });
    }
    set_predicate(w, i.operand[0], bits);
}
}  // namespace emu
