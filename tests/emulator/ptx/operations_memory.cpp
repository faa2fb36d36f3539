// Instructions that load, store, copy and change memory.
#include <string.h>
#include "fibers/numbers.h"
#include "ptx/access.h"
#include "ptx/operations.h"

namespace emu {
namespace {
template <Space S>
void count_access(Warp& w, const Instruction& i, unsigned bytes, Sectors& touched) {
    if (!w.count) return;
    uint64_t addresses[32];
    each(w, [&](int l) { addresses[l] = (uint64_t)pointer<S>(w, i, l, 1); });
    if (S == Shared)
        count_passes(*w.count, addresses, w.active, bytes);
    else
        count_sectors(*w.count, touched, addresses, w.active, bytes);
}
template <Space S, class T, int N, bool Wide>
void load(Warp& w, const Instruction& i) {
    count_access<S>(w, i, sizeof(T) * N, *w.read);
    for (uint32_t m = w.active; m; m &= m - 1) {
        int l = __builtin_ctz(m);
        T loaded[N];
        memcpy(loaded, pointer<S>(w, i, l, sizeof(T) * N), sizeof loaded);
        for (int n = 0; n < N; n++) move<T, Wide>(w, i.operand[n], l, loaded[n]);
    }
}
template <Space S, class T, int N, bool Wide>
void store(Warp& w, const Instruction& i) {
    count_access<S>(w, i, sizeof(T) * N, *w.written);
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
    count_access<S>(w, i, sizeof(T), *w.written);
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
            fail_in_ptx("lane %d: cp.async: an address, %#x or %#llx, is not %d-byte aligned", l, base, (unsigned long long)source, Bytes);
        if (base + Bytes > w.shared_bytes) fail_in_ptx("lane %d: cp.async: an illegal memory access at %#x of %u bytes of shared memory", l, base, w.shared_bytes);
        char* target = w.shared + base;
        for (int k = 0; k < Bytes / 4; k++) ((uint32_t*)target)[k] = Unwritten;
        w.copies.push_back({target, (const char*)source, Bytes, given, w.open_group[l], (uint32_t)l});
        to[l] = base, from[l] = source;
        if (given) reading |= 1u << l;
    });
    if (!w.count) return;
    count_passes(*w.count, to, w.active, Bytes);
    count_sectors(*w.count, *w.read, from, reading, Bytes);
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
}  // namespace

template <Space S, class T, int N, bool Wide>
void Operations::access(const std::string& space, const std::string& type, const std::string& operands) {
    std::vector<std::string> loads = {"ld" + space, "ld.volatile" + space};
    if (S == Global) loads.push_back("ld.global.nc");
    for (const std::string& name : loads) add(name + type, operands, load<S, T, N, Wide>);
    for (const std::string& name : {"st" + space, "st.volatile" + space}) add(name + type, operands, store<S, T, N, Wide>);
}
template <class T, int N, bool Wide>
void Operations::accesses(const std::string& name) {
    std::string type = (N == 1 ? "." : ".v" + std::to_string(N) + ".") + name + (Wide ? ".wide" : ""),
                operands = times(Wide || sizeof(T) == 8 ? '8' : '4', N);
    access<Global, T, N, Wide>(".global", type, operands);
    access<Shared, T, N, Wide>(".shared", type, operands);
    access<Generic, T, N, Wide>("", type, operands);
    add("ld.param" + type, operands, load_parameter<T, N, Wide>);
}
template <class T>
void Operations::vectors(const std::string& type) {
    accesses<T, 1, false>(type);
    accesses<T, 2, false>(type);
    if constexpr (sizeof(T) <= 4) accesses<T, 4, false>(type), accesses<T, 1, true>(type);
}
template <Space S, class T>
void Operations::atomics(const std::string& space, const std::string& type) {
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
void Operations::memory() {
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
void Operations::copies(const std::string& name) {
    std::string bytes = std::to_string(Bytes);
    add(name + "." + bytes, "", copy<Bytes>);
    add(name + "." + bytes + ".some", "4", copy<Bytes>);
}
}  // namespace emu
