using System.Text.Json.Serialization;
using CudaL2Net.Autograd;
using CudaL2Net.Kernels;

namespace CudaL2Net.Networks;

/// <summary>Local response normalization across channels with MatConvNet's parameters: y_c = x_c (kappa + alpha sum x_j^2)^-beta over a window of channels
/// around c.</summary>
public sealed record LocalResponseNormalization : Layer
{
    /// <summary>Channels in the sum.</summary>
    public int Window { get; init; } = 5;

    /// <summary>Added to the sum.</summary>
    public float Kappa { get; init; } = 1;

    /// <summary>Factor on the sum of squares; it is not divided by the window.</summary>
    public float Alpha { get; init; } = 1e-4f;

    /// <summary>The exponent.</summary>
    public float Beta { get; init; } = 0.75f;

    /// <inheritdoc/>
    [JsonIgnore]
    public override string Summary => $"window {Window}, kappa {Kappa:R}, alpha {Alpha:R}, beta {Beta:R}";

    internal override MapShape Output(MapShape input)
    {
        Require(Window >= 1, $"a window of {Window}: at least 1");
        Require(float.IsFinite(Kappa) && Kappa > 0, $"a kappa of {Kappa:R}: above 0 (for a unit vector take a unitVector layer)");
        Require(float.IsFinite(Alpha) && Alpha >= 0, $"an alpha of {Alpha:R}: at least 0");
        Require(float.IsFinite(Beta) && Beta >= 0, $"a beta of {Beta:R}: at least 0");
        return input;
    }

    internal override Variable Record(LayerRecorder recorder, Variable x) =>
        recorder.Tape.Lrn(x, new LrnOptions(recorder.Input.Channels, Window, Kappa, Alpha, Beta));

    // ONNX divides alpha by the window; for an even one both take the longer half behind.
    internal override string Export(LayerExporter exporter, string x) => Window % 2 == 1
        ? exporter.Add("LRN", [x], ("size", Window), ("alpha", Alpha * Window), ("beta", Beta), ("bias", Kappa))
        : throw new NotSupportedException($"an LRN layer with an even window ({Window}) cannot be written as ONNX");
}
