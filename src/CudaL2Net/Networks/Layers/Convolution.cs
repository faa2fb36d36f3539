using System.Text.Json.Serialization;
using CudaL2Net.Autograd;
using CudaL2Net.Kernels;

namespace CudaL2Net.Networks;

/// <summary>A convolution (cross-correlation) with square filters and zeros around the map.</summary>
/// <param name="Out">Output channels.</param>
/// <param name="Kernel">Rows and columns of a filter.</param>
/// <param name="Stride">Step of the output grid on the input.</param>
/// <param name="Padding">Zeros on each side.</param>
/// <param name="Bias">Whether a bias is added.</param>
public sealed record Convolution(int Out = 0, int Kernel = 3, int Stride = 1, int Padding = 0, bool Bias = false) : Layer
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override string Summary => $"{Kernel} x {Kernel} to {Out}{(Stride == 1 ? "" : $", stride {Stride}")}{(Padding == 0 ? "" : $", padding {Padding}")}"
        + (Bias ? ", bias" : "");

    /// <summary>The kernel's sizes for a batch of maps.</summary>
    internal Conv2dGeometry Geometry(MapShape input, int batch = 1) =>
        new(batch, input.Height, input.Width, input.Channels, Out, Kernel, Kernel, Stride, Padding);

    internal override MapShape Output(MapShape input)
    {
        Require(Out is >= 1 and <= 65536, $"{Out} output channels: from 1 to 65536");
        Require(Kernel is >= 1 and <= 4096, $"a kernel of {Kernel}: from 1 to 4096");
        Require(Stride >= 1, $"a stride of {Stride}: at least 1");
        Require(Padding >= 0 && Padding < Kernel, $"a padding of {Padding}: from 0 to {Kernel - 1}, less than the kernel");
        long most = Math.Min(input.Height, input.Width) + (2L * Padding);
        Require(Kernel <= most, $"a kernel of {Kernel} does not fit a map of {input} with padding {Padding}; one of at most {most} does");
        Conv2dGeometry geometry = Geometry(input);
        return new MapShape(geometry.OutHeight, geometry.OutWidth, Out);
    }

    internal override IReadOnlyList<LayerTensor> Tensors(MapShape input)
    {
        var filters = new LayerTensor("filters", TensorKind.Weights, Out, Kernel, Kernel, input.Channels);
        return Bias ? [filters, new LayerTensor("bias", TensorKind.Zeros, Out)] : [filters];
    }

    internal override long MultiplyAdds(MapShape input) => Geometry(input).MultiplyAdds;

    internal override Variable Record(LayerRecorder recorder, Variable x) => recorder.BatchInvariant
        ? recorder.Tape.FoldedConvolution(x, recorder.Parameter("filters"), recorder.OptionalParameter("bias"), Stride, Padding)
        : recorder.Tape.Conv2d(x, recorder.Parameter("filters"), recorder.OptionalParameter("bias"), Stride, Padding);

    internal override string Export(LayerExporter exporter, string x) => exporter.Convolution(x, Out, Kernel, Stride, Padding);
}
