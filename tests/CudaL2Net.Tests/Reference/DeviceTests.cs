using CudaL2Net.Kernels;

namespace CudaL2Net.Tests.Reference;

/// <summary>Tests on a device that is opened for each of them: the CPU, and a CUDA device where there is a driver.</summary>
/// <param name="name">The device's name.</param>
[TestFixture("cpu")]
[TestFixture("cuda", Category = "Cuda")]
public abstract class DeviceTests(string name)
{
    private protected Device device = null!;

    [SetUp]
    public void Open()
    {
        if (name != "cpu")
        {
            CudaDriver.Require();
        }

        device = Device.Open(name, threads: 2);
    }

    [TearDown]
    public void Close() => device.Dispose();
}
