using CudaL2Net.Formats;

namespace CudaL2Net.Networks;

/// <summary>What a layer with tensors is, in a file of another program.</summary>
internal enum ForeignKind
{
    Convolution,
    Linear,
    BatchNormalization,
    FilterResponseNormalization,
    SubtractiveNormalization,
}

/// <summary>A layer with tensors in a file of another program.</summary>
/// <param name="Name">What the file calls it.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Shape">[out, in, rows, columns] of filters; [out, in] of a linear layer; [channels]; [rows, columns] of a neighbourhood.</param>
/// <param name="Tensors">Its tensors by the names that layers of this library have, in PyTorch's order: filters [out][in][rows][columns].</param>
internal sealed record ForeignLayer(string Name, ForeignKind Kind, int[] Shape, IReadOnlyDictionary<string, float[]> Tensors)
{
    /// <summary>What is added to a variance or a power; null where the file does not say.</summary>
    public float? Epsilon { get; init; }

    /// <summary>In words.</summary>
    public override string ToString() => Kind switch
    {
        ForeignKind.Convolution => $"convolution {Shape[2]} x {Shape[3]}, {Shape[1]} to {Shape[0]}",
        ForeignKind.Linear => $"linear {Shape[1]} to {Shape[0]}",
        ForeignKind.BatchNormalization => $"batch normalization of {Shape[0]}",
        ForeignKind.FilterResponseNormalization => $"filter response normalization of {Shape[0]}",
        _ => $"subtractive normalization {string.Join(" x ", Shape)}",
    };
}

/// <summary>The layers with tensors of one tower, in their order, and what its input is normalized by.</summary>
/// <param name="Layers">The layers.</param>
/// <param name="Mean">[side][side], subtracted from the pixels first; null for none.</param>
/// <param name="Deviation">[side][side], by which they are divided then; null for none.</param>
internal sealed record ForeignTower(IReadOnlyList<ForeignLayer> Layers, float[]? Mean = null, float[]? Deviation = null)
{
    // Tensors of a file may share their numbers, so that a small file could claim any number of layers. Those that describe patches have 1 to 3 million weights.
    private const int MostLayers = 1000, MostWeights = 1 << 26;

    /// <summary>A tower of the layers that a reader makes one after the other.</summary>
    /// <exception cref="ContentException">There are more of them, or more weights, than networks that describe patches have.</exception>
    public static ForeignTower Of(IEnumerable<ForeignLayer> layers, float[]? mean = null, float[]? deviation = null)
    {
        var taken = new List<ForeignLayer>();
        long weights = 0;
        foreach (ForeignLayer layer in layers)
        {
            taken.Add(layer);
            weights += layer.Tensors.Values.Sum(values => (long)values.Length);
            if (taken.Count > MostLayers || weights > MostWeights)
            {
                throw new ContentException($"it has more than {MostLayers} layers or {MostWeights} weights, and networks that describe patches have fewer");
            }
        }

        return new ForeignTower(taken, mean, deviation);
    }
}

/// <summary>A network as a file of another program holds it: tensors, but hardly how they are used.</summary>
/// <param name="Program">The program.</param>
/// <param name="Towers">Its towers.</param>
internal sealed record ForeignNetwork(ForeignProgram Program, IReadOnlyList<ForeignTower> Towers);

/// <summary>Whose files are imported.</summary>
internal enum ForeignProgram
{
    PyTorch,
    MatConvNet,
    Torch7,
}
