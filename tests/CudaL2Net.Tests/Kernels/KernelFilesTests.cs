using CudaL2Net.Interop;
using CudaL2Net.Kernels;
using CudaL2Net.Kernels.Cuda;
using CudaL2Net.Tests.Interop;

namespace CudaL2Net.Tests.Kernels;

/// <summary>How files of kernels come into a context.</summary>
[Category("Cuda")]
[NonParallelizable]
public sealed class KernelFilesTests
{
    [Test]
    public void DevicesOfAGpuShareTheirFiles()
    {
        using var emulated = new EmulatedDevice();
        long before = emulated["modules"];
        Device first = Device.Open("cuda"), second = Device.Open("cuda");
        Assert.That(Relu(first), Is.EqualTo(new float[] { 1, 0, 3 }));
        Assert.That(Relu(second), Is.EqualTo(new float[] { 1, 0, 3 }));
        Assert.That(emulated["modules"], Is.EqualTo(before + 1));
        first.Dispose();
        Assert.That(Relu(second), Is.EqualTo(new float[] { 1, 0, 3 }), "the file stays for the other device");
        second.Dispose();
        Assert.That(emulated["modules"], Is.EqualTo(before));
    }

    [Test]
    public void AllFilesAreLoadedSideBySide()
    {
        using var emulated = new EmulatedDevice();
        long before = emulated["modules"];
        using var device = new CudaDevice(0, threads: 4);
        Assert.That(device.LoadAll(), Has.Count.EqualTo(emulated["modules"] - before));
    }

    /// <summary>The emulated device runs PTX only: what it does with a cubin is what a GPU does with one for another GPU.</summary>
    [Test]
    public void ACubinForAnotherGpuIsPassedOver()
    {
        using var emulated = new EmulatedDevice();
        using var folder = new TemporaryFolder();
        using (Stream built = typeof(Device).Assembly.GetManifestResourceStream("CudaL2Net.Kernels.relu.ptx")!)
        using (FileStream ptx = File.Create(folder["relu.ptx"]))
        {
            built.CopyTo(ptx);
        }

        File.WriteAllBytes(folder["relu.cubin"], [0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1, 0]);
        Environment.SetEnvironmentVariable(KernelFiles.FolderVariable, folder.Path);
        try
        {
            using Device device = Device.Open("cuda");
            Assert.That(Relu(device), Is.EqualTo(new float[] { 1, 0, 3 }));
        }
        finally
        {
            Environment.SetEnvironmentVariable(KernelFiles.FolderVariable, null);
        }
    }

    [TestCase("0")]
    [TestCase("many")]
    public void AWrongNumberOfMultiprocessorsIsRefused(string number)
    {
        using var emulated = new EmulatedDevice();
        Environment.SetEnvironmentVariable(CudaDevice.MultiprocessorsVariable, number);
        try
        {
            Assert.That(() => new CudaDevice(0), Throws.TypeOf<CudaException>().With.Message.Contains($"CUDAL2NET_MULTIPROCESSORS is {number}"));
        }
        finally
        {
            Environment.SetEnvironmentVariable(CudaDevice.MultiprocessorsVariable, null);
        }
    }

    private static float[] Relu(Device device)
    {
        using Tensor<float> x = device.Upload<float>([1, -2, 3]), y = device.Allocate<float>(3);
        device.Kernels.ReluForward(x, y);
        return y.ToArray();
    }
}
