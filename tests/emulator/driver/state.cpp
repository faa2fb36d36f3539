// The state of the emulated driver: its objects, and the checks that calls begin with.
#include "driver/state.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "ptx/profile.h"

namespace emu {
std::recursive_mutex g_lock;
bool g_initialized;
std::map<int, std::unique_ptr<Context>> g_contexts;
std::map<void*, std::unique_ptr<Context>> g_own_contexts;
std::map<void*, StreamPointer> g_streams;
std::map<void*, std::unique_ptr<Event>> g_events;
std::map<void*, std::unique_ptr<Module>> g_modules;
std::set<void*> g_functions;
std::map<void*, std::unique_ptr<Graph>> g_graphs;
std::map<void*, std::shared_ptr<Graph>> g_executables;
std::map<uintptr_t, size_t> g_pinned;
std::vector<std::weak_ptr<Capture>> g_captures;
Counts g_count;
std::string g_detail;
thread_local Context* t_context;
thread_local bool t_had_context;

// ---- what the device is ----
namespace {
long long version_number(const char* text, int major, int minor) {
    const char* point = strchr(text, '.');
    return (long long)atoi(text) * major + (point ? atoi(point + 1) * minor : 0);
}
}  // namespace
Configuration& configuration() {
    static Configuration c = [] {
        Configuration read;
        read.ptx = profiling();
        if (const char* text = getenv("CUDAL2NET_EMULATOR_MEMORY")) {
            char* end;
            read.memory = strtoull(text, &end, 10);
            read.memory <<= *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
        }
        if (const char* text = getenv("CUDAL2NET_EMULATOR_DRIVER")) read.driver = (int)version_number(text, 1000, 10);
        if (const char* text = getenv("CUDAL2NET_EMULATOR_COMPUTE")) read.compute = (int)version_number(text, 10, 1);
        if (const char* text = getenv("CUDAL2NET_EMULATOR_DEVICES")) read.devices = atoi(text);
        if (const char* text = getenv("CUDAL2NET_EMULATOR_PTX")) read.ptx |= atoi(text) != 0;
        if (const char* text = getenv("CUDAL2NET_EMULATOR_POOLS")) read.pools = atoi(text) != 0;
        return read;
    }();
    return c;
}
unsigned most_shared() {
    int c = configuration().compute;
    return c >= 90 ? 227 << 10 : c == 80 || c == 87 ? 163 << 10 : c >= 86 ? 99 << 10 : c >= 75 ? 64 << 10 : 96 << 10;
}
unsigned shared_of_multiprocessor() { return most_shared() + 1024; }

DeviceMemory& memory_of(int device) {
    static std::map<int, DeviceMemory> memories;
    return memories[device];
}

Error report(Error error, const char* format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    g_detail = text;
    return error;
}
Error fault(Context* context, Error error, const std::string& detail) {
    if (!context->fault) {
        context->fault = error;
        g_detail = detail;
        fprintf(stderr, "emulated CUDA device: %s\n", detail.c_str());
    }
    return context->fault;
}
Context* context_of(void* handle) {
    for (Context* context : all_contexts())
        if (context == handle) return context;
    return nullptr;
}
std::vector<Context*> all_contexts() {
    std::vector<Context*> all;
    for (auto& [device, context] : g_contexts) all.push_back(context.get());
    for (auto& [handle, context] : g_own_contexts) all.push_back(context.get());
    return all;
}

Purpose g_purpose = {};
static Error fail_on_purpose(const char* call) {
    for (const char* word : {"Free", "Destroy", "Unload", "Release", "SetCurrent", "GetCurrent"})
        if (strstr(call, word)) return CUDA_SUCCESS;
    LOCK;
    if (++g_purpose.calls != g_purpose.fail_at) return CUDA_SUCCESS;
    return strstr(call, "Alloc") ? CUDA_ERROR_OUT_OF_MEMORY : report(CUDA_ERROR_UNKNOWN, "%s failed on purpose", call);
}
Error check_initialized(const char* call) { return g_initialized ? fail_on_purpose(call) : CUDA_ERROR_NOT_INITIALIZED; }
Error check_device(int device, const char* call) {
    TRY(check_initialized(call));
    return device < 0 || device >= configuration().devices ? CUDA_ERROR_INVALID_DEVICE : CUDA_SUCCESS;
}
Error check_context(const char* call) {
    if (!g_initialized) return CUDA_ERROR_NOT_INITIALIZED;
    if (!t_context || !t_had_context) return CUDA_ERROR_INVALID_CONTEXT;
    if (!context_of(t_context)) return CUDA_ERROR_CONTEXT_IS_DESTROYED;
    return t_context->fault ? t_context->fault : fail_on_purpose(call);
}
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
Error check_device_range(uintptr_t address, size_t bytes, const char* call) {
    if (t_context->memory.usable(address, bytes)) return CUDA_SUCCESS;
    const Allocation* a = t_context->memory.find(address);
    if (!a) return report(CUDA_ERROR_INVALID_VALUE, "%s: %p is in no allocation of the device", call, (void*)address);
    if (a->freeing) return report(CUDA_ERROR_INVALID_VALUE, "%s: %p is in memory that has been freed", call, (void*)address);
    return report(CUDA_ERROR_INVALID_VALUE, "%s: %zu bytes from %p leave the allocation of %zu bytes at %p", call, bytes, (void*)address, a->bytes,
                  (void*)a->address);
}
}  // namespace emu
