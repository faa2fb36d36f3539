using CudaL2Net.Autograd;
using CudaL2Net.Kernels;
using CudaL2Net.Matching;
using CudaL2Net.Networks;
using CudaL2Net.Tests.Networks;
using CudaL2Net.Tests.Reference;
using CudaL2Net.Tests.Training;
using CudaL2Net.Training;

namespace CudaL2Net.Tests.Kernels;

/// <summary>One device used by several threads: the results are those of one thread, to the bit.</summary>
[TestFixture("cpu")]
[TestFixture("cuda", Category = "Cuda")]
public sealed class SharedDeviceTests(string kind)
{
    private const int Users = 8;

    private static readonly byte[] Pixels = TrainingData.Blobs(40, views: 1).Pixels;

    private Device device = null!;

    // On the emulated device a patch takes milliseconds.
    private int PatchesPerCall => kind == "cpu" ? 12 : 1;

    private int RoundsOfUser => kind == "cpu" ? 4 : 1;

    [SetUp]
    public void Open()
    {
        if (kind != "cpu")
        {
            CudaDriver.Require();
        }

        device = Device.Open(kind, threads: 2);
    }

    [TearDown]
    public void Close() => device?.Dispose();

    [TestCase(1)]
    [TestCase(2)]
    public void ModelsDescribeAsFromOneThread(int models)
    {
        PatchModel[] networks = [.. Enumerable.Range(1, models).Select(seed => PatchModel.CreateRandom(TestNetworks.L2Net, (ulong)seed, device))];
        Array[] expected = [.. Enumerable.Range(0, Users).Select(Describe)];
        Threads.Run(Users, i =>
        {
            for (int round = 0; round < RoundsOfUser; round++)
            {
                Assert.That(Describe(i), Is.EqualTo(expected[i]), "other bits than from one thread");
            }
        });
        Array.ForEach(networks, network => network.Dispose());

        // Half of the users of each model ask for values, the others for bits.
        Array Describe(int user)
        {
            PatchModel network = networks[user % models];
            return user / models % 2 == 0 ? network.Describe(Patches(user), 32) : network.DescribeBinary(Patches(user), 32);
        }
    }

    [Test]
    public void TwoDevicesDoNotDisturbEachOther()
    {
        using Device other = Device.Open(kind, threads: 2);
        using PatchModel here = PatchModel.CreateRandom(TestNetworks.L2Net, 1, device), there = PatchModel.CreateRandom(TestNetworks.L2Net, 1, other);
        float[] expected = here.Describe(Patches(0), 32);
        Threads.Run(4, i => AssertSame((i % 2 == 0 ? here : there).Describe(Patches(0), 32), expected));
    }

    [Test]
    public void ACentreSurroundModelDescribesAsFromOneThread()
    {
        using PatchModel network = PatchModel.CreateRandom(TestNetworks.CentreSurround, 1, device);
        float[][] expected = [.. Enumerable.Range(0, 4).Select(i => network.Describe(Large(i), 64))];
        Threads.Run(4, i => AssertSame(network.Describe(Large(i), 64), expected[i]));

        static byte[] Large(int first) => Pixels.AsSpan(first * 4096, 2 * 4096).ToArray();
    }

    [Test]
    public void SearchesFindAsFromOneThread()
    {
        const int Dimension = 32;
        var search = new DescriptorSearch(device);
        DescriptorSet[] floats = [.. Enumerable.Range(1, Users).Select(seed => DescriptorSet.FromValues(Samples.UnitRows((ulong)seed, 60, Dimension), Dimension))];
        DescriptorSet[] bits = [.. Enumerable.Range(0, Users).Select(i => DescriptorSet.FromBits(Pixels.AsSpan(i * 500, 240).ToArray(), Dimension))];
        DescriptorMatch[][] expected = [.. Enumerable.Range(0, 2 * Users).Select(Find)];
        Threads.Run(2 * Users, i =>
        {
            for (int round = 0; round < 3; round++)
            {
                Assert.That(Find(i), Is.EqualTo(expected[i]));
            }
        });

        DescriptorMatch[] Find(int i) => i < Users
            ? search.Match(floats[i], floats[(i + 1) % Users], new MatchOptions(true, 0.95))
            : search.Nearest(bits[i - Users], bits[(i + 1) % Users]);
    }

    [Test]
    public void TapesComputeAsFromOneThread()
    {
        float[][] expected = [.. Enumerable.Range(1, Users).Select(seed => Gradients((ulong)seed))];
        Threads.Run(Users, i => AssertSame(Gradients((ulong)(i + 1)), expected[i]));

        // Convolutions, a batch normalization and a loss: all that has scratch memory.
        float[] Gradients(ulong seed)
        {
            using Tensor<float> x = device.Upload<float>(Samples.Gaussian(seed, 4 * 8 * 8), 4, 8, 8, 1);
            using Tensor<float> filters = device.Upload<float>(Samples.Gaussian(seed + 100, 16 * 9), 16, 3, 3, 1);
            using Tensor<float> last = device.Upload<float>(Samples.Gaussian(seed + 200, 8 * 64 * 16), 8, 8, 8, 16);
            using Tensor<float> mean = device.Allocate<float>(16), variance = device.Allocate<float>(16);
            using var tape = new Tape(device);
            Variable first = tape.Parameter(filters), second = tape.Parameter(last);
            Variable y = tape.Conv2d(tape.Input(x), first, null, 1, 1);
            y = tape.BatchNorm(y, new BatchNormOptions(2, 1e-5f, 0.1f, Relu: true), null, null, mean, variance);
            tape.DistanceSoftmax(tape.UnitVector(tape.Conv2d(y, second, null, 1, 0)));
            for (int step = 0; step < 3; step++)
            {
                tape.Forward();
                tape.Backward();
            }

            return [.. first.Gradient!.ToArray(), .. second.Gradient!.ToArray(), .. mean.ToArray(), .. tape.Losses[0].Value.ToArray()];
        }
    }

    [Test]
    public void ATrainingAndADescriptionDoNotDisturbEachOther()
    {
        TrainingOptions options = Presets.Find("hardnet-200k") with { Network = TestNetworks.Small, Batch = 4, PairsPerEpoch = 16, Steps = 4 };
        using var folder = new TemporaryFolder();
        using PatchModel network = PatchModel.CreateRandom(TestNetworks.L2Net, 1, device);
        float[] expected = network.Describe(Patches(0), 32);
        byte[] alone = Train("alone");
        bool training = true;
        int described = 0;
        Threads.Run(
            () =>
            {
                try
                {
                    Assert.That(Train("together"), Is.EqualTo(alone));
                }
                finally
                {
                    Volatile.Write(ref training, false);
                }
            },
            () =>
            {
                while (Volatile.Read(ref training))
                {
                    AssertSame(network.Describe(Patches(0), 32), expected);
                    described++;
                    Thread.Sleep(1);
                }
            });
        Assert.That(described, Is.Positive);

        byte[] Train(string run)
        {
            using var trainer = new Trainer(options, TrainingData.Blobs(24, views: 2), null, device, folder[run]);
            return File.ReadAllBytes(trainer.Run().ModelPath!);
        }
    }

    [Test]
    public void WhatAnotherThreadDoesIsNotRecorded()
    {
        using Tensor<float> x = device.Upload<float>([-1, 2, -3]), y = device.Allocate<float>(3), other = device.Allocate<float>(3);
        int runs = 0;
        Action? wait = null;
        using IReplay replay = device.Record(() =>
        {
            device.Kernels.ReluForward(x, y);
            if (++runs == 2)
            {
                wait = Threads.Start(() => other.Write([7, 8, 9]));
                Thread.Sleep(20);
            }

            device.Kernels.Add(x, y);
        });
        replay.Run();
        replay.Run();
        wait!();
        Assert.That(other.ToArray(), Is.EqualTo(new float[] { 7, 8, 9 }));
        other.Clear();
        replay.Run();
        Assert.That(other.ToArray(), Has.All.Zero, "the copy of another thread was done again");
        Assert.That(y.ToArray(), Is.EqualTo(new float[] { -1, 4, -3 }));
    }

    private byte[] Patches(int user) => Pixels.AsSpan(user * 1024, PatchesPerCall * 1024).ToArray();

    private static void AssertSame(float[] actual, float[] expected) =>
        Assert.That(actual.AsSpan().SequenceEqual(expected), "other bits than from one thread");
}
