using CudaL2Net.Formats.PyTorch;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Matching;
using CudaL2Net.Networks.Onnx;
using Google.Protobuf;

namespace CudaL2Net.Evaluation.Describers;

/// <summary>
/// TFeat (Balntas, Riba, Ponsa and Mikolajczyk, BMVC 2016) with the weights of its authors: instance normalization, 32 filters of 7 x 7, tanh, 2 x 2 maxima,
/// 64 filters of 6 x 6, tanh, a linear layer to 128, tanh. Its descriptors are no unit vectors. It runs by ONNX Runtime.
/// </summary>
public sealed class TFeatDescriber : IPatchDescriber, IDisposable
{
    private const int Side = 32;

    private readonly OnnxDescriber network;

    /// <summary>Reads the weights.</summary>
    /// <param name="path">A PyTorch file with the tensors features.1, features.4 and descr.0, weight and bias each.</param>
    /// <param name="name">The name in tables and plots.</param>
    /// <param name="threads">The most threads that work at once; 0 is one per core.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">The file is damaged, or its tensors are not TFeat's.</exception>
    public TFeatDescriber(string path, string name = "TFeat", int threads = 0) =>
        network = new OnnxDescriber(name, path, Build(path, TorchFile.Read(path)).ToByteArray(), PatchScaling.Grey, threads);

    /// <inheritdoc/>
    public string Name => network.Name;

    /// <inheritdoc/>
    public int Dimension => network.Dimension;

    /// <inheritdoc/>
    public bool IsBinary => false;

    /// <inheritdoc/>
    public int PatchSide => Side;

    /// <inheritdoc/>
    public double PatchScale => CutPatchDescriber.UsualPatchScale;

    /// <inheritdoc/>
    public DescriptorSet Describe(ReadOnlySpan<byte> patches, int side) => network.Describe(patches, side);

    /// <summary>Disposes of the network.</summary>
    public void Dispose() => network.Dispose();

    private static ModelProto Build(string path, IReadOnlyDictionary<string, TorchTensor> tensors)
    {
        var graph = new OnnxGraph();
        graph.Input("patches", 1, Side, Side);
        string x = graph.Add("InstanceNormalization", "normalized", [
            "patches", graph.Initializer<float>("one", [1], 1), graph.Initializer<float>("zero", [0], 1)]);
        x = graph.Add("Conv", "conv1", [x, Weight("features.1.weight", 32, 1, 7, 7), Weight("features.1.bias", 32)], ("kernel_shape", (long[])[7, 7]));
        x = graph.Add("Tanh", "tanh1", [x]);
        x = graph.Add("MaxPool", "maxima", [x], ("kernel_shape", (long[])[2, 2]), ("strides", (long[])[2, 2]));
        x = graph.Add("Conv", "conv2", [x, Weight("features.4.weight", 64, 32, 6, 6), Weight("features.4.bias", 64)], ("kernel_shape", (long[])[6, 6]));
        x = graph.Add("Flatten", "flat", [graph.Add("Tanh", "tanh2", [x])], ("axis", 1));
        x = graph.Add("Gemm", "linear", [x, Weight("descr.0.weight", 128, 4096), Weight("descr.0.bias", 128)], ("transB", 1));
        graph.Add("Tanh", "descriptors", [x]);
        return graph.ToModel("TFeat", "descriptors", 128);

        string Weight(string name, params ReadOnlySpan<int> shape)
        {
            if (!tensors.TryGetValue(name, out TorchTensor? tensor) || !shape.SequenceEqual(tensor.Shape))
            {
                string found = tensor is null ? $"it has {string.Join(", ", tensors.Keys.Take(12))}" : $"its shape is [{string.Join(", ", tensor.Shape.ToArray())}]";
                throw new InvalidDataException($"{path} has no TFeat network: {name} of [{string.Join(", ", shape.ToArray())}] is missing; {found}");
            }

            return graph.Initializer<float>(name, tensor.ToFloats(), shape);
        }
    }
}
