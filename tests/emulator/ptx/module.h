// What the emulated driver reads of a module: its versions, and its kernels' names, parameters and resources.
#pragma once
#include <string>
#include <vector>

namespace emu {
struct PtxEntry {
    std::string name;
    // Bytes and name of each parameter.
    std::vector<unsigned> parameters;
    std::vector<std::string> names;
    // .maxntid, or 0.
    unsigned max_threads = 0;
    unsigned shared_bytes = 0, local_bytes = 0;
    // Where its body begins in the text, at `{`.
    size_t body = 0;
    int line = 0;
};
// A variable of shared memory outside of kernels; an external one is the dynamic part.
struct PtxVariable {
    std::string name;
    unsigned bytes;
    bool external;
};
struct PtxModule {
    // 70 is ISA version 7.0.
    int version = 0;
    // 80 is sm_80; specific: sm_90a and the like, which no other processor runs.
    int target = 0;
    bool specific = false;
    std::vector<PtxVariable> shared;
    std::vector<PtxEntry> entries;
};
// Returns what is wrong, or an empty string.
std::string parse_ptx(const char* text, PtxModule* module);
}  // namespace emu
