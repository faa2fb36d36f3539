using CudaL2Net.Interop;

namespace CudaL2Net.Tests.Emulator;

/// <summary>The emulated driver behaves as the CUDA Driver API's documentation says of the real one, where it matters to this library.</summary>
[Category("Cuda")]
public sealed unsafe class EmulatedDriverTests
{
    private const CudaError InvalidContext = (CudaError)201, CaptureUnsupported = (CudaError)900, CaptureInvalidated = (CudaError)901, Isolation = (CudaError)905;

    [Test]
    public void WorkIsDoneWhenItIsWaitedFor()
    {
        using var device = new EmulatedDevice();
        nint y = device.Allocate(128);
        float* host = device.AllocatePinned(128);
        host[0] = -1;
        EmulatedDevice.Succeed(device.Launch(device.Kernel("faultless"), y));
        EmulatedDevice.Succeed(Driver.cuMemcpyDtoHAsync_v2(host, y, 512, device.Stream));
        Assert.That(host[0], Is.EqualTo(-1f), "nobody has waited");
        EmulatedDevice.Succeed(device.Synchronize());
        Assert.That(host[0], Is.EqualTo(2f));
    }

    [Test]
    public void ACopyFromPinnedMemoryReadsItWhenItIsDone()
    {
        using var device = new EmulatedDevice();
        nint y = device.Allocate(4);
        float* host = device.AllocatePinned(4);
        host[0] = 1;
        EmulatedDevice.Succeed(Driver.cuMemcpyHtoDAsync_v2(y, host, 16, device.Stream));
        host[0] = 2;
        Assert.That(device.Read(y, 1)[0], Is.EqualTo(2f), "overwritten before the copy was waited for");
        float own = 3;
        EmulatedDevice.Succeed(Driver.cuMemcpyHtoDAsync_v2(y, &own, 4, device.Stream));
        own = 4;
        Assert.That(device.Read(y, 1)[0], Is.EqualTo(3f), "pageable memory is read during the call");
    }

    [TestCase(true)]
    [TestCase(false)]
    public void StreamsAreOrderedByEventsOnly(bool wait)
    {
        using var device = new EmulatedDevice();
        nint y = device.Allocate(4), other = device.NewStream(), done;
        float* host = device.AllocatePinned(4);
        EmulatedDevice.Succeed(Driver.cuEventCreate(&done, 2));
        EmulatedDevice.Succeed(Driver.cuMemsetD8Async(y, 0, 16, device.Stream));
        EmulatedDevice.Succeed(Driver.cuEventRecord(done, device.Stream));
        if (wait)
        {
            EmulatedDevice.Succeed(Driver.cuStreamWaitEvent(other, done, 0));
        }

        EmulatedDevice.Succeed(Driver.cuMemcpyDtoHAsync_v2(host, y, 16, other));
        EmulatedDevice.Succeed(Driver.cuStreamSynchronize(other));
        Assert.That(host[0], wait ? Is.Zero : Is.NaN);
    }

    [Test]
    public void AnEventThatIsAskedAgainAndAgainIsReached()
    {
        using var device = new EmulatedDevice();
        nint y = device.Allocate(4), done;
        EmulatedDevice.Succeed(Driver.cuEventCreate(&done, 2));
        EmulatedDevice.Succeed(Driver.cuMemsetD8Async(y, 0, 16, device.Stream));
        EmulatedDevice.Succeed(Driver.cuEventRecord(done, device.Stream));
        Assert.That(Driver.cuEventQuery(done), Is.EqualTo(CudaError.NotReady));
        int questions = 0;
        while (Driver.cuEventQuery(done) == CudaError.NotReady)
        {
            Assert.That(++questions, Is.LessThan(10));
        }
    }

    [Test]
    public void ACaptureRecordsAndAGraphRepeats()
    {
        using var device = new EmulatedDevice();
        nint y = device.Allocate(128), kernel = device.Kernel("faultless"), graph, executable;
        long launches = EmulatedDevice.Get("launches");
        EmulatedDevice.Succeed(Driver.cuStreamBeginCapture_v2(device.Stream, 1));
        EmulatedDevice.Succeed(device.Launch(kernel, y));
        EmulatedDevice.Succeed(Driver.cuStreamEndCapture(device.Stream, &graph));
        EmulatedDevice.Succeed(device.Synchronize());
        Assert.That(EmulatedDevice.Get("launches"), Is.EqualTo(launches), "recorded, not run");
        nuint nodes;
        EmulatedDevice.Succeed(Driver.cuGraphGetNodes(graph, null, &nodes));
        Assert.That(nodes, Is.EqualTo((nuint)1));
        EmulatedDevice.Succeed(Driver.cuGraphInstantiateWithFlags(&executable, graph, 0));
        EmulatedDevice.Succeed(Driver.cuGraphDestroy(graph));
        EmulatedDevice.Succeed(Driver.cuGraphLaunch(executable, device.Stream));
        EmulatedDevice.Succeed(Driver.cuGraphLaunch(executable, device.Stream));
        Assert.That(device.Read(y, 1)[0], Is.EqualTo(2f));
        Assert.That(EmulatedDevice.Get("launches"), Is.EqualTo(launches + 2));
        EmulatedDevice.Succeed(Driver.cuGraphExecDestroy(executable));
    }

    [Test]
    public void AGraphThatNamesFreedMemoryIsAFault()
    {
        using var device = new EmulatedDevice();
        nint y = device.Allocate(128), kernel = device.Kernel("faultless"), graph, executable;
        EmulatedDevice.Succeed(Driver.cuStreamBeginCapture_v2(device.Stream, 1));
        EmulatedDevice.Succeed(device.Launch(kernel, y));
        EmulatedDevice.Succeed(Driver.cuStreamEndCapture(device.Stream, &graph));
        EmulatedDevice.Succeed(Driver.cuGraphInstantiateWithFlags(&executable, graph, 0));
        EmulatedDevice.Succeed(Driver.cuMemFreeAsync(y, device.Stream));
        EmulatedDevice.Succeed(Driver.cuGraphLaunch(executable, device.Stream));
        Assert.That(device.Synchronize(), Is.EqualTo(CudaError.IllegalAddress));
        Assert.That(EmulatedDevice.Report, Does.Contain("argument 0").And.Contain("freed"));
    }

    [Test]
    public void WaitingInACaptureInvalidatesIt()
    {
        using var device = new EmulatedDevice();
        nint graph, y = device.Allocate(128), kernel = device.Kernel("faultless");
        EmulatedDevice.Succeed(Driver.cuStreamBeginCapture_v2(device.Stream, 1));
        Assert.That(device.Synchronize(), Is.EqualTo(CaptureUnsupported));
        Assert.That(device.Launch(kernel, y), Is.EqualTo(CaptureInvalidated));
        Assert.That(Driver.cuStreamEndCapture(device.Stream, &graph), Is.EqualTo(CaptureInvalidated));
        Assert.That(graph, Is.EqualTo((nint)0));
        EmulatedDevice.Succeed(device.Synchronize());
    }

    [Test]
    public void ACaptureAllocatesNothingAndWaitsForNothingOutside()
    {
        using var device = new EmulatedDevice();
        nint graph, pointer, done;
        EmulatedDevice.Succeed(Driver.cuEventCreate(&done, 2));
        EmulatedDevice.Succeed(Driver.cuEventRecord(done, device.NewStream()));
        EmulatedDevice.Succeed(Driver.cuStreamBeginCapture_v2(device.Stream, 1));
        Assert.That(Driver.cuStreamWaitEvent(device.Stream, done, 0), Is.EqualTo(Isolation));
        Assert.That(Driver.cuMemAllocAsync(&pointer, 64, device.Stream), Is.EqualTo(CaptureUnsupported));
        Assert.That(Driver.cuStreamEndCapture(device.Stream, &graph), Is.EqualTo(CaptureInvalidated));
    }

    [Test]
    public void MemoryIsAccountedFor()
    {
        long before = EmulatedAllocations();
        using (var device = new EmulatedDevice())
        {
            nint y = device.Allocate(1000);
            nuint free, total;
            EmulatedDevice.Succeed(Driver.cuMemGetInfo_v2(&free, &total));
            Assert.That(total - free, Is.EqualTo((nuint)4000));
            Assert.That(device.Read(y, 1000), Is.All.NaN, "nobody has written it");
            EmulatedDevice.Succeed(Driver.cuMemFreeAsync(y, device.Stream));
            Assert.That(Driver.cuMemFreeAsync(y, device.Stream), Is.EqualTo(CudaError.InvalidValue), "freed twice");
            Assert.That(EmulatedDevice.Report, Does.Contain("twice"));
            Assert.That(Driver.cuMemsetD8Async(y, 0, 4, device.Stream), Is.EqualTo(CudaError.InvalidValue), "used after it was freed");
            nint z = device.Allocate(1);
            Assert.That(Driver.cuMemsetD8Async(z, 0, 5, device.Stream), Is.EqualTo(CudaError.InvalidValue), "one byte too many");
        }

        Assert.That(EmulatedDevice.Get("leaks"), Is.EqualTo(1));
        Assert.That(EmulatedAllocations(), Is.EqualTo(before));

        static long EmulatedAllocations()
        {
            EmulatedDevice.RequireEmulator();
            return EmulatedDevice.Get("allocations");
        }
    }

    [Test]
    public void MemoryCanRunOut()
    {
        using var device = new EmulatedDevice();
        long memory = EmulatedDevice.Get("memory");
        try
        {
            EmulatedDevice.Set("memory", 1 << 20);
            nint first, second;
            EmulatedDevice.Succeed(Driver.cuMemAllocAsync(&first, 700_000, device.Stream));
            Assert.That(Driver.cuMemAllocAsync(&second, 700_000, device.Stream), Is.EqualTo(CudaError.OutOfMemory));
            EmulatedDevice.Succeed(Driver.cuMemFreeAsync(first, device.Stream));
            EmulatedDevice.Succeed(Driver.cuMemAllocAsync(&second, 700_000, device.Stream));
        }
        finally
        {
            EmulatedDevice.Set("memory", memory);
        }
    }

    [Test]
    public void PtxIsReadBeforeItIsTaken()
    {
        using var device = new EmulatedDevice();
        Assert.That(device.TryLoad("no kernels here\0"u8.ToArray(), out _, out string log), Is.EqualTo(CudaError.InvalidPtx));
        Assert.That(log, Does.Contain(".version"));
        Assert.That(device.TryLoad(EmulatedDevice.Ptx("faultless", version: "9.9"), out _, out log), Is.EqualTo(CudaError.UnsupportedPtxVersion));
        Assert.That(log, Does.Contain("Unsupported .version 9.9"));
        Assert.That(device.TryLoad(EmulatedDevice.Ptx("faultless", version: "8.0", target: "sm_90a"), out _, out log), Is.EqualTo(CudaError.InvalidPtx));
        EmulatedDevice.Succeed(device.TryLoad(EmulatedDevice.Ptx("faultless"), out nint module, out log));
        nint function;
        Assert.That(Driver.cuModuleGetFunction(&function, module, "another"), Is.EqualTo(CudaError.NotFound));
        EmulatedDevice.Succeed(Driver.cuModuleGetFunction(&function, module, "faultless"));
        EmulatedDevice.Succeed(Driver.cuModuleUnload(module));
    }

    [Test]
    public void AnOldDriverAndAnOldDeviceRefuseNewPtx()
    {
        using var device = new EmulatedDevice();
        long driver = EmulatedDevice.Get("driver"), compute = EmulatedDevice.Get("compute");
        try
        {
            EmulatedDevice.Set("driver", 11040);
            Assert.That(device.TryLoad(EmulatedDevice.Ptx("faultless", version: "7.5"), out _, out _), Is.EqualTo(CudaError.UnsupportedPtxVersion));
            EmulatedDevice.Succeed(device.TryLoad(EmulatedDevice.Ptx("faultless", version: "7.4"), out _, out _));
            EmulatedDevice.Set("compute", 75);
            Assert.That(device.TryLoad(EmulatedDevice.Ptx("faultless"), out _, out string log), Is.EqualTo(CudaError.InvalidPtx));
            Assert.That(log, Does.Contain("sm_75"));
        }
        finally
        {
            EmulatedDevice.Set("driver", driver);
            EmulatedDevice.Set("compute", compute);
        }
    }

    [Test]
    public void LaunchesHaveLimits()
    {
        const int MaxDynamicShared = 8;
        using var device = new EmulatedDevice();
        nint y = device.Allocate(128), kernel = device.Kernel("faultless", ".maxntid 128, 1, 1");
        Assert.That(device.Launch(kernel, y, threads: 2048), Is.EqualTo(CudaError.InvalidValue));
        Assert.That(device.Launch(kernel, y, threads: 0), Is.EqualTo(CudaError.InvalidValue));
        Assert.That(device.Launch(kernel, y, threads: 256), Is.EqualTo(CudaError.LaunchOutOfResources));
        Assert.That(device.Launch(kernel, y, sharedBytes: 60_000), Is.EqualTo(CudaError.InvalidValue), "more than 48 KB must be asked for");
        EmulatedDevice.Succeed(Driver.cuFuncSetAttribute(kernel, MaxDynamicShared, 60_000));
        EmulatedDevice.Succeed(device.Launch(kernel, y, sharedBytes: 60_000));
        Assert.That(Driver.cuFuncSetAttribute(kernel, MaxDynamicShared, 200_000), Is.EqualTo(CudaError.InvalidValue), "more than a block can have");
        EmulatedDevice.Succeed(device.Synchronize());
    }

    [Test]
    public void AThreadWithoutAContextCanDoNothing()
    {
        using var device = new EmulatedDevice();
        CudaError result = CudaError.Success;
        var thread = new Thread(() =>
        {
            nint pointer;
            result = Driver.cuMemAllocAsync(&pointer, 64, device.Stream);
        });
        thread.Start();
        thread.Join();
        Assert.That(result, Is.EqualTo(InvalidContext));
    }
}
