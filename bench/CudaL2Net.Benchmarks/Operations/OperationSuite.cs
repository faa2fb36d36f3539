using BenchmarkDotNet.Attributes;
using CudaL2Net.Bench.Operations;
using CudaL2Net.Kernels;
using CudaL2Net.Kernels.Cpu;

namespace CudaL2Net.Benchmarks.Operations;

/// <summary>A suite of kernels on a CPU device with so many threads.</summary>
public abstract class OperationSuite
{
    private CpuDevice? device;
    private TensorSet? inputs;

    [ParamsSource(nameof(ThreadCounts))]
    public int Threads { get; set; }

    public static IEnumerable<int> ThreadCounts => new[] { 1, Environment.ProcessorCount }.Distinct();

    /// <summary>The suite's tensors, disposed of at its end.</summary>
    internal TensorSet Inputs => inputs!;

    private protected IKernels Kernels => device!;

    /// <summary>Floating-point operations of a benchmark, 0 where arithmetic is not what bounds it.</summary>
    public abstract double Flop(string benchmark);

    [GlobalSetup]
    public void Open()
    {
        device = new CpuDevice(Threads);
        inputs = new TensorSet(device);
        Allocate();
    }

    [GlobalCleanup]
    public void Close()
    {
        inputs!.Dispose();
        device!.Dispose();
    }

    /// <summary>Makes the suite's tensors.</summary>
    protected abstract void Allocate();
}
