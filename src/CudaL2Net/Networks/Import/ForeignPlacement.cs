namespace CudaL2Net.Networks;

/// <summary>Puts the tensors of a file of another program into the layers of a network: one layer with tensors after the other, each of the same kind and size.
/// Biases, learned scales and epsilons are those of the file.</summary>
internal static class ForeignPlacement
{
    /// <summary>The network with the file's weights.</summary>
    /// <param name="wanted">The network.</param>
    /// <param name="found">What the file holds. Of its towers the first ones are taken.</param>
    /// <exception cref="ArgumentException">They do not fit; the message says where.</exception>
    public static (Network Network, NetworkWeights Weights) Place(Network wanted, ForeignNetwork found)
    {
        if (wanted.ScoresPairs)
        {
            throw new ArgumentException($"the network {wanted.Name} scores pairs, and networks that describe patches are imported");
        }

        var shaped = ShapedNetwork.Of(wanted);
        if (shaped.Towers.Count > found.Towers.Count)
        {
            throw new ArgumentException($"the network {wanted.Name} has {shaped.Towers.Count} towers, and the file has {found.Towers.Count}");
        }

        var towers = new Tower[shaped.Towers.Count];
        var weights = new TowerWeights[towers.Length];
        NetworkInput input = wanted.Input;
        for (int t = 0; t < towers.Length; t++)
        {
            (Layer[] layers, LayerWeights[] values) = Place($"tower {t + 1}", shaped.Towers[t], found.Towers[t].Layers);
            towers[t] = wanted.Towers[t] with { Layers = layers };
            weights[t] = new TowerWeights(Image(found.Towers[t].Mean, "mean", shaped.Towers[t], input.HasMeanImage), values);
            if (Image(found.Towers[t].Deviation, "deviations", shaped.Towers[t], input.Normalization == Kernels.PatchNormalization.Fixed) is { } deviation)
            {
                // A layer divides pixel by pixel.
                input = input with { Deviation = 1 };
                var factors = new Dictionary<string, float[]> { ["factors"] = Array.ConvertAll(deviation, value => 1 / value) };
                towers[t] = towers[t] with { Layers = [new PixelScale(), .. layers] };
                weights[t] = weights[t] with { Layers = [new LayerWeights(factors), .. values] };
            }
        }

        return (wanted with { Input = input, Towers = towers }, new NetworkWeights(weights, []));
    }

    private static float[]? Image(float[]? image, string what, LayerChain tower, bool taken)
    {
        bool required = taken && what == "mean";
        if (image is null)
        {
            return required ? throw new ArgumentException($"the network subtracts a mean image, and the file has none") : null;
        }

        int area = tower.Input.Height * tower.Input.Width;
        return !taken ? throw new ArgumentException($"the file has an image of {what}, which the network does not take")
            : image.Length == area ? image
            : throw new ArgumentException($"the file has an image of {what} of {image.Length} pixels, and the network takes {area}");
    }

    private static (Layer[] Layers, LayerWeights[] Values) Place(string where, LayerChain chain, IReadOnlyList<ForeignLayer> found)
    {
        var left = new Queue<ForeignLayer>(found);
        var layers = new Layer[chain.Layers.Count];
        var values = new LayerWeights[layers.Length];
        for (int i = 0; i < layers.Length; i++)
        {
            ShapedLayer layer = chain.Layers[i];
            if (layer.Tensors.Count == 0)
            {
                (layers[i], values[i]) = (layer.Layer, LayerWeights.None);
                continue;
            }

            left.TryDequeue(out ForeignLayer? one);
            (layers[i], values[i]) = one is null ? throw Unfit("the file has no more layers") : Take(layer, one) ?? throw Unfit($"the file has {one.Name}, {one}");

            ArgumentException Unfit(string there) => new($"{where}, layer {layer.Number} ({LayerKinds.NameOf(layer.Layer)} {layer.Layer.Summary}): {there}");
        }

        return left.Count == 0 ? (layers, values) : throw new ArgumentException($"{where} ends, where the file goes on with {left.Peek().Name}, {left.Peek()}");
    }

    // Null where the two do not fit.
    private static (Layer Layer, LayerWeights Values)? Take(ShapedLayer at, ForeignLayer found)
    {
        MapShape map = at.Input;
        (Layer layer, Dictionary<string, float[]> tensors)? taken = (at.Layer, found.Kind) switch
        {
            (Convolution to, ForeignKind.Convolution) when found.Shape.SequenceEqual([to.Out, map.Channels, to.Kernel, to.Kernel]) =>
                (to with { Bias = found.Tensors.ContainsKey("bias") }, Turned("filters", to.Kernel * to.Kernel)),
            (Linear to, ForeignKind.Linear) when found.Shape.SequenceEqual([to.Out, (int)map.Length]) =>
                (to with { Bias = found.Tensors.ContainsKey("bias") }, Turned("weights", map.Height * map.Width)),
            (BatchNormalization to, ForeignKind.BatchNormalization) =>
                (to with { Learned = found.Tensors.ContainsKey("scale"), Epsilon = found.Epsilon ?? to.Epsilon }, Kept()),
            (FilterResponseNormalization to, ForeignKind.FilterResponseNormalization) =>
                (to with { Threshold = found.Tensors.ContainsKey("threshold"), Epsilon = found.Epsilon ?? to.Epsilon }, Kept()),
            (SubtractiveNormalization to, ForeignKind.SubtractiveNormalization) => (to, Kept()),
            _ => null,
        };
        return taken is { } fit && fit.layer.Tensors(map) is var held && held.Count == fit.tensors.Count
            && held.All(tensor => fit.tensors.TryGetValue(tensor.Name, out float[]? values) && values.Length == tensor.Length)
                ? (fit.layer, new LayerWeights(fit.tensors))
                : null;

        Dictionary<string, float[]> Kept() => new(found.Tensors);

        // From [out][channel][position] to [out][position][channel].
        Dictionary<string, float[]> Turned(string name, int positions)
        {
            float[] values = found.Tensors[name], turned = new float[values.Length];
            int depth = map.Channels * positions;
            for (int i = 0; i < turned.Length; i++)
            {
                int k = i % depth;
                turned[i - k + (k % positions * map.Channels) + (k / positions)] = values[i];
            }

            return new Dictionary<string, float[]>(found.Tensors) { [name] = turned };
        }
    }
}
