using System.Text.Json.Serialization;
using CudaL2Net.Autograd;

namespace CudaL2Net.Networks;

/// <summary>All values of a map as a vector, divided by its length: x / sqrt(sum x^2 + 1e-10), L2-Net's last layer.</summary>
public sealed record UnitVector : Layer
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override string Summary => "";

    internal override MapShape Output(MapShape input)
    {
        Require(input.Length <= 1 << 20, $"a vector of {input.Length} values: at most {1 << 20}");
        return new MapShape(1, 1, (int)input.Length);
    }

    internal override Variable Record(LayerRecorder recorder, Variable x) => recorder.Tape.UnitVector(x);

    internal override string Export(LayerExporter exporter, string x) => exporter.UnitVector(x);
}
