using CudaL2Net.Interop;

namespace CudaL2Net.Tests.Emulator;

/// <summary>Kernels that are wrong on purpose (<c>tests/emulator/replay/faults.cu</c>): the emulation must notice. The sanitizers' share is in
/// <c>./build.sh sanitize</c>.</summary>
[Category("Cuda")]
public sealed class PlantedFaultTests
{
    [TestCase("fault_divergent", CudaError.LaunchFailed, "divergent __syncthreads")]
    [TestCase("fault_shuffle", CudaError.LaunchFailed, "deadlock")]
    [TestCase("fault_no_wait", CudaError.LaunchFailed, "never waited for")]
    [TestCase("fault_alignment", CudaError.MisalignedAddress, "not 16-byte aligned")]
    [TestCase("fault_address", CudaError.IllegalAddress, "illegal memory access")]
    public void AFaultIsReportedAndStays(string kernel, CudaError error, string report)
    {
        using (var device = new EmulatedDevice())
        {
            nint y = device.Allocate(128);
            EmulatedDevice.Succeed(device.Launch(device.Kernel(kernel), y));
            Assert.That(device.Synchronize(), Is.EqualTo(error));
            Assert.That(EmulatedDevice.Report, Does.Contain(kernel).And.Contain(report).And.Contain("block (0,0,0)"));
            Assert.That(device.Launch(0, y), Is.EqualTo(error), "every later call returns it");
        }

        // Until the context is gone.
        using var next = new EmulatedDevice();
        EmulatedDevice.Succeed(next.Launch(next.Kernel("faultless"), next.Allocate(128)));
        EmulatedDevice.Succeed(next.Synchronize());
    }

    [Test]
    public unsafe void AWriteJustBehindMemoryIsFoundWhenItIsFreed()
    {
        using var device = new EmulatedDevice();
        nint y = device.Allocate(100);
        EmulatedDevice.Succeed(device.Launch(device.Kernel("fault_global"), y));
        EmulatedDevice.Succeed(Driver.cuMemFreeAsync(y, device.Stream));
        Assert.That(device.Synchronize(), Is.EqualTo(CudaError.IllegalAddress));
        Assert.That(EmulatedDevice.Report, Does.Contain("after an allocation of 400 bytes"));
    }

    [Test]
    public void AWriteFarBehindMemoryIsAFault()
    {
        using var device = new EmulatedDevice();
        nint y = device.Allocate(64);
        EmulatedDevice.Succeed(device.Launch(device.Kernel("fault_global"), y));
        Assert.That(device.Synchronize(), Is.EqualTo(CudaError.IllegalAddress));
    }

    [Test]
    public void ANullAddressIsAFault()
    {
        using var device = new EmulatedDevice();
        EmulatedDevice.Succeed(device.Launch(device.Kernel("fault_global"), 0));
        Assert.That(device.Synchronize(), Is.EqualTo(CudaError.IllegalAddress));
    }

    [TestCase("fault_uninitialized", Description = "shared memory that nobody wrote")]
    [TestCase("fault_copy", Description = "a copy that was not waited for")]
    public void ReadingTooEarlyGivesNaN(string kernel)
    {
        using var device = new EmulatedDevice();
        nint y = device.Allocate(128);
        EmulatedDevice.Succeed(device.Launch(device.Kernel(kernel), y));
        Assert.That(device.Read(y, 128)[5], Is.NaN);
    }

    [Test]
    public void ThreadsMayEndBeforeABarrier()
    {
        using var device = new EmulatedDevice();
        nint y = device.Allocate(128);
        EmulatedDevice.Succeed(device.Launch(device.Kernel("faultless"), y));
        float[] values = device.Read(y, 128);
        Assert.That(values[..100], Is.All.EqualTo(2f));
        Assert.That(values[100..], Is.All.NaN, "fresh memory");
    }
}
