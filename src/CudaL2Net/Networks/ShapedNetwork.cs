using CudaL2Net.Data;
using CudaL2Net.Kernels;

namespace CudaL2Net.Networks;

/// <summary>A layer where it stands in a network.</summary>
/// <param name="Number">Its number in the tower or head, from 1.</param>
/// <param name="Layer">The layer.</param>
/// <param name="Input">The map that it reads.</param>
/// <param name="Output">The map that it makes.</param>
internal sealed record ShapedLayer(int Number, Layer Layer, MapShape Input, MapShape Output)
{
    /// <summary>What it holds.</summary>
    public IReadOnlyList<LayerTensor> Tensors { get; } = Layer.Tensors(Input);

    /// <summary>Trained numbers.</summary>
    public long Parameters => Tensors.Where(tensor => tensor.IsTrained).Sum(tensor => (long)tensor.Length);

    /// <summary>Multiply-adds for one patch.</summary>
    public long MultiplyAdds => Layer.MultiplyAdds(Input);
}

/// <summary>A chain of layers that fit: a tower, or a head's layers.</summary>
/// <param name="Input">What the first layer reads.</param>
/// <param name="Layers">The layers.</param>
internal sealed record LayerChain(MapShape Input, IReadOnlyList<ShapedLayer> Layers)
{
    // 64 x 64 pixels of 4,096 channels.
    private const int MostValues = 1 << 24;

    /// <summary>What the last layer makes.</summary>
    public MapShape Output => Layers.Count > 0 ? Layers[^1].Output : Input;

    /// <summary>Finds all shapes.</summary>
    /// <exception cref="ArgumentException">A layer does not fit; the message gives its number.</exception>
    public static LayerChain Of(string where, IReadOnlyList<Layer> layers, MapShape input)
    {
        var shaped = new ShapedLayer[layers.Count];
        MapShape map = input;
        for (int i = 0; i < shaped.Length; i++)
        {
            try
            {
                MapShape output = layers[i].Output(map);
                if (output.Length > MostValues)
                {
                    throw new ArgumentException($"it makes a map of {output}; at most {MostValues} values are taken: a larger stride, or less padding or channels, would fit");
                }

                shaped[i] = new ShapedLayer(i + 1, layers[i], map, output);
                _ = shaped[i].Parameters;
                map = output;
            }
            catch (ArgumentException error)
            {
                throw new ArgumentException($"{where}, layer {i + 1} ({LayerKinds.NameOf(layers[i])}): {error.Message}", error);
            }
            catch (OverflowException error)
            {
                throw new ArgumentException(
                    $"{where}, layer {i + 1} ({LayerKinds.NameOf(layers[i])}): on a map of {map} it is too large: a tensor has at most {int.MaxValue} values", error);
            }
        }

        return new LayerChain(input, shaped);
    }
}

/// <summary>A network whose layers fit, with all shapes.</summary>
/// <param name="Network">The description.</param>
/// <param name="Towers">Its towers.</param>
/// <param name="Head">The head's layers; none for descriptors.</param>
internal sealed record ShapedNetwork(Network Network, IReadOnlyList<LayerChain> Towers, LayerChain Head)
{
    /// <summary>The values of the towers' outputs together: the descriptor's dimension.</summary>
    public int Dimension => (int)Towers.Sum(tower => tower.Output.Length);

    /// <summary>Trained numbers.</summary>
    public long Parameters => Towers.Append(Head).Sum(chain => chain.Layers.Sum(layer => layer.Parameters));

    /// <summary>Patches that the towers see one after the other for one result: both of a pair where they see one at a time and the head scores the
    /// pair.</summary>
    public int Passes => Network.ScoresPairs && Network.Input.Channels == 1 ? 2 : 1;

    /// <summary>Multiply-adds for one patch, or for one pair.</summary>
    public long MultiplyAdds => (Passes * Towers.Sum(Sum)) + Sum(Head);

    /// <summary>Checks a network.</summary>
    /// <exception cref="ArgumentException">Something does not fit; the message says what, where, and what would.</exception>
    public static ShapedNetwork Of(Network network)
    {
        ArgumentNullException.ThrowIfNull(network);
        NetworkInput input = network.Input;
        Require(input.Side is 32 or 64, $"the input's side is {input.Side}: it must be 32 or 64");
        Require(input.Channels is 1 or 2, $"the input has {input.Channels} channels: 1 for one patch, or 2 for both patches of a pair");
        Require(Enum.IsDefined(input.Normalization), $"unknown normalization {(int)input.Normalization}");
        Require(
            !input.MeanImage || input.Normalization is PatchNormalization.L2Net or PatchNormalization.Fixed,
            $"the input has a mean image, which the normalization {input.Normalization.ToString()} does not subtract: take fixed or l2Net");
        Require(float.IsFinite(input.Mean), $"the input's mean is {input.Mean}: it must be a number");
        Require(float.IsFinite(input.Deviation) && input.Deviation > 0, $"the input's deviation is {input.Deviation}: it must be above 0");
        Require(
            input.Channels == 1 || network.ScoresPairs,
            "the input has 2 channels, both patches of a pair, so the head must be a score (\"kind\": \"score\")");
        Require(network.Towers.Count >= 1, "it has no tower");
        var towers = new LayerChain[network.Towers.Count];
        for (int t = 0; t < towers.Length; t++)
        {
            Tower tower = network.Towers[t];
            string where = $"tower {t + 1}";
            Require(
                tower.View == PatchView.Whole || input.Side == 64,
                $"{where} sees the view '{tower.View.ToString().ToLowerInvariant()}', which patches of side 64 have; with side 32 the view is whole");
            Require(tower.Layers.Count >= 1, $"{where} has no layers");
            int side = tower.View == PatchView.Whole ? input.Side : input.Side / 2;
            towers[t] = LayerChain.Of(where, tower.Layers, new MapShape(side, side, input.Channels));
            Require(
                network.ScoresPairs || !network.Head.UnitVectors || tower.Layers[^1] is UnitVector,
                $"{where} ends in {LayerKinds.NameOf(tower.Layers[^1])}, but the head promises unit vectors: add a unitVector layer at the end, or set the head's "
                    + "unitVectors to false");
        }

        Require(towers.Sum(tower => tower.Output.Length) <= 65536, $"the towers give {towers.Sum(tower => tower.Output.Length)} values; at most 65536");
        Require(network.Towers.Any(tower => tower.Trained) || network.Head.Layers.Count > 0, "no tower is trained");
        return new ShapedNetwork(network, towers, ShapeHead(network, towers));
    }

    private static long Sum(LayerChain chain) => chain.Layers.Sum(layer => layer.MultiplyAdds);

    private static LayerChain ShapeHead(Network network, LayerChain[] towers)
    {
        int values = (int)towers.Sum(tower => tower.Output.Length);
        if (!network.ScoresPairs)
        {
            Require(network.Head.Layers.Count == 0, "a head of descriptors has no layers: put them at the end of the towers, or make it a score");
            Require(
                network.Head.Comparison != DescriptorComparison.Hamming || towers.All(tower => tower.Output.Length % 8 == 0),
                $"signs of {string.Join(" and ", towers.Select(tower => tower.Output.Length))} values do not fill whole bytes: Hamming distance needs a multiple of 8 "
                    + "from each tower");
            return new LayerChain(new MapShape(1, 1, values), []);
        }

        // A network that sees one patch at a time gives the head the features of both.
        LayerChain head = LayerChain.Of("the head", network.Head.Layers, new MapShape(1, 1, network.Input.Channels == 2 ? values : 2 * values));
        Require(head.Output.Length == 1, $"a score is one number, and the head ends in {head.Output.Length} values: its last layer must have one output");
        return head;
    }

    private static void Require(bool condition, string message)
    {
        if (!condition)
        {
            throw new ArgumentException(message);
        }
    }
}
