using BenchmarkDotNet.Attributes;
using CudaL2Net.Kernels;

namespace CudaL2Net.Benchmarks.Operations;

/// <summary>The losses and mining on p pairs of 128 values, values and gradients in one.</summary>
public class LossSuite : OperationSuite
{
    private const int Dimension = 128;
    private static readonly HardestNegativeOptions Mining = new(DescriptorDistance.Euclidean, 0.008f);
    private static readonly TripletOptions Margin = new(TripletLoss.Margin, DescriptorDistance.Euclidean, 1, 1);
    private Tensor<float> descriptors = null!, features = null!, gradient = null!, loss = null!, positive = null!, negative = null!;
    private Tensor<int> negativePair = null!;

    /// <summary>p.</summary>
    [Params(128, 512)]
    public int Pairs { get; set; }

    /// <summary>The matrix of inner products, and for gradients two products with it more.</summary>
    public override double Flop(string benchmark) => benchmark switch
    {
        nameof(HardestNegative) => 2.0 * Pairs * Pairs * Dimension,
        nameof(DistanceSoftmax) or nameof(IntermediateSoftmax) => 6.0 * Pairs * Pairs * Dimension,
        nameof(Correlation) => 2 * 4.0 * Pairs * Dimension * Dimension,
        _ => 0,
    };

    [Benchmark]
    public void DistanceSoftmax() => Kernels.DistanceSoftmax(1, descriptors, loss, gradient);

    [Benchmark]
    public void Correlation() => Kernels.Correlation(new CorrelationOptions(false, false), 1, features, loss, gradient);

    [Benchmark]
    public void IntermediateSoftmax() => Kernels.IntermediateSoftmax(1f / Dimension, 1, features, loss, gradient);

    [Benchmark]
    public void HardestNegative() => Kernels.HardestNegative(Mining, descriptors, positive, negative, negativePair);

    [Benchmark]
    public void Triplet() => Kernels.Triplet(Margin, 1, descriptors, positive, negative, negativePair, loss, gradient);

    [Benchmark]
    public void GlobalOrthogonal() => Kernels.GlobalOrthogonal(1, descriptors, negativePair, loss, gradient);

    protected override void Allocate()
    {
        descriptors = Inputs.UnitVectors(2 * Pairs, Dimension);
        features = Inputs.Gaussian(2 * Pairs, Dimension);
        gradient = Inputs.Empty<float>(2 * Pairs, Dimension);
        loss = Inputs.Empty<float>(1);
        positive = Inputs.Empty<float>(Pairs);
        negative = Inputs.Empty<float>(Pairs);
        negativePair = Inputs.Empty<int>(Pairs, 2);
        HardestNegative();
    }
}
