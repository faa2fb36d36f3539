using System.Text.Json.Serialization;
using CudaL2Net.Autograd;

namespace CudaL2Net.Networks;

/// <summary>A linear layer on all values of a map, in the order [row][column][channel]: y = W x + bias.</summary>
/// <param name="Out">Output values.</param>
/// <param name="Bias">Whether a bias is added.</param>
public sealed record Linear(int Out = 0, bool Bias = true) : Layer
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override string Summary => $"to {Out}{(Bias ? ", bias" : "")}";

    internal override MapShape Output(MapShape input)
    {
        Require(Out is >= 1 and <= 65536, $"{Out} output values: from 1 to 65536");
        return new MapShape(1, 1, Out);
    }

    internal override IReadOnlyList<LayerTensor> Tensors(MapShape input)
    {
        var weights = new LayerTensor("weights", TensorKind.Weights, Out, checked((int)input.Length));
        return Bias ? [weights, new LayerTensor("bias", TensorKind.Zeros, Out)] : [weights];
    }

    internal override long MultiplyAdds(MapShape input) => input.Length * Out;

    // A convolution of maps of one pixel.
    internal override Variable Record(LayerRecorder recorder, Variable x) => recorder.BatchInvariant
        ? recorder.Tape.FoldedConvolution(
            recorder.Tape.Reshape(x, [x.Shape[0], 1, 1, (int)recorder.Input.Length]),
            recorder.Tape.Reshape(recorder.Parameter("weights"), [Out, 1, 1, (int)recorder.Input.Length]),
            recorder.OptionalParameter("bias"), 1, 0)
        : recorder.Tape.Linear(x, recorder.Parameter("weights"), recorder.OptionalParameter("bias"));

    internal override string Export(LayerExporter exporter, string x) => exporter.Convolution(x, "weights", Out, exporter.Input.Height, exporter.Input.Width, 1, 0);
}
