// What the parts of the emulated driver share: what the device is, what is alive, and the checks that calls begin with.
//
// The contract is the documentation of the CUDA Driver API. Work is queued on its stream. It is done when something waits for it, in an order that
// respects streams and events only. Work that nothing waits for is not done, so a missing wait shows as missing data. Work that faults sets an error,
// and every later call returns it until the context is gone, as with the real driver. What went wrong is appended to the error's text.
#pragma once
#include <stdint.h>
#include <string.h>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#include "driver/errors.h"
#include "driver/memory.h"
#include "fibers/scheduler.h"
#include "ptx/module.h"
#include "ptx/program.h"
#include "vendor/library.h"

namespace emu {
// ---- what the device is ----
// Environment variables set it at the start (docs/kernels.md lists them); within a process emulator_set does.
struct Configuration {
    size_t memory = (size_t)8 << 30;
    int driver = 12040, compute = 80, devices = 1;
    // Whether kernels are run from their PTX instead of the C++ that they were compiled to as well.
    bool ptx = false;
    // Whether memory can be allocated in a stream's order.
    bool pools = true;
};
Configuration& configuration();
constexpr unsigned StaticShared = 48 << 10;
// The most shared memory of a block, and of a multiprocessor.
unsigned most_shared();
unsigned shared_of_multiprocessor();

// ---- what is alive ----
struct Stream;
using StreamPointer = std::shared_ptr<Stream>;
struct Capture;
DeviceMemory& memory_of(int device);
struct Context {
    // A device's primary context, or one that a program makes for itself.
    explicit Context(int ordinal, bool primary = true)
        : device(ordinal), own(primary ? nullptr : new DeviceMemory), memory(primary ? memory_of(ordinal) : *own) {}
    int references = 0, device;
    Error fault = CUDA_SUCCESS;
    std::unique_ptr<DeviceMemory> own;
    // The primary context's is the device's: its addresses are not used again in the next context.
    DeviceMemory& memory;
    StreamPointer legacy;
};
struct Work {
    std::function<void()> run;
    // Work of other streams that must be done before.
    std::vector<std::pair<StreamPointer, uint64_t>> after;
};
struct Stream : std::enable_shared_from_this<Stream> {
    Context* context;
    bool blocking = true, legacy = false;
    std::deque<Work> queue;
    uint64_t submitted = 0, done = 0;
    std::shared_ptr<Capture> capture;
    // In a capture that began in another stream: has it work that that stream does not wait for yet?
    bool unjoined = false;
};
struct Graph {
    std::vector<std::function<void()>> nodes;
};
struct Capture {
    StreamPointer origin;
    std::vector<StreamPointer> streams;
    Graph graph;
    int mode;
    std::thread::id thread;
    bool invalid = false;
};
struct Event {
    bool timing = true;
    StreamPointer stream;
    uint64_t position = 0;
    std::shared_ptr<double> time;
    std::shared_ptr<Capture> capture;
};
struct Module;
struct Function {
    Module* module;
    const Entry* kernel;
    PtxEntry ptx;
    int target, version;
    unsigned most_dynamic;
    std::shared_ptr<Program> program;
    // What `kernel` is where only the PTX has it.
    Entry own;
};
// What a text says, read once: the library loads the same texts for every device that it opens.
struct PtxText {
    PtxModule module;
    std::string wrong;
    // The kernels that were run from it.
    std::map<std::string, std::shared_ptr<Program>> programs;
};
struct Module {
    std::map<std::string, std::unique_ptr<Function>> functions;
    const std::string* text;
    PtxText* ptx;
    // Is it run, or the same kernels as C++?
    bool runs;
};

// Every call holds this lock.
extern std::recursive_mutex g_lock;
#define LOCK std::lock_guard<std::recursive_mutex> guard_(g_lock)
extern bool g_initialized;
// The primary contexts by device, and those that programs made.
extern std::map<int, std::unique_ptr<Context>> g_contexts;
extern std::map<void*, std::unique_ptr<Context>> g_own_contexts;
extern std::map<void*, StreamPointer> g_streams;
extern std::map<void*, std::unique_ptr<Event>> g_events;
extern std::map<void*, std::unique_ptr<Module>> g_modules;
extern std::set<void*> g_functions;
extern std::map<void*, std::unique_ptr<Graph>> g_graphs;
extern std::map<void*, std::shared_ptr<Graph>> g_executables;
extern std::map<uintptr_t, size_t> g_pinned;
extern std::vector<std::weak_ptr<Capture>> g_captures;
struct Counts {
    long long launches, library_calls, library_objects, graph_launches, copies, leaks, damages;
    // Calls that kept the host waiting for the device.
    long long waits;
};
extern Counts g_count;
// What went wrong last.
extern std::string g_detail;
extern thread_local Context* t_context;
extern thread_local bool t_had_context;

// Remembers what went wrong, for the text of the error and for emulator_report; returns the error.
__attribute__((format(printf, 2, 3))) Error report(Error error, const char* format, ...);
// Sets the error that the context's later calls return; returns the first one.
Error fault(Context* context, Error error, const std::string& detail);
template <class Map>
auto* lookup(Map& map, void* handle) {
    auto found = map.find(handle);
    return found == map.end() ? nullptr : found->second.get();
}
Context* context_of(void* handle);
std::vector<Context*> all_contexts();

// ---- checks that calls begin with ----
#define TRY(call)                                 \
    do {                                          \
        if (Error error_ = (call)) return error_; \
    } while (0)
// They also let the call fail that a test has chosen.
Error check_initialized(const char* call = __builtin_FUNCTION());
Error check_device(int device, const char* call = __builtin_FUNCTION());
Error check_context(const char* call = __builtin_FUNCTION());
// Calls so far that could fail on purpose. The one of the number `fail_at` does: an allocation for want of memory, any other for no reason.
// Those that only give back, or make a context current, do not: what they kept would be a leak of the test's own.
struct Purpose {
    long long calls, fail_at;
};
extern Purpose g_purpose;
// For calls that could wait for work that is being captured, or that the device would have to stop for.
Error check_unsafe_in_capture(bool always);
Error find_stream(void* handle, StreamPointer* stream);
// All of these bytes must be in an allocation of the device.
Error check_device_range(uintptr_t address, size_t bytes, const char* call);

// ---- queued work ----
// Queues work. While the stream is capturing, records it.
Error submit(const StreamPointer& stream, std::function<void()> run, std::vector<std::pair<StreamPointer, uint64_t>> after = {});
// Does a stream's work until so much of it is done.
void advance(Stream& stream, uint64_t until);
void finish(Stream& stream);
void finish_all(Context* context);
}  // namespace emu
