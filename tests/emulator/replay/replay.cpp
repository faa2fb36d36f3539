// Runs recorded launches again, in memory of exactly the recorded sizes: built with the kernels under a sanitizer, which then sees every access
// out of bounds or every race. usage: replay [--blocks] FILE, or KERNEL for
// a planted fault of faults.cu; --blocks looks for races between blocks instead of within them (race detector only).
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <algorithm>
#include <map>
#include <string>
#include <vector>
#include "replay/record.h"

using namespace emu;

namespace {
// Of a kernel that has taken the processor for so long no more launches are run: a detector slows products down a hundredfold.
constexpr double MostSeconds = 0.5;

struct Region {
    uintptr_t recorded;
    size_t bytes;
    char* now;
};

void* exactly(size_t bytes) {
    void* p = nullptr;
    if (posix_memalign(&p, 256, bytes)) abort();
    return p;
}
bool read(FILE* f, void* to, size_t bytes) { return bytes == 0 || fread(to, bytes, 1, f) == 1; }

// Addresses of recorded memory become those of its copy.
void relocate(char* from, size_t bytes, const std::map<uintptr_t, Region>& regions) {
    for (size_t i = 0; i + 8 <= bytes; i += 8) {
        uint64_t value;
        memcpy(&value, from + i, 8);
        auto next = regions.upper_bound(value);
        if (next == regions.begin()) continue;
        const Region& region = std::prev(next)->second;
        if (value > region.recorded + region.bytes) continue;
        value = (uint64_t)region.now + (value - region.recorded);
        memcpy(from + i, &value, 8);
    }
}

int run(const Entry* kernel, const LaunchHeader& header, const std::vector<char>& parameters, const std::map<uintptr_t, Region>& regions) {
    std::vector<void*> arguments;
    std::vector<std::vector<uint64_t>> values;
    size_t offset = 0;
    for (unsigned i = 0; i < kernel->parameters; offset += kernel->sizes[i++]) {
        values.emplace_back((kernel->sizes[i] + 7) / 8);
        memcpy(values.back().data(), parameters.data() + offset, kernel->sizes[i]);
        relocate((char*)values.back().data(), kernel->sizes[i], regions);
    }
    for (auto& value : values) arguments.push_back(value.data());
    Launch launch = {
        kernel, {header.grid[0], header.grid[1], header.grid[2]}, {header.block[0], header.block[1], header.block[2]}, header.shared, arguments.data()};
    std::string wrong = run_launch(launch);
    if (wrong.empty()) return 0;
    fprintf(stderr, "replay: %s: %s\n", kernel->name, wrong.c_str());
    return 1;
}

// A launch in the file: where it begins, and what it is.
struct Record {
    long at;
    unsigned long long threads;
    std::string name;
    bool operator<(const Record& other) const { return threads < other.threads; }
};

// Reads a launch; false where the file ends or is damaged. Without `regions` its memory is skipped.
bool read_launch(FILE* f, LaunchHeader& header, std::string& name, std::vector<char>& parameters, std::map<uintptr_t, Region>* regions) {
    if (!read(f, &header, sizeof header) || memcmp(header.magic, RecordMagic, sizeof header.magic)) return false;
    name.assign(header.name_bytes, 0);
    parameters.resize(header.parameter_bytes);
    std::vector<size_t> sizes;
    if (!read(f, name.data(), name.size()) || !read(f, parameters.data(), parameters.size())) return false;
    for (unsigned i = 0; i < header.allocations; i++) {
        uint64_t pair[2];
        if (!read(f, pair, sizeof pair)) return false;
        sizes.push_back(pair[1]);
        if (!regions) {
            if (fseek(f, (long)pair[1], SEEK_CUR)) return false;
            continue;
        }
        Region region = {pair[0], pair[1], (char*)exactly(pair[1])};
        (*regions)[region.recorded] = region;
        if (!read(f, region.now, region.bytes)) return false;
    }
    // What the launch made of its memory is for others.
    for (size_t bytes : sizes) {
        uint64_t changed;
        if (!read(f, &changed, sizeof changed) || (changed && fseek(f, (long)bytes, SEEK_CUR))) return false;
    }
    return true;
}

int replay_file(const char* path) {
    FILE* f = fopen(path, "rb");
    if (!f) {
        fprintf(stderr, "replay: cannot open %s\n", path);
        return 2;
    }
    LaunchHeader header;
    std::vector<char> parameters;
    std::vector<Record> records;
    fseek(f, 0, SEEK_END);
    long end = ftell(f);
    rewind(f);
    while (ftell(f) < end) {
        Record record = {ftell(f), 0, ""};
        bool complete = read_launch(f, header, record.name, parameters, nullptr) && ftell(f) <= end;
        if (!complete || !find_kernel(record.name.c_str())) {
            fprintf(stderr, "replay: %s: %s\n", path, complete ? ("unknown kernel " + record.name).c_str() : "the file is damaged");
            return 2;
        }
        record.threads = 1;
        for (int i = 0; i < 3; i++) record.threads *= (unsigned long long)header.grid[i] * header.block[i];
        records.push_back(record);
    }
    // The small ones first, so that most of them are run.
    std::stable_sort(records.begin(), records.end());
    std::map<std::string, int> launches;
    std::map<std::string, double> seconds;
    int failures = 0, omitted = 0;
    for (const Record& record : records) {
        if (seconds[record.name] >= MostSeconds) {
            omitted++;
            continue;
        }
        std::string name;
        std::map<uintptr_t, Region> regions;
        fseek(f, record.at, SEEK_SET);
        if (!read_launch(f, header, name, parameters, &regions)) return 2;
        clock_t started = clock();
        for (auto& [address, region] : regions) relocate(region.now, region.bytes, regions);
        failures += run(find_kernel(name.c_str()), header, parameters, regions);
        launches[name]++;
        seconds[name] += (double)(clock() - started) / CLOCKS_PER_SEC;
        for (auto& [address, region] : regions) free(region.now);
    }
    fclose(f);
    int total = 0;
    for (auto& [name, count] : launches) total += count;
    printf("%d launches of %zu kernels, %d failed; %d more omitted, of kernels that had run for %g s\n", total, launches.size(), failures, omitted,
           MostSeconds);
    for (const Entry* kernel = registry(); kernel; kernel = kernel->next) {
        if (launches.count(kernel->name) || !strncmp(kernel->name, "fault", 5)) continue;
        fprintf(stderr, "replay: no test launches %s\n", kernel->name);
        failures++;
    }
    return failures ? 1 : total ? 0 : 2;
}

// 128 threads, 100 floats; 400 bytes of dynamic shared memory.
int replay_fault(const char* name) {
    const Entry* kernel = find_kernel(name);
    if (!kernel) {
        fprintf(stderr, "replay: there is neither a file nor a kernel %s\n", name);
        return 2;
    }
    int n = 100;
    bool small = !strcmp(name, "fault_global");
    float* y = (float*)exactly((small ? n : 512) * sizeof(float));
    for (int i = 0; i < (small ? n : 512); i++) y[i] = (float)i;
    std::vector<char> parameters(12);
    memcpy(parameters.data(), &y, 8);
    memcpy(parameters.data() + 8, &n, 4);
    LaunchHeader header = {{}, {!strcmp(name, "fault_blocks") ? 2u : 1u, 1, 1}, {128, 1, 1}, 400, 0, 0, 0};
    int code = run(kernel, header, parameters, {});
    free(y);
    return code;
}
}  // namespace

int main(int count, char** arguments) {
    bool blocks = count == 3 && !strcmp(arguments[1], "--blocks");
    if (count != 2 && !blocks) {
        fprintf(stderr, "usage: replay [--blocks] FILE, or replay [--blocks] KERNEL\n");
        return 2;
    }
#if defined(EMU_TSAN)
    if (blocks) watch_blocks();
#endif
    const char* what = arguments[count - 1];
    return find_kernel(what) ? replay_fault(what) : replay_file(what);
}
