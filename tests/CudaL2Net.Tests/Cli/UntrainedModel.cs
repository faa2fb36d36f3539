using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using CudaL2Net.Tests.Networks;

namespace CudaL2Net.Tests.Cli;

/// <summary>A model file with random weights, made once.</summary>
internal static class UntrainedModel
{
    private static readonly Lazy<byte[]> Bytes = new(Make);

    /// <summary>Writes it as <c>model.safetensors</c> and returns its path.</summary>
    public static string WriteTo(TemporaryFolder folder)
    {
        string path = folder["model.safetensors"];
        File.WriteAllBytes(path, Bytes.Value);
        return path;
    }

    private static byte[] Make()
    {
        using var folder = new TemporaryFolder();
        using Device device = Device.Open("cpu");
        using PatchModel random = PatchModel.CreateRandom(TestNetworks.L2Net, 1, device);
        random.File.Write(folder["model.safetensors"]);
        return File.ReadAllBytes(folder["model.safetensors"]);
    }
}
