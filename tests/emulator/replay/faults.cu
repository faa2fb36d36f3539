// Kernels that are wrong on purpose, each in one way, and one that only looks it: what the emulation and the sanitizers must notice.
#include "ptx_ops.cuh"

// Writes y[0] to y[127], whatever its size.
extern "C" __global__ void fault_global(float* y, int) { y[threadIdx.x] = 1.f; }
KERNEL(fault_global);

// 128 threads write 64 elements.
extern "C" __global__ void fault_shared(float* y, int n) {
    __shared__ float s[64];
    s[threadIdx.x] = 1.f;
    __syncthreads();
    y[threadIdx.x % n] = s[threadIdx.x ^ 1];
}
KERNEL(fault_shared);

// Writes 512 bytes of dynamic shared memory, however little there is.
extern "C" __global__ void fault_dynamic(float* y, int n) {
    DYN_SHARED(float, s);
    s[threadIdx.x] = 1.f;
    __syncthreads();
    y[threadIdx.x % n] = s[threadIdx.x ^ 1];
}
KERNEL(fault_dynamic);

// No barrier between write and read.
extern "C" __global__ void fault_race(float* y, int) {
    __shared__ float s[128];
    s[threadIdx.x] = (float)threadIdx.x;
    y[threadIdx.x] = s[(threadIdx.x + 1) % 128];
}
KERNEL(fault_race);

// No barrier between a read and the next round's write.
extern "C" __global__ void fault_write_after_read(float* y, int) {
    __shared__ float s[128];
    float a = 0;
    for (int i = 0; i < 4; i++) {
        s[threadIdx.x] = (float)(threadIdx.x + i);
        __syncthreads();
        a += s[(threadIdx.x + 1) % 128];
    }
    y[threadIdx.x] = a;
}
KERNEL(fault_write_after_read);

// Blocks write the same addresses.
extern "C" __global__ void fault_blocks(float* y, int) { y[(threadIdx.x + blockIdx.x) % 128] = (float)blockIdx.x; }
KERNEL(fault_blocks);

// Half of the block waits elsewhere.
extern "C" __global__ void fault_divergent(float* y, int) {
    if (threadIdx.x < 40) {
        y[threadIdx.x] = 1.f;
        __syncthreads();
    } else {
        y[threadIdx.x] = 2.f;
        __syncthreads();
    }
    y[threadIdx.x] += 1.f;
}
KERNEL(fault_divergent);

// Half of the warp never comes.
extern "C" __global__ void fault_shuffle(float* y, int) {
    float v = (float)threadIdx.x;
    if (threadIdx.x % 32 < 16) v += __shfl_xor_sync(0xffffffffu, v, 1);
    y[threadIdx.x] = v;
}
KERNEL(fault_shuffle);

// Relies on the lanes of a warp running in step.
extern "C" __global__ void fault_warp(float* y, int) {
    __shared__ volatile float s[128];
    int t = threadIdx.x;
    s[t] = 1.f;
    __syncthreads();
    if (t < 32) {
        for (int o = 64; o > 0; o /= 2) s[t] += s[t + o];
    }
    __syncthreads();
    if (t == 0) y[0] = s[0];
}
KERNEL(fault_warp);

// Reads before waiting for the copy.
extern "C" __global__ void fault_copy(float* y, int) {
    __shared__ __align__(16) float s[512];
    cp_async4(&s[threadIdx.x], y + threadIdx.x);
    cp_async_commit();
    __syncthreads();
    y[threadIdx.x] = s[threadIdx.x] + 1.f;
    cp_async_wait<0>();
}
KERNEL(fault_copy);

// Never waits for the copy.
extern "C" __global__ void fault_no_wait(float* y, int) {
    __shared__ __align__(16) float s[128];
    cp_async4(&s[threadIdx.x], y + threadIdx.x);
    cp_async_commit();
}
KERNEL(fault_no_wait);

// A copy to an address that is no multiple of its size.
extern "C" __global__ void fault_alignment(float* y, int) {
    __shared__ __align__(16) float s[128];
    cp_async16(&s[threadIdx.x % 64], y);
    cp_async_commit();
    cp_async_wait<0>();
}
KERNEL(fault_alignment);

// Reads shared memory that nobody wrote.
extern "C" __global__ void fault_uninitialized(float* y, int) {
    DYN_SHARED(float, s);
    if (threadIdx.x < 3) s[threadIdx.x] = 1.f;
    __syncthreads();
    y[threadIdx.x] = s[threadIdx.x];
}
KERNEL(fault_uninitialized);

// Far from any memory.
extern "C" __global__ void fault_address(float* y, int) { y[(size_t)1 << 44] = 1.f; }
KERNEL(fault_address);

// Right: threads may leave before a barrier.
extern "C" __global__ void faultless(float* y, int n) {
    __shared__ float s[128];
    if ((int)threadIdx.x >= n) return;
    s[threadIdx.x] = 2.f;
    __syncthreads();
    y[threadIdx.x] = s[n - 1 - threadIdx.x];
}
KERNEL(faultless);
