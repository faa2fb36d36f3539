using System.Runtime.InteropServices;
using Google.Protobuf;

namespace CudaL2Net.Networks.Onnx;

/// <summary>A network of ONNX operators that is being written.</summary>
internal sealed class OnnxGraph
{
    /// <summary>The version of the operator set.</summary>
    public const int Opset = 13;

    // The version of the file format that came with operator set 13.
    private const int IrVersion = 7;

    private readonly GraphProto graph = new();

    /// <summary>Declares an input, float [N][sizes].</summary>
    public string Input(string name, params ReadOnlySpan<int> sizes)
    {
        graph.Input.Add(Describe(name, sizes));
        return name;
    }

    /// <summary>The model, once all operators are there.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="output">The value that it gives, float [N][<paramref name="width"/>].</param>
    /// <param name="width">Values for each N.</param>
    public ModelProto ToModel(string name, string output, int width)
    {
        graph.Name = name;
        graph.Output.Add(Describe(output, width));
        var model = new ModelProto
        {
            IrVersion = IrVersion,
            ProducerName = "CudaL2Net",
            ProducerVersion = typeof(OnnxGraph).Assembly.GetName().Version!.ToString(3),
            Graph = graph,
        };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = Opset });
        return model;
    }

    /// <summary>Adds an operator with one output, whose name is returned. Attributes are int, float or long[].</summary>
    public string Add(string operation, string output, string[] inputs, params ReadOnlySpan<(string Name, object Value)> attributes)
    {
        var node = new NodeProto { OpType = operation, Name = output, Input = { inputs }, Output = { output } };
        foreach ((string name, object value) in attributes)
        {
            node.Attribute.Add(value switch
            {
                int i => new AttributeProto { Name = name, Type = AttributeProto.Types.AttributeType.Int, I = i },
                float f => new AttributeProto { Name = name, Type = AttributeProto.Types.AttributeType.Float, F = f },
                _ => new AttributeProto { Name = name, Type = AttributeProto.Types.AttributeType.Ints, Ints = { (long[])value } },
            });
        }

        graph.Node.Add(node);
        return output;
    }

    /// <summary>Adds a constant of float or long, whose name is returned.</summary>
    public string Initializer<T>(string name, ReadOnlySpan<T> values, params ReadOnlySpan<int> sizes)
        where T : unmanaged
    {
        var tensor = new TensorProto
        {
            Name = name,
            DataType = (int)(typeof(T) == typeof(float) ? TensorProto.Types.DataType.Float : TensorProto.Types.DataType.Int64),
            RawData = ByteString.CopyFrom(MemoryMarshal.AsBytes(values)),
        };
        foreach (int size in sizes)
        {
            tensor.Dims.Add(size);
        }

        graph.Initializer.Add(tensor);
        return name;
    }

    private static ValueInfoProto Describe(string name, params ReadOnlySpan<int> sizes)
    {
        var shape = new TensorShapeProto { Dim = { new TensorShapeProto.Types.Dimension { DimParam = "N" } } };
        foreach (int size in sizes)
        {
            shape.Dim.Add(new TensorShapeProto.Types.Dimension { DimValue = size });
        }

        var tensor = new TypeProto.Types.Tensor { ElemType = (int)TensorProto.Types.DataType.Float, Shape = shape };
        return new ValueInfoProto { Name = name, Type = new TypeProto { TensorType = tensor } };
    }
}
