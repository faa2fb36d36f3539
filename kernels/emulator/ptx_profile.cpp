#include "ptx_profile.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <map>
#include "ptx_program.h"

namespace emu {
namespace {
const char* path() {
    static const char* file = getenv("CUDAL2NET_EMULATOR_PROFILE");
    return file && *file ? file : nullptr;
}
std::mutex g_lock;
std::map<std::string, std::shared_ptr<Program>>& programs() {
    static auto* all = new std::map<std::string, std::shared_ptr<Program>>;
    return *all;
}
// What an opcode is counted as.
struct Kind {
    const char *column, *prefix;
};
constexpr Kind Kinds[] = {{"mma", "mma."},
                          {"fma", "fma."},
                          {"ldmatrix", "ldmatrix."},
                          {"shuffles", "shfl."},
                          {"barriers", "bar."},
                          {"branches", "bra"},
                          {"copies", "cp.async.c"},
                          {"shared_loads", "ld.shared"},
                          {"shared_stores", "st.shared"},
                          {"global_loads", "ld.global"},
                          {"global_stores", "st.global"}};

void write_kernel(FILE* f, const Program& p) {
    uint64_t warps = 0, lanes = 0, of_kind[std::size(Kinds)] = {};
    Count shared, loads, stores;
    for (size_t k = 0; k < p.code.size(); k++) {
        const Count& c = p.counts[k];
        warps += c.warps, lanes += c.lanes;
        for (size_t n = 0; n < std::size(Kinds); n++)
            if (!strncmp(p.sources[k].opcode.c_str(), Kinds[n].prefix, strlen(Kinds[n].prefix))) of_kind[n] += c.warps;
        Traffic traffic = p.code[k].operation->traffic;
        if (traffic == Traffic::None) continue;
        Count& to = traffic == Traffic::GlobalStore ? stores : traffic == Traffic::GlobalLoad || traffic == Traffic::Copy ? loads : shared;
        to.transactions += c.transactions, to.ideal += c.ideal;
    }
    fprintf(f, "%s,%llu,%llu,%llu,%.2f", p.name.c_str(), (unsigned long long)p.launches, (unsigned long long)p.blocks, (unsigned long long)warps,
            warps ? (double)lanes / (double)warps : 0);
    for (uint64_t n : of_kind) fprintf(f, ",%llu", (unsigned long long)n);
    for (const Count* c : {&shared, &loads, &stores}) fprintf(f, ",%llu,%llu", (unsigned long long)c->transactions, (unsigned long long)c->ideal);
    fprintf(f, "\n");
}
void write() {
    std::lock_guard<std::mutex> guard(g_lock);
    std::string lines = std::string(path()) + ".lines.csv";
    FILE *kernels = fopen(path(), "w"), *instructions = fopen(lines.c_str(), "w");
    if (!kernels || !instructions) {
        fprintf(stderr, "emulated CUDA device: cannot write %s and %s\n", path(), lines.c_str());
        return;
    }
    fprintf(kernels, "kernel,launches,blocks,instructions,lanes");
    for (const Kind& kind : Kinds) fprintf(kernels, ",%s", kind.column);
    fprintf(kernels, ",shared_passes,shared_ideal,load_sectors,load_ideal,store_sectors,store_ideal\n");
    fprintf(instructions, "kernel,line,opcode,warps,lanes,transactions,ideal\n");
    for (auto& [name, program] : programs()) {
        if (!program->blocks) continue;
        write_kernel(kernels, *program);
        for (size_t k = 0; k < program->code.size(); k++) {
            const Count& c = program->counts[k];
            if (c.warps)
                fprintf(instructions, "%s,%d,%s,%llu,%llu,%llu,%llu\n", program->name.c_str(), program->sources[k].line, program->sources[k].opcode.c_str(),
                        (unsigned long long)c.warps, (unsigned long long)c.lanes, (unsigned long long)c.transactions, (unsigned long long)c.ideal);
        }
    }
    fclose(kernels);
    fclose(instructions);
}
}  // namespace

bool profiling() { return path() != nullptr; }
void profile(const std::shared_ptr<Program>& program) {
    if (!profiling()) return;
    std::lock_guard<std::mutex> guard(g_lock);
    if (programs().empty()) atexit(write);
    programs()[program->name] = program;
}
}  // namespace emu
