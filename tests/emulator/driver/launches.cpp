// Calls that ask about a kernel and that launch it; what is checked before it runs, and what becomes of its faults.
#include <stdio.h>
#include <algorithm>
#include "driver/state.h"
#include "ptx/profile.h"
#include "replay/record.h"

using namespace emu;

namespace {
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
    std::string wrong = run_launch(launch);
    if (launch.program) profile_launch(*launch.program);
    if (wrong.empty()) return record_result(recorded);
    forget_launch(launch, recorded);
    Error error = wrong.find("illegal memory access") != std::string::npos ? CUDA_ERROR_ILLEGAL_ADDRESS
                  : wrong.find("aligned") != std::string::npos             ? CUDA_ERROR_MISALIGNED_ADDRESS
                                                                           : CUDA_ERROR_LAUNCH_FAILED;
    fault(context, error, std::string(geometry) + ": " + wrong);
}
Function* find_function(void* handle) { return g_functions.count(handle) ? (Function*)handle : nullptr; }
}  // namespace

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
        return report(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, "%s: %llu threads per block, compiled for at most %u", name, threads, function->ptx.max_threads);
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
