using CudaL2Net.Autograd;
using CudaL2Net.Devices;
using CudaL2Net.Models;
using CudaL2Net.Operations;
using CudaL2Net.Tensors;

namespace CudaL2Net.Training;

/// <summary>A tower's weights and statistics in device memory, while they are trained.</summary>
internal sealed class TrainedTower : IDisposable
{
    private readonly TowerWeights initial;
    private readonly Layer[] layers;

    public TrainedTower(Device device, TowerWeights weights)
    {
        initial = weights;
        layers = [.. weights.Layers.Select((layer, i) =>
        {
            TowerLayer shape = TowerLayer.All[i];
            return new Layer(
                device.Upload<float>(layer.Filters, shape.OutChannels, shape.Kernel, shape.Kernel, shape.InChannels),
                layer.Bias == null ? null : device.Upload<float>(layer.Bias),
                layer.Scale == null ? null : device.Upload<float>(layer.Scale),
                layer.Shift == null ? null : device.Upload<float>(layer.Shift),
                device.Upload<float>(layer.RunningMean),
                device.Upload<float>(layer.RunningVariance));
        })];
    }

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
            x = tape.ConvolutionBatchNorm(x, tape.Parameter(layer.Filters), Parameter(tape, layer.Bias), shape.Stride, shape.Padding, normalization,
                Parameter(tape, layer.Scale), Parameter(tape, layer.Shift), layer.RunningMean, layer.RunningVariance);
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
            layer.Filters.ToArray(),
            layer.Bias?.ToArray(),
            layer.Scale?.ToArray(),
            layer.Shift?.ToArray(),
            layer.RunningMean.ToArray(),
            layer.RunningVariance.ToArray()))],
    };

    public void Dispose()
    {
        foreach (Layer layer in layers)
        {
            layer.Filters.Dispose();
            layer.Bias?.Dispose();
            layer.Scale?.Dispose();
            layer.Shift?.Dispose();
            layer.RunningMean.Dispose();
            layer.RunningVariance.Dispose();
        }
    }

    private static Variable? Parameter(Tape tape, Tensor<float>? value) => value == null ? null : tape.Parameter(value);

    private sealed record Layer(Tensor<float> Filters, Tensor<float>? Bias, Tensor<float>? Scale, Tensor<float>? Shift, Tensor<float> RunningMean,
        Tensor<float> RunningVariance);
}
