using System.Text.Json.Serialization;
using CudaL2Net.Autograd;

namespace CudaL2Net.Networks;

/// <summary>Every value of a map times a factor of its own, which is not trained: the division by an image of deviations (DeepDesc).</summary>
public sealed record PixelScale : Layer
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override string Summary => "";

    internal override MapShape Output(MapShape input) => input;

    internal override IReadOnlyList<LayerTensor> Tensors(MapShape input) =>
        [new LayerTensor("factors", TensorKind.FixedOnes, input.Height, input.Width, input.Channels)];

    internal override Variable Record(LayerRecorder recorder, Variable x)
    {
        float[] factors = recorder.Weights["factors"];
        var all = new float[x.Length];
        for (int i = 0; i < all.Length; i += factors.Length)
        {
            factors.CopyTo(all, i);
        }

        Tape tape = recorder.Tape;
        return tape.Multiply(x, tape.Input(tape.Own(tape.Device.Upload<float>(all, x.Shape.ToArray()))));
    }

    internal override string Export(LayerExporter exporter, string x)
    {
        (int height, int width, int channels) = (exporter.Input.Height, exporter.Input.Width, exporter.Input.Channels);
        float[] factors = exporter.Weights["factors"], turned = new float[factors.Length];
        for (int i = 0; i < factors.Length; i++)
        {
            turned[(i % channels * height * width) + (i / channels)] = factors[i];
        }

        return exporter.Add("Mul", [x, exporter.Values("factors", turned, 1, channels, height, width)]);
    }
}
