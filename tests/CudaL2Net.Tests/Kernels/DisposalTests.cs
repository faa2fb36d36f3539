using CudaL2Net.Autograd;
using CudaL2Net.Kernels;
using CudaL2Net.Matching;
using CudaL2Net.Networks;
using CudaL2Net.Numerics;
using CudaL2Net.Tests.Networks;
using CudaL2Net.Tests.Reference;
using CudaL2Net.Tests.Training;

namespace CudaL2Net.Tests.Kernels;

/// <summary>The end of devices and of what lives on them, also in the middle of another thread's work: ObjectDisposedException, no fault, nothing hangs.</summary>
[TestFixture("cpu")]
[TestFixture("cuda", Category = "Cuda")]
public sealed class DisposalTests(string kind)
{
    private static readonly byte[] Pixels = TrainingData.Blobs(40, views: 1).Pixels;

    private static readonly DescriptorSet Descriptors = DescriptorSet.FromValues(Samples.UnitRows(1, 50, 32), 32);

    private static readonly ModelFile File = Untrained();

    private int Rounds => kind == "cpu" ? 30 : 12;

    private byte[] Patches => Pixels.AsSpan(0, (kind == "cpu" ? 16 : 2) * 1024).ToArray();

    [SetUp]
    public void RequireDriver()
    {
        if (kind != "cpu")
        {
            CudaDriver.Require();
        }
    }

    [Test]
    public void AfterTheDevicesEndEveryUseSaysSoAndEveryDisposalIsHarmless()
    {
        Device device = Open();
        var model = new PatchModel(File, device);
        Tensor<float> x = device.Upload<float>([1, -2]), y = device.Allocate<float>(2);
        var tape = new Tape(device);
        tape.Relu(tape.Input(x));
        var empty = new Tape(device);
        INetworkPlan plan = device.Kernels.Plan(TestNetworks.Fold(model.File));
        IReplay direct = device.Record(() => { }), recorded = device.Record(() => device.Kernels.ReluForward(x, y));
        recorded.Run();
        recorded.Run();
        Readback readback = device.CreateReadback(y);
        readback.Queue();
        DeviceTimer timer = device.CreateTimer();
        var search = new DescriptorSearch(device);
        model.Describe(Patches, 32);
        device.Dispose();
        device.Dispose();
        var values = new float[2];
        Assert.Multiple(() =>
        {
            Ended(() => model.Describe(Patches, 32));
            Ended(() => model.Describe([], 32));
            Ended(() => model.DescribeBinary(Patches, 32));
            Ended(() => model.Describe(TrainingData.Blobs(1)));
            Ended(() => plan.Describe([], [], 128));
            Ended(() => search.Nearest(Descriptors, Descriptors));
            Ended(() => search.Nearest(Descriptors, DescriptorSet.FromValues([], 32)));
            Ended(() => x.Write(values));
            Ended(() => x.Read(values));
            Ended(x.Clear);
            Ended(() => x.ToArray());
            Ended(tape.Forward);
            Ended(tape.Backward);
            Ended(empty.Forward);
            Ended(() => tape.Relu(tape.Input(x)));
            Ended(direct.Run);
            Ended(recorded.Run);
            Ended(readback.Queue);
            Ended(timer.Start);
            Ended(device.Synchronize);
            Ended(() => device.Allocate<float>(1));
            Ended(() => device.Upload<float>(values));
            Ended(() => new PatchModel(File, device));
        });
        IDisposable[] all = [model, tape, empty, plan, direct, recorded, readback, timer, x, y];
        Threads.Run(() =>
        {
            foreach (IDisposable one in all.Concat(all))
            {
                one.Dispose();
            }
        });
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }

    [Test]
    public void WhatHasEndedOnALivingDeviceSaysSo()
    {
        using Device device = Open();
        var model = new PatchModel(File, device);
        Tensor<float> x = device.Upload<float>([1, -2]), y = device.Allocate<float>(2);
        using var user = new Tape(device);
        user.Relu(user.Input(x));
        var tape = new Tape(device);
        IReplay direct = device.Record(() => { }), recorded = device.Record(() => device.Kernels.ReluForward(y, y));
        recorded.Run();
        IDisposable[] all = [model, tape, direct, recorded, x];
        Array.ForEach(all, one => one.Dispose());
        Array.ForEach(all, one => one.Dispose());
        Assert.Multiple(() =>
        {
            Ended(() => model.Describe(Patches, 32));
            Ended(() => model.Describe([], 32));
            Ended(() => model.DescribeBinary([], 32));
            Ended(() => model.Describe(TrainingData.Blobs(1)));
            Ended(x.Clear);
            Ended(() => x.ToArray());
            Ended(user.Forward);
            Ended(tape.Forward);
            Ended(tape.Backward);
            Ended(() => tape.Relu(tape.Input(y)));
            Ended(direct.Run);
            Ended(recorded.Run);
        });
        Assert.That(y.ToArray(), Has.All.Zero, "the device goes on");
        y.Dispose();
    }

    [Test]
    public void AModelEndsInTheMiddleOfDescriptions()
    {
        using Device device = Open();
        for (int round = 0; round < Rounds; round++)
        {
            var model = new PatchModel(File, device);
            Action wait = Threads.Start(
                () => UntilEnded(() => model.Describe(Patches, 32)),
                () => UntilEnded(() => model.DescribeBinary(Patches, 32)),
                () => UntilEnded(() => model.Describe(Patches, 32)));
            Pause(round);
            model.Dispose();
            wait();
        }

        using var next = new PatchModel(File, device);
        Assert.That(next.Describe(Patches, 32), Has.Some.Not.Zero);
    }

    [Test]
    public void ALongDescriptionIsEndedInItsMiddle()
    {
        using Device device = Open();
        if (device is CudaL2Net.Kernels.Cuda.CudaDevice cuda)
        {
            cuda.PlanBlock = 2;
        }

        // More than could be described within the limit of a test.
        byte[] patches = new byte[200_000 * 1024];
        var model = new PatchModel(File, device);
        Action wait = Threads.Start(() => Ended(() => model.Describe(patches, 32)));
        Thread.Sleep(100);
        model.Dispose();
        wait();
        using var other = new PatchModel(File, device);
        wait = Threads.Start(() => Ended(() => other.Describe(patches, 32)));
        Thread.Sleep(100);
        device.Dispose();
        wait();
    }

    [Test]
    public void ADeviceEndsInTheMiddleOfEverything()
    {
        for (int round = 0; round < Rounds; round++)
        {
            Device device = Open();
            var model = new PatchModel(File, device);
            var search = new DescriptorSearch(device);
            Tensor<float> x = device.Upload<float>(Samples.Gaussian(1, 1000), 10, 100), y = device.Allocate<float>(1000);
            var tape = new Tape(device);
            tape.DistanceSoftmax(tape.Relu(tape.Parameter(x)));
            IReplay replay = device.Record(() =>
            {
                tape.Forward();
                tape.Backward();
            });
            Action wait = Threads.Start(
                () => UntilEnded(() => model.Describe(Patches, 32)),
                () => UntilEnded(() => search.Nearest(Descriptors, Descriptors)),
                () => UntilEnded(() => Finish(device, replay.Run)),
                () => UntilEnded(() => device.Allocate<float>(1000)),
                () => UntilEnded(() => y.Write(x.ToArray())));
            Pause(round);
            Threads.Run(device.Dispose, GC.Collect);
            wait();
            replay.Dispose();
            tape.Dispose();
            model.Dispose();
            x.Dispose();
            y.Dispose();
        }
    }

    [Test]
    public void TensorsEndWhileATapeUsesThem()
    {
        using Device device = Open();
        for (int round = 0; round < Rounds; round++)
        {
            // Large enough that memory is really given back to the system.
            Tensor<float> large = device.Allocate<float>(4, 50_000);
            var tape = new Tape(device);
            tape.DistanceSoftmax(tape.Relu(tape.Parameter(large)));
            Action wait = Threads.Start(
                () => UntilEnded(() => Finish(device, tape.Forward)),
                () => UntilEnded(() => Finish(device, tape.Backward)));
            Pause(round);
            if (round % 2 == 0)
            {
                large.Dispose();
            }
            else
            {
                tape.Dispose();
            }

            wait();
            tape.Dispose();
            large.Dispose();
        }
    }

    [Test]
    public void ADeviceThatEndsInsideItsOwnWorkEndsAfterIt()
    {
        Device device = Open();
        Tensor<float> x = device.Upload<float>([1, -2]), y = device.Allocate<float>(2);
        using IReplay replay = device.Record(() =>
        {
            device.Dispose();
            device.Kernels.ReluForward(x, y);
        });
        Threads.Run(replay.Run);
        Ended(replay.Run);
        x.Dispose();
        y.Dispose();
    }

    private static void Ended(Action use) => Assert.That(use, Throws.TypeOf<ObjectDisposedException>());

    // Otherwise thousands of steps would wait in the queue.
    private static void Finish(Device device, Action work)
    {
        work();
        device.Synchronize();
    }

    /// <summary>Goes on until it is told that something has ended.</summary>
    private static void UntilEnded(Action use)
    {
        try
        {
            while (true)
            {
                use();
            }
        }
        catch (ObjectDisposedException)
        {
        }
    }

    /// <summary>Another part of a millisecond, or a few, in each round.</summary>
    private static void Pause(int round)
    {
        var random = new PhiloxStream(1, DrawPurpose.Evaluation, (uint)round);
        Thread.SpinWait(random.Next(20_000));
        Thread.Sleep(random.Next(4));
    }

    private static ModelFile Untrained()
    {
        using Device device = Device.Open("cpu", threads: 1);
        using PatchModel model = PatchModel.CreateRandom(TestNetworks.L2Net, 1, device);
        return model.File;
    }

    private Device Open() => Device.Open(kind, threads: 2);
}
