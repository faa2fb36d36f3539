// Calls for errors, the device and contexts.
#include <stdio.h>
#include "driver/faults.h"
#include "driver/state.h"

using namespace emu;

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
        {39, 2048},        {40, 2},    {41, 1},   {82, 65536}, {106, 32},       {111, 1024},
    };
    int compute = configuration().compute;
    auto found = fixed.find(attribute);
    *value = attribute == 75        ? compute / 10
             : attribute == 76      ? compute % 10
             : attribute == 81      ? (int)shared_of_multiprocessor()
             : attribute == 97      ? (int)most_shared()
             : attribute == 115     ? configuration().pools
             : found != fixed.end() ? found->second
                                    : 0;
    return CUDA_SUCCESS;
}

// ---- contexts ----
static void destroy(Context* context) {
    finish_all(context);
    g_count.leaks = (long long)context->memory.count();
    context->memory.clear();
    for (auto entry = g_streams.begin(); entry != g_streams.end();) entry = entry->second->context == context ? g_streams.erase(entry) : std::next(entry);
    if (context->own) {
        g_own_contexts.erase(context);
    } else {
        g_contexts.erase(context->device);
    }
}
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
API int cuCtxCreate_v2(void** context, unsigned, int device) {
    LOCK;
    TRY(check_device(device));
    if (!context) return CUDA_ERROR_INVALID_VALUE;
    std::unique_ptr<Context> made(new Context(device, false));
    made->references = 1;
    *context = t_context = made.get();
    t_had_context = true;
    g_own_contexts[*context] = std::move(made);
    return CUDA_SUCCESS;
}
API int cuCtxDestroy_v2(void* handle) {
    LOCK;
    Context* context = lookup(g_own_contexts, handle);
    if (!context) return CUDA_ERROR_INVALID_CONTEXT;
    if (t_context == context) t_context = nullptr;
    destroy(context);
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
    g_count.waits++;
    finish_all(t_context);
    return t_context->fault;
}
