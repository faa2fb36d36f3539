using System.Text.Json.Serialization;
using CudaL2Net.Autograd;
using CudaL2Net.Kernels;

namespace CudaL2Net.Networks;

/// <summary>Dropout: in training a value becomes 0 with probability <see cref="Rate"/>, the others grow by 1 / (1 - rate); in inference nothing is done.</summary>
/// <param name="Rate">The probability that a value is dropped.</param>
public sealed record Dropout(float Rate = 0) : Layer
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override string Summary => $"rate {Rate:R}";

    internal override MapShape Output(MapShape input)
    {
        Require(Rate is >= 0 and < 1, $"a rate of {Rate:R}: from 0 to below 1");
        return input;
    }

    internal override Variable Record(LayerRecorder recorder, Variable x) =>
        recorder.Training ? recorder.Tape.Dropout(x, new DropoutOptions(Rate, recorder.Seed, recorder.NextDropout()), recorder.Step!) : x;

    internal override string Export(LayerExporter exporter, string x) => x;
}
