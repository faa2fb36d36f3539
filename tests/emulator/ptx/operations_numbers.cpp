// Instructions that calculate with and compare integers and floats.
#include <cmath>
#include "ptx/arithmetic.h"
#include "ptx/operations.h"

namespace emu {
template <class S, class U>
void Operations::integers_of(const std::string& width, char k) {
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
template <class T>
void Operations::typed(const std::string& t, char k) {
    std::string three = times(k, 3);
    add("min." + t, three, [](Warp& w, const Instruction& i) { map2<T, T, T>(w, i, extreme<T, true>); });
    add("max." + t, three, [](Warp& w, const Instruction& i) { map2<T, T, T>(w, i, extreme<T, false>); });
    add("div." + t, three, [](Warp& w, const Instruction& i) { map2<T, T, T>(w, i, quotient<T>); });
    add("rem." + t, three, [](Warp& w, const Instruction& i) { map2<T, T, T>(w, i, rest<T>); });
    using Wide = std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>;
    add("mul.hi." + t, three, [](Warp& w, const Instruction& i) { map2<T, T, T>(w, i, [](T a, T b) { return (T)((Wide)a * b >> sizeof(T) * 8); }); });
    comparisons<T>(t, k, true);
}
void Operations::short_integers() {
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
void Operations::comparisons(const std::string& t, char k, bool ordered) {
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
void Operations::floats_of(const std::string& t, char k) {
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

void Operations::integers() {
    integers_of<int32_t, uint32_t>("32", '4');
    integers_of<int64_t, uint64_t>("64", '8');
    short_integers();
}
void Operations::floats() {
    floats_of<float>("f32", '4');
    floats_of<double>("f64", '8');
}
}  // namespace emu
