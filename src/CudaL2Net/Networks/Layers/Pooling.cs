using System.Text.Json.Serialization;
using CudaL2Net.Autograd;
using CudaL2Net.Kernels;

namespace CudaL2Net.Networks;

/// <summary>Pooling over square windows: the largest value, the average, or the root of the sum of squares.</summary>
/// <param name="Kind">What a window gives.</param>
/// <param name="Kernel">Rows and columns of a window.</param>
/// <param name="Stride">Pixels from one window to the next.</param>
/// <param name="Padding">Pixels on each side of the map that count as zeros, or for the largest value as nothing.</param>
/// <param name="RoundUp">Whether a last window that only begins inside the map counts (Caffe), or is dropped (Torch, PyTorch).</param>
public sealed record Pooling(PoolKind Kind = default, int Kernel = 2, int Stride = 2, int Padding = 0, bool RoundUp = false) : Layer
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override string Summary => $"{Kind.ToString().ToLowerInvariant()} {Kernel} x {Kernel}, stride {Stride}{(Padding == 0 ? "" : $", padding {Padding}")}"
        + (RoundUp ? ", rounded up" : "");

    private PoolOptions Options => new(Kind, Kernel, Stride, Padding, RoundUp);

    internal override MapShape Output(MapShape input)
    {
        PoolGeometry geometry = Options.Over(1, input.Height, input.Width, input.Channels);
        return new MapShape(geometry.OutHeight, geometry.OutWidth, input.Channels);
    }

    internal override Variable Record(LayerRecorder recorder, Variable x) => recorder.Tape.Pool(x, Options);

    internal override string Export(LayerExporter exporter, string x)
    {
        // The last windows may begin inside and end outside: zeros, or nothing, stand there.
        MapShape input = exporter.Input, output = Output(input);
        int below = Math.Max(0, ((output.Height - 1) * Stride) + Kernel - input.Height - (2 * Padding));
        int right = Math.Max(0, ((output.Width - 1) * Stride) + Kernel - input.Width - (2 * Padding));
        (string, object)[] window =
        [
            ("kernel_shape", (long[])[Kernel, Kernel]), ("strides", (long[])[Stride, Stride]),
            ("pads", (long[])[Padding, Padding, Padding + below, Padding + right]),
        ];
        switch (Kind)
        {
            case PoolKind.Max:
                return exporter.Add("MaxPool", [x], window);
            case PoolKind.L2:
                string mean = exporter.Add("AveragePool", [exporter.Add("Mul", [x, x])], [.. window, ("count_include_pad", 1)]);
                return exporter.Add("Sqrt", [exporter.Add("Mul", [mean, exporter.Constant("area", Kernel * Kernel)])]);
            default:
                string average = exporter.Add("AveragePool", [x], [.. window, ("count_include_pad", 1)]);
                return below + right == 0 ? average : exporter.Add("Mul", [average, exporter.Values("shares", Shares(input, output), 1, 1, output.Height, output.Width)]);
        }
    }

    // What lies beyond the padding does not count: the average of a window there is over fewer pixels.
    private float[] Shares(MapShape input, MapShape output)
    {
        var shares = new float[output.Height * output.Width];
        for (int i = 0; i < shares.Length; i++)
        {
            int rows = Math.Min(Kernel, input.Height + (2 * Padding) - (i / output.Width * Stride));
            int columns = Math.Min(Kernel, input.Width + (2 * Padding) - (i % output.Width * Stride));
            shares[i] = (float)Kernel * Kernel / (rows * columns);
        }

        return shares;
    }
}
