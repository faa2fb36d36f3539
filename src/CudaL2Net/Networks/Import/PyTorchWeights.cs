using CudaL2Net.Formats;
using CudaL2Net.Formats.PyTorch;

namespace CudaL2Net.Networks;

/// <summary>The layers of a PyTorch state dictionary: tensors whose names differ only behind the last point belong to one module.</summary>
internal static class PyTorchWeights
{
    private const string Weight = "weight", Bias = "bias", Mean = "running_mean", Variance = "running_var", Counter = "num_batches_tracked", Epsilon = "eps",
        Threshold = "tau";

    /// <summary>Reads the layers.</summary>
    /// <param name="tensors">All tensors, in the file's order, which is that of the modules.</param>
    /// <exception cref="ContentException">A tensor belongs to no kind of layer that is known.</exception>
    public static ForeignNetwork Read(IReadOnlyDictionary<string, TorchTensor> tensors) =>
        new(ForeignProgram.PyTorch, [ForeignTower.Of(Layers(tensors))]);

    // A response normalization's threshold stands behind it, as a module of its own.
    private static IEnumerable<ForeignLayer> Layers(IReadOnlyDictionary<string, TorchTensor> tensors)
    {
        ForeignLayer? last = null;
        foreach (IGrouping<string, KeyValuePair<string, TorchTensor>> module in tensors.GroupBy(tensor => tensor.Key[..(tensor.Key.LastIndexOf('.') + 1)]))
        {
            Dictionary<string, TorchTensor> parts = module.Where(part => !part.Key.EndsWith(Counter, StringComparison.Ordinal))
                .ToDictionary(part => part.Key[module.Key.Length..], part => part.Value);
            string name = module.Key.TrimEnd('.');
            if (parts is { Count: 1 } && parts.TryGetValue(Threshold, out TorchTensor? threshold))
            {
                last = WithThreshold(last, name, threshold);
            }
            else if (parts.Count > 0)
            {
                if (last is not null)
                {
                    yield return last;
                }

                last = Layer(name, parts);
            }
        }

        if (last is not null)
        {
            yield return last;
        }
    }

    private static ForeignLayer Layer(string name, Dictionary<string, TorchTensor> parts)
    {
        TorchTensor? weight = parts.GetValueOrDefault(Weight), bias = parts.GetValueOrDefault(Bias);
        int[] shape = weight is null ? [] : weight.Shape.ToArray();
        string[] rest = [.. parts.Keys.Except([Weight, Bias])];
        return rest switch
        {
            _ when rest.Order(StringComparer.Ordinal).SequenceEqual([Mean, Variance]) => new ForeignLayer(
                name, ForeignKind.BatchNormalization, [parts[Mean].Count],
                Tensors(("scale", weight), ("shift", bias), ("running_mean", parts[Mean]), ("running_variance", parts[Variance]))),
            [Epsilon] when IsPerChannel(shape) && bias is not null => new ForeignLayer(
                name, ForeignKind.FilterResponseNormalization, [weight!.Count], Tensors(("scale", weight), ("shift", bias)))
            {
                Epsilon = parts[Epsilon].ToFloats() is [var epsilon] ? Math.Abs(epsilon) : null,
            },
            [] when shape.Length == 4 => new ForeignLayer(name, ForeignKind.Convolution, shape, Tensors(("filters", weight), ("bias", bias))),
            [] when shape.Length == 2 => new ForeignLayer(name, ForeignKind.Linear, shape, Tensors(("weights", weight), ("bias", bias))),
            _ => throw new ContentException($"the tensors {string.Join(", ", parts.Keys.Select(part => $"{name}.{part}".TrimStart('.')))} are of no kind of layer that is known"),
        };
    }

    private static ForeignLayer WithThreshold(ForeignLayer? last, string name, TorchTensor threshold) =>
        last is { Kind: ForeignKind.FilterResponseNormalization } response && threshold.Count == response.Shape[0]
            ? response with { Tensors = new Dictionary<string, float[]>(response.Tensors) { ["threshold"] = threshold.ToFloats() } }
            : throw new ContentException($"{name}.{Threshold} follows no filter response normalization of as many channels");

    private static bool IsPerChannel(int[] shape) => shape is [1, _, 1, 1];

    private static Dictionary<string, float[]> Tensors(params (string Name, TorchTensor? Tensor)[] parts) =>
        parts.Where(part => part.Tensor is not null).ToDictionary(part => part.Name, part => part.Tensor!.ToFloats());
}
