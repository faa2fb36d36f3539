using System.Text.Json.Serialization;
using CudaL2Net.Autograd;

namespace CudaL2Net.Networks;

/// <summary>Subtractive normalization (Torch, DeepDesc): minus the weighted mean of each pixel's neighbourhood, over all channels. The weights are a Gaussian
/// unless a file brings its own; they are not trained.</summary>
/// <param name="Kernel">Rows and columns of the neighbourhood, odd.</param>
public sealed record SubtractiveNormalization(int Kernel = 5) : Layer
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override string Summary => $"{Kernel} x {Kernel}";

    internal override MapShape Output(MapShape input)
    {
        Require(Kernel >= 1 && Kernel % 2 == 1, $"a kernel of {Kernel}: it has a pixel in its middle, so it must be odd");
        return input;
    }

    internal override IReadOnlyList<LayerTensor> Tensors(MapShape input) => [new LayerTensor("weights", TensorKind.Gaussian, Kernel, Kernel)];

    internal override Variable Record(LayerRecorder recorder, Variable x) =>
        recorder.Tape.SubtractiveNorm(x, recorder.Tape.Own(recorder.Tape.Device.Upload<float>(recorder.Weights["weights"], Kernel, Kernel)));

    internal override string Export(LayerExporter exporter, string x)
    {
        float[] weights = exporter.Weights["weights"];
        int channels = exporter.Input.Channels, half = Kernel / 2;
        float sum = weights.Sum();
        float[] filter = [.. Enumerable.Range(0, channels).SelectMany(_ => weights.Select(weight => weight / (sum * channels)))];
        string mean = exporter.Add(
            "Conv",
            [x, exporter.Values("neighbourhood", filter, 1, channels, Kernel, Kernel)],
            ("kernel_shape", (long[])[Kernel, Kernel]),
            ("pads", (long[])[half, half, half, half]));
        (int height, int width) = (exporter.Input.Height, exporter.Input.Width);
        string inside = exporter.Values("inside", Inside(weights, sum, height, width), 1, 1, height, width);
        return exporter.Add("Sub", [x, exporter.Add("Div", [mean, inside])]);
    }

    // The share of the weights that lies inside the map, for each pixel.
    private float[] Inside(float[] weights, float sum, int height, int width)
    {
        var shares = new float[height * width];
        int half = Kernel / 2;
        for (int i = 0; i < shares.Length; i++)
        {
            double share = 0;
            for (int k = 0; k < weights.Length; k++)
            {
                int row = (i / width) + (k / Kernel) - half, column = (i % width) + (k % Kernel) - half;
                share += row >= 0 && row < height && column >= 0 && column < width ? weights[k] : 0;
            }

            shares[i] = (float)(share / sum);
        }

        return shares;
    }
}
