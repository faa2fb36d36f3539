using BenchmarkDotNet.Attributes;
using CudaL2Net.Devices;
using CudaL2Net.Devices.Cpu;

namespace CudaL2Net.Benchmarks.Operations;

/// <summary>A suite of kernels on a CPU device with so many threads.</summary>
public abstract class OperationSuite
{
    private CpuDevice? device;

    [ParamsSource(nameof(ThreadCounts))]
    public int Threads { get; set; }

    public static IEnumerable<int> ThreadCounts => new[] { 1, Environment.ProcessorCount }.Distinct();

    protected Device Device => device!;

    protected IKernels Kernels => device!;

    /// <summary>Floating-point operations of a benchmark, 0 where arithmetic is not what bounds it.</summary>
    public abstract double Flop(string benchmark);

    [GlobalSetup]
    public void Open()
    {
        device = new CpuDevice(Threads);
        Allocate();
    }

    /// <summary>Tensors are freed by their finalizers; what counts is the thread pool.</summary>
    [GlobalCleanup]
    public void Close() => device!.Dispose();

    /// <summary>Makes the suite's tensors.</summary>
    protected abstract void Allocate();
}
