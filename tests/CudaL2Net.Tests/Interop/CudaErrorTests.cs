using System.Text;
using CudaL2Net.Interop;
using CudaL2Net.Kernels;

namespace CudaL2Net.Tests.Interop;

/// <summary>What goes wrong with a driver, and what is said of it.</summary>
[Category("Cuda")]
public sealed class CudaErrorTests
{
    private EmulatedDevice emulated = null!;

    [SetUp]
    public void RequireEmulator() => emulated = new EmulatedDevice();

    [TearDown]
    public void PutBack()
    {
        emulated.Dispose();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Assert.That(emulated["contexts"], Is.Zero, "a context was not given back");
    }

    [Test]
    public void AMissingDriverIsNamedWithWhatToDo() =>
        Fails(() => Driver.Load("no/such/libcuda.so"), CudaError.NotInitialized, "no CUDA driver", "no/such/libcuda.so", "CUDAL2NET_DRIVER");

    [Test]
    public void ALibraryThatLacksCallsIsNamedBeforeTheFirstOne() =>
        Fails(() => Driver.Whole(System.Runtime.InteropServices.NativeLibrary.Load("libm.so.6")), CudaError.NotFound, "no cuInit", "lacks", "CUDAL2NET_DRIVER", "--device cpu");

    [Test]
    public void AllCallsThatAreDeclaredAreLookedFor() => Assert.That(
        Driver.Calls,
        Is.EquivalentTo(typeof(Driver).GetMethods().Where(method => method.ReturnType == typeof(CudaError)).Select(method => method.Name)));

    [Test]
    public void WithoutADeviceThereIsAnErrorAndAutoTakesTheCpu()
    {
        emulated["devices"] = 0;
        Assert.That(CudaContext.GetDeviceCount(), Is.Zero);
        Fails(() => Device.Open("cuda"), CudaError.NoDevice, "no CUDA device", "--device cpu");
        using Device device = Device.Open();
        Assert.That(device.Name, Is.EqualTo("cpu"));
        Assert.That(device.Note, Does.Contain("running on the CPU").And.Contain("no CUDA device").And.Not.Contain("\n"));
    }

    [Test]
    public void AutoLeavesTheEmulatedDeviceAlone()
    {
        using Device device = Device.Open();
        Assert.That((device.Name, device.Note), Is.EqualTo(("cpu", "running on the CPU: the CUDA driver is the tests' emulation, which --device cuda takes")));
        Assert.That(() => Device.Open("auto", 0, Precision.Bf16), Throws.ArgumentException.With.Message.Contains("bf16 needs a GPU"));
        Assert.That(() => Device.Open("cpu", 0, Precision.Tf32), Throws.ArgumentException.With.Message.Contains("tf32 needs a GPU"));
        Assert.That(() => Device.Open("cpu", 0, Precision.Int8), Throws.ArgumentException.With.Message.Contains("int8 needs a GPU"));
    }

    [Test]
    public void AWrongNumberSaysWhichThereAre()
    {
        Fails(() => Device.Open("cuda:3"), CudaError.InvalidDevice, "no CUDA device 3", "there is one");
        emulated["devices"] = 2;
        Fails(() => Device.Open("cuda:2"), CudaError.InvalidDevice, "there are 2, numbers 0 to 1");
        using Device second = Device.Open("cuda:1");
        Assert.That(second.Name, Is.EqualTo("cuda:1"));
    }

    [Test]
    public void AnOldDeviceIsRefused()
    {
        emulated["compute"] = 75;
        Fails(() => Device.Open("cuda"), CudaError.InvalidDevice, "too old", "7.5", "8.0");
    }

    [Test]
    public void AnOldDriverIsRefused()
    {
        emulated["driver"] = 11020;
        Fails(() => Device.Open("cuda"), CudaError.NotInitialized, "too old", "11.2", "11.4");
    }

    [Test]
    public void TheDescriptionTellsDeviceDriverTargetAndPrecision()
    {
        emulated["driver"] = 12020;
        using Device device = Device.Open("cuda", 0, Precision.Tf32);
        Assert.That(device.Description, Does.Contain("compute capability 8.0").And.Contain("CUDA 12.2").And.Contain("sm_80").And.Contain("tf32"));
        Assert.That(device.Precision, Is.EqualTo(Precision.Tf32));
    }

    [Test]
    public void TooMuchMemoryIsRefusedWithNumbers()
    {
        emulated["memory"] = 64 << 20;
        using Device device = Device.Open("cuda");
        using Tensor<byte> taken = device.Allocate<byte>(24 << 20);
        Assert.That(() => device.Allocate<float>(25 << 20),
            Throws.TypeOf<OutOfMemoryException>().With.Message.Contains("100.0 MiB were asked for").And.Message.Contains("40.0 MiB of 64.0 MiB are free"));
        using Tensor<byte> fits = device.Allocate<byte>(32 << 20);
        Assert.That(fits.ToArray().AsSpan().IndexOfAnyExcept((byte)0), Is.EqualTo(-1), "memory that is not zero");
    }

    [Test]
    public void PtxThatDoesNotCompileIsRefusedWithLogAndVersions()
    {
        emulated["driver"] = 12020;
        using var context = new CudaContext();
        byte[] broken = Encoding.UTF8.GetBytes(".version 7.0\n.target sm_80\n.address_size 64\n.visible .entry f( { nonsense }\n");
        Fails(() => context.LoadModulePTX("broken.ptx", broken), CudaError.InvalidPtx, "broken.ptx", "CUDA_ERROR_INVALID_PTX", "ISA version 7.0", "sm_80", "CUDA 12.2", "capability 8.0");
        byte[] late = Encoding.UTF8.GetBytes(".version 9.9\n.target sm_80\n.address_size 64\n");
        Fails(() => context.LoadModulePTX("late.ptx", late), CudaError.UnsupportedPtxVersion, "late.ptx", "ISA version 9.9", "update NVIDIA's driver", "Unsupported .version 9.9");
    }

    [Test]
    public void AnUnknownKernelIsNamed()
    {
        using var context = new CudaContext();
        using CudaModule module = context.LoadModulePTX("relu.ptx", ReluPtx());
        Fails(() => module.GetKernel("sigmoid_forward"), CudaError.NotFound, "no kernel sigmoid_forward in relu.ptx");
    }

    [TestCase(false)]
    [TestCase(true)]
    public void AFaultNamesTheKernelAndItsGeometry(bool synchronizeEachLaunch)
    {
        using var context = new CudaContext();
        using var stream = new CudaStream(context) { SynchronizeEachLaunch = synchronizeEachLaunch };
        using CudaModule module = context.LoadModulePTX("relu.ptx", ReluPtx());
        CudaKernel kernel = module.GetKernel("relu_forward");
        const ulong Nowhere = 4096;
        Assert.That(() =>
        {
            kernel.RunAsync(stream, 3, 256, 0, [Nowhere, Nowhere, 700]);
            stream.Synchronize();
        }, Throws.TypeOf<CudaException>().With.Message.Contains("relu_forward <<<3, 256>>>").And.Property(nameof(CudaException.IsKernelFault)).True);
    }

    [Test]
    public void ALaunchThatCannotBeIsRefusedAtOnce()
    {
        using var context = new CudaContext();
        using var stream = new CudaStream(context);
        using CudaModule module = context.LoadModulePTX("relu.ptx", ReluPtx());
        CudaKernel kernel = module.GetKernel("relu_forward");
        Assert.That(() => kernel.RunAsync(stream, 1, 2048, 0, [0, 0, 0]), Throws.TypeOf<CudaException>().With.Message.Contains("relu_forward <<<1, 2048>>>"));
        Assert.That(stream.Synchronize, Throws.Nothing);
    }

    internal static byte[] ReluPtx()
    {
        using Stream resource = typeof(Device).Assembly.GetManifestResourceStream("CudaL2Net.Kernels.relu.ptx")!;
        var ptx = new byte[resource.Length];
        resource.ReadExactly(ptx);
        return ptx;
    }

    private static void Fails(Action call, CudaError error, params string[] words)
    {
        CudaException? thrown = Assert.Throws<CudaException>(call);
        Assert.That(thrown!.Error, Is.EqualTo(error));
        foreach (string word in words)
        {
            Assert.That(thrown.Message, Does.Contain(word));
        }
    }
}
