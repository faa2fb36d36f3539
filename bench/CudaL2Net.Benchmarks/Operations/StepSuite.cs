using BenchmarkDotNet.Attributes;
using CudaL2Net.Bench.Operations;
using CudaL2Net.Data;
using CudaL2Net.Kernels;

namespace CudaL2Net.Benchmarks.Operations;

/// <summary>
/// The rest of a training step of 2 x 128 patches: input, dropout before the last layer, unit vectors, and the update of the last layer's 2^20 weights.
/// </summary>
public class StepSuite : OperationSuite
{
    private const int Batch = 256;
    private static readonly GatherOptions Gather = new(PatchNormalization.PerPatch, PatchAugmentation.Dihedral, 1);
    private Tensor<byte> patches = null!;
    private Tensor<int> indices = null!;
    private Tensor<StepParameters> step = null!;
    private Tensor<float> input = null!, map = null!, dropped = null!, features = null!, unit = null!, dUnit = null!, joined = null!;
    private Tensor<float> weights = null!, gradient = null!, first = null!, second = null!;

    public override double Flop(string benchmark) => 0;

    [Benchmark]
    public void GatherPatches() => Kernels.GatherPatches(patches, indices, step, Gather, null, input);

    [Benchmark]
    public void Dropout() => Kernels.Dropout(new DropoutOptions(0.3f, 1), step, map, dropped);

    [Benchmark]
    public void Add() => Kernels.Add(map, dropped);

    [Benchmark]
    public void UnitVectorForward() => Kernels.UnitVectorForward(features, unit);

    [Benchmark]
    public void UnitVectorBackward() => Kernels.UnitVectorBackward(features, dUnit, unit);

    [Benchmark]
    public void CopyColumns() => Kernels.CopyColumns(features, 0, joined, 128, 128);

    [Benchmark]
    public void SgdUpdate() => Kernels.SgdUpdate(new SgdOptions(0.9f, 0.9f, 1e-4f), step, gradient, first, weights);

    [Benchmark]
    public void AdamUpdate() => Kernels.AdamUpdate(new AdamOptions(0.9f, 0.999f, 1e-8f, 0), step, gradient, first, second, weights);

    protected override void Allocate()
    {
        patches = Inputs.Of<byte>(TensorSet.Patches(Batch).Pixels, Batch, PatchSet.Side, PatchSet.Side);
        indices = Inputs.Of<int>([.. Enumerable.Range(0, Batch)]);
        step = Inputs.Of<StepParameters>([new StepParameters { Step = 1, LearningRate = 1e-3f }]);
        input = Inputs.Empty<float>(Batch, PatchSet.Side, PatchSet.Side, 1);
        map = Inputs.Gaussian(Batch, 8, 8, 128);
        dropped = Inputs.Empty<float>(map.Shape);
        features = Inputs.Gaussian(Batch, 128);
        unit = Inputs.Empty<float>(features.Shape);
        dUnit = Inputs.Gaussian(Batch, 128);
        joined = Inputs.Empty<float>(Batch, 256);
        weights = Inputs.Gaussian(128, 8, 8, 128);
        gradient = Inputs.Gaussian(weights.Shape);
        first = Inputs.Empty<float>(weights.Shape);
        second = Inputs.Empty<float>(weights.Shape);
    }
}
