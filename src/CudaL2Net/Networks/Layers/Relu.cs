using System.Text.Json.Serialization;
using CudaL2Net.Autograd;

namespace CudaL2Net.Networks;

/// <summary>max(0, x).</summary>
public sealed record Relu : Layer
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override string Summary => "";

    internal override MapShape Output(MapShape input) => input;

    internal override Variable Record(LayerRecorder recorder, Variable x) => recorder.Tape.Relu(x);

    internal override string Export(LayerExporter exporter, string x) => exporter.Add("Relu", [x]);
}
