using System.Text.Json.Serialization;
using CudaL2Net.Autograd;

namespace CudaL2Net.Networks;

/// <summary>
/// Filter response normalization and, if wanted, its thresholded linear unit (Singh and Krishnan, 2020; HyNet): y = max(scale x / sqrt(nu^2 + epsilon) + shift,
/// threshold), nu^2 the mean of x^2 over the pixels of a patch's map, per channel. Scale, shift and threshold are learned per channel.
/// </summary>
/// <param name="Epsilon">Added to nu^2.</param>
/// <param name="Threshold">Whether the thresholded unit follows.</param>
public sealed record FilterResponseNormalization(float Epsilon = 1e-6f, bool Threshold = true) : Layer
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override string Summary => $"epsilon {Epsilon:R}{(Threshold ? ", thresholded" : "")}";

    internal override MapShape Output(MapShape input)
    {
        Require(float.IsFinite(Epsilon) && Epsilon > 0, $"an epsilon of {Epsilon:R}: above 0");
        return input;
    }

    internal override IReadOnlyList<LayerTensor> Tensors(MapShape input)
    {
        LayerTensor[] affine = [new("scale", TensorKind.Ones, input.Channels), new("shift", TensorKind.Zeros, input.Channels)];
        return Threshold ? [.. affine, new LayerTensor("threshold", TensorKind.MinusOnes, input.Channels)] : affine;
    }

    internal override Variable Record(LayerRecorder recorder, Variable x) => recorder.Tape.FilterResponseNorm(
        x, Epsilon, recorder.Parameter("scale"), recorder.Parameter("shift"), recorder.OptionalParameter("threshold"));

    internal override string Export(LayerExporter exporter, string x)
    {
        string power = exporter.Add("GlobalAveragePool", [exporter.Add("Mul", [x, x])]);
        string root = exporter.Add("Sqrt", [exporter.Add("Add", [power, exporter.Constant("epsilon", Epsilon)])]);
        string y = exporter.ChannelAffine(exporter.Add("Div", [x, root]), exporter.Weights["scale"], exporter.Weights["shift"]);
        return exporter.Weights.Find("threshold") is { } threshold
            ? exporter.Add("Max", [y, exporter.Values("threshold", threshold, 1, threshold.Length, 1, 1)])
            : y;
    }
}
