
namespace CudaL2Net.Networks;

/// <summary>How a network that is to be trained takes over the weights of a trained model.</summary>
internal static class NetworkStart
{
    /// <summary>
    /// The wanted network with a model's weights. A model of one tower may start every tower of a larger network. Biases and learned scales and shifts are
    /// those of the model; all else of the layers must agree.
    /// </summary>
    /// <param name="wanted">The network that is trained.</param>
    /// <param name="model">The trained model.</param>
    /// <param name="keepEpsilon">Whether batch normalization keeps the model's epsilon, else the wanted one counts.</param>
    /// <exception cref="ArgumentException">The layers differ; the message says where.</exception>
    public static (Network Network, NetworkWeights Weights) From(Network wanted, ModelFile model, bool keepEpsilon)
    {
        IReadOnlyList<Tower> from = model.Network.Towers;
        if (from.Count != wanted.Towers.Count && from.Count != 1)
        {
            throw new ArgumentException($"the initial model has {from.Count} towers, the network that is trained has {wanted.Towers.Count}");
        }

        bool scores = wanted.ScoresPairs && model.Network.ScoresPairs;
        var towers = new Tower[wanted.Towers.Count];
        var weights = new TowerWeights[towers.Length];
        for (int t = 0; t < towers.Length; t++)
        {
            int source = from.Count == 1 ? 0 : t;
            TowerWeights given = model.Weights.Towers[source];
            (Layer[] layers, LayerWeights[] values) = Take($"tower {t + 1}", wanted.Towers[t].Layers, from[source].Layers, given.Layers, keepEpsilon);
            towers[t] = wanted.Towers[t] with { Layers = layers };
            weights[t] = given with { Layers = values };
        }

        Network network = wanted with { Towers = towers };
        if (!wanted.ScoresPairs)
        {
            return Checked(network, new NetworkWeights(weights, []));
        }

        if (!scores)
        {
            throw new ArgumentException("the initial model describes patches, the network that is trained scores pairs: it has no weights for the head");
        }

        (Layer[] head, LayerWeights[] headValues) = Take("the head", wanted.Head.Layers, model.Network.Head.Layers, model.Weights.Head, keepEpsilon);
        return Checked(network with { Head = network.Head with { Layers = head } }, new NetworkWeights(weights, headValues));
    }

    // Layers of the same settings hold other tensors where they read other maps.
    private static (Network Network, NetworkWeights Weights) Checked(Network network, NetworkWeights weights)
    {
        var shaped = ShapedNetwork.Of(network);
        for (int t = 0; t < shaped.Towers.Count; t++)
        {
            LayerChain tower = shaped.Towers[t];
            Check($"tower {t + 1}", tower, weights.Towers[t].Layers);
            if (weights.Towers[t].MeanImage is { } mean && mean.Length != tower.Input.Height * tower.Input.Width)
            {
                throw new ArgumentException(
                    $"tower {t + 1} sees {tower.Input.Height} x {tower.Input.Width} pixels, and the initial model has a mean image of {mean.Length} pixels: start from a "
                        + "model of the same input");
            }
        }

        Check("the head", shaped.Head, weights.Head);
        return (network, weights);

        static void Check(string where, LayerChain chain, IReadOnlyList<LayerWeights> weights)
        {
            foreach (ShapedLayer layer in chain.Layers)
            {
                if (layer.Tensors.FirstOrDefault(tensor => weights[layer.Number - 1].Find(tensor.Name)?.Length != tensor.Length) is { } other)
                {
                    throw new ArgumentException(
                        $"{where}, layer {layer.Number} ({LayerKinds.NameOf(layer.Layer)}): its {other.Name} hold {other.Length} values, those of the initial model "
                            + $"{weights[layer.Number - 1].Find(other.Name)?.Length ?? 0}: start from a model whose input has the same side and channels");
                }
            }
        }
    }

    private static (Layer[] Layers, LayerWeights[] Weights) Take(
        string where, IReadOnlyList<Layer> wanted, IReadOnlyList<Layer> from, IReadOnlyList<LayerWeights> weights, bool keepEpsilon)
    {
        // Dropout holds nothing, and is a matter of training.
        var given = new Queue<(Layer Layer, LayerWeights Weights)>(from.Zip(weights).Where(pair => pair.First is not Dropout));
        var layers = new Layer[wanted.Count];
        var values = new LayerWeights[wanted.Count];
        for (int i = 0; i < layers.Length; i++)
        {
            if (wanted[i] is Dropout)
            {
                (layers[i], values[i]) = (wanted[i], LayerWeights.None);
                continue;
            }

            if (!given.TryDequeue(out (Layer Layer, LayerWeights Weights) one) || Plain(one.Layer) != Plain(wanted[i]))
            {
                string there = one.Layer is null ? "ends before" : $"has {LayerKinds.NameOf(one.Layer)} {one.Layer.Summary}";
                throw new ArgumentException(
                    $"{where}, layer {i + 1} ({$"{LayerKinds.NameOf(wanted[i])} {wanted[i].Summary}".TrimEnd()}): the initial model {there.TrimEnd()}; its layers must be those of "
                        + "the network that is trained");
            }

            values[i] = one.Weights;
            layers[i] = (wanted[i], one.Layer) switch
            {
                (Convolution convolution, Convolution old) => convolution with { Bias = old.Bias },
                (Linear linear, Linear old) => linear with { Bias = old.Bias },
                (BatchNormalization normalization, BatchNormalization old) =>
                    normalization with { Learned = old.Learned, Epsilon = keepEpsilon ? old.Epsilon : normalization.Epsilon },
                _ => wanted[i],
            };
        }

        return given.Count == 0 ? (layers, values)
            : throw new ArgumentException($"{where}: the initial model goes on with {LayerKinds.NameOf(given.Peek().Layer)}, where the network that is trained ends");
    }

    /// <summary>The layer without what may differ.</summary>
    private static Layer Plain(Layer layer) => layer switch
    {
        Convolution convolution => convolution with { Bias = false },
        Linear linear => linear with { Bias = false },
        BatchNormalization => new BatchNormalization(),
        _ => layer,
    };
}
