using System.Text.Json.Serialization;
using CudaL2Net.Autograd;
using CudaL2Net.Kernels;

namespace CudaL2Net.Networks;

/// <summary>
/// Batch normalization per channel. In training the first and the second patches of the pairs have statistics of their own; in inference the running ones
/// are used. Scale and shift are fixed at 1 and 0 (L2-Net, HardNet, RAL-Net) or learned.
/// </summary>
/// <param name="Epsilon">Added to the variance.</param>
/// <param name="Learned">Whether scale and shift are learned.</param>
public sealed record BatchNormalization(float Epsilon = 1e-5f, bool Learned = false) : Layer
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override string Summary => $"{(Learned ? "learned" : "fixed")} scale and shift, epsilon {Epsilon:R}";

    internal override MapShape Output(MapShape input)
    {
        Require(float.IsFinite(Epsilon) && Epsilon > 0 && Epsilon < 1, $"an epsilon of {Epsilon:R}: above 0 and below 1");
        return input;
    }

    internal override IReadOnlyList<LayerTensor> Tensors(MapShape input)
    {
        LayerTensor[] statistics =
        [
            new("running_mean", TensorKind.RunningMean, input.Channels), new("running_variance", TensorKind.RunningVariance, input.Channels),
        ];
        return Learned
            ? [new LayerTensor("scale", TensorKind.Ones, input.Channels), new LayerTensor("shift", TensorKind.Zeros, input.Channels), .. statistics]
            : statistics;
    }

    /// <summary>The kernel's options in training.</summary>
    internal BatchNormOptions Options(LayerRecorder recorder, bool relu) => new(recorder.Halves, Epsilon, recorder.StatisticsMomentum, relu);

    internal override Variable Record(LayerRecorder recorder, Variable x) => recorder.Training
        ? recorder.Tape.BatchNorm(x, Options(recorder, relu: false), recorder.OptionalParameter("scale"), recorder.OptionalParameter("shift"),
            recorder.Statistic("running_mean"), recorder.Statistic("running_variance"))
        : recorder.Tape.ChannelAffine(x, recorder.Constant(Factors(recorder.Weights)), recorder.Constant(Terms(recorder.Weights)));

    internal override string Export(LayerExporter exporter, string x) => exporter.ChannelAffine(x, Factors(exporter.Weights), Terms(exporter.Weights));

    /// <summary>In inference y = factor x + term: the factors, [c].</summary>
    internal float[] Factors(LayerWeights weights) =>
        [.. weights["running_variance"].Select((variance, c) => (float)((weights.Find("scale")?[c] ?? 1.0) / Math.Sqrt((double)variance + Epsilon)))];

    /// <summary>In inference y = factor x + term: the terms, [c].</summary>
    internal float[] Terms(LayerWeights weights) => [.. weights["running_mean"].Select((mean, c) =>
        (float)((weights.Find("shift")?[c] ?? 0.0) - (mean * (weights.Find("scale")?[c] ?? 1.0) / Math.Sqrt((double)weights["running_variance"][c] + Epsilon))))];
}
