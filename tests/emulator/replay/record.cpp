// Writes launches to a file, with all the memory that they reach.
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <map>
#include <set>
#include <string>
#include "replay/record.h"

namespace emu {
namespace {
// Larger launches would take the sanitizers too long; tests have small ones beside them.
constexpr size_t MostBytes = 8u << 20;
constexpr unsigned long long MostThreads = 1u << 17;
constexpr int MostOfAKernel = 5;
// Numbers from here on are no sizes or modes, but floats and seeds.
constexpr uint32_t NoSize = 1u << 20;

FILE* file() {
    static FILE* opened = [] {
        const char* path = getenv("CUDAL2NET_EMULATOR_RECORD");
        // The first process of several has it.
        return path && *path ? fopen(path, "wbx") : nullptr;
    }();
    return opened;
}

std::map<std::string, int> g_recorded;
// The memory of the launch that is being recorded, as it was before.
struct Before {
    uintptr_t address;
    std::vector<char> bytes;
};
std::vector<Before> g_before;

// Adds the allocation that this value points to, and those that its contents point to.
void reach(uint64_t value, DeviceMemory& memory, std::map<uintptr_t, size_t>& reached) {
    if (!memory.contains(value)) return;
    const Allocation* a = memory.find(value);
    if (!a || !reached.emplace(a->address, a->bytes).second) return;
    const uint64_t* words = (const uint64_t*)a->address;
    for (size_t i = 0; i < a->bytes / 8; i++) reach(words[i], memory, reached);
}
}  // namespace

long record_launch(const Launch& launch, DeviceMemory& memory) {
    FILE* f = file();
    if (!f || g_recorded[launch.kernel->name] >= MostOfAKernel) return NotRecorded;
    // Launches are alike where geometry, sizes and modes are the same, whatever the addresses, floats and seeds.
    std::string key = launch.kernel->name, parameters;
    key.append((const char*)launch.grid, sizeof launch.grid).append((const char*)launch.block, sizeof launch.block);
    auto add_number = [&](uint64_t value) { key += value < NoSize ? std::to_string(value) + ' ' : "number "; };
    std::map<uintptr_t, size_t> reached;
    for (unsigned i = 0; i < launch.kernel->parameters; i++) {
        unsigned size = launch.kernel->sizes[i];
        parameters.append((const char*)launch.args[i], size);
        for (unsigned offset = 0; offset + 8 <= size; offset += 8) {
            uint64_t value;
            memcpy(&value, (const char*)launch.args[i] + offset, 8);
            reach(value, memory, reached);
            if (memory.contains(value)) {
                key += "address ";
                continue;
            }
            add_number((uint32_t)value);
            add_number(value >> 32);
        }
        uint32_t rest = 0;
        memcpy(&rest, (const char*)launch.args[i] + size / 8 * 8, size % 8);
        if (size % 8) add_number(rest);
    }
    static std::set<std::string> known;
    size_t bytes = 0;
    for (auto& [address, size] : reached) bytes += size;
    unsigned long long threads = (unsigned long long)launch.grid[0] * launch.grid[1] * launch.grid[2] * launch.block[0] * launch.block[1] * launch.block[2];
    int& times = g_recorded[launch.kernel->name];
    // Of a kernel that only has large launches, one.
    bool large = bytes > MostBytes || threads > MostThreads;
    if (times >= (large ? 1 : MostOfAKernel) || !known.insert(key).second) return NotRecorded;
    times++;
    long before = ftell(f);
    LaunchHeader header = {};
    memcpy(header.magic, RecordMagic, sizeof header.magic);
    memcpy(header.grid, launch.grid, sizeof header.grid);
    memcpy(header.block, launch.block, sizeof header.block);
    header.shared = launch.shared;
    header.name_bytes = (unsigned)strlen(launch.kernel->name);
    header.parameter_bytes = (unsigned)parameters.size();
    header.allocations = (unsigned)reached.size();
    fwrite(&header, sizeof header, 1, f);
    fwrite(launch.kernel->name, 1, header.name_bytes, f);
    fwrite(parameters.data(), 1, parameters.size(), f);
    for (auto& [address, size] : reached) {
        uint64_t pair[2] = {address, size};
        fwrite(pair, sizeof pair, 1, f);
        fwrite((const void*)address, 1, size, f);
        g_before.push_back({address, {(const char*)address, (const char*)address + size}});
    }
    fflush(f);
    return before;
}
void record_result(long recorded) {
    if (recorded == NotRecorded) return;
    for (const Before& b : g_before) {
        uint64_t changed = memcmp((const void*)b.address, b.bytes.data(), b.bytes.size()) != 0;
        fwrite(&changed, sizeof changed, 1, file());
        if (changed) fwrite((const void*)b.address, 1, b.bytes.size(), file());
    }
    fflush(file());
    g_before.clear();
}
void forget_launch(const Launch& launch, long recorded) {
    if (recorded == NotRecorded) return;
    g_before.clear();
    g_recorded[launch.kernel->name]--;
    if (ftruncate(fileno(file()), recorded) || fseek(file(), recorded, SEEK_SET)) perror("emulator: the file of launches");
}
}  // namespace emu
