using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace CudaL2Net.Kernels.Cpu;

/// <summary>The CPU as a device: managed SIMD code on all cores, no native library. One file an operation.</summary>
internal sealed unsafe partial class CpuDevice : Device, IKernels, IFusedKernels
{
    private readonly WorkerPool pool;

    public CpuDevice(int threads = 0)
        : base(HostThreads(threads)) => pool = new WorkerPool(Threads);

    public override string Name => "cpu";

    public override string Description => $"CPU, {pool.Threads} {(pool.Threads == 1 ? "thread" : "threads")}, {InstructionSet}";

    internal override IKernels Kernels => this;

    internal override IFusedKernels? FusedKernels => this;

    private static string InstructionSet =>
        Vector512.IsHardwareAccelerated ? "512-bit vectors (AVX-512)" : Vector256.IsHardwareAccelerated ? "256-bit vectors (AVX2)" : "no wide vectors";

    internal override Tensor<T> Lend<T>(T[] values, params ReadOnlySpan<int> shape) => new(this, values, shape);

    internal override void* AllocateBytes(nuint bytes)
    {
        void* memory = HostMemory.Allocate(bytes);
        NativeMemory.Clear(memory, bytes);
        return memory;
    }

    internal override void FreeBytes(void* pointer) => HostMemory.Free(pointer);

    internal override void CopyToDevice(void* device, void* host, nuint bytes) => NativeMemory.Copy(host, device, bytes);

    internal override void CopyToHost(void* host, void* device, nuint bytes) => NativeMemory.Copy(device, host, bytes);

    internal override void CopyOnDevice(void* to, void* from, nuint bytes) => NativeMemory.Copy(from, to, bytes);

    internal override void Clear(void* device, nuint bytes) => NativeMemory.Clear(device, bytes);

    private protected override void WaitForWork()
    {
    }

    private protected override void Release()
    {
        pool.Dispose();
        FreeScratch();
    }
}
