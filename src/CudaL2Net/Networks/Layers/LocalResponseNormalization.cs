using System.Text.Json.Serialization;
using CudaL2Net.Autograd;
using CudaL2Net.Kernels;

namespace CudaL2Net.Networks;

/// <summary>Local response normalization across channels with MatConvNet's parameters: y_c = x_c (kappa + alpha sum x_j^2)^-beta over a window of channels
/// around c.</summary>
/// <param name="Window">Channels in the sum.</param>
/// <param name="Kappa">Added to the sum.</param>
/// <param name="Alpha">Factor on the sum of squares; it is not divided by the window.</param>
/// <param name="Beta">The exponent.</param>
public sealed record LocalResponseNormalization(int Window = 5, float Kappa = 1, float Alpha = 1e-4f, float Beta = 0.75f) : Layer
{
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
