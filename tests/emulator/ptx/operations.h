// The table of the PTX instructions that the machine knows: what each does and which operands it has.
#pragma once
#include <string>
#include <unordered_map>
#include "ptx/warp.h"

namespace emu {
class Operations {
public:
    Operations() {
        control();
        integers();
        floats();
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

    // operations.cpp
    void control();
    void selections();
    void conversions();
    void moves();
    template <class D, class A>
    void between(const char* to, const char* from);
    template <class D>
    void from_all(const char* to);
    template <class A>
    void to_float(const char* from);

    // operations_numbers.cpp
    void integers();
    void short_integers();
    void floats();
    template <class S, class U>
    void integers_of(const std::string& width, char k);
    // What depends on the sign.
    template <class T>
    void typed(const std::string& t, char k);
    template <class T>
    void comparisons(const std::string& t, char k, bool ordered);
    template <class T>
    void floats_of(const std::string& t, char k);

    // operations_memory.cpp
    void memory();
    template <Space S, class T, int N, bool Wide>
    void access(const std::string& space, const std::string& type, const std::string& operands);
    template <class T, int N, bool Wide>
    void accesses(const std::string& name);
    template <class T>
    void vectors(const std::string& type);
    template <Space S, class T>
    void atomics(const std::string& space, const std::string& type);
    template <int Bytes>
    void copies(const std::string& name);

    // operations_warp.cpp
    void warps();

    std::unordered_map<std::string, Operation> operations_;
};
}  // namespace emu
