using BenchmarkDotNet.Attributes;
using CudaL2Net.Kernels;

namespace CudaL2Net.Benchmarks.Operations;

/// <summary>Batch normalization with ReLU, ReLU alone and local response normalization on the maps of 2 x 128 patches. Bound by memory.</summary>
public class NormalizationSuite : OperationSuite
{
    private const int Batch = 256;
    private static readonly BatchNormOptions Options = new(2, 1e-5f, 0.1f, true);
    private LrnOptions lrn;
    private Tensor<float> x = null!, y = null!, dy = null!, dx = null!, mean = null!, inverseDeviation = null!, runningMean = null!, runningVariance = null!;

    /// <summary>Channels: 32 on 32 x 32 pixels (layers 1 and 2), 64 on 16 x 16 (3 and 4), 128 on 8 x 8 (5 and 6).</summary>
    [Params(32, 64, 128)]
    public int Channels { get; set; }

    public override double Flop(string benchmark) => 0;

    [Benchmark]
    public void BatchNormForward() => Kernels.BatchNormForward(Options, x, null, null, mean, inverseDeviation, runningMean, runningVariance, y);

    [Benchmark]
    public void BatchNormBackward() => Kernels.BatchNormBackward(Options, x, null, null, mean, inverseDeviation, dy, dx, null, null);

    [Benchmark]
    public void ReluForward() => Kernels.ReluForward(x, y);

    [Benchmark]
    public void ReluBackward() => Kernels.ReluBackward(x, dy, dx);

    [Benchmark]
    public void LrnForward() => Kernels.LrnForward(lrn, x, y);

    [Benchmark]
    public void LrnBackward() => Kernels.LrnBackward(lrn, x, dy, dx);

    protected override void Allocate()
    {
        int side = 1024 / Channels;
        lrn = new LrnOptions(Channels, 5, 1, 1e-4f, 0.75f);
        x = Inputs.Gaussian(Batch, side, side, Channels);
        dy = Inputs.Gaussian(Batch, side, side, Channels);
        y = Inputs.Empty<float>(x.Shape);
        dx = Inputs.Empty<float>(x.Shape);
        mean = Inputs.Empty<float>(2, Channels);
        inverseDeviation = Inputs.Empty<float>(2, Channels);
        runningMean = Inputs.Empty<float>(Channels);
        runningVariance = Inputs.Empty<float>(Channels);
        BatchNormForward();
    }
}
