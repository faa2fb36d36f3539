using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace CudaL2Net.Tests.Cli;

public sealed class ExportCommandTests : ModelCommandTests
{
    [Test]
    public void OnnxModelGivesTheSameDescriptorsInOnnxRuntime()
    {
        CommandLine.MustRun("export", "--model", model, "--format", "onnx", "--out", folder["model.onnx"]);
        byte[] patches = Patches(3);
        using var session = new InferenceSession(folder["model.onnx"]);
        var input = new DenseTensor<float>(Array.ConvertAll(patches, value => (float)value), [3, 1, 32, 32]);
        using IDisposableReadOnlyCollection<DisposableNamedOnnxValue> outputs = session.Run([NamedOnnxValue.CreateFromTensor("patches", input)]);
        Assert.That(outputs[0].AsTensor<float>().ToArray(), Is.EqualTo(Describe(model, patches)).Within(1e-4f));
    }

    [Test]
    public void SafetensorsCopyDescribesAlikeAndHalfIsSmaller()
    {
        CommandLine.MustRun("export", "--model", model, "--format", "safetensors", "--out", folder["copy.safetensors"]);
        CommandLine.MustRun("export", "--model", model, "--format", "safetensors", "--half", "--out", folder["half.safetensors"]);
        byte[] patches = Patches(3);
        float[] expected = Describe(model, patches);
        Assert.Multiple(() =>
        {
            Assert.That(Describe(folder["copy.safetensors"], patches), Is.EqualTo(expected));
            Assert.That(Describe(folder["half.safetensors"], patches), Is.EqualTo(expected).Within(5e-3f));
            Assert.That(new FileInfo(folder["half.safetensors"]).Length, Is.LessThan(3_000_000));
        });
    }

    [Test]
    public void UnknownFormatIsExplained() =>
        CommandLine.Run("export", "--model", model, "--format", "tflite", "--out", folder["a"]).Explains(2, "tflite", "onnx");

    [Test]
    public void HalfOnnxIsExplained() => CommandLine.Run("export", "--model", model, "--format", "onnx", "--half", "--out", folder["a"]).Explains(2, "--half");

    private static float[] Describe(string path, byte[] patches)
    {
        using Device device = Device.Open("cpu");
        using PatchModel net = PatchModel.Load(path, device);
        return net.Describe(patches, 32);
    }

    private static byte[] Patches(int count)
    {
        var patches = new byte[count * 32 * 32];
        new Random(3).NextBytes(patches);
        return patches;
    }
}
