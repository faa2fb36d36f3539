using CudaL2Net.Kernels;

namespace CudaL2Net.Bench.Measuring;

/// <summary>
/// Measures work on a device by the device's own clock, each sample with cold caches: before it a buffer larger than any cache is written, and the work takes
/// turns between several sets of tensors where it is given more than one.
/// </summary>
internal sealed class Sampler : IDisposable
{
    // More than the second-level cache of any GPU, and than the last-level cache that most CPUs share.
    private const int FlushBytes = 256 << 20;

    // The emulation has no caches.
    private const int EmulatedFlushBytes = 1 << 16;

    private readonly Device device;
    private readonly int rounds;
    private readonly Tensor<byte> flushed;
    private readonly DeviceTimer timer;

    /// <summary>Prepares for measurements on a device.</summary>
    /// <param name="device">The device, which must outlive this.</param>
    /// <param name="rounds">Samples of each figure.</param>
    public Sampler(Device device, int rounds)
    {
        this.device = device;
        this.rounds = rounds;
        flushed = device.Allocate<byte>(device.Emulated ? EmulatedFlushBytes : FlushBytes);
        timer = device.CreateTimer();
    }

    /// <summary>Measures contenders in turn, so that what else the machine does meets all alike; each action is done once before, to warm up.</summary>
    /// <param name="contenders">Of each the same work on different tensors.</param>
    /// <returns>Of each contender the seconds of every sample.</returns>
    public double[][] Measure(params IReadOnlyList<IReadOnlyList<Action>> contenders)
    {
        foreach (Action action in contenders.SelectMany(sets => sets))
        {
            action();
        }

        device.Synchronize();
        double[][] seconds = [.. contenders.Select(_ => new double[rounds])];
        for (int round = 0; round < rounds; round++)
        {
            for (int contender = 0; contender < contenders.Count; contender++)
            {
                flushed.Clear();
                timer.Start();
                contenders[contender][round % contenders[contender].Count]();
                timer.Stop();
                seconds[contender][round] = timer.Seconds();
            }
        }

        return seconds;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        timer.Dispose();
        flushed.Dispose();
    }
}
