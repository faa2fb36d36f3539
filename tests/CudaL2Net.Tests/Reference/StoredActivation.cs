using CudaL2Net.Kernels;
using CudaL2Net.Kernels.Cuda;
using static CudaL2Net.Tests.Reference.Closeness;

namespace CudaL2Net.Tests.Reference;

/// <summary>A normalized activation with made-up statistics: what is tested is what its readers do with them.</summary>
internal sealed record StoredActivation(ulong Seed, int Batch, int Halves, int Side, int Channels, bool Learned, bool Relu)
{
    // Launches are queued: what they read is kept until the test has ended.
    private static readonly List<object> Kept = [];

    private readonly double[] x = RoundedSamples(Seed, Batch * Side * Side * Channels);
    private readonly float[] mean = Samples.Gaussian(Seed + 1, Halves * Channels);
    private readonly float[] inverse = Array.ConvertAll(Samples.Gaussian(Seed + 2, Halves * Channels), v => 0.5f + Math.Abs(v));
    private readonly float[]? scale = Learned ? Samples.Gaussian(Seed + 3, Channels) : null;
    private readonly float[]? shift = Learned ? Samples.Gaussian(Seed + 4, Channels) : null;

    public int Length => x.Length;

    public Bf16Activation Upload(CudaDevice device, double[] sums) => new(
        Upload<ushort>(device, Array.ConvertAll(x, Bf16), Batch, Side, Side, Channels),
        new Normalization(Halves, Relu, Upload<float>(device, mean, Halves, Channels), Upload<float>(device, inverse, Halves, Channels),
            scale == null ? null : Upload<float>(device, scale), shift == null ? null : Upload<float>(device, shift)),
        Upload<float>(device, Array.ConvertAll(sums, v => (float)v), Halves, 2, Channels));

    public double[] Normalized() => [.. Enumerable.Range(0, x.Length).Select(i => Relu ? Math.Max(0, Value(i)) : Value(i))];

    /// <summary>sum(m), sum(m xhat) of each half.</summary>
    public double[] Sums(double[] gradient)
    {
        var sums = new double[Halves * 2 * Channels];
        for (int i = 0; i < x.Length; i++)
        {
            int at = (HalfOf(i) * 2 * Channels) + (i % Channels);
            sums[at] += Masked(gradient, i);
            sums[at + Channels] += Masked(gradient, i) * XHat(i);
        }

        return sums;
    }

    public double[] Finished(double[] gradient, double[] sums)
    {
        double count = x.Length / Halves / Channels;
        return [.. Enumerable.Range(0, x.Length).Select(i =>
        {
            int c = i % Channels, at = (HalfOf(i) * 2 * Channels) + c;
            return (scale?[c] ?? 1) * inverse[(HalfOf(i) * Channels) + c]
                * (Masked(gradient, i) - (sums[at] / count) - (XHat(i) * sums[at + Channels] / count));
        })];
    }

    private int HalfOf(int i) => i / (x.Length / Halves);

    private double XHat(int i)
    {
        int at = (HalfOf(i) * Channels) + (i % Channels);
        return (x[i] - mean[at]) * inverse[at];
    }

    private double Value(int i) => ((scale?[i % Channels] ?? 1) * XHat(i)) + (shift?[i % Channels] ?? 0);

    private double Masked(double[] gradient, int i) => Relu && Value(i) <= 0 ? 0 : gradient[i];

    /// <summary>Lets go of all tensors of a test.</summary>
    public static void LetGo() => Kept.Clear();

    /// <summary>A tensor that is kept until <see cref="LetGo"/>.</summary>
    public static Tensor<T> Upload<T>(Device device, ReadOnlySpan<T> values, params ReadOnlySpan<int> shape)
        where T : unmanaged
    {
        Tensor<T> tensor = shape.Length == 0 ? device.Upload(values) : device.Upload(values, shape);
        Kept.Add(tensor);
        return tensor;
    }

    /// <summary>A tensor of zeros that is kept until <see cref="LetGo"/>.</summary>
    public static Tensor<T> Allocate<T>(Device device, params ReadOnlySpan<int> shape)
        where T : unmanaged
    {
        Tensor<T> tensor = device.Allocate<T>(shape);
        Kept.Add(tensor);
        return tensor;
    }

    public static ushort Bf16(double value) => CudaDevice.FusedTower.RoundToBf16((float)value);

    public static double Rounded(double value) => Widened(Bf16(value));

    public static double Widened(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    public static double[] RoundedSamples(ulong seed, int count) => Array.ConvertAll(Samples.Gaussian(seed, count), value => Rounded(value));

    public static float[] Widen(Tensor<ushort> values) => Array.ConvertAll(values.ToArray(), bits => (float)Widened(bits));

    public static Tensor<ushort> Bits(CudaDevice device, double[] values) => Upload<ushort>(device, Array.ConvertAll(values, Bf16));

    /// <summary>Compares the statistics of a batch, and the running ones that began at 0.</summary>
    public static void AssertStatistics(BatchNormOptions options, double[] y, int channels, Tensor<float> mean, Tensor<float> inverse, Tensor<float> runningMean,
        Tensor<float> runningVariance, double tolerance)
    {
        double[] expectedRunningMean = new double[channels], expectedRunningVariance = new double[channels];
        Plain.BatchNorm(options, y, channels, null, null, expectedRunningMean, expectedRunningVariance);
        AssertClose(runningMean.ToArray(), expectedRunningMean, tolerance);
        AssertClose(runningVariance.ToArray(), expectedRunningVariance, tolerance);
        double[] expectedMean = new double[options.Halves * channels], expectedInverse = new double[options.Halves * channels];
        int rows = y.Length / channels / options.Halves;
        for (int i = 0; i < expectedMean.Length; i++)
        {
            double[] column = [.. Enumerable.Range(0, rows).Select(row => y[(((i / channels * rows) + row) * channels) + (i % channels)])];
            expectedMean[i] = column.Average();
            expectedInverse[i] = 1 / Math.Sqrt(column.Average(v => (v - expectedMean[i]) * (v - expectedMean[i])) + options.Epsilon);
        }

        AssertClose(mean.ToArray(), expectedMean, tolerance);
        AssertClose(inverse.ToArray(), expectedInverse, tolerance);
    }
}
