namespace CudaL2Net.Networks;

/// <summary>What a layer's tensor is, and so how it starts and whether it is trained.</summary>
internal enum TensorKind
{
    /// <summary>A matrix of weights, [out][...]: starts with orthogonal rows.</summary>
    Weights,

    /// <summary>Trained, starts at 0.</summary>
    Zeros,

    /// <summary>Trained, starts at 1.</summary>
    Ones,

    /// <summary>Trained, starts at -1.</summary>
    MinusOnes,

    /// <summary>Not trained: the weights of a Gaussian.</summary>
    Gaussian,

    /// <summary>Not trained, starts at 1.</summary>
    FixedOnes,

    /// <summary>A statistic of the data that training moves along, starts at 0.</summary>
    RunningMean,

    /// <summary>A statistic of the data that training moves along, at least 0, starts at 1.</summary>
    RunningVariance,
}

/// <summary>One tensor of a layer.</summary>
/// <param name="Name">Its name in model files, behind the layer's.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Shape">Its extents, slowest first.</param>
internal sealed record LayerTensor(string Name, TensorKind Kind, params int[] Shape)
{
    /// <summary>The number of values.</summary>
    public int Length => checked((int)Shape.Aggregate(1L, (product, extent) => product * extent));

    /// <summary>Whether the optimizer moves it.</summary>
    public bool IsTrained => Kind is TensorKind.Weights or TensorKind.Zeros or TensorKind.Ones or TensorKind.MinusOnes;
}
