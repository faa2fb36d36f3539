// Calls that allocate, free, copy and fill memory.
#include <stdio.h>
#include <stdlib.h>
#include "driver/state.h"

using namespace emu;

namespace {
bool pinned(const void* address, size_t bytes) {
    auto next = g_pinned.upper_bound((uintptr_t)address);
    if (next == g_pinned.begin()) return false;
    --next;
    return (uintptr_t)address + bytes <= next->first + next->second;
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
}  // namespace

API int cuMemGetInfo_v2(size_t* free, size_t* total) {
    LOCK;
    TRY(check_context());
    *total = configuration().memory;
    *free = *total > t_context->memory.used() ? *total - t_context->memory.used() : 0;
    return CUDA_SUCCESS;
}
API int cuPointerGetAttribute(void* data, int attribute, uintptr_t pointer) {
    LOCK;
    TRY(check_initialized());
    constexpr int MemoryType = 2, DeviceOrdinal = 9, Host = 1, Device = 2;
    if (!data || (attribute != MemoryType && attribute != DeviceOrdinal)) return CUDA_ERROR_INVALID_VALUE;
    int type = pinned((const void*)pointer, 1) ? Host : 0, ordinal = 0;
    for (Context* context : all_contexts()) {
        if (!context->memory.usable(pointer, 1)) continue;
        type = Device;
        ordinal = context->device;
    }
    if (!type) return report(CUDA_ERROR_INVALID_VALUE, "cuPointerGetAttribute: %p is nothing that CUDA has allocated", (void*)pointer);
    *(int*)data = attribute == MemoryType ? type : ordinal;
    return CUDA_SUCCESS;
}
API int cuDeviceGetDefaultMemPool(void** pool, int device) {
    TRY(check_device(device));
    if (!configuration().pools) return CUDA_ERROR_NOT_SUPPORTED;
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
    if (!configuration().pools) return CUDA_ERROR_NOT_SUPPORTED;
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
    g_count.waits++;
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
    g_count.waits++;
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
    if (!stream->capture && !pinned(to, bytes)) {
        g_count.waits++;
        finish(*stream);
    }
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
    g_count.waits++;
    finish(*t_context->legacy);
    return t_context->fault;
}
API int cuMemcpyDtoH_v2(void* to, uintptr_t from, size_t bytes) {
    LOCK;
    TRY(check_context());
    TRY(check_unsafe_in_capture(false));
    TRY((Error)cuMemcpyDtoHAsync_v2(to, from, bytes, nullptr));
    g_count.waits++;
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
