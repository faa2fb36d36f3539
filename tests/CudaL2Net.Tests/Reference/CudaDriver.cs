using System.Runtime.CompilerServices;
using CudaL2Net.Interop;

namespace CudaL2Net.Tests.Reference;

/// <summary>
/// The CUDA driver that tests run on: the one that <c>CUDAL2NET_DRIVER</c> names (<c>libcuda.so.1</c> for a real GPU), else the emulator that
/// <c>./build.sh emulator</c> has built.
/// </summary>
internal static class CudaDriver
{
    private const string Variable = "CUDAL2NET_DRIVER";

    /// <summary>Whether the driver in use is the emulator.</summary>
    public static bool Emulated => Environment.GetEnvironmentVariable(Variable)?.Contains("emulator", StringComparison.Ordinal) ?? false;

    /// <summary>Skips the running test unless there is a driver.</summary>
    public static void Require()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { Length: > 0 })
        {
            Assert.Ignore("no CUDA driver: build the emulator (./build.sh emulator), or set CUDAL2NET_DRIVER=libcuda.so.1 on a machine with a GPU");
        }
    }

    /// <summary>Skips the running test unless there is a GPU.</summary>
    public static void RequireGpu()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { Length: > 0 } || Emulated)
        {
            Assert.Ignore("needs a GPU: set CUDAL2NET_DRIVER=libcuda.so.1 on a machine with one");
        }
    }

    [ModuleInitializer]
    internal static void ChooseEmulator()
    {
        if (Environment.GetEnvironmentVariable(Variable) is { Length: > 0 })
        {
            return;
        }

        // The tests' folder is tests/CudaL2Net.Tests/bin/Release/net10.0; a published copy has the emulator beside it, if anywhere.
        string[] places = [Path.Combine(AppContext.BaseDirectory, "../../../../../artifacts/emulator"), AppContext.BaseDirectory];
        string? found = places.Select(folder => Path.GetFullPath(Path.Combine(folder, "libcuda-emulator.so"))).FirstOrDefault(File.Exists);
        if (found != null)
        {
            // The emulator has stand-ins for the libraries, too.
            Array.ForEach([Variable, VendorLibrary.Cublas.Variable, VendorLibrary.Cudnn.Variable], name => Environment.SetEnvironmentVariable(name, found));
        }
    }
}
