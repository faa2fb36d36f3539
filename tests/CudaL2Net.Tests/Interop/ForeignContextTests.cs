using CudaL2Net.Interop;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using CudaL2Net.Tests.Networks;
using CudaL2Net.Tests.Training;
using CudaL2Net.Training;

namespace CudaL2Net.Tests.Interop;

/// <summary>A device in a context and on a stream that another program has made: nothing of theirs is waited for, changed or destroyed.</summary>
[Category("Cuda")]
public sealed class ForeignContextTests
{
    private static readonly string[] Kinds = ["contexts", "streams", "events", "modules", "allocations", "pinned"];

    private readonly byte[] patches = TrainingData.Blobs(3, views: 1).Pixels;
    private EmulatedDevice emulated = null!;
    private long[] before = [];
    private ForeignContext theirs = null!, other = null!;

    [SetUp]
    public void MakeContexts()
    {
        emulated = new EmulatedDevice();
        GC.Collect();
        GC.WaitForPendingFinalizers();

        // What earlier tests have left may be gone.
        ForeignContext.Current = 0;
        (theirs, other) = (new ForeignContext(), new ForeignContext());
        ForeignContext.Current = other.Context;
        before = Array.ConvertAll(Kinds, kind => emulated[kind]);
    }

    [TearDown]
    public void TheirsIsAsItWas()
    {
        Assert.That(ForeignContext.Current, Is.EqualTo(other.Context), "the context that was current");
        theirs.Read<byte>(0, 0);
        Assert.That(Array.ConvertAll(Kinds, kind => emulated[kind]), Is.EqualTo(before), string.Join(", ", Kinds));
        ForeignContext.Current = 0;
        theirs.Dispose();
        other.Dispose();
        emulated.Dispose();
    }

    [Test]
    public void PatchesOnTheDeviceAreDescribedOnTheStreamWithoutWaiting([Values(Precision.Float32, Precision.Bf16)] Precision precision)
    {
        // The multiprocessor of an A100 has room for the kernel of the whole tower.
        emulated["compute"] = 80;
        nint input = theirs.Allocate<byte>(patches.Length, patches), output = theirs.Allocate<float>(3 * 128), bits = theirs.Allocate<byte>(3 * 16);
        using (Device device = Device.OpenCuda(CudaStream.FromHandle(theirs.Stream), precision))
        using (PatchModel model = PatchModel.LoadDefault(device))
        {
            long waits = emulated["waits"], launches = emulated["launches"];
            using Tensor<byte> pixels = device.Wrap<byte>(input, 3, 32, 32), signs = device.Wrap<byte>(bits, 3, 16);
            using Tensor<float> descriptors = device.Wrap<float>(output, 3, 128);
            model.Describe(pixels, descriptors);
            model.DescribeBinary(pixels, signs);
            Assert.That((emulated["waits"], emulated["launches"]), Is.EqualTo((waits, launches)), "nothing was waited for, so nothing has run");
            Assert.That(emulated["pending"], Is.GreaterThan(1));
            Assert.That(ForeignContext.Current, Is.EqualTo(other.Context));
            Assert.That(descriptors.DevicePointer, Is.EqualTo(output));
        }

        using Device own = Device.Open("cuda", precision: precision);
        using PatchModel same = PatchModel.LoadDefault(own);
        Assert.That(theirs.Read<float>(output, 3 * 128), Is.EqualTo(same.Describe(patches, 32)));
        Assert.That(theirs.Read<byte>(bits, 3 * 16), Is.EqualTo(same.DescribeBinary(patches, 32)));
        Array.ForEach([input, output, bits], theirs.Free);
    }

    [Test]
    public void TheDefaultStreamOfAContextIsTakenToo()
    {
        nint input = theirs.Allocate<byte>(patches.Length, patches);
        theirs.Read<byte>(input, 1);
        CudaContext context = CudaContext.FromHandle(theirs.Context);
        using (Device device = Device.OpenCuda(CudaStream.FromHandle(0, context)))
        using (PatchModel model = PatchModel.CreateRandom(TestNetworks.Small, 1, device))
        using (Tensor<byte> pixels = device.Wrap<byte>(input, 3, 32, 32))
        using (Tensor<float> descriptors = device.Allocate<float>(3, model.Dimension))
        {
            model.Describe(pixels, descriptors);
            Assert.That(descriptors.ToArray(), Is.EqualTo(model.Describe(patches, 32)));
        }

        theirs.Free(input);
    }

    [Test]
    public void AnOwnDeviceLeavesWhatIsCurrentAsItWasToo()
    {
        using Device device = Device.Open("cuda");
        Assert.That(ForeignContext.Current, Is.EqualTo(other.Context));
        using Tensor<float> x = device.Upload<float>([1, 2]);
        Assert.That(ForeignContext.Current, Is.EqualTo(other.Context));
        Assert.That(() => device.Wrap<float>(8, 2), Throws.ArgumentException);
        Assert.That(ForeignContext.Current, Is.EqualTo(other.Context));
        x.Dispose();
        device.Dispose();
        Assert.That(ForeignContext.Current, Is.EqualTo(other.Context));
    }

    [Test]
    public void RecordedWorkIsQueuedAnewEachTime()
    {
        using Device device = Device.OpenCuda(CudaStream.FromHandle(theirs.Stream));
        using Tensor<float> x = device.Upload<float>([-1, 2, -3]), y = device.Allocate<float>(3);
        long graphs = emulated["graphLaunches"];
        using IReplay replay = device.Record(() => device.Kernels.ReluForward(x, y));
        for (int i = 0; i < 3; i++)
        {
            replay.Run();
        }

        Assert.That(y.ToArray(), Is.EqualTo(new float[] { 0, 2, 0 }));
        Assert.That(emulated["graphLaunches"], Is.EqualTo(graphs));
    }

    [Test]
    public void ATrainingOnTheirStreamHasTheBitsOfOneOnAnOwnDevice()
    {
        byte[] Train(Device device)
        {
            using var trainer = new Trainer(TrainedModels.Options(TestNetworks.Small, 4), TrainingData.Blobs(8), TrainingData.Blobs(4), device);
            return trainer.Run().Model.ToBytes();
        }

        using Device own = Device.Open("cuda"), device = Device.OpenCuda(CudaStream.FromHandle(theirs.Stream));
        Assert.That(Train(device), Same.As(Train(own)));
    }

    [Test]
    public void MemoryThatIsNotTheDevicesIsRefused()
    {
        nint memory = theirs.Allocate<float>(8, new float[8]), elsewhere;
        emulated["devices"] = 2;
        using (var second = new CudaContext(1))
        using (var stream = new CudaStream(second))
        using (var variable = new CudaDeviceVariable<float>(stream, 8))
        {
            elsewhere = variable.DevicePointer;
            ForeignContext.Current = other.Context;
            using Device device = Device.OpenCuda(CudaStream.FromHandle(theirs.Stream));
            Fails(() => device.Wrap<float>(0, 2), "0x0", "multiple of 16");
            Fails(() => device.Wrap<float>(memory + 4, 1), "multiple of 16");
            Fails(() => device.Wrap<float>(elsewhere, 8), "memory of another GPU than cuda:0");
            Fails(() => device.Wrap<float>(4096, 8), "no memory that CUDA has allocated");
            Assert.That(device.Wrap<float>(0, 0).Length, Is.Zero);
            using (PatchModel model = PatchModel.CreateRandom(TestNetworks.Small, 1, device))
            using (Tensor<byte> pixels = device.Allocate<byte>(2, 32, 32))
            using (Tensor<float> three = device.Allocate<float>(3, 32))
            using (Device cpu = Device.Open("cpu"))
            using (Tensor<float> onCpu = cpu.Allocate<float>(2, 32))
            {
                Fails(() => model.Describe(pixels, three), "[2, 32, 32] and results [3, 32]", "[n, 32]");
                Fails(() => model.Describe(pixels, onCpu), "results on cpu");
            }

            device.Dispose();
            variable.Dispose();
            ForeignContext.Current = other.Context;
        }

        ForeignContext.Current = other.Context;
        theirs.Free(memory);

        static void Fails(Action call, params string[] words)
        {
            string text = Assert.Throws<ArgumentException>(() => call())!.Message;
            Assert.Multiple(() => Array.ForEach(words, word => Assert.That(text, Does.Contain(word))));
        }
    }

    [Test]
    public void AStreamOfAnotherContextAndNoContextAreRefused()
    {
        CudaContext context = CudaContext.FromCurrent();
        Assert.That((context.NativeHandle, context.DeviceId), Is.EqualTo((other.Context, 0)));
        Assert.That(() => CudaStream.FromHandle(theirs.Stream, context), Throws.TypeOf<CudaException>().With.Message.Contains("another context"));
        Assert.That(CudaStream.FromHandle(theirs.Stream).Context.NativeHandle, Is.EqualTo(theirs.Context));
        Assert.That(() => CudaContext.FromHandle(0), Throws.ArgumentException.With.Message.Contains("is 0"));
        CudaStream gone = CudaStream.FromHandle(theirs.Stream);
        gone.Dispose();
        Assert.That(() => Device.OpenCuda(gone), Throws.TypeOf<ObjectDisposedException>());
        ForeignContext.Current = 0;
        Assert.That(CudaContext.FromCurrent, Throws.TypeOf<CudaException>().With.Property(nameof(CudaException.Error)).EqualTo(CudaError.InvalidContext));
        ForeignContext.Current = other.Context;
    }

    [Test]
    public void TheirVariablesAreReadAndNotFreed()
    {
        nint memory = theirs.Allocate<float>(3, [1, 2, 3]);
        CudaStream stream = CudaStream.FromHandle(theirs.Stream);
        Assert.That(stream.NativeHandle, Is.EqualTo(theirs.Stream));
        using (var variable = new CudaDeviceVariable<float>(stream, memory, 3))
        {
            var values = new float[3];
            variable.CopyToHost(values);
            Assert.That(values, Is.EqualTo(new float[] { 1, 2, 3 }));
        }

        stream.Dispose();
        ForeignContext.Current = other.Context;
        theirs.Free(memory);
    }
}
