// The CUDA driver's entry points, on the fiber scheduler of fibers.cpp. Work is done at once, in the order of the calls.
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <string>
#define CUDA_EMU
#include "scheduler.h"

#define API extern "C" __attribute__((visibility("default")))
static std::string g_message;
static int g_context, g_module, g_stream;
API int cuInit(unsigned) { return 0; }
API int cuDriverGetVersion(int* version) { *version = 12000; return 0; }
API int cuGetErrorName(int error, const char** name) { *name = error == 0 ? "CUDA_SUCCESS" : error == 719 ? "CUDA_ERROR_LAUNCH_FAILED" : "CUDA_ERROR"; return 0; }
API int cuGetErrorString(int error, const char** text) { *text = error == 0 ? "no error" : error == 719 ? g_message.c_str() : "error"; return 0; }
API int cuDeviceGetCount(int* count) { *count = 1; return 0; }
API int cuDeviceGet(int* device, int) { *device = 0; return 0; }
API int cuDeviceGetName(char* name, int length, int) { snprintf(name, length, "emulated CUDA device"); return 0; }
API int cuDeviceGetAttribute(int* value, int attribute, int) {
  *value = attribute == 75 ? 8 : attribute == 76 ? 0 : attribute == 16 ? 2 : attribute == 97 ? 232448 : 0;
  return 0;
}
API int cuDeviceTotalMem_v2(size_t* bytes, int) { *bytes = (size_t)8 << 30; return 0; }
API int cuDevicePrimaryCtxRetain(void** context, int) { *context = &g_context; return 0; }
API int cuDevicePrimaryCtxRelease_v2(int) { return 0; }
API int cuCtxSetCurrent(void*) { return 0; }
API int cuCtxSynchronize() { return 0; }
API int cuMemGetInfo_v2(size_t* free, size_t* total) { *free = *total = (size_t)8 << 30; return 0; }
API int cuMemAllocAsync(void** pointer, size_t bytes, void*) { *pointer = aligned_alloc(256, (bytes + 255) & ~(size_t)255); return *pointer ? 0 : 2; }
API int cuMemFreeAsync(void* pointer, void*) { free(pointer); return 0; }
API int cuMemcpyHtoDAsync_v2(void* to, const void* from, size_t bytes, void*) { memcpy(to, from, bytes); return 0; }
API int cuMemcpyDtoHAsync_v2(void* to, const void* from, size_t bytes, void*) { memcpy(to, from, bytes); return 0; }
API int cuMemcpyDtoDAsync_v2(void* to, const void* from, size_t bytes, void*) { memmove(to, from, bytes); return 0; }
API int cuMemsetD8Async(void* to, unsigned char value, size_t bytes, void*) { memset(to, value, bytes); return 0; }
API int cuDeviceGetDefaultMemPool(void** pool, int) { *pool = &g_context; return 0; }
API int cuMemPoolSetAttribute(void*, int, void*) { return 0; }
API int cuMemPoolTrimTo(void*, size_t) { return 0; }
API int cuMemHostAlloc(void** pointer, size_t bytes, unsigned) { *pointer = aligned_alloc(256, (bytes + 255) & ~(size_t)255); return *pointer ? 0 : 2; }
API int cuMemFreeHost(void* pointer) { free(pointer); return 0; }
API int cuEventCreate(void** event, unsigned) { *event = &g_stream; return 0; }
API int cuEventRecord(void*, void*) { return 0; }
API int cuEventQuery(void*) { return 0; }
API int cuEventSynchronize(void*) { return 0; }
API int cuEventDestroy_v2(void*) { return 0; }
API int cuStreamCreate(void** stream, unsigned) { *stream = &g_stream; return 0; }
API int cuStreamDestroy_v2(void*) { return 0; }
API int cuStreamSynchronize(void*) { return 0; }
API int cuStreamWaitEvent(void*, void*, unsigned) { return 0; }
API int cuModuleLoadDataEx(void** module, const void*, unsigned, int*, void**) { *module = &g_module; return 0; }
API int cuModuleUnload(void*) { return 0; }
API int cuModuleGetFunction(void** function, void*, const char* name) { *function = (void*)emu::find_kernel(name); return *function ? 0 : 500; }
API int cuFuncSetAttribute(void*, int, int) { return 0; }
API int cuLaunchKernel(void* f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void*, void** args, void**) {
  g_message = emu::run_launch(emu::Launch{(const emu::Entry*)f, {gx, gy, gz}, {bx, by, bz}, shared, args});
  return g_message.empty() ? 0 : 719;
}
