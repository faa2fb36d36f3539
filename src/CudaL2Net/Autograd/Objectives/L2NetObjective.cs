using CudaL2Net.Kernels;

namespace CudaL2Net.Autograd;

/// <summary>How L2-Net's intermediate-feature loss scales its inner products.</summary>
public enum IntermediateSimilarity
{
    /// <summary>Equation 10 to the letter.</summary>
    Literal,

    /// <summary>Divided by the number of values in a map, so that the softmax does not saturate.</summary>
    PerValue,
}

/// <summary>
/// L2-Net's losses: E1 (relative distances), E2 (compactness) and E3 (intermediate features). The paper's terms are sums over the batch. Its learning rates are
/// for MatConvNet's solver, which divides gradients by the batch; so each term is divided by the batch here.
/// </summary>
public sealed class L2NetObjective : Objective
{
    private readonly int[] layers = [1, 7];

    /// <summary>Whether E1 counts.</summary>
    public bool Distance { get; init; } = true;

    /// <summary>Whether E2 counts.</summary>
    public bool Compactness { get; init; } = true;

    /// <summary>E2 by equation 6 in full instead of Y Y' / p.</summary>
    public bool ExactCorrelation { get; init; }

    /// <summary>The layers, from 1, after whose batch normalization E3 counts; empty leaves it out.</summary>
    public IReadOnlyList<int> IntermediateLayers
    {
        get => layers;
        init => layers = [.. value.Order()];
    }

    /// <summary>The scale of E3's inner products.</summary>
    public IntermediateSimilarity IntermediateSimilarity { get; init; } = IntermediateSimilarity.Literal;

    /// <inheritdoc/>
    public override IReadOnlyList<int> MapLayers => layers;

    /// <inheritdoc/>
    public override bool NeedsUnitVectors => Distance;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Terms =>
        [.. Distance ? ["E1"] : Array.Empty<string>(), .. Compactness ? ["E2"] : Array.Empty<string>(), .. layers.Select(IntermediateName)];

    /// <inheritdoc/>
    public override void Validate(int layers)
    {
        string named = string.Join(", ", this.layers);
        Require(this.layers.All(layer => layer >= 1 && layer <= layers), $"E3 after layers {named}: layers are 1 to {layers}");
        Require(this.layers.Distinct().Count() == this.layers.Length, $"E3 after layers {named}: name each layer once");
        Require(Distance || this.layers.Length > 0, $"without E1 and E3 nothing tells patches apart");
        Require(Enum.IsDefined(IntermediateSimilarity), $"an intermediate similarity of {IntermediateSimilarity}: there is no such one");
    }

    /// <inheritdoc/>
    protected override void RecordTerms(Tape tape, ObjectiveInputs inputs)
    {
        ArgumentNullException.ThrowIfNull(tape);
        ArgumentNullException.ThrowIfNull(inputs);
        float weight = 1f / inputs.Pairs;
        if (Distance)
        {
            tape.DistanceSoftmax(inputs.Descriptors, weight);
        }

        if (Compactness)
        {
            tape.Correlation(inputs.Features, new CorrelationOptions(FirstHalfOnly: false, ExactCorrelation), weight);
        }

        foreach (int layer in layers)
        {
            Variable map = inputs.Maps[layer];
            float similarity = IntermediateSimilarity == IntermediateSimilarity.Literal ? 1 : 1f / (map.Length / map.Shape[0]);
            tape.IntermediateSoftmax(map, similarity, IntermediateName(layer), weight);
        }
    }

    private static string IntermediateName(int layer) => $"E3 after layer {layer}";
}
