using CudaL2Net.Autograd;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;

namespace CudaL2Net.Training;

/// <summary>A tower's weights and statistics in device memory, while they are trained. All parameters lie in one tensor and their gradients in another, so
/// that one operation updates them all.</summary>
internal sealed class TrainedTower : IDisposable
{
    private readonly TowerWeights initial;
    private readonly Layer[] layers;
    private readonly List<(int Start, int[] Shape)> slots = [];

    public TrainedTower(Device device, TowerWeights weights)
    {
        initial = weights;
        int length = 0;
        foreach ((LayerWeights layer, TowerLayer shape) in weights.Layers.Zip(TowerLayer.All))
        {
            Reserve(layer.Filters, shape.OutChannels, shape.Kernel, shape.Kernel, shape.InChannels);
            Reserve(layer.Bias, shape.OutChannels);
            Reserve(layer.Scale, shape.OutChannels);
            Reserve(layer.Shift, shape.OutChannels);
        }

        Parameters = device.Allocate<float>(length);
        Gradients = device.Allocate<float>(length);
        int next = 0;
        layers =
        [
            .. weights.Layers.Select(layer => new Layer(
                Place(layer.Filters)!, Place(layer.Bias), Place(layer.Scale), Place(layer.Shift), device.Upload<float>(layer.RunningMean),
                device.Upload<float>(layer.RunningVariance))),
        ];

        void Reserve(float[]? values, params int[] shape)
        {
            // Each starts at a multiple of 64 bytes, as tensors do.
            const int Alignment = 16;
            if (values != null)
            {
                slots.Add((length, shape));
                length += (values.Length + Alignment - 1) / Alignment * Alignment;
            }
        }

        Parameter? Place(float[]? values)
        {
            if (values == null)
            {
                return null;
            }

            (int start, int[] shape) = slots[next++];
            var parameter = new Parameter(Parameters.View(start, shape), Gradients.View(start, shape));
            parameter.Value.Write(values);
            return parameter;
        }
    }

    /// <summary>All parameters, with zeros between them.</summary>
    public Tensor<float> Parameters { get; }

    /// <summary>The gradients of <see cref="Parameters"/>.</summary>
    public Tensor<float> Gradients { get; }

    /// <summary>The parts of a tensor like <see cref="Parameters"/>, in the order in which parameters are recorded.</summary>
    public IEnumerable<Tensor<float>> Split(Tensor<float> flat) => slots.Select(slot => flat.View(slot.Start, slot.Shape));

    /// <summary>Records the tower in training mode.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="input">[2p][32][32][1].</param>
    /// <param name="options">Dropout and the statistics' momentum.</param>
    /// <param name="step">The step's parameters, for dropout.</param>
    /// <param name="taps">Layers, from 1, whose maps are wanted.</param>
    /// <param name="tapped">Of each of these the map after its batch normalization, before ReLU.</param>
    /// <returns>The features after the last batch normalization, [2p][1][1][128].</returns>
    public Variable Record(Tape tape, Variable input, TrainingOptions options, Tensor<StepParameters> step, IReadOnlyList<int> taps,
        out List<(int Layer, Variable Map)> tapped)
    {
        tapped = [];
        Variable x = input;
        for (int i = 0; i < layers.Length; i++)
        {
            TowerLayer shape = TowerLayer.All[i];
            Layer layer = layers[i];
            bool last = i == layers.Length - 1, tap = taps.Contains(i + 1);
            if (last)
            {
                x = tape.Dropout(x, new DropoutOptions(options.Dropout, options.Seed), step);
            }

            var normalization = new BatchNormOptions(2, initial.Epsilon, options.StatisticsMomentum, Relu: !last && !tap);
            x = tape.ConvolutionBatchNorm(x, Record(tape, layer.Filters)!, Record(tape, layer.Bias), shape.Stride, shape.Padding, normalization,
                Record(tape, layer.Scale), Record(tape, layer.Shift), layer.RunningMean, layer.RunningVariance);
            if (tap)
            {
                tapped.Add((i + 1, x));
                x = last ? x : tape.Relu(x);
            }
        }

        return x;
    }

    /// <summary>Records the tower as it is, in inference mode and without gradients.</summary>
    public static Variable RecordFrozen(Tape tape, Variable input, TowerWeights weights)
    {
        Variable x = input;
        foreach (FoldedLayer layer in weights.Fold().Layers)
        {
            Variable filters = tape.Input(tape.Own(tape.Device.Upload<float>(layer.Filters, layer.OutChannels, layer.Kernel, layer.Kernel, layer.InChannels)));
            x = tape.Conv2d(x, filters, tape.Input(tape.Own(tape.Device.Upload<float>(layer.Bias))), layer.Stride, layer.Padding);
            x = layer.Relu ? tape.Relu(x) : x;
        }

        return x;
    }

    /// <summary>The weights and statistics as they are now.</summary>
    public TowerWeights Download() => initial with
    {
        Layers = [.. layers.Select(layer => new LayerWeights(
            layer.Filters.Value.ToArray(),
            layer.Bias?.Value.ToArray(),
            layer.Scale?.Value.ToArray(),
            layer.Shift?.Value.ToArray(),
            layer.RunningMean.ToArray(),
            layer.RunningVariance.ToArray()))],
    };

    public void Dispose()
    {
        Parameters.Dispose();
        Gradients.Dispose();
        foreach (Layer layer in layers)
        {
            layer.RunningMean.Dispose();
            layer.RunningVariance.Dispose();
        }
    }

    private static Variable? Record(Tape tape, Parameter? parameter) => parameter == null ? null : tape.AddParameter(parameter.Value, parameter.Gradient);

    private sealed record Parameter(Tensor<float> Value, Tensor<float> Gradient);

    private sealed record Layer(
        Parameter Filters, Parameter? Bias, Parameter? Scale, Parameter? Shift, Tensor<float> RunningMean, Tensor<float> RunningVariance);
}
