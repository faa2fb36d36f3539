using CudaL2Net.Autograd;
using CudaL2Net.Kernels;

namespace CudaL2Net.Networks;

/// <summary>Where the tensors of a chain of layers are while it is recorded.</summary>
internal interface ILayerStore
{
    /// <summary>A trained tensor, [shape]; null where the layer has none of that name.</summary>
    /// <param name="tape">The tape that is recorded.</param>
    /// <param name="layer">The layer, from 0.</param>
    /// <param name="name">The tensor's name.</param>
    Variable? Parameter(Tape tape, int layer, string name);

    /// <summary>A running statistic.</summary>
    Tensor<float> Statistic(int layer, string name);

    /// <summary>The layer's values on the host; for inference.</summary>
    LayerWeights Weights(int layer);
}

/// <summary>What a layer needs to record itself.</summary>
/// <param name="tape">The tape.</param>
/// <param name="store">The chain's tensors.</param>
internal sealed class LayerRecorder(Tape tape, ILayerStore store)
{
    /// <summary>The tape.</summary>
    public Tape Tape => tape;

    /// <summary>Whether batch statistics are taken and values dropped; else the layer is recorded for inference.</summary>
    public bool Training { get; init; }

    /// <summary>Whether a patch's numbers may not depend on how many patches there are; for inference.</summary>
    public bool BatchInvariant { get; init; }

    /// <summary>Halves of the batch that have statistics of their own.</summary>
    public int Halves { get; init; } = 2;

    /// <summary>Weight of a batch in the running statistics.</summary>
    public float StatisticsMomentum { get; init; } = 0.1f;

    /// <summary>The run's seed.</summary>
    public ulong Seed { get; init; }

    /// <summary>The step's parameters; null in inference.</summary>
    public Tensor<StepParameters>? Step { get; init; }

    /// <summary>Dropout layers recorded before, in other towers too.</summary>
    public int FirstDropout { get; set; }

    /// <summary>The map that the layer reads.</summary>
    public MapShape Input => Current.Input;

    /// <summary>The layer's values on the host.</summary>
    public LayerWeights Weights => store.Weights(Current.Number - 1);

    private ShapedLayer Current { get; set; } = null!;

    /// <summary>A trained tensor of the layer.</summary>
    public Variable Parameter(string name) => OptionalParameter(name) ?? throw new InvalidOperationException($"layer {Current.Number} has no tensor '{name}'");

    /// <summary>A trained tensor of the layer; null where it has none of that name.</summary>
    public Variable? OptionalParameter(string name) => store.Parameter(tape, Current.Number - 1, name);

    /// <summary>A running statistic of the layer.</summary>
    public Tensor<float> Statistic(string name) => store.Statistic(Current.Number - 1, name);

    /// <summary>The number of the next dropout layer, from 0.</summary>
    public int NextDropout() => FirstDropout++;

    /// <summary>Values that nothing changes, in device memory.</summary>
    public Tensor<float> Constant(float[] values) => tape.Own(tape.Device.Upload<float>(values));

    /// <summary>Records a chain.</summary>
    /// <param name="chain">The layers.</param>
    /// <param name="x">[n][h][w][c], or [n][c].</param>
    /// <param name="taps">Batch normalizations, from 1, whose maps are wanted.</param>
    /// <param name="tapped">Of each of these the map after it, before ReLU.</param>
    /// <returns>What the last layer makes.</returns>
    public Variable Record(LayerChain chain, Variable x, IReadOnlyList<int> taps, IDictionary<int, Variable> tapped)
    {
        int normalizations = 0;
        for (int i = 0; i < chain.Layers.Count; i++)
        {
            x = Shaped(x, chain.Layers[i].Input);
            Current = chain.Layers[i];
            if (Training && Current.Layer is Convolution convolution && Next(i + 1) is BatchNormalization normalization)
            {
                // Both at once: the device may never store the normalized map.
                bool tap = taps.Contains(++normalizations), relu = Next(i + 2) is Relu && !tap;
                Variable filters = Parameter("filters");
                Variable? bias = OptionalParameter("bias");
                Current = chain.Layers[i + 1];
                x = tape.ConvolutionBatchNorm(x, filters, bias, convolution.Stride, convolution.Padding, normalization.Options(this, relu),
                    OptionalParameter("scale"), OptionalParameter("shift"), Statistic("running_mean"), Statistic("running_variance"));
                i += relu ? 2 : 1;
                if (tap)
                {
                    tapped[normalizations] = x;
                }
            }
            else
            {
                x = Current.Layer.Record(this, x);
                if (Current.Layer is BatchNormalization && taps.Contains(++normalizations))
                {
                    tapped[normalizations] = x;
                }
            }
        }

        return x;

        Layer? Next(int i) => i < chain.Layers.Count ? chain.Layers[i].Layer : null;
    }

    /// <summary>The variable as a batch of maps.</summary>
    private Variable Shaped(Variable x, MapShape map) =>
        x.Shape.Length == 4 && x.Shape[1] == map.Height && x.Shape[2] == map.Width ? x : tape.Reshape(x, [x.Shape[0], map.Height, map.Width, map.Channels]);
}
