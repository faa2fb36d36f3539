// Instructions that control, select, convert and move.
#include "ptx/operations.h"
#include <cmath>
#include "fibers/numbers.h"
#include "ptx/arithmetic.h"

namespace emu {
void Operations::control() {
    for (const char* name : {"bra", "bra.uni"}) add(name, "", nullptr).control = Control::Branch;
    for (const char* name : {"ret", "exit"}) add(name, "", nullptr).control = Control::Return;
    for (const char* name : {"bar.sync", "barrier.sync.aligned"}) add(name, "4", nullptr).control = Control::Barrier;
    add("bar.red.or.pred", "p4p", nullptr).control = Control::Barrier;
    for (const char* name : {"membar.gl", "membar.cta", "membar.sys", "fence.acq_rel.gpu", "fence.sc.gpu"}) add(name, "", [](Warp&, const Instruction&) {});
}
template <class T>
static void select(Warp& w, const Instruction& i) {
    const uint32_t to = i.operand[0], yes = i.operand[1], no = i.operand[2], p = w.predicates[i.operand[3]];
    each(w, [=, &w](int l) {
        T a = value<T>(w, yes, l), b = value<T>(w, no, l);
        set<T>(w, to, l, p >> l & 1 ? a : b);
    });
}
void Operations::selections() {
    Execute narrow = select<uint32_t>, wide = select<uint64_t>;
    for (const char* t : {"b16", "u16", "s16", "b32", "u32", "s32", "f32"}) add(std::string("selp.") + t, "444p", narrow);
    for (const char* t : {"b64", "u64", "s64", "f64"}) add(std::string("selp.") + t, "888p", wide);
    add("and.pred", "ppp", [](Warp& w, const Instruction& i) { set_predicate(w, i.operand[0], w.predicates[i.operand[1]] & w.predicates[i.operand[2]]); });
    add("or.pred", "ppp", [](Warp& w, const Instruction& i) { set_predicate(w, i.operand[0], w.predicates[i.operand[1]] | w.predicates[i.operand[2]]); });
    add("xor.pred", "ppp", [](Warp& w, const Instruction& i) { set_predicate(w, i.operand[0], w.predicates[i.operand[1]] ^ w.predicates[i.operand[2]]); });
    add("not.pred", "pp", [](Warp& w, const Instruction& i) { set_predicate(w, i.operand[0], ~w.predicates[i.operand[1]]); });
    add("mov.pred", "pp", [](Warp& w, const Instruction& i) { set_predicate(w, i.operand[0], w.predicates[i.operand[1]]); });
}
template <class D, class A>
void Operations::between(const char* to, const char* from) {
    add(std::string("cvt.") + to + "." + from, std::string(sizeof(D) == 8 ? "8" : "4") + (sizeof(A) == 8 ? "8" : "4"),
        [](Warp& w, const Instruction& i) { map1<D, A>(w, i, [](A a) { return (D)a; }); });
    // From the lower part of a register of 8 bytes.
    if constexpr (sizeof(A) < 8)
        add(std::string("cvt.") + to + "." + from + ".wide", std::string(sizeof(D) == 8 ? "8" : "4") + "8",
            [](Warp& w, const Instruction& i) { map1<D, uint64_t>(w, i, [](uint64_t a) { return (D)(A)a; }); });
}
template <class D>
void Operations::from_all(const char* to) {
    between<D, uint8_t>(to, "u8"), between<D, int8_t>(to, "s8"), between<D, uint16_t>(to, "u16"), between<D, int16_t>(to, "s16");
    between<D, uint32_t>(to, "u32"), between<D, int32_t>(to, "s32"), between<D, uint64_t>(to, "u64"), between<D, int64_t>(to, "s64");
}
template <class A>
void Operations::to_float(const char* from) {
    std::string letter = sizeof(A) == 8 ? "8" : "4";
    add(std::string("cvt.rn.f32.") + from, "4" + letter, [](Warp& w, const Instruction& i) { map1<float, A>(w, i, [](A a) { return (float)a; }); });
    add(std::string("cvt.rn.f64.") + from, "8" + letter, [](Warp& w, const Instruction& i) { map1<double, A>(w, i, [](A a) { return (double)a; }); });
}
void Operations::conversions() {
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
    add("cvt.rn.bf16.f32", "44", [](Warp& w, const Instruction& i) { map1<uint16_t, float>(w, i, to_bf16); });
    add("cvt.rn.bf16x2.f32", "444", [](Warp& w, const Instruction& i) {
        map2<uint32_t, float, float>(w, i, [](float high, float low) { return (uint32_t)to_bf16(high) << 16 | to_bf16(low); });
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
void Operations::moves() {
    Execute narrow = [](Warp& w, const Instruction& i) { map1<uint32_t, uint32_t>(w, i, [](uint32_t a) { return a; }); };
    Execute wide = [](Warp& w, const Instruction& i) { map1<uint64_t, uint64_t>(w, i, [](uint64_t a) { return a; }); };
    for (const char* t : {"b16", "u16", "s16", "b32", "u32", "s32", "f32"}) add(std::string("mov.") + t, "44", narrow);
    for (const char* t : {"b64", "u64", "s64", "f64"}) add(std::string("mov.") + t, "88", wide);
    add("mov.b64.unpack2", "448", [](Warp& w, const Instruction& i) {
        const uint32_t low = i.operand[0], high = i.operand[1], from = i.operand[2];
        each(w, [=, &w](int l) {
            uint64_t v = value<uint64_t>(w, from, l);
            set<uint32_t>(w, low, l, (uint32_t)v);
            set<uint32_t>(w, high, l, (uint32_t)(v >> 32));
        });
    });
    add("mov.b64.pack2", "844", [](Warp& w, const Instruction& i) {
        map2<uint64_t, uint32_t, uint32_t>(w, i, [](uint32_t low, uint32_t high) { return (uint64_t)high << 32 | low; });
    });
    add("mov.b32.unpack2", "444", [](Warp& w, const Instruction& i) {
        const uint32_t low = i.operand[0], high = i.operand[1], from = i.operand[2];
        each(w, [=, &w](int l) {
            uint32_t v = value<uint32_t>(w, from, l);
            set<uint32_t>(w, low, l, v & 0xffff);
            set<uint32_t>(w, high, l, v >> 16);
        });
    });
    add("mov.b32.pack2", "444", [](Warp& w, const Instruction& i) {
        map2<uint32_t, uint32_t, uint32_t>(w, i, [](uint32_t low, uint32_t high) { return high << 16 | (low & 0xffff); });
    });
}

const Operation* find_operation(const std::string& opcode) {
    static const Operations* table = new Operations;
    return table->find(opcode);
}
}  // namespace emu
