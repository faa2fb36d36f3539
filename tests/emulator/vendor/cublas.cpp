// A stand-in for cuBLAS: the entry points that the library uses, in plain loops. The status values are those of cublas_api.h. Stricter than the original: a
// stream and a workspace must have been set, in this order, for setting a stream takes the workspace away.
#include <mutex>
#include <set>
#include "vendor/library.h"

using namespace emu;

namespace {
enum Status { SUCCESS = 0, NOT_INITIALIZED = 1, INVALID_VALUE = 7, EXECUTION_FAILED = 13, NOT_SUPPORTED = 15 };
constexpr int Float32 = 0, BFloat16 = 14, Compute32F = 68, Compute32FFastTf32 = 77;
// What a product uses of its workspace here.
constexpr size_t LeastWorkspace = 4096;

struct Handle {
    void* stream = nullptr;
    bool has_stream = false;
    char* workspace = nullptr;
    size_t workspace_bytes = 0;
};
std::mutex g_handles_lock;
std::set<void*> g_handles;
Handle* find(void* handle) {
    std::lock_guard<std::mutex> guard(g_handles_lock);
    return g_handles.count(handle) ? (Handle*)handle : nullptr;
}

// A column-major matrix of a batch.
struct Matrix {
    char* data;
    int type, pitch, rows, columns;
    long long stride;
    bool transposed;
    size_t size() const { return type == BFloat16 ? 2 : 4; }
    bool valid() const { return data && (type == BFloat16 || type == Float32) && pitch >= (rows > 1 ? rows : 1); }
    Operand operand(int batch) const { return {data, size() * (size_t)((batch - 1) * stride + (long long)(columns - 1) * pitch + rows)}; }
    double at(int batch, int row, int column, bool tf32) const {
        if (transposed) std::swap(row, column);
        size_t i = (size_t)(batch * stride + (long long)column * pitch + row);
        if (type == BFloat16) return from_bf16(((const uint16_t*)data)[i]);
        float value = ((const float*)data)[i];
        return tf32 ? from_tf32(to_tf32(value)) : value;
    }
};

int gemm(const char* call, void* opened, int transpose_a, int transpose_b, int m, int n, int k, const float* alpha, Matrix a, Matrix b, const float* beta,
         Matrix c, int batch, int compute) {
    Handle* handle = find(opened);
    if (!handle) return refuse(NOT_INITIALIZED, call, "no such handle");
    if (!handle->has_stream) return refuse(NOT_INITIALIZED, call, "no stream has been set");
    if (handle->workspace_bytes < LeastWorkspace) return refuse(NOT_INITIALIZED, call, "no workspace has been set since the stream was");
    if (m < 0 || n < 0 || k < 0 || batch < 0 || !alpha || !beta) return refuse(INVALID_VALUE, call, "a negative size, or no factor");
    if (transpose_a < 0 || transpose_a > 1 || transpose_b < 0 || transpose_b > 1) return refuse(INVALID_VALUE, call, "unknown operation on a factor");
    if (!m || !n || !batch) return SUCCESS;
    a.transposed = transpose_a, a.rows = transpose_a ? k : m, a.columns = transpose_a ? m : k;
    b.transposed = transpose_b, b.rows = transpose_b ? n : k, b.columns = transpose_b ? k : n;
    c.transposed = false, c.rows = m, c.columns = n;
    if (!a.valid() || !b.valid() || !c.valid()) return refuse(INVALID_VALUE, call, "a matrix without memory, of unknown type, or of too small a pitch");
    bool tf32 = compute == Compute32FFastTf32;
    if (a.type != b.type || c.type != Float32 || (compute != Compute32F && !(tf32 && a.type == Float32)))
        return refuse(NOT_SUPPORTED, call, "this combination of types");
    float scale = *alpha, keep = *beta;
    char* workspace = handle->workspace;
    std::vector<Operand> operands = {a.operand(batch), b.operand(batch), c.operand(batch), {workspace, LeastWorkspace}};
    Error error = queue_library_call(handle->stream, call, operands, [=] {
        spoil(workspace, LeastWorkspace);
        for (int entry = 0; entry < batch; entry++) {
            std::vector<double> rows((size_t)m * k), columns((size_t)n * k);
            for (int i = 0; i < m; i++)
                for (int l = 0; l < k; l++) rows[(size_t)i * k + l] = a.at(entry, i, l, tf32);
            for (int j = 0; j < n; j++)
                for (int l = 0; l < k; l++) columns[(size_t)j * k + l] = b.at(entry, l, j, tf32);
            for (int j = 0; j < n; j++)
                for (int i = 0; i < m; i++) {
                    double sum = 0;
                    for (int l = 0; l < k; l++) sum += rows[(size_t)i * k + l] * columns[(size_t)j * k + l];
                    float* result = (float*)c.data + entry * c.stride + (long long)j * c.pitch + i;
                    *result = (float)(scale * sum + (keep == 0 ? 0 : keep * *result));
                }
        }
    });
    return error ? EXECUTION_FAILED : SUCCESS;
}
}  // namespace

API int cublasGetProperty(int type, int* value) {
    static const int version[] = {12, 4, 5};
    if (type < 0 || type > 2 || !value) return INVALID_VALUE;
    *value = version[type];
    return SUCCESS;
}
API const char* cublasGetStatusName(int status) {
    switch (status) {
        case SUCCESS:
            return "CUBLAS_STATUS_SUCCESS";
        case NOT_INITIALIZED:
            return "CUBLAS_STATUS_NOT_INITIALIZED";
        case INVALID_VALUE:
            return "CUBLAS_STATUS_INVALID_VALUE";
        case EXECUTION_FAILED:
            return "CUBLAS_STATUS_EXECUTION_FAILED";
        case NOT_SUPPORTED:
            return "CUBLAS_STATUS_NOT_SUPPORTED";
    }
    return "CUBLAS_STATUS_UNKNOWN";
}
API const char* cublasGetStatusString(int status) { return status ? "refused by the stand-in" : "success"; }
API int cublasCreate_v2(void** handle) {
    if (!handle) return INVALID_VALUE;
    *handle = new Handle;
    std::lock_guard<std::mutex> guard(g_handles_lock);
    g_handles.insert(*handle);
    count_library_object(1);
    return SUCCESS;
}
API int cublasDestroy_v2(void* handle) {
    std::lock_guard<std::mutex> guard(g_handles_lock);
    if (!g_handles.erase(handle)) return NOT_INITIALIZED;
    delete (Handle*)handle;
    count_library_object(-1);
    return SUCCESS;
}
API int cublasSetStream_v2(void* opened, void* stream) {
    Handle* handle = find(opened);
    if (!handle) return NOT_INITIALIZED;
    handle->stream = stream;
    handle->has_stream = true;
    handle->workspace = nullptr;
    handle->workspace_bytes = 0;
    return SUCCESS;
}
API int cublasSetMathMode(void* opened, int mode) { return !find(opened) ? NOT_INITIALIZED : mode >= 0 && mode <= 3 ? SUCCESS : INVALID_VALUE; }
API int cublasSetWorkspace_v2(void* opened, void* workspace, size_t bytes) {
    Handle* handle = find(opened);
    if (!handle) return NOT_INITIALIZED;
    if ((uintptr_t)workspace % 256) return refuse(INVALID_VALUE, "cublasSetWorkspace", "the workspace must begin at a multiple of 256 bytes");
    handle->workspace = (char*)workspace;
    handle->workspace_bytes = bytes;
    return SUCCESS;
}
API int cublasGemmEx(void* handle, int transpose_a, int transpose_b, int m, int n, int k, const void* alpha, const void* a, int a_type, int a_pitch,
                     const void* b, int b_type, int b_pitch, const void* beta, void* c, int c_type, int c_pitch, int compute, int) {
    return gemm("cublasGemmEx", handle, transpose_a, transpose_b, m, n, k, (const float*)alpha, Matrix{(char*)a, a_type, a_pitch},
                Matrix{(char*)b, b_type, b_pitch}, (const float*)beta, Matrix{(char*)c, c_type, c_pitch}, 1, compute);
}
API int cublasGemmStridedBatchedEx(void* handle, int transpose_a, int transpose_b, int m, int n, int k, const void* alpha, const void* a, int a_type,
                                   int a_pitch, long long a_stride, const void* b, int b_type, int b_pitch, long long b_stride, const void* beta, void* c,
                                   int c_type, int c_pitch, long long c_stride, int batch, int compute, int) {
    return gemm("cublasGemmStridedBatchedEx", handle, transpose_a, transpose_b, m, n, k, (const float*)alpha, Matrix{(char*)a, a_type, a_pitch, 0, 0, a_stride},
                Matrix{(char*)b, b_type, b_pitch, 0, 0, b_stride}, (const float*)beta, Matrix{(char*)c, c_type, c_pitch, 0, 0, c_stride}, batch, compute);
}
