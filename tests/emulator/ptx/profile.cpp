// Writes what programs executed as a table when the process ends.
#include "ptx/profile.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <map>
#include "ptx/program.h"

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
// Opcodes that are counted together.
constexpr struct {
    const char *column, *prefix;
} Kinds[] = {{"mma", "mma."},
             {"fma", "fma."},
             {"ldmatrix", "ldmatrix."},
             {"shared_loads", "ld.shared"},
             {"shared_stores", "st.shared"},
             {"copies", "cp.async.c"},
             {"global_loads", "ld.global"},
             {"global_stores", "st.global"},
             {"shuffles", "shfl."},
             {"barriers", "bar.sync"}};

void write_kernel(FILE* f, const Program& p) {
    Count all, stores, copies;
    uint64_t of_kind[std::size(Kinds)] = {};
    for (size_t k = 0; k < p.code.size(); k++) {
        const std::string& opcode = p.sources[k].opcode;
        all.add(p.counts[k]);
        if (opcode.rfind("st.", 0) == 0) stores.add(p.counts[k]);
        if (opcode.rfind("cp.async.c", 0) == 0) copies.add(p.counts[k]);
        for (size_t n = 0; n < std::size(Kinds); n++)
            if (opcode.rfind(Kinds[n].prefix, 0) == 0) of_kind[n] += p.counts[k].warps;
    }
    fprintf(f, "%s,%llu,%llu,%llu,%.2f", p.name.c_str(), (unsigned long long)p.launches, (unsigned long long)p.blocks, (unsigned long long)all.warps,
            (double)all.lanes / (double)all.warps);
    for (uint64_t n : of_kind) fprintf(f, ",%llu", (unsigned long long)n);
    uint64_t loads = all.sectors - stores.sectors - copies.sectors, fewest_loads = all.fewest_sectors - stores.fewest_sectors - copies.fewest_sectors;
    for (uint64_t n : {all.passes, all.fewest_passes, loads, fewest_loads, stores.sectors, stores.fewest_sectors, copies.sectors, copies.fewest_sectors})
        fprintf(f, ",%llu", (unsigned long long)n);
    fprintf(f, ",%llu,%llu\n", (unsigned long long)p.read_sectors, (unsigned long long)p.written_sectors);
}
void write_instructions(FILE* f, const Program& p) {
    for (size_t k = 0; k < p.code.size(); k++) {
        const Count& c = p.counts[k];
        if (!c.warps) continue;
        fprintf(f, "%s,%d,%s,%llu,%llu,%llu,%llu,%llu,%llu\n", p.name.c_str(), p.sources[k].line, p.sources[k].opcode.c_str(), (unsigned long long)c.warps,
                (unsigned long long)c.lanes, (unsigned long long)c.passes, (unsigned long long)c.fewest_passes, (unsigned long long)c.sectors,
                (unsigned long long)c.fewest_sectors);
    }
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
    for (auto& kind : Kinds) fprintf(kernels, ",%s", kind.column);
    fprintf(kernels, ",passes,fewest_passes,load_sectors,fewest_load_sectors,store_sectors,fewest_store_sectors,copy_sectors,fewest_copy_sectors"
                     ",read_sectors,written_sectors\n");
    fprintf(instructions, "kernel,line,opcode,warps,lanes,passes,fewest_passes,sectors,fewest_sectors\n");
    for (auto& [name, program] : programs()) {
        if (!program->blocks) continue;
        write_kernel(kernels, *program);
        write_instructions(instructions, *program);
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
void profile_launch(Program& program) {
    program.launches++;
    program.read_sectors += program.read.size();
    program.written_sectors += program.written.size();
    program.read.clear(), program.written.clear();
}
}  // namespace emu
