using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests;

/// <summary>
/// On a GPU a device is held while the tests run: its context is made once, and each file of kernels is compiled once. On the emulated device every test begins
/// with nothing, and what it leaves is seen.
/// </summary>
[SetUpFixture]
public sealed class OneContext
{
    private Device? held;

    /// <summary>Opens the GPU, if that is what the tests run on.</summary>
    [OneTimeSetUp]
    public void Hold()
    {
        if (Environment.GetEnvironmentVariable("CUDAL2NET_DRIVER") is { Length: > 0 } && !CudaDriver.Emulated)
        {
            held = Device.Open("cuda");
        }
    }

    /// <summary>Lets it go.</summary>
    [OneTimeTearDown]
    public void LetGo() => held?.Dispose();
}
