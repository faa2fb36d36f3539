using CudaL2Net.Kernels;

namespace CudaL2Net.Autograd;

/// <summary>What an <see cref="Objective"/> may read of a network that is trained. A batch holds p first patches, then the p second ones of the same
/// points.</summary>
public sealed class ObjectiveInputs
{
    private readonly Variable? descriptors;
    private readonly Variable? features;
    private readonly Variable? scores;
    private readonly Tensor<StepParameters>? step;

    /// <summary>[2p][d], the descriptors: unit vectors where the network ends in one.</summary>
    /// <exception cref="InvalidOperationException">The network gives none.</exception>
    public Variable Descriptors
    {
        get => descriptors ?? throw Missing("descriptors");
        init => descriptors = value;
    }

    /// <summary>[2p][...], the trained tower's output before the unit vector.</summary>
    /// <exception cref="InvalidOperationException">The network gives none.</exception>
    public Variable Features
    {
        get => features ?? throw Missing("features before its unit vector");
        init => features = value;
    }

    /// <summary>[2p][1], of networks that score pairs: the scores of p pairs that match, then of p that do not.</summary>
    /// <exception cref="InvalidOperationException">The network gives none.</exception>
    public Variable Scores
    {
        get => scores ?? throw Missing("scores of pairs");
        init => scores = value;
    }

    /// <summary>The maps that <see cref="Objective.MapLayers"/> asks for, by layer: [2p][...], after the layer's batch normalization and before its
    /// ReLU.</summary>
    public IReadOnlyDictionary<int, Variable> Maps { get; init; } = new Dictionary<int, Variable>();

    /// <summary>The step's parameters in device memory, [1], for what draws random numbers.</summary>
    /// <exception cref="InvalidOperationException">There are none.</exception>
    public Tensor<StepParameters> Step
    {
        get => step ?? throw Missing("step parameters");
        init => step = value;
    }

    /// <summary>p, the pairs of a batch.</summary>
    public int Pairs => Descriptors.Shape[0] / 2;

    private static InvalidOperationException Missing(string what) => new($"the objective reads {what}, and this network has none");
}
