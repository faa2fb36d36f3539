// The CUDA driver's entry points, for the calls that the library makes; the CUDA Driver API's documentation is the contract.
//
// Work is queued on its stream and done when something waits for it, in an order that respects nothing but streams and events: the work that
// is not waited for is not done, so a wait that is missing shows as data that is not there. Work that faults sets an error that every later
// call returns until the context is gone, as the driver has it; what went wrong is appended to the error's text.
//
// CUDAL2NET_EMULATOR_MEMORY (bytes; K, M, G), _DRIVER (11.4), _COMPUTE (8.0), _DEVICES (1), _THREADS set what the device is; within a process
// emulator_set does. emulator_get tells what is alive and what was done, for tests.
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>
#include "errors.h"
#include "library.h"
#include "memory.h"
#include "ptx.h"
#include "ptx_machine.h"
#include "ptx_profile.h"
#include "record.h"
#include "scheduler.h"

namespace emu {
namespace {
std::recursive_mutex g_lock;

// ---- what the device is ----
struct Configuration {
    size_t memory = (size_t)8 << 30;
    int driver = 12040, compute = 80, devices = 1;
    // Whether kernels are run from their PTX instead of the C++ that they were compiled to as well.
    bool ptx = profiling();
};
long long version_number(const char* text, int major, int minor) {
    const char* point = strchr(text, '.');
    return (long long)atoi(text) * major + (point ? atoi(point + 1) * minor : 0);
}
Configuration& configuration() {
    static Configuration c = [] {
        Configuration read;
        if (const char* text = getenv("CUDAL2NET_EMULATOR_MEMORY")) {
            char* end;
            read.memory = strtoull(text, &end, 10);
            read.memory <<= *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
        }
        if (const char* text = getenv("CUDAL2NET_EMULATOR_DRIVER")) read.driver = (int)version_number(text, 1000, 10);
        if (const char* text = getenv("CUDAL2NET_EMULATOR_COMPUTE")) read.compute = (int)version_number(text, 10, 1);
        if (const char* text = getenv("CUDAL2NET_EMULATOR_DEVICES")) read.devices = atoi(text);
        if (const char* text = getenv("CUDAL2NET_EMULATOR_PTX")) read.ptx |= atoi(text) != 0;
        return read;
    }();
    return c;
}
// The newest PTX that a driver of this CUDA version takes: 70 is 7.0.
int newest_ptx(int driver) {
    if (driver >= 13000) return 90 + (driver - 13000) / 10;
    if (driver >= 12070) return 86 + (driver - 12070) / 10;
    if (driver >= 12000) return 80 + (driver >= 12060 ? 5 : (driver - 12000) / 10);
    if (driver >= 11000) return 70 + (driver - 11000) / 10;
    return driver >= 10000 ? 63 + (driver - 10000) / 10 : 60;
}
constexpr unsigned StaticShared = 48 << 10;
unsigned most_shared() {
    int c = configuration().compute;
    return c >= 90 ? 227 << 10 : c == 80 || c == 87 ? 163 << 10 : c >= 86 ? 99 << 10 : c >= 75 ? 64 << 10 : 96 << 10;
}
unsigned shared_of_multiprocessor() { return most_shared() + 1024; }

// ---- what is alive ----
struct Stream;
using StreamPointer = std::shared_ptr<Stream>;
struct Capture;
DeviceMemory& memory_of(int device) {
    static std::map<int, DeviceMemory> memories;
    return memories[device];
}
struct Context {
    explicit Context(int ordinal) : device(ordinal), memory(memory_of(ordinal)) {}
    int references = 0, device;
    Error fault = CUDA_SUCCESS;
    // The device's: its addresses are not used again in the next context.
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
struct Module {
    std::map<std::string, std::unique_ptr<Function>> functions;
    PtxModule ptx;
    // Only where it is run; and its hash.
    std::string text;
    size_t hash;
};

bool g_initialized;
std::map<int, std::unique_ptr<Context>> g_contexts;
std::map<void*, StreamPointer> g_streams;
std::map<void*, std::unique_ptr<Event>> g_events;
std::map<void*, std::unique_ptr<Module>> g_modules;
std::set<void*> g_functions;
std::map<void*, std::unique_ptr<Graph>> g_graphs;
std::map<void*, std::shared_ptr<Graph>> g_executables;
std::map<uintptr_t, size_t> g_pinned;
std::vector<std::weak_ptr<Capture>> g_captures;
struct {
    long long launches, library_calls, library_objects, graph_launches, copies, leaks, damages;
} g_count;
std::string g_detail;
thread_local Context* t_context;
thread_local bool t_had_context;

// Remembers what went wrong, for the text of the error and for emulator_report; returns the error.
__attribute__((format(printf, 2, 3))) Error report(Error error, const char* format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    g_detail = text;
    return error;
}
template <class Map>
auto* lookup(Map& map, void* handle) {
    auto found = map.find(handle);
    return found == map.end() ? nullptr : found->second.get();
}
Context* context_of(void* handle) {
    for (auto& [device, context] : g_contexts)
        if (context.get() == handle) return context.get();
    return nullptr;
}

// ---- checks that calls begin with ----
Error check_initialized() { return g_initialized ? CUDA_SUCCESS : CUDA_ERROR_NOT_INITIALIZED; }
Error check_context() {
    if (!g_initialized) return CUDA_ERROR_NOT_INITIALIZED;
    if (!t_context || !t_had_context) return CUDA_ERROR_INVALID_CONTEXT;
    if (!context_of(t_context)) return CUDA_ERROR_CONTEXT_IS_DESTROYED;
    return t_context->fault;
}
// Calls that could wait for work that is being captured, or that the device would have to stop for.
Error check_unsafe_in_capture(bool always) {
    for (auto& weak : g_captures) {
        std::shared_ptr<Capture> capture = weak.lock();
        if (!capture) continue;
        bool forbidden = always || capture->mode == 0 || (capture->mode == 1 && capture->thread == std::this_thread::get_id());
        if (!forbidden) continue;
        capture->invalid = true;
        return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    }
    return CUDA_SUCCESS;
}
Error find_stream(void* handle, StreamPointer* stream) {
    // 1 and 2 are the legacy and the per-thread default stream.
    if (handle == nullptr || handle == (void*)1 || handle == (void*)2) {
        if (!t_context->legacy) {
            t_context->legacy = std::make_shared<Stream>();
            t_context->legacy->context = t_context;
            t_context->legacy->legacy = true;
        }
        *stream = t_context->legacy;
        return CUDA_SUCCESS;
    }
    auto found = g_streams.find(handle);
    if (found == g_streams.end()) return CUDA_ERROR_INVALID_HANDLE;
    if (found->second->context != t_context) return CUDA_ERROR_INVALID_CONTEXT;
    *stream = found->second;
    return CUDA_SUCCESS;
}
#define TRY(call)                                 \
    do {                                          \
        if (Error error_ = (call)) return error_; \
    } while (0)

// ---- doing queued work ----
void advance(Stream& stream, uint64_t until) {
    while (stream.done < until) {
        Work work = std::move(stream.queue.front());
        stream.queue.pop_front();
        for (auto& [other, position] : work.after) advance(*other, position);
        // After a fault the device does nothing any more.
        if (!stream.context->fault) work.run();
        stream.done++;
    }
}
void finish(Stream& stream) { advance(stream, stream.submitted); }
void finish_all(Context* context) {
    if (context->legacy) finish(*context->legacy);
    std::vector<StreamPointer> all;
    for (auto& [handle, stream] : g_streams) all.push_back(stream);
    for (auto& stream : all)
        if (stream->context == context) finish(*stream);
}

// Queues work; while the stream is capturing, records it.
Error submit(const StreamPointer& stream, std::function<void()> run, std::vector<std::pair<StreamPointer, uint64_t>> after = {}) {
    constexpr size_t Depth = 1024;  // when so much is queued, the driver's launches wait too
    if (stream->capture) {
        if (stream->capture->invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
        stream->capture->graph.nodes.push_back(std::move(run));
        stream->unjoined = stream != stream->capture->origin;
        return CUDA_SUCCESS;
    }
    // The legacy stream's work waits for all blocking streams', and theirs for it.
    if (stream->legacy) {
        for (auto& [handle, other] : g_streams) {
            if (!other->blocking || other->context != stream->context) continue;
            if (other->capture) {
                other->capture->invalid = true;
                return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
            }
            after.emplace_back(other, other->submitted);
        }
    } else if (stream->blocking && stream->context->legacy) {
        after.emplace_back(stream->context->legacy, stream->context->legacy->submitted);
    }
    stream->queue.push_back(Work{std::move(run), std::move(after)});
    stream->submitted++;
    if (stream->queue.size() > Depth) advance(*stream, stream->done + 1);
    return CUDA_SUCCESS;
}
Error fault(Context* context, Error error, const std::string& detail) {
    if (!context->fault) {
        context->fault = error;
        g_detail = detail;
        fprintf(stderr, "emulated CUDA device: %s\n", detail.c_str());
    }
    return context->fault;
}

bool pinned(const void* address, size_t bytes) {
    auto next = g_pinned.upper_bound((uintptr_t)address);
    if (next == g_pinned.begin()) return false;
    --next;
    return (uintptr_t)address + bytes <= next->first + next->second;
}
Error check_device_range(uintptr_t address, size_t bytes, const char* call) {
    if (t_context->memory.usable(address, bytes)) return CUDA_SUCCESS;
    const Allocation* a = t_context->memory.find(address);
    if (!a) return report(CUDA_ERROR_INVALID_VALUE, "%s: %p is in no allocation of the device", call, (void*)address);
    if (a->freeing) return report(CUDA_ERROR_INVALID_VALUE, "%s: %p is in memory that has been freed", call, (void*)address);
    return report(CUDA_ERROR_INVALID_VALUE, "%s: %zu bytes from %p leave the allocation of %zu bytes at %p", call, bytes, (void*)address, a->bytes,
                  (void*)a->address);
}
// Queued work finds its memory freed only where a stream did not wait for another.
void copy(Context* context, void* to, const void* from, size_t bytes, const char* call) {
    for (const void* end : {(const void*)to, from}) {
        if (!context->memory.contains((uintptr_t)end) || context->memory.find((uintptr_t)end)) continue;
        fault(context, CUDA_ERROR_ILLEGAL_ADDRESS, std::string(call) + ": the memory was freed before the copy was done");
        return;
    }
    memmove(to, from, bytes);
    g_count.copies++;
}
void free_now(Context* context, uintptr_t address) {
    std::string damage = context->memory.release(address);
    if (damage.empty()) return;
    g_count.damages++;
    fault(context, CUDA_ERROR_ILLEGAL_ADDRESS, damage);
}
Error allocate(uintptr_t* pointer, size_t bytes) {
    if (!pointer || bytes == 0) return CUDA_ERROR_INVALID_VALUE;
    if (t_context->memory.allocate(bytes, configuration().memory, pointer)) return CUDA_SUCCESS;
    // What is queued may free some.
    finish_all(t_context);
    TRY(t_context->fault);
    return t_context->memory.allocate(bytes, configuration().memory, pointer) ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}
Error find_allocation(uintptr_t pointer, const char* call, Allocation** allocation) {
    Allocation* a = t_context->memory.find(pointer);
    if (!a || a->address != pointer) return report(CUDA_ERROR_INVALID_VALUE, "%s: %p is no allocation (freed twice?)", call, (void*)pointer);
    if (a->freeing) return report(CUDA_ERROR_INVALID_VALUE, "%s: %p is freed twice", call, (void*)pointer);
    *allocation = a;
    return CUDA_SUCCESS;
}

// ---- launches ----
struct Arguments {
    std::vector<uint64_t> values;
    std::vector<void*> pointers;
};
void run(Context* context, const Launch& launch, const char* name) {
    g_count.launches++;
    char geometry[160];
    snprintf(geometry, sizeof geometry, "%s<<<(%u,%u,%u), (%u,%u,%u), %u>>>", name, launch.grid[0], launch.grid[1], launch.grid[2], launch.block[0],
             launch.block[1], launch.block[2], launch.shared);
    // An address of the device must lie in memory that is still there; so a graph cannot name what was freed after its capture.
    for (unsigned i = 0; i < launch.kernel->parameters; i++) {
        if (launch.kernel->sizes[i] != 8) continue;
        uint64_t value;
        memcpy(&value, launch.args[i], 8);
        if (!context->memory.contains(value) || context->memory.find(value)) continue;
        fault(context, CUDA_ERROR_ILLEGAL_ADDRESS,
              std::string(geometry) + ": argument " + std::to_string(i) + " points to memory that was freed or never allocated");
        return;
    }
    long recorded = record_launch(launch, context->memory);
    if (launch.program) launch.program->launches++;
    std::string wrong = run_launch(launch);
    if (wrong.empty()) return;
    forget_launch(launch, recorded);
    Error error = wrong.find("illegal memory access") != std::string::npos ? CUDA_ERROR_ILLEGAL_ADDRESS
                  : wrong.find("aligned") != std::string::npos             ? CUDA_ERROR_MISALIGNED_ADDRESS
                                                                           : CUDA_ERROR_LAUNCH_FAILED;
    fault(context, error, std::string(geometry) + ": " + wrong);
}

// ---- memory faults of kernels ----
struct sigaction g_previous[65];
void on_signal(int number, siginfo_t* information, void* state) {
    if (in_machine()) fault_in_machine(information->si_addr);
    if (in_kernel()) {
        // Go on in fault_here, on the fiber's stack: it drops the block.
        set_fault_address(information->si_addr);
        greg_t* registers = ((ucontext_t*)state)->uc_mcontext.gregs;
        uintptr_t base = (uintptr_t)registers[REG_RSP] & ~(uintptr_t)(EMU_STACK - 1);
        registers[REG_RSP] = (greg_t)(base + EMU_STACK - 1024 - 8);
        registers[REG_RIP] = (greg_t)fault_here;
        return;
    }
    const struct sigaction& previous = g_previous[number];
    if (previous.sa_flags & SA_SIGINFO) {
        previous.sa_sigaction(number, information, state);
    } else if (previous.sa_handler == SIG_DFL) {
        signal(number, SIG_DFL);
        raise(number);
    } else if (previous.sa_handler != SIG_IGN) {
        previous.sa_handler(number);
    }
}
void catch_faults() {
    for (int number : {SIGSEGV, SIGBUS, SIGFPE}) {
        struct sigaction action = {};
        action.sa_sigaction = on_signal;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
        sigaction(number, &action, &g_previous[number]);
    }
}

void destroy(Context* context) {
    finish_all(context);
    g_count.leaks = (long long)context->memory.count();
    context->memory.clear();
    for (auto entry = g_streams.begin(); entry != g_streams.end();) entry = entry->second->context == context ? g_streams.erase(entry) : std::next(entry);
    g_contexts.erase(context->device);
}

Error end_capture(const StreamPointer& stream, Graph** graph) {
    std::shared_ptr<Capture> capture = stream->capture;
    if (!capture) return CUDA_ERROR_ILLEGAL_STATE;
    if (capture->origin != stream) return CUDA_ERROR_STREAM_CAPTURE_UNMATCHED;
    if (capture->mode != 2 && capture->thread != std::this_thread::get_id()) return CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
    Error error = capture->invalid ? CUDA_ERROR_STREAM_CAPTURE_INVALIDATED : CUDA_SUCCESS;
    for (auto& member : capture->streams) {
        if (member->unjoined && !error) error = CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
        member->capture = nullptr;
        member->unjoined = false;
    }
    TRY(error);
    *graph = new Graph(std::move(capture->graph));
    g_graphs[*graph].reset(*graph);
    return CUDA_SUCCESS;
}
double now_ms() { return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count(); }
}  // namespace
}  // namespace emu

using namespace emu;
#define LOCK std::lock_guard<std::recursive_mutex> guard_(g_lock)

// ---- errors and the device ----
API int cuInit(unsigned flags) {
    LOCK;
    if (flags) return CUDA_ERROR_INVALID_VALUE;
    if (configuration().devices == 0) return CUDA_ERROR_NO_DEVICE;
    if (!g_initialized) catch_faults();
    g_initialized = true;
    return CUDA_SUCCESS;
}
API int cuDriverGetVersion(int* version) {
    if (!version) return CUDA_ERROR_INVALID_VALUE;
    *version = configuration().driver;
    return CUDA_SUCCESS;
}
API int cuGetErrorName(int error, const char** name) {
    switch (error) {
#define EMU_ERROR(symbol, code, text) \
    case code:                        \
        *name = #symbol;              \
        return CUDA_SUCCESS;
        EMU_ERRORS(EMU_ERROR)
#undef EMU_ERROR
        default:
            *name = nullptr;
            return CUDA_ERROR_INVALID_VALUE;
    }
}
API int cuGetErrorString(int error, const char** string) {
    LOCK;
    const char* known = nullptr;
    switch (error) {
#define EMU_ERROR(symbol, code, text) \
    case code:                        \
        known = text;                 \
        break;
        EMU_ERRORS(EMU_ERROR)
#undef EMU_ERROR
        default:
            *string = nullptr;
            return CUDA_ERROR_INVALID_VALUE;
    }
    // Faults come with what the emulation knows of them. The texts live on, as the driver's do.
    static std::set<std::string> texts;
    bool explained = (error == CUDA_ERROR_ILLEGAL_ADDRESS || error == CUDA_ERROR_MISALIGNED_ADDRESS || error == CUDA_ERROR_LAUNCH_FAILED) && !g_detail.empty();
    *string = texts.insert(explained ? std::string(known) + ": " + g_detail : known).first->c_str();
    return CUDA_SUCCESS;
}
API int cuDeviceGetCount(int* count) {
    TRY(check_initialized());
    *count = configuration().devices;
    return CUDA_SUCCESS;
}
API int cuDeviceGet(int* device, int ordinal) {
    TRY(check_initialized());
    if (ordinal < 0 || ordinal >= configuration().devices) return CUDA_ERROR_INVALID_DEVICE;
    *device = ordinal;
    return CUDA_SUCCESS;
}
static Error check_device(int device) {
    TRY(check_initialized());
    return device < 0 || device >= configuration().devices ? CUDA_ERROR_INVALID_DEVICE : CUDA_SUCCESS;
}
API int cuDeviceGetName(char* name, int length, int device) {
    TRY(check_device(device));
    snprintf(name, length, "emulated CUDA device");
    return CUDA_SUCCESS;
}
API int cuDeviceTotalMem_v2(size_t* bytes, int device) {
    TRY(check_device(device));
    *bytes = configuration().memory;
    return CUDA_SUCCESS;
}
API int cuDeviceGetAttribute(int* value, int attribute, int device) {
    TRY(check_device(device));
    if (!value || attribute < 1 || attribute > 140) return CUDA_ERROR_INVALID_VALUE;
    static const std::map<int, int> fixed = {
        {1, 1024},         {2, 1024},  {3, 1024}, {4, 64},     {5, 2147483647}, {6, 65535},  {7, 65535},     // threads and blocks
        {8, StaticShared}, {9, 65536}, {10, 32},  {12, 65536}, {13, 1000000},                                // shared, constant, warp, registers, kHz
        {14, 512},         {16, 2},    {19, 1},   {31, 1},     {36, 1000000},   {37, 128},   {38, 4 << 20},  // multiprocessors, L2
        {39, 2048},        {40, 2},    {41, 1},   {82, 65536}, {106, 32},       {111, 1024}, {115, 1},
    };
    int compute = configuration().compute;
    auto found = fixed.find(attribute);
    *value = attribute == 75        ? compute / 10
             : attribute == 76      ? compute % 10
             : attribute == 81      ? (int)shared_of_multiprocessor()
             : attribute == 97      ? (int)most_shared()
             : found != fixed.end() ? found->second
                                    : 0;
    return CUDA_SUCCESS;
}

// ---- contexts ----
API int cuDevicePrimaryCtxRetain(void** context, int device) {
    LOCK;
    TRY(check_device(device));
    std::unique_ptr<Context>& kept = g_contexts[device];
    if (!kept) kept.reset(new Context(device));
    kept->references++;
    *context = kept.get();
    return CUDA_SUCCESS;
}
API int cuDevicePrimaryCtxRelease_v2(int device) {
    LOCK;
    TRY(check_device(device));
    auto found = g_contexts.find(device);
    if (found == g_contexts.end()) return CUDA_ERROR_INVALID_CONTEXT;
    if (--found->second->references == 0) destroy(found->second.get());
    return CUDA_SUCCESS;
}
API int cuDevicePrimaryCtxReset_v2(int device) {
    LOCK;
    TRY(check_device(device));
    auto found = g_contexts.find(device);
    if (found != g_contexts.end()) destroy(found->second.get());
    return CUDA_SUCCESS;
}
API int cuCtxSetCurrent(void* context) {
    LOCK;
    TRY(check_initialized());
    if (context && !context_of(context)) return CUDA_ERROR_INVALID_CONTEXT;
    t_context = (Context*)context;
    t_had_context = context != nullptr;
    return CUDA_SUCCESS;
}
API int cuCtxGetCurrent(void** context) {
    TRY(check_initialized());
    *context = t_context;
    return CUDA_SUCCESS;
}
API int cuCtxGetDevice(int* device) {
    LOCK;
    TRY(check_context());
    *device = t_context->device;
    return CUDA_SUCCESS;
}
API int cuCtxSynchronize() {
    LOCK;
    TRY(check_context());
    TRY(check_unsafe_in_capture(true));
    finish_all(t_context);
    return t_context->fault;
}

// ---- memory ----
API int cuMemGetInfo_v2(size_t* free, size_t* total) {
    LOCK;
    TRY(check_context());
    *total = configuration().memory;
    *free = *total > t_context->memory.used() ? *total - t_context->memory.used() : 0;
    return CUDA_SUCCESS;
}
API int cuDeviceGetDefaultMemPool(void** pool, int device) {
    TRY(check_device(device));
    static int pools[64];
    *pool = &pools[device & 63];
    return CUDA_SUCCESS;
}
API int cuMemPoolSetAttribute(void* pool, int, void* value) { return pool && value ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE; }
API int cuMemPoolTrimTo(void* pool, size_t) { return pool ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE; }
API int cuMemAlloc_v2(uintptr_t* pointer, size_t bytes) {
    LOCK;
    TRY(check_context());
    TRY(check_unsafe_in_capture(false));
    return allocate(pointer, bytes);
}
API int cuMemAllocAsync(uintptr_t* pointer, size_t bytes, void* handle) {
    LOCK;
    TRY(check_context());
    StreamPointer stream;
    TRY(find_stream(handle, &stream));
    // The driver would make it a node whose memory lives from launch to launch; a recorded step of this library allocates nothing.
    if (stream->capture) {
        stream->capture->invalid = true;
        return report(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "cuMemAllocAsync in a capture");
    }
    return allocate(pointer, bytes);
}
API int cuMemFree_v2(uintptr_t pointer) {
    LOCK;
    TRY(check_context());
    TRY(check_unsafe_in_capture(false));
    if (!pointer) return CUDA_SUCCESS;
    finish_all(t_context);
    TRY(t_context->fault);
    Allocation* allocation = nullptr;
    TRY(find_allocation(pointer, "cuMemFree", &allocation));
    free_now(t_context, pointer);
    return t_context->fault;
}
API int cuMemFreeAsync(uintptr_t pointer, void* handle) {
    LOCK;
    TRY(check_context());
    StreamPointer stream;
    TRY(find_stream(handle, &stream));
    Allocation* allocation = nullptr;
    TRY(find_allocation(pointer, "cuMemFreeAsync", &allocation));
    // Only memory that the graph itself allocates can be freed in it.
    if (stream->capture) return report(CUDA_ERROR_INVALID_VALUE, "cuMemFreeAsync in a capture, of memory from outside it");
    allocation->freeing = true;
    Context* context = t_context;
    return submit(stream, [context, pointer] { free_now(context, pointer); });
}
API int cuMemHostAlloc(void** pointer, size_t bytes, unsigned) {
    LOCK;
    TRY(check_context());
    if (!pointer || bytes == 0) return CUDA_ERROR_INVALID_VALUE;
    if (posix_memalign(pointer, 4096, bytes)) return CUDA_ERROR_OUT_OF_MEMORY;
    memset(*pointer, 0xc5, bytes);
    g_pinned[(uintptr_t)*pointer] = bytes;
    return CUDA_SUCCESS;
}
API int cuMemFreeHost(void* pointer) {
    LOCK;
    TRY(check_context());
    if (!g_pinned.count((uintptr_t)pointer)) return report(CUDA_ERROR_INVALID_VALUE, "cuMemFreeHost: %p was not allocated by cuMemHostAlloc", pointer);
    finish_all(t_context);
    g_pinned.erase((uintptr_t)pointer);
    free(pointer);
    return t_context->fault;
}
API int cuMemcpyHtoDAsync_v2(uintptr_t to, const void* from, size_t bytes, void* handle) {
    LOCK;
    TRY(check_context());
    StreamPointer stream;
    TRY(find_stream(handle, &stream));
    if (bytes == 0) return CUDA_SUCCESS;
    TRY(check_device_range(to, bytes, "cuMemcpyHtoDAsync"));
    Context* context = t_context;
    if (stream->capture || pinned(from, bytes)) return submit(stream, [=] { copy(context, (void*)to, from, bytes, "cuMemcpyHtoDAsync"); });
    // Pageable memory is staged before the call returns.
    auto staged = std::make_shared<std::vector<char>>((const char*)from, (const char*)from + bytes);
    return submit(stream, [=] { copy(context, (void*)to, staged->data(), staged->size(), "cuMemcpyHtoDAsync"); });
}
API int cuMemcpyDtoHAsync_v2(void* to, uintptr_t from, size_t bytes, void* handle) {
    LOCK;
    TRY(check_context());
    StreamPointer stream;
    TRY(find_stream(handle, &stream));
    if (bytes == 0) return CUDA_SUCCESS;
    TRY(check_device_range(from, bytes, "cuMemcpyDtoHAsync"));
    Context* context = t_context;
    TRY(submit(stream, [=] { copy(context, to, (const void*)from, bytes, "cuMemcpyDtoHAsync"); }));
    // To pageable memory the call returns when the copy is done.
    if (!stream->capture && !pinned(to, bytes)) finish(*stream);
    return context->fault;
}
API int cuMemcpyDtoDAsync_v2(uintptr_t to, uintptr_t from, size_t bytes, void* handle) {
    LOCK;
    TRY(check_context());
    StreamPointer stream;
    TRY(find_stream(handle, &stream));
    if (bytes == 0) return CUDA_SUCCESS;
    TRY(check_device_range(to, bytes, "cuMemcpyDtoDAsync"));
    TRY(check_device_range(from, bytes, "cuMemcpyDtoDAsync"));
    Context* context = t_context;
    return submit(stream, [=] { copy(context, (void*)to, (const void*)from, bytes, "cuMemcpyDtoDAsync"); });
}
API int cuMemcpyHtoD_v2(uintptr_t to, const void* from, size_t bytes) {
    LOCK;
    TRY(check_context());
    TRY(check_unsafe_in_capture(false));
    TRY((Error)cuMemcpyHtoDAsync_v2(to, from, bytes, nullptr));
    finish(*t_context->legacy);
    return t_context->fault;
}
API int cuMemcpyDtoH_v2(void* to, uintptr_t from, size_t bytes) {
    LOCK;
    TRY(check_context());
    TRY(check_unsafe_in_capture(false));
    TRY((Error)cuMemcpyDtoHAsync_v2(to, from, bytes, nullptr));
    finish(*t_context->legacy);
    return t_context->fault;
}
template <class T>
static Error fill(uintptr_t to, T value, size_t count, void* handle, const char* call) {
    TRY(check_context());
    StreamPointer stream;
    TRY(find_stream(handle, &stream));
    if (count == 0) return CUDA_SUCCESS;
    if (to % sizeof(T)) return CUDA_ERROR_INVALID_VALUE;
    TRY(check_device_range(to, count * sizeof(T), call));
    Context* context = t_context;
    return submit(stream, [=] {
        if (!context->memory.find(to)) {
            fault(context, CUDA_ERROR_ILLEGAL_ADDRESS, std::string(call) + ": the memory was freed before it was filled");
            return;
        }
        T* values = (T*)to;
        for (size_t i = 0; i < count; i++) values[i] = value;
    });
}
API int cuMemsetD8Async(uintptr_t to, unsigned char value, size_t bytes, void* stream) {
    LOCK;
    return fill(to, value, bytes, stream, "cuMemsetD8Async");
}
API int cuMemsetD32Async(uintptr_t to, unsigned value, size_t count, void* stream) {
    LOCK;
    return fill(to, value, count, stream, "cuMemsetD32Async");
}

// ---- streams ----
API int cuStreamCreate(void** handle, unsigned flags) {
    LOCK;
    TRY(check_context());
    if (!handle || flags > 1) return CUDA_ERROR_INVALID_VALUE;
    StreamPointer stream = std::make_shared<Stream>();
    stream->context = t_context;
    stream->blocking = flags == 0;
    *handle = stream.get();
    g_streams[*handle] = stream;
    return CUDA_SUCCESS;
}
API int cuStreamCreateWithPriority(void** handle, unsigned flags, int) { return cuStreamCreate(handle, flags); }
API int cuStreamDestroy_v2(void* handle) {
    LOCK;
    TRY(check_context());
    auto found = g_streams.find(handle);
    if (found == g_streams.end()) return CUDA_ERROR_INVALID_HANDLE;
    StreamPointer stream = found->second;
    if (stream->capture) stream->capture->invalid = true;
    // Its work is still done; nobody can see when.
    finish(*stream);
    g_streams.erase(handle);
    return CUDA_SUCCESS;
}
static Error check_not_capturing(const StreamPointer& stream) {
    if (!stream->capture) return CUDA_SUCCESS;
    stream->capture->invalid = true;
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}
API int cuStreamSynchronize(void* handle) {
    LOCK;
    TRY(check_context());
    StreamPointer stream;
    TRY(find_stream(handle, &stream));
    TRY(check_not_capturing(stream));
    finish(*stream);
    return t_context->fault;
}
API int cuStreamQuery(void* handle) {
    LOCK;
    TRY(check_context());
    StreamPointer stream;
    TRY(find_stream(handle, &stream));
    TRY(check_not_capturing(stream));
    if (stream->done == stream->submitted) return CUDA_SUCCESS;
    // Whoever asks again and again comes to an end.
    advance(*stream, stream->done + 1);
    return t_context->fault ? t_context->fault : CUDA_ERROR_NOT_READY;
}
API int cuStreamWaitEvent(void* handle, void* event_handle, unsigned) {
    LOCK;
    TRY(check_context());
    StreamPointer stream;
    TRY(find_stream(handle, &stream));
    Event* event = lookup(g_events, event_handle);
    if (!event) return CUDA_ERROR_INVALID_HANDLE;
    if (event->capture && !event->capture->origin->capture) event->capture = nullptr;  // that capture has ended
    if (stream->capture) {
        if (!event->capture) return event->stream ? CUDA_ERROR_STREAM_CAPTURE_ISOLATION : CUDA_SUCCESS;
        if (event->capture != stream->capture) return CUDA_ERROR_STREAM_CAPTURE_MERGE;
        event->stream->unjoined = false;
        return CUDA_SUCCESS;
    }
    if (event->capture) {
        // The stream joins the capture.
        stream->capture = event->capture;
        stream->unjoined = true;
        event->capture->streams.push_back(stream);
        return CUDA_SUCCESS;
    }
    if (!event->stream) return CUDA_SUCCESS;
    return submit(stream, [] {}, {{event->stream, event->position}});
}
API int cuLaunchHostFunc(void* handle, void (*function)(void*), void* data) {
    LOCK;
    TRY(check_context());
    StreamPointer stream;
    TRY(find_stream(handle, &stream));
    return submit(stream, [=] { function(data); });
}
API int cuStreamIsCapturing(void* handle, int* status) {
    LOCK;
    TRY(check_context());
    StreamPointer stream;
    TRY(find_stream(handle, &stream));
    *status = !stream->capture ? 0 : stream->capture->invalid ? 2 : 1;
    return CUDA_SUCCESS;
}
API int cuStreamBeginCapture_v2(void* handle, int mode) {
    LOCK;
    TRY(check_context());
    StreamPointer stream;
    TRY(find_stream(handle, &stream));
    if (mode < 0 || mode > 2) return CUDA_ERROR_INVALID_VALUE;
    if (stream->legacy) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    if (stream->capture) return CUDA_ERROR_ILLEGAL_STATE;
    auto capture = std::make_shared<Capture>();
    capture->origin = stream;
    capture->streams.push_back(stream);
    capture->mode = mode;
    capture->thread = std::this_thread::get_id();
    stream->capture = capture;
    g_captures.push_back(capture);
    return CUDA_SUCCESS;
}
API int cuStreamEndCapture(void* handle, void** graph) {
    LOCK;
    TRY(check_context());
    if (!graph) return CUDA_ERROR_INVALID_VALUE;
    *graph = nullptr;
    StreamPointer stream;
    TRY(find_stream(handle, &stream));
    std::shared_ptr<Capture> ended = stream->capture;
    Graph* made = nullptr;
    TRY(end_capture(stream, &made));
    *graph = made;
    // The capture and its streams hold each other.
    ended->streams.clear();
    ended->mode = 2;
    return CUDA_SUCCESS;
}

// ---- graphs ----
API int cuGraphGetNodes(void* handle, void** nodes, size_t* count) {
    LOCK;
    Graph* graph = lookup(g_graphs, handle);
    if (!graph || !count) return CUDA_ERROR_INVALID_VALUE;
    if (nodes)
        for (size_t i = 0; i < *count && i < graph->nodes.size(); i++) nodes[i] = &graph->nodes[i];
    *count = graph->nodes.size();
    return CUDA_SUCCESS;
}
API int cuGraphInstantiateWithFlags(void** executable, void* handle, unsigned long long) {
    LOCK;
    TRY(check_context());
    Graph* graph = lookup(g_graphs, handle);
    if (!graph || !executable) return CUDA_ERROR_INVALID_VALUE;
    auto made = std::make_shared<Graph>(*graph);
    *executable = made.get();
    g_executables[*executable] = made;
    return CUDA_SUCCESS;
}
API int cuGraphLaunch(void* executable, void* handle) {
    LOCK;
    TRY(check_context());
    StreamPointer stream;
    TRY(find_stream(handle, &stream));
    auto found = g_executables.find(executable);
    if (found == g_executables.end()) return CUDA_ERROR_INVALID_VALUE;
    std::shared_ptr<Graph> graph = found->second;
    Context* context = t_context;
    return submit(stream, [graph, context] {
        g_count.graph_launches++;
        for (auto& node : graph->nodes)
            if (!context->fault) node();
    });
}
API int cuGraphExecDestroy(void* executable) {
    LOCK;
    return g_executables.erase(executable) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
API int cuGraphDestroy(void* graph) {
    LOCK;
    return g_graphs.erase(graph) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

// ---- events ----
API int cuEventCreate(void** handle, unsigned flags) {
    LOCK;
    TRY(check_context());
    if (!handle || flags > 7) return CUDA_ERROR_INVALID_VALUE;
    std::unique_ptr<Event> event(new Event);
    event->timing = !(flags & 2);
    *handle = event.get();
    g_events[*handle] = std::move(event);
    return CUDA_SUCCESS;
}
API int cuEventDestroy_v2(void* handle) {
    LOCK;
    return g_events.erase(handle) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}
API int cuEventRecord(void* handle, void* stream_handle) {
    LOCK;
    TRY(check_context());
    StreamPointer stream;
    TRY(find_stream(stream_handle, &stream));
    Event* event = lookup(g_events, handle);
    if (!event) return CUDA_ERROR_INVALID_HANDLE;
    event->stream = stream;
    event->capture = stream->capture;
    if (stream->capture) return stream->capture->invalid ? CUDA_ERROR_STREAM_CAPTURE_INVALIDATED : CUDA_SUCCESS;
    auto time = std::make_shared<double>(-1);
    event->time = time;
    TRY(submit(stream, [time] { *time = now_ms(); }));
    event->position = stream->submitted;
    return CUDA_SUCCESS;
}
static Error find_event(void* handle, Event** event) {
    *event = lookup(g_events, handle);
    if (!*event) return CUDA_ERROR_INVALID_HANDLE;
    if (!(*event)->capture) return CUDA_SUCCESS;
    (*event)->capture->invalid = true;
    return CUDA_ERROR_CAPTURED_EVENT;
}
API int cuEventQuery(void* handle) {
    LOCK;
    TRY(check_context());
    Event* event;
    TRY(find_event(handle, &event));
    if (!event->stream || event->stream->done >= event->position) return CUDA_SUCCESS;
    advance(*event->stream, event->stream->done + 1);
    return t_context->fault ? t_context->fault : CUDA_ERROR_NOT_READY;
}
API int cuEventSynchronize(void* handle) {
    LOCK;
    TRY(check_context());
    Event* event;
    TRY(find_event(handle, &event));
    if (event->stream) advance(*event->stream, event->position);
    return t_context->fault;
}
API int cuEventElapsedTime(float* milliseconds, void* start, void* end) {
    LOCK;
    TRY(check_context());
    Event *a, *b;
    TRY(find_event(start, &a));
    TRY(find_event(end, &b));
    if (!a->timing || !b->timing || !a->stream || !b->stream) return CUDA_ERROR_INVALID_HANDLE;
    if (a->stream->done < a->position || b->stream->done < b->position) return CUDA_ERROR_NOT_READY;
    *milliseconds = (float)(*b->time - *a->time);
    return CUDA_SUCCESS;
}
API int cuEventElapsedTime_v2(float* milliseconds, void* start, void* end) { return cuEventElapsedTime(milliseconds, start, end); }

// ---- modules ----
static Error load(const char* text, Module* module, std::string* log) {
    if (!memcmp(text,
                "\x7f"
                "ELF",
                4))
        return CUDA_ERROR_NO_BINARY_FOR_GPU;
    *log = parse_ptx(text, &module->ptx);
    if (!log->empty()) return CUDA_ERROR_INVALID_PTX;
    const Configuration& c = configuration();
    char line[200];
    if (module->ptx.version > newest_ptx(c.driver)) {
        snprintf(line, sizeof line, "ptxas application ptx input, line 1; fatal   : Unsupported .version %d.%d; current version is '%d.%d'",
                 module->ptx.version / 10, module->ptx.version % 10, newest_ptx(c.driver) / 10, newest_ptx(c.driver) % 10);
        *log = line;
        return CUDA_ERROR_UNSUPPORTED_PTX_VERSION;
    }
    if (module->ptx.target > c.compute || (module->ptx.specific && module->ptx.target != c.compute)) {
        snprintf(line, sizeof line, "ptxas application ptx input; error   : SM version specified by .target is higher than default SM version assumed (sm_%d)",
                 c.compute);
        *log = line;
        return CUDA_ERROR_INVALID_PTX;
    }
    for (const PtxEntry& entry : module->ptx.entries) {
        if (entry.shared_bytes <= StaticShared) continue;
        snprintf(line, sizeof line, "ptxas error   : Entry function '%s' uses too much shared data (0x%x bytes, 0xc000 max)", entry.name.c_str(),
                 entry.shared_bytes);
        *log = line;
        return CUDA_ERROR_INVALID_PTX;
    }
    return CUDA_SUCCESS;
}
API int cuModuleLoadDataEx(void** handle, const void* image, unsigned options, const int* names, void** values) {
    LOCK;
    TRY(check_context());
    TRY(check_unsafe_in_capture(false));
    if (!handle || !image) return CUDA_ERROR_INVALID_VALUE;
    constexpr int ErrorLog = 5, ErrorLogBytes = 6;
    char* buffer = nullptr;
    size_t size = 0;
    for (unsigned i = 0; i < options; i++) {
        if (names[i] == ErrorLog) buffer = (char*)values[i];
        if (names[i] == ErrorLogBytes) size = (unsigned)(uintptr_t)values[i];
    }
    std::unique_ptr<Module> module(new Module);
    std::string log;
    Error error = load((const char*)image, module.get(), &log);
    if (buffer && size) snprintf(buffer, size, "%s", log.c_str());
    for (unsigned i = 0; i < options; i++)
        if (names[i] == ErrorLogBytes) values[i] = (void*)(uintptr_t)(log.size() < size ? log.size() : size);
    TRY(error);
    if (configuration().ptx) {
        module->text = (const char*)image;
        module->hash = std::hash<std::string>()(module->text);
    }
    *handle = module.get();
    g_modules[*handle] = std::move(module);
    return CUDA_SUCCESS;
}
API int cuModuleLoadData(void** handle, const void* image) { return cuModuleLoadDataEx(handle, image, 0, nullptr, nullptr); }
API int cuModuleUnload(void* handle) {
    LOCK;
    TRY(check_context());
    Module* module = lookup(g_modules, handle);
    if (!module) return CUDA_ERROR_INVALID_HANDLE;
    finish_all(t_context);
    for (auto& [name, function] : module->functions) g_functions.erase(function.get());
    g_modules.erase(handle);
    return CUDA_SUCCESS;
}
// Translated once, however often the library loads it.
static std::shared_ptr<Program> program_of(const Module& module, const PtxEntry& entry, std::string* wrong) {
    static std::map<std::pair<size_t, std::string>, std::shared_ptr<Program>> known;
    std::shared_ptr<Program>& program = known[{module.hash, entry.name}];
    if (!program && (program = translate(module.text.c_str(), module.ptx, entry, wrong))) profile(program);
    return program;
}
API int cuModuleGetFunction(void** handle, void* module_handle, const char* name) {
    LOCK;
    TRY(check_context());
    Module* module = lookup(g_modules, module_handle);
    if (!module) return CUDA_ERROR_INVALID_HANDLE;
    if (!handle || !name) return CUDA_ERROR_INVALID_VALUE;
    std::unique_ptr<Function>& function = module->functions[name];
    if (!function) {
        const PtxEntry* entry = nullptr;
        for (const PtxEntry& e : module->ptx.entries)
            if (e.name == name) entry = &e;
        if (!entry) {
            module->functions.erase(name);
            return report(CUDA_ERROR_NOT_FOUND, "%s is not in this PTX", name);
        }
        std::shared_ptr<Program> program;
        const Entry* kernel = nullptr;
        std::string wrong;
        if (!module->text.empty()) {
            program = program_of(*module, *entry, &wrong);
        } else {
            kernel = find_kernel(name);
            bool same = kernel && entry->parameters.size() == kernel->parameters;
            for (unsigned i = 0; same && i < kernel->parameters; i++) same = entry->parameters[i] == kernel->sizes[i];
            if (!same) {
                wrong = std::string(name) + " is " +
                        (kernel ? "not of the same parameters in the PTX and in the emulator" : "in the PTX but not in the emulator") + ": build both anew";
            }
        }
        if (!wrong.empty()) {
            module->functions.erase(name);
            fprintf(stderr, "emulated CUDA device: %s\n", wrong.c_str());
            return report(module->text.empty() ? CUDA_ERROR_NOT_FOUND : CUDA_ERROR_INVALID_PTX, "%s", wrong.c_str());
        }
        unsigned dynamic = StaticShared - entry->shared_bytes;
        function.reset(new Function{module, kernel, *entry, module->ptx.target, module->ptx.version, dynamic, program, {}});
        if (!kernel) {
            const PtxEntry& own = function->ptx;
            function->own = {own.name.c_str(), nullptr, (unsigned)own.parameters.size(), own.parameters.data(), nullptr};
            function->kernel = &function->own;
        }
        g_functions.insert(function.get());
    }
    *handle = function.get();
    return CUDA_SUCCESS;
}
static Function* find_function(void* handle) { return g_functions.count(handle) ? (Function*)handle : nullptr; }
API int cuFuncSetAttribute(void* handle, int attribute, int value) {
    LOCK;
    TRY(check_context());
    constexpr int MaxDynamicShared = 8, Carveout = 9;
    Function* function = find_function(handle);
    if (!function) return CUDA_ERROR_INVALID_HANDLE;
    if (attribute == Carveout) return value >= -1 && value <= 100 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
    if (attribute != MaxDynamicShared || value < 0 || (unsigned)value + function->ptx.shared_bytes > most_shared()) return CUDA_ERROR_INVALID_VALUE;
    function->most_dynamic = (unsigned)value;
    return CUDA_SUCCESS;
}
API int cuFuncGetAttribute(int* value, int attribute, void* handle) {
    LOCK;
    TRY(check_context());
    Function* function = find_function(handle);
    if (!function) return CUDA_ERROR_INVALID_HANDLE;
    switch (attribute) {
        case 0:
            *value = function->ptx.max_threads ? (int)function->ptx.max_threads : 1024;
            break;
        case 1:
            *value = (int)function->ptx.shared_bytes;
            break;
        case 3:
            *value = (int)function->ptx.local_bytes;
            break;
        case 5:
            *value = function->target;
            break;
        case 6:
            *value = configuration().compute;
            break;
        case 8:
            *value = (int)function->most_dynamic;
            break;
        case 2:
        case 4:
        case 7:
            *value = 0;
            break;  // constants, registers, caching: the compiler that knows is not here
        case 9:
            *value = -1;
            break;
        default:
            return CUDA_ERROR_INVALID_VALUE;
    }
    return CUDA_SUCCESS;
}
API int cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, void* handle, int threads, size_t dynamic) {
    LOCK;
    TRY(check_context());
    Function* function = find_function(handle);
    if (!function) return CUDA_ERROR_INVALID_HANDLE;
    if (!blocks || threads < 1) return CUDA_ERROR_INVALID_VALUE;
    size_t shared = function->ptx.shared_bytes + dynamic + 1024;
    size_t by_threads = 2048 / ((threads + 31) / 32 * 32), by_shared = shared_of_multiprocessor() / shared;
    *blocks = threads > 1024 || dynamic > function->most_dynamic ? 0 : (int)std::min({by_threads, by_shared, (size_t)32});
    return CUDA_SUCCESS;
}
API int cuLaunchKernel(void* handle, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void* stream_handle,
                       void** parameters, void** extra) {
    LOCK;
    TRY(check_context());
    Function* function = find_function(handle);
    if (!function) return CUDA_ERROR_INVALID_HANDLE;
    StreamPointer stream;
    TRY(find_stream(stream_handle, &stream));
    unsigned long long threads = (unsigned long long)bx * by * bz;
    const char* name = function->kernel->name;
    if (!threads || !gx || !gy || !gz || gx > 2147483647u || gy > 65535 || gz > 65535 || bx > 1024 || by > 1024 || bz > 64 || threads > 1024)
        return report(CUDA_ERROR_INVALID_VALUE, "%s: a launch of (%u,%u,%u) blocks of (%u,%u,%u) threads", name, gx, gy, gz, bx, by, bz);
    if (shared > function->most_dynamic)
        return report(CUDA_ERROR_INVALID_VALUE, "%s: %u bytes of dynamic shared memory, %u allowed", name, shared, function->most_dynamic);
    if (function->ptx.max_threads && threads > function->ptx.max_threads)
        return report(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, "%s: %llu threads a block, compiled for at most %u", name, threads, function->ptx.max_threads);
    const Entry* kernel = function->kernel;
    if (extra || (kernel->parameters && !parameters)) return CUDA_ERROR_INVALID_VALUE;
    // The parameters are copied during the call.
    size_t words = 0;
    for (unsigned i = 0; i < kernel->parameters; i++) words += (kernel->sizes[i] + 15) / 16 * 2;
    auto arguments = std::make_shared<Arguments>();
    arguments->values.resize(words);
    words = 0;
    for (unsigned i = 0; i < kernel->parameters; i++) {
        arguments->pointers.push_back(&arguments->values[words]);
        memcpy(&arguments->values[words], parameters[i], kernel->sizes[i]);
        words += (kernel->sizes[i] + 15) / 16 * 2;
    }
    Context* context = t_context;
    std::shared_ptr<Program> program = function->program;
    return submit(stream, [=] { run(context, Launch{kernel, {gx, gy, gz}, {bx, by, bz}, shared, arguments->pointers.data(), program}, kernel->name); });
}

// ---- for the stand-ins of libraries ----
namespace emu {
Error queue_library_call(void* handle, const char* call, const std::vector<Operand>& operands, std::function<void()> work) {
    LOCK;
    TRY(check_context());
    StreamPointer stream;
    TRY(find_stream(handle, &stream));
    for (const Operand& operand : operands)
        if (operand.bytes) TRY(check_device_range((uintptr_t)operand.address, operand.bytes, call));
    Context* context = t_context;
    return submit(stream, [=] {
        for (const Operand& operand : operands) {
            if (!operand.bytes || context->memory.find((uintptr_t)operand.address)) continue;
            fault(context, CUDA_ERROR_ILLEGAL_ADDRESS, std::string(call) + ": its memory was freed before it was done");
            return;
        }
        g_count.library_calls++;
        work();
    });
}
Error finish_library_calls(void* handle) { return (Error)cuStreamSynchronize(handle); }
void count_library_object(int change) {
    LOCK;
    g_count.library_objects += change;
}
int refuse(int status, const char* call, const char* why) {
    LOCK;
    g_detail = std::string(call) + ": " + why;
    return status;
}
}  // namespace emu

// ---- for tests: what the device is, what is alive, what was done ----
// memory (bytes), driver (12040 is 12.4), compute (80 is 8.0), devices. False where there is no such name.
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
        for (auto& [device, context] : g_contexts) total += (long long)value(*context);
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
        {"leaks", g_count.leaks},
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
