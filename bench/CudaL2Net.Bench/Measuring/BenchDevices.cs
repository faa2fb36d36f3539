using CudaL2Net.Kernels;

namespace CudaL2Net.Bench.Measuring;

/// <summary>The devices that a bench measures, one after another: a GPU in each precision, or a CPU with each number of threads.</summary>
/// <param name="Name">The device's name.</param>
/// <param name="Precisions">The precisions; float32 alone on a CPU.</param>
/// <param name="Threads">The numbers of threads on a CPU; a single 0 on a GPU.</param>
internal sealed record BenchDevices(string Name, Precision[] Precisions, int[] Threads)
{
    /// <summary>Whether they are the tests' emulation: small work is enough there.</summary>
    public bool Emulated { get; init; }

    /// <summary>Whose kernels train.</summary>
    public KernelSet Kernels { get; init; }

    /// <summary>Whether they are a CPU.</summary>
    public bool IsCpu => Name == "cpu";

    /// <summary>How many there are.</summary>
    public int Count => Precisions.Length * Threads.Length;

    /// <summary>Opens them one after another; each must be disposed of before the next.</summary>
    public IEnumerable<Device> Open() =>
        from precision in Precisions
        from threads in Threads
        select Device.Open(Name, threads, precision, Kernels);

    /// <summary>Opens one.</summary>
    public Device Open(Precision precision) => Device.Open(Name, Threads[0], precision);
}
