// For tests: sets what the device is; tells what is alive, what was done and what went wrong.
#include "driver/state.h"

using namespace emu;

// memory (bytes), driver (12040 is 12.4), compute (80 is 8.0), devices, ptx, pools, failCall (n: the n-th call from now fails; 0: none). False where there is no such name.
API int emulator_set(const char* name, long long value) {
    LOCK;
    Configuration& c = configuration();
    if (!strcmp(name, "memory")) {
        c.memory = (size_t)value;
    } else if (!strcmp(name, "driver")) {
        c.driver = (int)value;
    } else if (!strcmp(name, "compute")) {
        c.compute = (int)value;
    } else if (!strcmp(name, "devices")) {
        c.devices = (int)value;
        if (value == 0) g_initialized = false;
    } else if (!strcmp(name, "ptx")) {
        c.ptx = value != 0;
    } else if (!strcmp(name, "pools")) {
        c.pools = value != 0;
    } else if (!strcmp(name, "failCall")) {
        g_purpose.fail_at = value > 0 ? g_purpose.calls + value : 0;
    } else {
        return 0;
    }
    return 1;
}
// -1 where there is no such name.
API long long emulator_get(const char* name) {
    LOCK;
    auto sum = [](auto value) {
        long long total = 0;
        for (Context* context : all_contexts()) total += (long long)value(*context);
        return total;
    };
    long long pending = sum([](Context& c) { return c.legacy ? c.legacy->queue.size() : 0; });
    for (auto& [handle, stream] : g_streams) pending += (long long)stream->queue.size();
    const std::map<std::string, long long> values = {
        {"memory", (long long)configuration().memory},
        {"driver", configuration().driver},
        {"compute", configuration().compute},
        {"devices", configuration().devices},
        {"ptx", configuration().ptx},
        {"pools", configuration().pools},
        {"contexts", sum([](Context& c) { return c.references; })},
        {"allocations", sum([](Context& c) { return c.memory.count(); })},
        {"bytes", sum([](Context& c) { return c.memory.used(); })},
        {"pinned", (long long)g_pinned.size()},
        {"streams", (long long)g_streams.size()},
        {"events", (long long)g_events.size()},
        {"modules", (long long)g_modules.size()},
        {"graphs", (long long)g_graphs.size()},
        {"executables", (long long)g_executables.size()},
        {"pending", pending},
        {"launches", g_count.launches},
        {"libraryCalls", g_count.library_calls},
        {"libraryObjects", g_count.library_objects},
        {"graphLaunches", g_count.graph_launches},
        {"copies", g_count.copies},
        {"waits", g_count.waits},
        {"leaks", g_count.leaks},
        {"calls", g_purpose.calls},
        {"failCall", g_purpose.fail_at > g_purpose.calls ? g_purpose.fail_at - g_purpose.calls : 0},
    };
    auto found = values.find(name);
    return found == values.end() ? -1 : found->second;
}
// What went wrong last.
API const char* emulator_report() {
    static thread_local std::string text;
    LOCK;
    text = g_detail;
    return text.c_str();
}
