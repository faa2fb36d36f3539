using System.Runtime.CompilerServices;
using CudaL2Net.Interop;
using CudaL2Net.Kernels;
using CudaL2Net.Kernels.Cuda;
using CudaL2Net.Numerics;

namespace CudaL2Net.Tests.Interop;

/// <summary>Handles and memory: nothing is lost, whatever the order.</summary>
[Category("Cuda")]
public sealed class CudaLifetimeTests
{
    private static readonly string[] Kinds = ["contexts", "streams", "events", "modules", "graphs", "executables", "allocations", "pinned", "bytes"];

    private EmulatedDevice emulated = null!;
    private long[] before = [];

    [SetUp]
    public void RequireEmulator()
    {
        emulated = new EmulatedDevice();
        Collect();
        before = Array.ConvertAll(Kinds, kind => emulated[kind]);
    }

    [TearDown]
    public void NothingIsLeft()
    {
        Collect();
        emulated.Dispose();
        Assert.Multiple(() =>
        {
            foreach ((string kind, long count) in Kinds.Zip(before))
            {
                Assert.That(emulated[kind], Is.EqualTo(count), kind);
            }
        });
    }

    [Test]
    public void ADeviceWithoutMemoryPoolsAllocatesOtherwise()
    {
        emulated["pools"] = 0;
        using Device device = Device.Open("cuda");
        using Tensor<float> x = device.Upload<float>([1, -2, 3]), y = device.Allocate<float>(3);
        device.Kernels.ReluForward(x, y);
        Assert.That(y.ToArray(), Is.EqualTo(new float[] { 1, 0, 3 }));
        Assert.That(device.FreeMemory(), Is.Positive);
    }

    [Test]
    public unsafe void AnyOrderOfDisposalIsSafe()
    {
        var random = new PhiloxStream(1, DrawPurpose.Evaluation, 0);
        for (int round = 0; round < 60; round++)
        {
            var context = new CudaContext();
            var stream = new CudaStream(context);
            CudaModule module = context.LoadModulePTX("relu.ptx", CudaErrorTests.ReluPtx());
            var done = new CudaEvent(context);
            var pinned = new CudaPageLockedHostMemory<float>(context, 300);
            CudaDeviceVariable<float> x = new(stream, 300), y = new(stream, 300);
            x.Memset(0);
            stream.BeginCapture();
            module.GetKernel("relu_forward").RunAsync(stream, 2, 256, 0, [(ulong)x.DevicePointer, (ulong)y.DevicePointer, 300]);
            CudaGraph graph = stream.EndCapture();
            CudaGraphExec executable = graph.Instantiate();
            executable.Launch(stream);
            stream.CopyToHostAsync(pinned.Pointer, y.DevicePointer, 300 * sizeof(float));
            done.Record(stream);
            stream.Synchronize();
            IDisposable[] all = [context, stream, module, done, pinned, x, y, graph, executable];
            for (int left = all.Length; left > 0; left--)
            {
                int next = random.Next(left);
                all[next].Dispose();
                all[next].Dispose();
                all[next] = all[left - 1];
            }

            Assert.That(emulated["contexts"], Is.Zero);
        }
    }

    [Test]
    public void WhatIsUsedAfterItsEndSaysSo()
    {
        var context = new CudaContext();
        var stream = new CudaStream(context);
        var memory = new CudaDeviceVariable<int>(stream, 4);
        context.Dispose();
        memory.Dispose();
        Assert.That(() => memory.DevicePointer, Throws.TypeOf<ObjectDisposedException>());
        stream.Dispose();
        Assert.That(stream.Synchronize, Throws.TypeOf<ObjectDisposedException>());
        Assert.That(() => new CudaStream(context), Throws.TypeOf<ObjectDisposedException>());
    }

    [Test]
    public void ATensorMayOutliveItsDevice()
    {
        Tensor<float> tensor;
        using (Device device = Device.Open("cuda"))
        {
            tensor = device.Allocate<float>(1000);
        }

        Assert.That(emulated["allocations"], Is.EqualTo(1));
        tensor.Dispose();
        Assert.That(emulated["contexts"], Is.Zero);
    }

    [Test]
    public void ForgottenTensorsAreFreedByTheirFinalizers()
    {
        using Device device = Device.Open("cuda");
        Forget(device);
        Collect();
        device.Synchronize();
        Assert.That(emulated["allocations"], Is.Zero);
    }

    [Test]
    public void WhatIsFreedWhileAStepIsRecordedIsFreedAfterIt()
    {
        using var device = (CudaDevice)Device.Open("cuda");
        using Tensor<float> x = device.Upload<float>([-1, 2, -3]), y = device.Allocate<float>(3);
        Tensor<float> other = device.Allocate<float>(1000);
        int runs = 0;
        using IReplay replay = device.Record(() =>
        {
            device.ReluForward(x, y);
            if (++runs == 2)
            {
                var thread = new Thread(other.Dispose);
                thread.Start();
                thread.Join();
            }
        });
        replay.Run();
        replay.Run();
        Assert.That(y.ToArray(), Is.EqualTo(new float[] { 0, 2, 0 }));
        Assert.That(emulated["allocations"], Is.EqualTo(2));
    }

    [Test]
    public void ARecordedStepMayNotAllocateAndTheDeviceGoesOn()
    {
        using var device = (CudaDevice)Device.Open("cuda");
        using Tensor<float> x = device.Upload<float>([-1, 2, -3]), y = device.Allocate<float>(3);
        int runs = 0;
        using IReplay replay = device.Record(() =>
        {
            device.ReluForward(x, y);
            if (++runs == 2)
            {
                device.Allocate<float>(4);
            }
        });
        replay.Run();
        Assert.That(replay.Run, Throws.InvalidOperationException.With.Message.Contains("recorded"));
        device.ReluForward(x, y);
        Assert.That(y.ToArray(), Is.EqualTo(new float[] { 0, 2, 0 }));
    }

    [Test]
    public void TenThousandStepsLeaveNothingBehind()
    {
        using var device = (CudaDevice)Device.Open("cuda");
        using Tensor<float> x = device.Upload<float>(new float[64]), y = device.Allocate<float>(64);
        using Readback readback = device.CreateReadback(y);
        using IReplay replay = device.Record(() => device.ReluForward(x, y));
        long bytes = 0, allocations = 0, managed = 0;
        for (int step = 0; step < 10_000; step++)
        {
            replay.Run();
            using (device.Allocate<float>(1 + (step % 1000)))
            {
                device.ReluBackward(x, y, y);
            }

            if (step % 100 == 0)
            {
                readback.Queue();
                readback.Take();
            }

            if (step == 1000)
            {
                device.Synchronize();
                (bytes, allocations, managed) = (emulated["bytes"], emulated["allocations"], GC.GetTotalMemory(forceFullCollection: true));
            }
        }

        device.Synchronize();
        Assert.That((emulated["bytes"], emulated["allocations"]), Is.EqualTo((bytes, allocations)));
        Assert.That(GC.GetTotalMemory(forceFullCollection: true), Is.LessThan(managed + 100_000));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Forget(Device device)
    {
        for (int i = 0; i < 10; i++)
        {
            _ = device.Allocate<float>(100);
        }
    }

    private static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }
}
