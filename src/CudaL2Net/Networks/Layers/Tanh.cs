using System.Text.Json.Serialization;
using CudaL2Net.Autograd;

namespace CudaL2Net.Networks;

/// <summary>tanh(x).</summary>
public sealed record Tanh : Layer
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override string Summary => "";

    internal override MapShape Output(MapShape input) => input;

    internal override Variable Record(LayerRecorder recorder, Variable x) => recorder.Tape.Tanh(x);

    internal override string Export(LayerExporter exporter, string x) => exporter.Add("Tanh", [x]);
}
