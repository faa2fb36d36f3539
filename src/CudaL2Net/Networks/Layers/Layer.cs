using System.Text.Json.Serialization;
using CudaL2Net.Autograd;

namespace CudaL2Net.Networks;

/// <summary>
/// One layer of a network's description. A layer knows its form in JSON, the shapes it takes and makes, the tensors it holds, how it is recorded on a tape and
/// how it is written as ONNX: a new kind of layer is one file here, one line in <see cref="LayerKinds"/>, and its kernels.
/// </summary>
public abstract record Layer
{
    /// <summary>The layer's size in words, for tables: <c>3 x 3, 32 to 64, stride 2, padding 1</c>.</summary>
    [JsonIgnore]
    public abstract string Summary { get; }

    /// <summary>The map that the layer makes of <paramref name="input"/>.</summary>
    /// <exception cref="ArgumentException">The layer does not fit; the message says why and what would fit.</exception>
    internal abstract MapShape Output(MapShape input);

    /// <summary>What the layer holds, in the order of its optimizer's moments.</summary>
    internal virtual IReadOnlyList<LayerTensor> Tensors(MapShape input) => [];

    /// <summary>Multiply-adds for one patch.</summary>
    internal virtual long MultiplyAdds(MapShape input) => 0;

    /// <summary>Records the layer.</summary>
    internal abstract Variable Record(LayerRecorder recorder, Variable x);

    /// <summary>Writes the layer as ONNX operators, [N][c][h][w] in and out; returns the name of its result.</summary>
    internal abstract string Export(LayerExporter exporter, string x);

    /// <summary>Throws unless a setting is in its range.</summary>
    private protected static void Require(bool condition, string message)
    {
        if (!condition)
        {
            throw new ArgumentException(message);
        }
    }
}
