// A kernel's PTX, translated once to run many times: registers have places in a file, branches know where their sides meet again.
#pragma once
#include <stdint.h>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>
#include "ptx/module.h"

namespace emu {
struct Warp;
struct Instruction;
using Execute = void (*)(Warp&, const Instruction&);

enum class Control : uint8_t { None, Branch, Return, Barrier };

// What an opcode does, and its operands in the order of the text, vectors element by element, without addresses: `4` and `8` are registers or constants of
// so many bytes, `p` is a predicate.
struct Operation {
    Execute execute = nullptr;
    std::string operands;
    Control control = Control::None;
};
struct Instruction {
    const Operation* operation;
    Execute execute;
    Control control;
    // Places in the register file, or numbers of predicates.
    uint32_t operand[14];
    // Of an address: register (4 or 8 bytes) and offset.
    uint32_t base;
    bool wide_base;
    int64_t offset;
    // Of cp.async: where it reads.
    uint32_t source;
    int64_t source_offset;
    // Runs in the lanes where predicate `guard` is `when`.
    uint32_t guard;
    bool when;
    // Of a branch: where to, and where its sides meet again.
    uint32_t target, join;
};
// What was executed, for every instruction of a program.
struct Count {
    // By how many warps, with how many lanes.
    uint64_t warps = 0, lanes = 0;
    // Of shared memory, in which a bank gives 4 bytes in each, and as few as there could be.
    uint64_t passes = 0, fewest_passes = 0;
    // Of 32 bytes of global memory, and as few as hold the bytes.
    uint64_t sectors = 0, fewest_sectors = 0;

    void add(const Count& c) {
        warps += c.warps, lanes += c.lanes, passes += c.passes, fewest_passes += c.fewest_passes, sectors += c.sectors, fewest_sectors += c.fewest_sectors;
    }
};
// Different sectors of global memory, which a launch must move to or from DRAM if nothing of them is in a cache before.
using Sectors = std::unordered_set<uint64_t>;
constexpr uint32_t NoGuard = ~0u;
// Generic addresses from here on are of shared memory.
constexpr uint64_t SharedWindow = 1ull << 62;

struct Program {
    std::string name;
    std::vector<Instruction> code;
    // Where each instruction is in the text, and what it is called there.
    struct Source {
        int line;
        std::string opcode;
    };
    std::vector<Source> sources;
    // Of the register file and of the predicates; the first two predicates are false and true.
    uint32_t file_bytes = 0, predicates = 2;
    struct Constant {
        uint32_t place;
        bool wide;
        uint64_t value;
    };
    std::vector<Constant> constants;
    struct Special {
        uint32_t place;
        std::string name;
    };
    std::vector<Special> specials;
    // Of the parameters, one behind the other; where they go.
    std::vector<unsigned> parameter_places, parameter_bytes;
    unsigned parameters_size = 0;
    // Variables, before the dynamic part.
    unsigned shared_bytes = 0;

    std::mutex lock;
    std::vector<Count> counts;
    uint64_t launches = 0, blocks = 0;
    // Of the present launch, and how many there were in all launches.
    Sectors read, written;
    uint64_t read_sectors = 0, written_sectors = 0;
};

// The operation of an opcode such as `fma.rn.f32`, or null.
const Operation* find_operation(const std::string& opcode);
// Reads a kernel from the text of its module. What is wrong, an instruction that is not known, say, goes to `wrong`.
std::shared_ptr<Program> translate(const char* text, const PtxModule& module, const PtxEntry& entry, std::string* wrong);
}  // namespace emu
