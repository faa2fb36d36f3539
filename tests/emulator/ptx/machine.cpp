#include "ptx_machine.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <unordered_map>
#include "matrices.h"
#include "ptx_profile.h"
#include "ptx_program.h"

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
    // Of the present instruction, where it is counted.
    Count* count;

    template <class T>
    T* at(uint32_t place) {
        return (T*)(file + place);
    }
};
struct PtxFault {
    std::string message;
};

namespace {
[[noreturn]] __attribute__((format(printf, 1, 2))) void fail(const char* format, ...) {
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    throw PtxFault{text};
}

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
template <class D, class A, class F>
inline void map1(Warp& w, const Instruction& i, F f) {
    each(w, [&](int l) { set<D>(w, i.operand[0], l, f(value<A>(w, i.operand[1], l))); });
}
template <class D, class A, class B, class F>
inline void map2(Warp& w, const Instruction& i, F f) {
    each(w, [&](int l) { set<D>(w, i.operand[0], l, f(value<A>(w, i.operand[1], l), value<B>(w, i.operand[2], l))); });
}
template <class D, class A, class B, class C, class F>
inline void map3(Warp& w, const Instruction& i, F f) {
    each(w, [&](int l) { set<D>(w, i.operand[0], l, f(value<A>(w, i.operand[1], l), value<B>(w, i.operand[2], l), value<C>(w, i.operand[3], l))); });
}
inline void set_predicate(Warp& w, uint32_t number, uint32_t bits) { w.predicates[number] = (w.predicates[number] & ~w.active) | (bits & w.active); }
template <class T, class F>
inline void compare(Warp& w, const Instruction& i, F f) {
    uint32_t bits = 0;
    if (w.active == ~0u) {
        for (int l = 0; l < 32; l++) bits |= (uint32_t)f(value<T>(w, i.operand[1], l), value<T>(w, i.operand[2], l)) << l;
    } else {
        each(w, [&](int l) { bits |= (uint32_t)f(value<T>(w, i.operand[1], l), value<T>(w, i.operand[2], l)) << l; });
    }
    set_predicate(w, i.operand[0], bits);
}

// ---- arithmetic whose borders PTX defines otherwise than C++ ----
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
uint32_t permute(uint32_t a, uint32_t b, uint32_t selector) {
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
uint32_t leading_zeros(T a, uint32_t of_zero) {
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
float fma_down(float a, float b, float c) {
    double product = (double)a * b, sum = product + c, back = sum - product, error = (product - (sum - back)) + (c - back);
    float r = (float)sum;
    return r > sum || (r == sum && error < 0) ? std::nextafter(r, -INFINITY) : r;
}
uint32_t dot_of_bytes(uint32_t a, uint32_t b, uint32_t c) {
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
float saturated(float x) { return x > 0.f ? (x < 1.f ? x : 1.f) : 0.f; }

// ---- memory ----
// Passes that an access to shared memory takes: lanes together that move up to 128 bytes, and in each as many as words of one bank differ.
void count_passes(Count& count, const uint64_t* addresses, uint32_t active, unsigned bytes) {
    unsigned lanes = bytes <= 4 ? 32 : 128 / bytes;
    for (unsigned first = 0; first < 32; first += lanes) {
        uint64_t words[32];
        unsigned different = 0;
        for (unsigned l = first; l < first + lanes; l++) {
            if (!(active >> l & 1)) continue;
            for (unsigned b = 0; b < bytes; b += 4) words[different++] = (addresses[l] + b) / 4;
        }
        if (!different) continue;
        std::sort(words, words + different);
        different = (unsigned)(std::unique(words, words + different) - words);
        unsigned of_bank[32] = {}, most = 0;
        for (unsigned k = 0; k < different; k++) most = std::max(most, ++of_bank[words[k] % 32]);
        count.passes += most;
        count.fewest_passes++;
    }
}
void count_sectors(Count& count, const uint64_t* addresses, uint32_t active, unsigned bytes) {
    std::vector<uint64_t> words;
    uint64_t last = ~0ull;
    for (uint32_t m = active; m; m &= m - 1)
        for (unsigned b = 0; b < bytes; b += std::min(bytes, 4u)) words.push_back((addresses[__builtin_ctz(m)] + b) / std::min(bytes, 4u));
    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
    for (uint64_t word : words) {
        uint64_t sector = word * std::min(bytes, 4u) / 32;
        count.sectors += sector != last;
        last = sector;
    }
    count.fewest_sectors += (words.size() * std::min(bytes, 4u) + 31) / 32;
}
enum Space { Global, Shared, Generic };

template <Space S>
char* pointer(Warp& w, const Instruction& i, int lane, unsigned bytes) {
    uint64_t a = (i.wide_base ? w.at<uint64_t>(i.base)[lane] : w.at<uint32_t>(i.base)[lane]) + (uint64_t)i.offset;
    if (a % bytes) fail("lane %d: an address, %#llx, is not %u-byte aligned", lane, (unsigned long long)a, bytes);
    bool shared = S == Shared || (S == Generic && a >= SharedWindow);
    if (!shared) return (char*)a;
    if (S == Generic) a -= SharedWindow;
    if (!i.wide_base && S == Shared) a = (uint32_t)a;
    if (a + bytes > w.shared_bytes)
        fail("lane %d: an illegal memory access at %#llx of %u bytes of shared memory", lane, (unsigned long long)a, w.shared_bytes);
    return w.shared + a;
}
template <Space S>
void count_access(Warp& w, const Instruction& i, unsigned bytes) {
    if (!w.count) return;
    uint64_t addresses[32];
    each(w, [&](int l) { addresses[l] = (uint64_t)pointer<S>(w, i, l, 1); });
    if (S == Shared)
        count_passes(*w.count, addresses, w.active, bytes);
    else
        count_sectors(*w.count, addresses, w.active, bytes);
}
template <Space S, class T, int N, bool Wide>
void load(Warp& w, const Instruction& i) {
    count_access<S>(w, i, sizeof(T) * N);
    for (uint32_t m = w.active; m; m &= m - 1) {
        int l = __builtin_ctz(m);
        T loaded[N];
        memcpy(loaded, pointer<S>(w, i, l, sizeof(T) * N), sizeof loaded);
        for (int n = 0; n < N; n++) move<T, Wide>(w, i.operand[n], l, loaded[n]);
    }
}
template <Space S, class T, int N, bool Wide>
void store(Warp& w, const Instruction& i) {
    count_access<S>(w, i, sizeof(T) * N);
    for (uint32_t m = w.active; m; m &= m - 1) {
        int l = __builtin_ctz(m);
        T stored[N];
        for (int n = 0; n < N; n++) stored[n] = moved<T, Wide>(w, i.operand[n], l);
        memcpy(pointer<S>(w, i, l, sizeof(T) * N), stored, sizeof stored);
    }
}
template <class T, int N, bool Wide>
void load_parameter(Warp& w, const Instruction& i) {
    each(w, [&](int l) {
        T loaded[N];
        memcpy(loaded, w.parameters + w.at<uint64_t>(i.base)[l] + i.offset, sizeof loaded);
        for (int n = 0; n < N; n++) move<T, Wide>(w, i.operand[n], l, loaded[n]);
    });
}
template <Space S, class T, class F>
void atomic(Warp& w, const Instruction& i, bool result, F change) {
    count_access<S>(w, i, sizeof(T));
    for (uint32_t m = w.active; m; m &= m - 1) {
        int l = __builtin_ctz(m);
        Slot<T>* p = (Slot<T>*)pointer<S>(w, i, l, sizeof(T));
        const uint32_t* operands = i.operand + result;
        Slot<T> old = __atomic_load_n(p, __ATOMIC_RELAXED);
        while (!__atomic_compare_exchange_n(p, &old, to_slot<T>(change(w, operands, l, from_slot<T>(old))), false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
        }
        if (result) w.at<Slot<T>>(i.operand[0])[l] = old;
    }
}

// ---- cp.async: shared memory holds NaN until the copy was waited for ----
template <int Bytes>
void copy(Warp& w, const Instruction& i) {
    // The rest is zeros.
    bool some = !i.operation->operands.empty();
    uint64_t to[32], from[32];
    uint32_t reading = 0;
    each(w, [&](int l) {
        uint32_t base = w.at<uint32_t>(i.base)[l] + (uint32_t)i.offset;
        uint64_t source = w.at<uint64_t>(i.source)[l] + (uint64_t)i.source_offset;
        uint32_t given = some ? w.at<uint32_t>(i.operand[0])[l] : Bytes;
        if (base % Bytes || (given && source % Bytes))
            fail("lane %d: cp.async: an address, %#x or %#llx, is not %d-byte aligned", l, base, (unsigned long long)source, Bytes);
        if (base + Bytes > w.shared_bytes) fail("lane %d: cp.async: an illegal memory access at %#x of %u bytes of shared memory", l, base, w.shared_bytes);
        char* target = w.shared + base;
        for (int k = 0; k < Bytes / 4; k++) ((uint32_t*)target)[k] = Unwritten;
        w.copies.push_back({target, (const char*)source, Bytes, given, w.open_group[l], (uint32_t)l});
        to[l] = base, from[l] = source;
        if (given) reading |= 1u << l;
    });
    if (!w.count) return;
    count_passes(*w.count, to, w.active, Bytes);
    count_sectors(*w.count, from, reading, Bytes);
}
void commit_copies(Warp& w, const Instruction&) {
    each(w, [&](int l) { w.open_group[l]++; });
}
void wait_for_copies(Warp& w, uint32_t groups, bool all) {
    size_t kept = 0;
    for (const PendingCopy& c : w.copies) {
        if (!(w.active >> c.lane & 1) || (!all && c.group + groups >= w.open_group[c.lane])) {
            w.copies[kept++] = c;
            continue;
        }
        if (c.given) memcpy(c.to, c.from, c.given);
        memset(c.to + c.given, 0, c.bytes - c.given);
    }
    w.copies.resize(kept);
}

// ---- the warp ----
void require_lanes(const Warp& w, uint32_t mask) {
    if (uint32_t absent = mask & ~w.active) {
        bool ended = (absent & ~w.live) == absent;
        fail("deadlock: the lanes %08x of a warp operation's mask %08x %s", absent, mask, ended ? "have ended" : "are elsewhere");
    }
    if (w.active & ~mask) fail("lanes %08x execute a warp operation without being in its mask %08x", w.active & ~mask, mask);
}
void require_all(const Warp& w) {
    if (w.active != ~0u) fail("a matrix operation in %d lanes instead of 32", __builtin_popcount(w.active));
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
        if (!(w.active >> source & 1)) fail("a shuffle reads lane %u, which does not take part", source);
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

// ---- the table ----
class Table {
public:
    Table() {
        control();
        integers<int32_t, uint32_t>("32", '4');
        integers<int64_t, uint64_t>("64", '8');
        short_integers();
        floats<float>("f32", '4');
        floats<double>("f64", '8');
        selections();
        conversions();
        moves();
        memory();
        warps();
    }
    const Operation* find(const std::string& opcode) const {
        auto found = operations_.find(opcode);
        return found == operations_.end() ? nullptr : &found->second;
    }

private:
    Operation& add(const std::string& opcode, const std::string& operands, Execute execute) {
        Operation& o = operations_[opcode];
        o.execute = execute;
        o.operands = operands;
        return o;
    }
    static std::string times(char letter, int n) { return std::string((size_t)n, letter); }

    void control() {
        for (const char* name : {"bra", "bra.uni"}) add(name, "", nullptr).control = Control::Branch;
        for (const char* name : {"ret", "exit"}) add(name, "", nullptr).control = Control::Return;
        for (const char* name : {"bar.sync", "barrier.sync.aligned"}) add(name, "4", nullptr).control = Control::Barrier;
        add("bar.red.or.pred", "p4p", nullptr).control = Control::Barrier;
        for (const char* name : {"membar.gl", "membar.cta", "membar.sys", "fence.acq_rel.gpu", "fence.sc.gpu"}) add(name, "", [](Warp&, const Instruction&) {});
    }
    template <class S, class U>
    void integers(const std::string& width, char k) {
        std::string two = times(k, 2), three = times(k, 3), four = times(k, 4), shift = two + "4";
        for (const char* type : {"s", "u"}) {
            std::string t = type + width;
            add("add." + t, three, [](Warp& w, const Instruction& i) { map2<U, U, U>(w, i, [](U a, U b) { return a + b; }); });
            add("sub." + t, three, [](Warp& w, const Instruction& i) { map2<U, U, U>(w, i, [](U a, U b) { return a - b; }); });
            add("mul.lo." + t, three, [](Warp& w, const Instruction& i) { map2<U, U, U>(w, i, [](U a, U b) { return a * b; }); });
            add("mad.lo." + t, four, [](Warp& w, const Instruction& i) { map3<U, U, U, U>(w, i, [](U a, U b, U c) { return a * b + c; }); });
        }
        add("neg.s" + width, two, [](Warp& w, const Instruction& i) { map1<U, U>(w, i, [](U a) { return 0 - a; }); });
        add("abs.s" + width, two, [](Warp& w, const Instruction& i) { map1<U, S>(w, i, [](S a) { return a < 0 ? 0 - (U)a : (U)a; }); });
        add("not.b" + width, two, [](Warp& w, const Instruction& i) { map1<U, U>(w, i, [](U a) { return ~a; }); });
        add("and.b" + width, three, [](Warp& w, const Instruction& i) { map2<U, U, U>(w, i, [](U a, U b) { return a & b; }); });
        add("or.b" + width, three, [](Warp& w, const Instruction& i) { map2<U, U, U>(w, i, [](U a, U b) { return a | b; }); });
        add("xor.b" + width, three, [](Warp& w, const Instruction& i) { map2<U, U, U>(w, i, [](U a, U b) { return a ^ b; }); });
        add("shl.b" + width, shift, [](Warp& w, const Instruction& i) { map2<U, U, uint32_t>(w, i, shift_left<U>); });
        for (const char* type : {"u", "b"})
            add("shr." + (type + width), shift, [](Warp& w, const Instruction& i) { map2<U, U, uint32_t>(w, i, shift_right<U>); });
        add("shr.s" + width, shift, [](Warp& w, const Instruction& i) { map2<S, S, uint32_t>(w, i, shift_right<S>); });
        add("popc.b" + width, "4" + times(k, 1),
            [](Warp& w, const Instruction& i) { map1<uint32_t, U>(w, i, [](U a) { return (uint32_t)__builtin_popcountll(a); }); });
        add("clz.b" + width, "4" + times(k, 1),
            [](Warp& w, const Instruction& i) { map1<uint32_t, U>(w, i, [](U a) { return leading_zeros(a, sizeof(U) * 8); }); });
        add("bfe.u" + width, two + "44", [](Warp& w, const Instruction& i) { map3<U, U, uint32_t, uint32_t>(w, i, bits_of<U>); });
        add("bfi.b" + width, three + "44", [](Warp& w, const Instruction& i) {
            each(w, [&](int l) {
                U inserted = insert<U>(value<U>(w, i.operand[1], l), value<U>(w, i.operand[2], l), value<uint32_t>(w, i.operand[3], l),
                                       value<uint32_t>(w, i.operand[4], l));
                set<U>(w, i.operand[0], l, inserted);
            });
        });
        // How far the highest bit is from the top.
        add("bfind.shiftamt.u" + width, "4" + times(k, 1),
            [](Warp& w, const Instruction& i) { map1<uint32_t, U>(w, i, [](U a) { return leading_zeros(a, ~0u); }); });
        add("bfe.s" + width, two + "44", [](Warp& w, const Instruction& i) { map3<S, S, uint32_t, uint32_t>(w, i, bits_of<S>); });
        typed<S>("s" + width, k);
        typed<U>("u" + width, k);
        comparisons<U>("b" + width, k, false);
    }
    // What depends on the sign.
    template <class T>
    void typed(const std::string& t, char k) {
        std::string three = times(k, 3);
        add("min." + t, three, [](Warp& w, const Instruction& i) { map2<T, T, T>(w, i, extreme<T, true>); });
        add("max." + t, three, [](Warp& w, const Instruction& i) { map2<T, T, T>(w, i, extreme<T, false>); });
        add("div." + t, three, [](Warp& w, const Instruction& i) { map2<T, T, T>(w, i, quotient<T>); });
        add("rem." + t, three, [](Warp& w, const Instruction& i) { map2<T, T, T>(w, i, rest<T>); });
        using Wide = std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>;
        add("mul.hi." + t, three, [](Warp& w, const Instruction& i) { map2<T, T, T>(w, i, [](T a, T b) { return (T)((Wide)a * b >> sizeof(T) * 8); }); });
        comparisons<T>(t, k, true);
    }
    void short_integers() {
        for (const char* t : {"s16", "u16"}) {
            std::string type = t;
            add("add." + type, "444",
                [](Warp& w, const Instruction& i) { map2<uint16_t, uint16_t, uint16_t>(w, i, [](uint16_t a, uint16_t b) { return (uint16_t)(a + b); }); });
            add("sub." + type, "444",
                [](Warp& w, const Instruction& i) { map2<uint16_t, uint16_t, uint16_t>(w, i, [](uint16_t a, uint16_t b) { return (uint16_t)(a - b); }); });
            add("mul.lo." + type, "444",
                [](Warp& w, const Instruction& i) { map2<uint16_t, uint16_t, uint16_t>(w, i, [](uint16_t a, uint16_t b) { return (uint16_t)(a * b); }); });
        }
        add("and.b16", "444",
            [](Warp& w, const Instruction& i) { map2<uint16_t, uint16_t, uint16_t>(w, i, [](uint16_t a, uint16_t b) { return (uint16_t)(a & b); }); });
        add("or.b16", "444",
            [](Warp& w, const Instruction& i) { map2<uint16_t, uint16_t, uint16_t>(w, i, [](uint16_t a, uint16_t b) { return (uint16_t)(a | b); }); });
        add("xor.b16", "444",
            [](Warp& w, const Instruction& i) { map2<uint16_t, uint16_t, uint16_t>(w, i, [](uint16_t a, uint16_t b) { return (uint16_t)(a ^ b); }); });
        add("not.b16", "44", [](Warp& w, const Instruction& i) { map1<uint16_t, uint16_t>(w, i, [](uint16_t a) { return (uint16_t)~a; }); });
        add("shl.b16", "444", [](Warp& w, const Instruction& i) { map2<uint16_t, uint16_t, uint32_t>(w, i, shift_left<uint16_t>); });
        add("shr.u16", "444", [](Warp& w, const Instruction& i) { map2<uint16_t, uint16_t, uint32_t>(w, i, shift_right<uint16_t>); });
        add("shr.s16", "444", [](Warp& w, const Instruction& i) { map2<int16_t, int16_t, uint32_t>(w, i, shift_right<int16_t>); });
        comparisons<int16_t>("s16", '4', true);
        comparisons<uint16_t>("u16", '4', true);
        comparisons<uint16_t>("b16", '4', false);
        add("mul.wide.s16", "444",
            [](Warp& w, const Instruction& i) { map2<int32_t, int16_t, int16_t>(w, i, [](int16_t a, int16_t b) { return (int32_t)a * b; }); });
        add("mul.wide.u16", "444",
            [](Warp& w, const Instruction& i) { map2<uint32_t, uint16_t, uint16_t>(w, i, [](uint16_t a, uint16_t b) { return (uint32_t)a * b; }); });
        add("mul.wide.s32", "844",
            [](Warp& w, const Instruction& i) { map2<int64_t, int32_t, int32_t>(w, i, [](int32_t a, int32_t b) { return (int64_t)a * b; }); });
        add("mul.wide.u32", "844",
            [](Warp& w, const Instruction& i) { map2<uint64_t, uint32_t, uint32_t>(w, i, [](uint32_t a, uint32_t b) { return (uint64_t)a * b; }); });
        add("mad.wide.s32", "8448", [](Warp& w, const Instruction& i) {
            map3<int64_t, int32_t, int32_t, uint64_t>(w, i, [](int32_t a, int32_t b, uint64_t c) { return (int64_t)((uint64_t)((int64_t)a * b) + c); });
        });
        add("mad.wide.u32", "8448", [](Warp& w, const Instruction& i) {
            map3<uint64_t, uint32_t, uint32_t, uint64_t>(w, i, [](uint32_t a, uint32_t b, uint64_t c) { return (uint64_t)a * b + c; });
        });
        add("prmt.b32", "4444", [](Warp& w, const Instruction& i) { map3<uint32_t, uint32_t, uint32_t, uint32_t>(w, i, permute); });
        add("shf.l.wrap.b32", "4444", [](Warp& w, const Instruction& i) {
            map3<uint32_t, uint32_t, uint32_t, uint32_t>(
                w, i, [](uint32_t a, uint32_t b, uint32_t n) { return (uint32_t)(((uint64_t)b << 32 | a) << (n & 31) >> 32); });
        });
        add("shf.r.wrap.b32", "4444", [](Warp& w, const Instruction& i) {
            map3<uint32_t, uint32_t, uint32_t, uint32_t>(w, i,
                                                         [](uint32_t a, uint32_t b, uint32_t n) { return (uint32_t)(((uint64_t)b << 32 | a) >> (n & 31)); });
        });
        add("dp4a.u32.u32", "4444", [](Warp& w, const Instruction& i) { map3<uint32_t, uint32_t, uint32_t, uint32_t>(w, i, dot_of_bytes); });
        add("brev.b32", "44", [](Warp& w, const Instruction& i) {
            map1<uint32_t, uint32_t>(w, i, [](uint32_t a) {
                uint32_t r = 0;
                for (int k = 0; k < 32; k++) r |= (a >> k & 1) << (31 - k);
                return r;
            });
        });
    }
    template <class T>
    void comparisons(const std::string& t, char k, bool ordered) {
        std::string operands = "p" + times(k, 2);
        add("setp.eq." + t, operands, [](Warp& w, const Instruction& i) { compare<T>(w, i, [](T a, T b) { return a == b; }); });
        add("setp.ne." + t, operands,
            [](Warp& w, const Instruction& i) { compare<T>(w, i, [](T a, T b) { return a < b || a > b || (std::is_integral_v<T> && a != b); }); });
        if (!ordered) return;
        add("setp.lt." + t, operands, [](Warp& w, const Instruction& i) { compare<T>(w, i, [](T a, T b) { return a < b; }); });
        add("setp.le." + t, operands, [](Warp& w, const Instruction& i) { compare<T>(w, i, [](T a, T b) { return a <= b; }); });
        add("setp.gt." + t, operands, [](Warp& w, const Instruction& i) { compare<T>(w, i, [](T a, T b) { return a > b; }); });
        add("setp.ge." + t, operands, [](Warp& w, const Instruction& i) { compare<T>(w, i, [](T a, T b) { return a >= b; }); });
    }
    template <class T>
    void floats(const std::string& t, char k) {
        std::string two = times(k, 2), three = times(k, 3), compared = "p" + two;
        for (const char* rounding : {"", "rn."}) {
            add("add." + (rounding + t), three, [](Warp& w, const Instruction& i) { map2<T, T, T>(w, i, [](T a, T b) { return a + b; }); });
            add("sub." + (rounding + t), three, [](Warp& w, const Instruction& i) { map2<T, T, T>(w, i, [](T a, T b) { return a - b; }); });
            add("mul." + (rounding + t), three, [](Warp& w, const Instruction& i) { map2<T, T, T>(w, i, [](T a, T b) { return a * b; }); });
        }
        add("fma.rn." + t, times(k, 4), [](Warp& w, const Instruction& i) {
            map3<T, T, T, T>(w, i, [](T a, T b, T c) {
                if constexpr (sizeof(T) == 4)
                    return __builtin_fmaf(a, b, c);
                else
                    return __builtin_fma(a, b, c);
            });
        });
        add("div.rn." + t, three, [](Warp& w, const Instruction& i) { map2<T, T, T>(w, i, [](T a, T b) { return a / b; }); });
        add("rcp.rn." + t, two, [](Warp& w, const Instruction& i) { map1<T, T>(w, i, [](T a) { return 1 / a; }); });
        add("sqrt.rn." + t, two, [](Warp& w, const Instruction& i) { map1<T, T>(w, i, [](T a) { return std::sqrt(a); }); });
        add("neg." + t, two, [](Warp& w, const Instruction& i) { map1<T, T>(w, i, [](T a) { return -a; }); });
        add("abs." + t, two, [](Warp& w, const Instruction& i) { map1<T, T>(w, i, [](T a) { return std::fabs(a); }); });
        add("min." + t, three, [](Warp& w, const Instruction& i) { map2<T, T, T>(w, i, extreme<T, true>); });
        add("max." + t, three, [](Warp& w, const Instruction& i) { map2<T, T, T>(w, i, extreme<T, false>); });
        comparisons<T>(t, k, true);
        add("setp.equ." + t, compared, [](Warp& w, const Instruction& i) { compare<T>(w, i, [](T a, T b) { return !(a < b || a > b); }); });
        add("setp.neu." + t, compared, [](Warp& w, const Instruction& i) { compare<T>(w, i, [](T a, T b) { return !(a == b); }); });
        add("setp.ltu." + t, compared, [](Warp& w, const Instruction& i) { compare<T>(w, i, [](T a, T b) { return !(a >= b); }); });
        add("setp.leu." + t, compared, [](Warp& w, const Instruction& i) { compare<T>(w, i, [](T a, T b) { return !(a > b); }); });
        add("setp.gtu." + t, compared, [](Warp& w, const Instruction& i) { compare<T>(w, i, [](T a, T b) { return !(a <= b); }); });
        add("setp.geu." + t, compared, [](Warp& w, const Instruction& i) { compare<T>(w, i, [](T a, T b) { return !(a < b); }); });
        add("setp.num." + t, compared, [](Warp& w, const Instruction& i) { compare<T>(w, i, [](T a, T b) { return a == a && b == b; }); });
        add("setp.nan." + t, compared, [](Warp& w, const Instruction& i) { compare<T>(w, i, [](T a, T b) { return a != a || b != b; }); });
    }
    void selections() {
        Execute narrow = [](Warp& w, const Instruction& i) {
            uint32_t p = w.predicates[i.operand[3]];
            each(w, [&](int l) { set<uint32_t>(w, i.operand[0], l, value<uint32_t>(w, p >> l & 1 ? i.operand[1] : i.operand[2], l)); });
        };
        Execute wide = [](Warp& w, const Instruction& i) {
            uint32_t p = w.predicates[i.operand[3]];
            each(w, [&](int l) { set<uint64_t>(w, i.operand[0], l, value<uint64_t>(w, p >> l & 1 ? i.operand[1] : i.operand[2], l)); });
        };
        for (const char* t : {"b16", "u16", "s16", "b32", "u32", "s32", "f32"}) add(std::string("selp.") + t, "444p", narrow);
        for (const char* t : {"b64", "u64", "s64", "f64"}) add(std::string("selp.") + t, "888p", wide);
        add("and.pred", "ppp", [](Warp& w, const Instruction& i) { set_predicate(w, i.operand[0], w.predicates[i.operand[1]] & w.predicates[i.operand[2]]); });
        add("or.pred", "ppp", [](Warp& w, const Instruction& i) { set_predicate(w, i.operand[0], w.predicates[i.operand[1]] | w.predicates[i.operand[2]]); });
        add("xor.pred", "ppp", [](Warp& w, const Instruction& i) { set_predicate(w, i.operand[0], w.predicates[i.operand[1]] ^ w.predicates[i.operand[2]]); });
        add("not.pred", "pp", [](Warp& w, const Instruction& i) { set_predicate(w, i.operand[0], ~w.predicates[i.operand[1]]); });
        add("mov.pred", "pp", [](Warp& w, const Instruction& i) { set_predicate(w, i.operand[0], w.predicates[i.operand[1]]); });
    }
    template <class D, class A>
    void between(const char* to, const char* from) {
        add(std::string("cvt.") + to + "." + from, std::string(sizeof(D) == 8 ? "8" : "4") + (sizeof(A) == 8 ? "8" : "4"),
            [](Warp& w, const Instruction& i) { map1<D, A>(w, i, [](A a) { return (D)a; }); });
        // From the lower part of a register of 8 bytes.
        if constexpr (sizeof(A) < 8)
            add(std::string("cvt.") + to + "." + from + ".wide", std::string(sizeof(D) == 8 ? "8" : "4") + "8",
                [](Warp& w, const Instruction& i) { map1<D, uint64_t>(w, i, [](uint64_t a) { return (D)(A)a; }); });
    }
    template <class D>
    void from_all(const char* to) {
        between<D, uint8_t>(to, "u8"), between<D, int8_t>(to, "s8"), between<D, uint16_t>(to, "u16"), between<D, int16_t>(to, "s16");
        between<D, uint32_t>(to, "u32"), between<D, int32_t>(to, "s32"), between<D, uint64_t>(to, "u64"), between<D, int64_t>(to, "s64");
    }
    template <class A>
    void to_float(const char* from) {
        std::string letter = sizeof(A) == 8 ? "8" : "4";
        add(std::string("cvt.rn.f32.") + from, "4" + letter, [](Warp& w, const Instruction& i) { map1<float, A>(w, i, [](A a) { return (float)a; }); });
        add(std::string("cvt.rn.f64.") + from, "8" + letter, [](Warp& w, const Instruction& i) { map1<double, A>(w, i, [](A a) { return (double)a; }); });
    }
    void conversions() {
        from_all<uint8_t>("u8"), from_all<int8_t>("s8"), from_all<uint16_t>("u16"), from_all<int16_t>("s16");
        from_all<uint32_t>("u32"), from_all<int32_t>("s32"), from_all<uint64_t>("u64"), from_all<int64_t>("s64");
        to_float<uint8_t>("u8"), to_float<int8_t>("s8"), to_float<uint16_t>("u16"), to_float<int16_t>("s16"), to_float<uint32_t>("u32"),
            to_float<int32_t>("s32");
        to_float<uint64_t>("u64"), to_float<int64_t>("s64");
        add("cvt.rn.f32.f64", "48", [](Warp& w, const Instruction& i) { map1<float, double>(w, i, [](double a) { return (float)a; }); });
        add("cvt.f64.f32", "84", [](Warp& w, const Instruction& i) { map1<double, float>(w, i, [](float a) { return (double)a; }); });
        add("cvt.sat.f32.f32", "44", [](Warp& w, const Instruction& i) { map1<float, float>(w, i, saturated); });
        add("cvt.rzi.s32.f32", "44", [](Warp& w, const Instruction& i) { map1<int32_t, float>(w, i, to_integer<int32_t, float>); });
        add("cvt.rzi.u32.f32", "44", [](Warp& w, const Instruction& i) { map1<uint32_t, float>(w, i, to_integer<uint32_t, float>); });
        add("cvt.rni.s32.f32", "44",
            [](Warp& w, const Instruction& i) { map1<int32_t, float>(w, i, [](float a) { return to_integer<int32_t>(std::rint(a)); }); });
        add("cvt.rmi.s32.f32", "44",
            [](Warp& w, const Instruction& i) { map1<int32_t, float>(w, i, [](float a) { return to_integer<int32_t>(std::floor(a)); }); });
        add("cvt.rna.tf32.f32", "44", [](Warp& w, const Instruction& i) { map1<uint32_t, float>(w, i, to_tf32); });
        add("cvt.rn.bf16.f32", "44", [](Warp& w, const Instruction& i) { map1<uint16_t, float>(w, i, to_bfloat16); });
        add("cvt.rn.bf16x2.f32", "444", [](Warp& w, const Instruction& i) {
            map2<uint32_t, float, float>(w, i, [](float high, float low) { return (uint32_t)to_bfloat16(high) << 16 | to_bfloat16(low); });
        });
        // To 2 ulp and better here; what a GPU gives is within the ISA's bounds of that.
        add("ex2.approx.ftz.f32", "44", [](Warp& w, const Instruction& i) { map1<float, float>(w, i, [](float a) { return std::exp2(a); }); });
        add("lg2.approx.ftz.f32", "44", [](Warp& w, const Instruction& i) { map1<float, float>(w, i, [](float a) { return std::log2(a); }); });
        add("tanh.approx.f32", "44", [](Warp& w, const Instruction& i) { map1<float, float>(w, i, [](float a) { return std::tanh(a); }); });
        add("fma.rm.f32", "4444", [](Warp& w, const Instruction& i) { map3<float, float, float, float>(w, i, fma_down); });
        for (const char* name : {"cvta.global.u64", "cvta.to.global.u64"})
            add(name, "88", [](Warp& w, const Instruction& i) { map1<uint64_t, uint64_t>(w, i, [](uint64_t a) { return a; }); });
        add("cvta.shared.u64", "88", [](Warp& w, const Instruction& i) { map1<uint64_t, uint64_t>(w, i, [](uint64_t a) { return a + SharedWindow; }); });
        add("cvta.to.shared.u64", "88", [](Warp& w, const Instruction& i) { map1<uint64_t, uint64_t>(w, i, [](uint64_t a) { return a - SharedWindow; }); });
    }
    void moves() {
        Execute narrow = [](Warp& w, const Instruction& i) { map1<uint32_t, uint32_t>(w, i, [](uint32_t a) { return a; }); };
        Execute wide = [](Warp& w, const Instruction& i) { map1<uint64_t, uint64_t>(w, i, [](uint64_t a) { return a; }); };
        for (const char* t : {"b16", "u16", "s16", "b32", "u32", "s32", "f32"}) add(std::string("mov.") + t, "44", narrow);
        for (const char* t : {"b64", "u64", "s64", "f64"}) add(std::string("mov.") + t, "88", wide);
        add("mov.b64.unpack2", "448", [](Warp& w, const Instruction& i) {
            each(w, [&](int l) {
                uint64_t v = value<uint64_t>(w, i.operand[2], l);
                set<uint32_t>(w, i.operand[0], l, (uint32_t)v);
                set<uint32_t>(w, i.operand[1], l, (uint32_t)(v >> 32));
            });
        });
        add("mov.b64.pack2", "844", [](Warp& w, const Instruction& i) {
            map2<uint64_t, uint32_t, uint32_t>(w, i, [](uint32_t low, uint32_t high) { return (uint64_t)high << 32 | low; });
        });
        add("mov.b32.unpack2", "444", [](Warp& w, const Instruction& i) {
            each(w, [&](int l) {
                uint32_t v = value<uint32_t>(w, i.operand[2], l);
                set<uint32_t>(w, i.operand[0], l, v & 0xffff);
                set<uint32_t>(w, i.operand[1], l, v >> 16);
            });
        });
        add("mov.b32.pack2", "444", [](Warp& w, const Instruction& i) {
            map2<uint32_t, uint32_t, uint32_t>(w, i, [](uint32_t low, uint32_t high) { return high << 16 | (low & 0xffff); });
        });
    }
    template <Space S, class T, int N, bool Wide>
    void access(const std::string& space, const std::string& type, const std::string& operands) {
        std::vector<std::string> loads = {"ld" + space, "ld.volatile" + space};
        if (S == Global) loads.push_back("ld.global.nc");
        for (const std::string& name : loads) add(name + type, operands, load<S, T, N, Wide>);
        for (const std::string& name : {"st" + space, "st.volatile" + space}) add(name + type, operands, store<S, T, N, Wide>);
    }
    template <class T, int N, bool Wide>
    void accesses(const std::string& name) {
        std::string type = (N == 1 ? "." : ".v" + std::to_string(N) + ".") + name + (Wide ? ".wide" : ""),
                    operands = times(Wide || sizeof(T) == 8 ? '8' : '4', N);
        access<Global, T, N, Wide>(".global", type, operands);
        access<Shared, T, N, Wide>(".shared", type, operands);
        access<Generic, T, N, Wide>("", type, operands);
        add("ld.param" + type, operands, load_parameter<T, N, Wide>);
    }
    template <class T>
    void vectors(const std::string& type) {
        accesses<T, 1, false>(type);
        accesses<T, 2, false>(type);
        if constexpr (sizeof(T) <= 4) accesses<T, 4, false>(type), accesses<T, 1, true>(type);
    }
    template <Space S, class T>
    void atomics(const std::string& space, const std::string& type) {
        std::string k = sizeof(T) == 8 ? "8" : "4";
#define ATOMIC(name, expression)                                                         \
    add("atom" + space + "." name "." + type, k + k, [](Warp& w, const Instruction& i) { \
        atomic<S, T>(w, i, true, [](Warp& w, const uint32_t* o, int l, T old) {          \
            T v = value<T>(w, o[0], l);                                                  \
            return (T)(expression);                                                      \
        });                                                                              \
    });                                                                                  \
    add("red" + space + "." name "." + type, k, [](Warp& w, const Instruction& i) {      \
        atomic<S, T>(w, i, false, [](Warp& w, const uint32_t* o, int l, T old) {         \
            T v = value<T>(w, o[0], l);                                                  \
            return (T)(expression);                                                      \
        });                                                                              \
    })
        ATOMIC("add", old + v);
        ATOMIC("min", v < old ? v : old);
        ATOMIC("max", old < v ? v : old);
#undef ATOMIC
    }
    void memory() {
        vectors<uint8_t>("u8"), vectors<uint8_t>("b8"), vectors<int8_t>("s8");
        vectors<uint16_t>("u16"), vectors<uint16_t>("b16"), vectors<int16_t>("s16");
        for (const char* t : {"u32", "b32", "f32"}) vectors<uint32_t>(t);
        vectors<int32_t>("s32");
        for (const char* t : {"u64", "s64", "b64", "f64"}) vectors<uint64_t>(t);
        atomics<Global, uint32_t>(".global", "u32"), atomics<Global, int32_t>(".global", "s32"), atomics<Global, uint64_t>(".global", "u64");
        atomics<Shared, uint32_t>(".shared", "u32"), atomics<Shared, int32_t>(".shared", "s32"), atomics<Shared, uint64_t>(".shared", "u64");
        for (const char* cache : {"ca", "cg"}) {
            std::string name = std::string("cp.async.") + cache + ".shared.global";
            copies<4>(name), copies<8>(name), copies<16>(name);
        }
        add("cp.async.commit_group", "", commit_copies);
        add("cp.async.wait_group", "4", [](Warp& w, const Instruction& i) { wait_for_copies(w, w.at<uint32_t>(i.operand[0])[0], false); });
        add("cp.async.wait_all", "", [](Warp& w, const Instruction&) { wait_for_copies(w, 0, true); });
    }
    template <int Bytes>
    void copies(const std::string& name) {
        std::string bytes = std::to_string(Bytes);
        add(name + "." + bytes, "", copy<Bytes>);
        add(name + "." + bytes + ".some", "4", copy<Bytes>);
    }
    void warps() {
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

    std::unordered_map<std::string, Operation> operations_;
};
}  // namespace

const Operation* find_operation(const std::string& opcode) {
    static const Table* table = new Table;
    return table->find(opcode);
}

// ---- blocks ----
namespace {
thread_local sigjmp_buf* t_landing;
thread_local const void* t_address;

// What an OS thread runs blocks with.
struct State {
    std::shared_ptr<Program> program;
    const Launch* launch = nullptr;
    std::vector<Warp> warps;
    std::vector<uint32_t> predicates;
    std::vector<char> parameters;
    std::vector<Count> counts;
    uint64_t blocks = 0;
    char *files = nullptr, *shared = nullptr;
    size_t files_bytes = 0, shared_bytes = 0;

    static State& of_this_thread() {
        static thread_local State* state = new State;
        return *state;
    }
};
void reserve(char** memory, size_t* bytes, size_t needed) {
    if (*bytes >= needed) return;
    free(*memory);
    if (posix_memalign((void**)memory, 4096, needed)) abort();
    *bytes = needed;
}

// Goes on until the warp waits at a barrier or has ended.
template <bool Counting>
void run_warp(Warp& w, State& state) {
    const Instruction* code = state.program->code.data();
    const uint32_t end = (uint32_t)state.program->code.size();
    const Instruction* now = code;
    try {
        while (!w.sides.empty()) {
            Side& side = w.sides.back();
            if (side.at == side.join || !side.mask) {
                if (side.at == end) w.live &= ~side.mask;
                w.sides.pop_back();
                continue;
            }
            const Instruction& i = *(now = &code[side.at]);
            uint32_t mask = side.mask;
            if (i.guard != NoGuard) mask &= i.when ? w.predicates[i.guard] : ~w.predicates[i.guard];
            w.active = mask;
            if constexpr (Counting) {
                w.count = &state.counts[side.at];
                w.count->warps++;
                w.count->lanes += (unsigned)__builtin_popcount(mask);
            }
            switch (i.control) {
                case Control::None:
                    if (mask) i.execute(w, i);
                    side.at++;
                    break;
                case Control::Branch: {
                    uint32_t others = side.mask & ~mask, next = side.at + 1;
                    if (!others || !mask) {
                        side.at = mask ? i.target : next;
                        break;
                    }
                    // Where both meet, whoever waits there already goes on for this side, too.
                    if (side.join == i.join)
                        w.sides.pop_back();
                    else
                        side.at = i.join;
                    if (next != i.join) w.sides.push_back({next, i.join, others});
                    if (i.target != i.join) w.sides.push_back({i.target, i.join, mask});
                    break;
                }
                case Control::Return:
                    for (const PendingCopy& c : w.copies)
                        if (mask >> c.lane & 1) fail("lane %u: the thread ends with cp.async copies that it never waited for", c.lane);
                    side.at++;
                    for (Side& s : w.sides) s.mask &= ~mask;
                    w.live &= ~mask;
                    break;
                case Control::Barrier:
                    if (!mask) {
                        side.at++;
                        break;
                    }
                    if (mask != w.live) fail("divergent __syncthreads: lanes %08x of the warp wait, %08x are elsewhere", mask, w.live & ~mask);
                    w.at_barrier = true;
                    if (i.operation->operands.size() == 3) w.vote = w.predicates[i.operand[2]] & mask;
                    return;
            }
        }
    } catch (PtxFault& fault) {
        throw PtxFault{"warp " + std::to_string(w.number) + ", PTX line " + std::to_string(state.program->sources[(size_t)(now - code)].line) + ": " +
                       fault.message};
    }
}
template <bool Counting>
void run_block(State& state) {
    for (;;) {
        for (Warp& w : state.warps) run_warp<Counting>(w, state);
        // All that have not ended wait: at the same barrier?
        const Warp* first = nullptr;
        uint32_t vote = 0;
        auto at = [](const Warp& w) { return w.sides.back().at; };
        for (Warp& w : state.warps) {
            if (!w.at_barrier) continue;
            if (!first) first = &w;
            if (at(w) != at(*first)) {
                auto line = [&](const Warp& waits) { return std::to_string(state.program->sources[at(waits)].line); };
                throw PtxFault{"divergent __syncthreads: threads wait at PTX lines " + line(*first) + " and " + line(w)};
            }
            vote |= w.vote;
        }
        if (!first) return;
        const Instruction* barrier = &state.program->code[at(*first)];
        for (Warp& w : state.warps) {
            if (!w.at_barrier) continue;
            w.at_barrier = false;
            w.active = w.live;
            if (barrier->operation->operands.size() == 3) set_predicate(w, barrier->operand[0], vote ? ~0u : 0);
            w.sides.back().at++;
        }
    }
}
// A special register in a lane of a warp.
uint32_t special(const std::string& name, const Launch& launch, unsigned thread, uint3 block) {
    unsigned axis = (unsigned)(name.back() - 'x'), x = launch.block[0], y = launch.block[1];
    if (name == "%laneid") return thread % 32;
    if (name.rfind("%tid", 0) == 0) return axis == 0 ? thread % x : axis == 1 ? thread / x % y : thread / x / y;
    if (name.rfind("%ntid", 0) == 0) return launch.block[axis];
    return name.rfind("%nctaid", 0) == 0 ? launch.grid[axis] : axis == 0 ? block.x : axis == 1 ? block.y : block.z;
}
}  // namespace

void begin_blocks(const Launch& launch) {
    State& s = State::of_this_thread();
    const Program& p = *launch.program;
    s.program = launch.program;
    s.launch = &launch;
    s.warps.resize((launch.block[0] * launch.block[1] * launch.block[2] + 31) / 32);
    s.predicates.assign(s.warps.size() * p.predicates, 0);
    // Shifted so that the registers of neighbours do not meet in the cache.
    size_t stride = (p.file_bytes + 192 + 63) / 64 * 64;
    reserve(&s.files, &s.files_bytes, stride * s.warps.size());
    reserve(&s.shared, &s.shared_bytes, p.shared_bytes + launch.shared);
    s.parameters.resize(p.parameters_size);
    for (size_t k = 0; k < p.parameter_places.size(); k++) memcpy(&s.parameters[p.parameter_places[k]], launch.args[k], p.parameter_bytes[k]);
    for (size_t n = 0; n < s.warps.size(); n++) {
        Warp& w = s.warps[n];
        w.file = s.files + n * stride;
        w.predicates = &s.predicates[n * p.predicates];
        w.predicates[1] = ~0u;
        w.number = (unsigned)n;
        w.shared = s.shared;
        w.shared_bytes = p.shared_bytes + launch.shared;
        w.parameters = s.parameters.data();
        w.count = nullptr;
        w.active = ~0u;
        for (auto& c : p.constants) each(w, [&](int l) { c.wide ? set<uint64_t>(w, c.place, l, c.value) : set<uint32_t>(w, c.place, l, (uint32_t)c.value); });
    }
    s.counts.assign(profiling() ? p.code.size() : 0, Count());
    s.blocks = 0;
}
std::string run_block(uint3 block) {
    State& s = State::of_this_thread();
    unsigned threads = s.launch->block[0] * s.launch->block[1] * s.launch->block[2];
    for (unsigned k = 0; k < s.warps[0].shared_bytes / 4; k++) ((uint32_t*)s.shared)[k] = Unwritten;
    for (Warp& w : s.warps) {
        unsigned lanes = std::min(threads - w.number * 32, 32u);
        w.live = lanes == 32 ? ~0u : (1u << lanes) - 1;
        w.sides.assign(1, {0, (uint32_t)s.program->code.size(), w.live});
        w.at_barrier = false;
        w.vote = 0;
        w.copies.clear();
        memset(w.open_group, 0, sizeof w.open_group);
        for (auto& name : s.program->specials)
            for (unsigned l = 0; l < 32; l++) w.at<uint32_t>(name.place)[l] = special(name.name, *s.launch, w.number * 32 + l, block);
    }
    s.blocks++;
    sigjmp_buf landing;
    std::string wrong;
    if (sigsetjmp(landing, 0) == 0) {
        t_landing = &landing;
        try {
            profiling() ? run_block<true>(s) : run_block<false>(s);
        } catch (PtxFault& fault) {
            wrong = fault.message;
        }
    } else {
        char text[80];
        snprintf(text, sizeof text, "an illegal memory access at address %p", t_address);
        wrong = text;
    }
    t_landing = nullptr;
    if (wrong.empty()) return wrong;
    char place[80];
    snprintf(place, sizeof place, "block (%u,%u,%u) ", block.x, block.y, block.z);
    return place + wrong;
}
void end_blocks() {
    State& s = State::of_this_thread();
    if (profiling()) {
        std::lock_guard<std::mutex> guard(s.program->lock);
        for (size_t k = 0; k < s.counts.size(); k++) s.program->counts[k].add(s.counts[k]);
        s.program->blocks += s.blocks;
    }
    // A program goes when its module is unloaded.
    s.program = nullptr;
}
bool in_machine() { return t_landing != nullptr; }
void fault_in_machine(const void* address) {
    t_address = address;
    siglongjmp(*t_landing, 1);
}
}  // namespace emu
