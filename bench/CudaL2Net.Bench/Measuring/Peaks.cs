using CudaL2Net.Kernels;
using CudaL2Net.Kernels.Cpu;
using CudaL2Net.Kernels.Cuda;

namespace CudaL2Net.Bench.Measuring;

/// <summary>The most that a device was seen to do of one kind of work.</summary>
/// <param name="Name">The kind.</param>
/// <param name="Rate">Operations, or bytes read and written, a second.</param>
internal sealed record Peak(string Name, double Rate);

/// <summary>
/// What shares are of: the rates of a device with nothing else to do, measured in the same run, at its beginning and at its end; the higher of the two counts,
/// so that shares are rather too low than too high.
/// </summary>
internal sealed class Peaks
{
    private const int Rounds = 10, RandomBytes = 16 << 20;
    private const double BurstSeconds = 0.005;

    private readonly Dictionary<Arithmetic, double> rates;
    private readonly string memory, suffix;

    /// <summary>Measures.</summary>
    /// <param name="device">The device.</param>
    /// <param name="kinds">The arithmetic that will be asked for.</param>
    public Peaks(Device device, params IEnumerable<Arithmetic> kinds)
    {
        memory = device is CudaDevice ? "device memory (copy)" : "memory (copy)";
        suffix = device is CpuDevice { Threads: var threads } ? $", {threads} {(threads == 1 ? "thread" : "threads")}" : string.Empty;
        rates = kinds.Distinct().ToDictionary(kind => kind, _ => 0.0);
        Measure(device);
    }

    /// <summary>Bytes a second of a copy: those read and those written.</summary>
    public double Bandwidth { get; private set; }

    /// <summary>What was measured.</summary>
    public IReadOnlyList<Peak> All =>
    [
        new(memory + suffix, Bandwidth),
        .. rates.Select(rate => new Peak(NameOf(rate.Key) + suffix, rate.Value)),
    ];

    /// <summary>Operations a second.</summary>
    public double Of(Arithmetic kind) => rates[kind];

    /// <summary>The arithmetic of matrix products in a precision.</summary>
    public static Arithmetic For(Precision precision) => precision switch
    {
        Precision.Tf32 => Arithmetic.Tf32,
        Precision.Bf16 => Arithmetic.Bf16,
        Precision.Int8 => Arithmetic.Int8,
        _ => Arithmetic.Float32,
    };

    /// <summary>What people call a kind of arithmetic.</summary>
    public static string NameOf(Arithmetic kind) => kind switch
    {
        Arithmetic.Float32 => "float32 multiply-adds",
        Arithmetic.Tf32 => "tf32 matrix products (mma.sync)",
        Arithmetic.Bf16 => "bf16 matrix products (mma.sync)",
        Arithmetic.Int8 => "int8 matrix products (mma.sync)",
        _ => "32-bit population counts",
    };

    /// <summary>Measures once more on the same device; what was higher before stays.</summary>
    public void Measure(Device device)
    {
        if (device is CudaDevice cuda)
        {
            Bandwidth = Math.Max(Bandwidth, CopyRate(cuda));
            foreach (Arithmetic kind in rates.Keys.ToArray())
            {
                rates[kind] = Math.Max(rates[kind], ArithmeticRate(cuda, kind));
            }

            return;
        }

        int threads = ((CpuDevice)device).Threads;
        Bandwidth = Math.Max(Bandwidth, CpuPeaks.Bandwidth(threads));
        foreach (Arithmetic kind in rates.Keys.ToArray())
        {
            double rate = kind switch
            {
                Arithmetic.Float32 => CpuPeaks.MultiplyAdds(threads),
                Arithmetic.Popcount => CpuPeaks.Popcounts(threads),
                _ => throw new ArgumentException($"a CPU has no {NameOf(kind)}"),
            };
            rates[kind] = Math.Max(rates[kind], rate);
        }
    }

    private static double CopyRate(CudaDevice device)
    {
        int bytes = device.Emulated ? 1 << 20 : 512 << 20;
        using Tensor<byte> from = device.Allocate<byte>(bytes), to = device.Allocate<byte>(bytes);
        // Memory of zeros may be compressed on its way. A block of random bytes is enough: it is far larger than what a compressor looks at.
        var random = new byte[Math.Min(bytes, RandomBytes)];
        new Random(1).NextBytes(random);
        using (Tensor<byte> block = device.Upload<byte>(random))
        {
            for (int first = 0; first < bytes; first += random.Length)
            {
                from.View(first, random.Length).CopyFrom(block);
            }
        }

        return 2.0 * bytes / Best(device, () => to.CopyFrom(from));
    }

    private static double ArithmeticRate(CudaDevice device, Arithmetic kind)
    {
        const int FirstSteps = 64;
        using Tensor<float> output = device.Allocate<float>(device.PeakOutputs);
        int steps = device.Emulated ? 1 : FirstSteps;
        long operations = 0;
        Action burst = () => operations = device.RunPeak(kind, steps, output);
        double seconds = Best(device, burst);
        if (!device.Emulated)
        {
            steps = (int)Math.Clamp(FirstSteps * BurstSeconds / seconds, FirstSteps, 1 << 24);
            seconds = Best(device, burst);
        }

        return operations / seconds;
    }

    private static double Best(CudaDevice device, Action burst)
    {
        using DeviceTimer timer = device.CreateTimer();
        burst();
        double best = double.PositiveInfinity;
        for (int round = 0; round < (device.Emulated ? 1 : Rounds); round++)
        {
            timer.Start();
            burst();
            timer.Stop();
            best = Math.Min(best, timer.Seconds());
        }

        return best;
    }
}
