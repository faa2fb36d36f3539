using CudaL2Net.Data;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Networks;

/// <summary>What docs/reliability.md promises of a descriptor's bits: it depends neither on the batch nor on the number of threads.</summary>
public class DeterminismTests
{
    // So many different patches; larger batches repeat them.
    private const int Different = 13;

    // Convolutions of L2-Net's kinds, few and small: a cost that large batches can bear.
    private static readonly Network Small = NetworkFile.Parse(
        """
        { "name": "small", "input": { "side": 32 }, "towers": [ { "layers": [
          { "type": "convolution", "out": 8, "kernel": 3, "stride": 2, "padding": 1 }, { "type": "relu" },
          { "type": "convolution", "out": 16, "kernel": 3, "stride": 2, "padding": 1 }, { "type": "batchNormalization" }, { "type": "relu" },
          { "type": "convolution", "out": 16, "kernel": 3, "padding": 1 }, { "type": "relu" },
          { "type": "convolution", "out": 32, "kernel": 8 }, { "type": "unitVector" } ] } ] }
        """,
        "test");

    private static readonly byte[] Patches = TestPatches();

    [Test]
    public void OnTheCpuADescriptorHasTheSameBitsInEveryBatchAndWithEveryNumberOfThreads([Values("l2net", "small")] string name)
    {
        Check("cpu", Precision.Float32, name, name == "small" ? [7, 64, 1000, 65_536] : [7, 64, 1000], [2, 1]);
    }

    [Test]
    [Category("Cuda")]
    public void OnCudaADescriptorHasTheSameBitsInEveryBatchInEveryPrecision([Values] Precision precision, [Values("l2net", "small")] string name)
    {
        CudaDriver.Require();
        Check("cuda", precision, name, name == "small" ? [7, 64, 1000] : [3], [1]);
    }

    [Test]
    [Explicit("several minutes")]
    [Category("Cuda")]
    public void LargeBatchesOfTheWholeNetwork()
    {
        CudaDriver.Require();
        Check("cpu", Precision.Float32, "l2net", [65_536], [2]);
        Check("cpu", Precision.Float32, "l2net", [65_536], [1]);
        foreach (Precision precision in Enum.GetValues<Precision>())
        {
            Check("cuda", precision, "l2net", [64, 1000], [1]);
        }
    }

    private static void Check(string kind, Precision precision, string name, int[] batches, int[] threads)
    {
        float[]? expected = null;
        byte[]? signs = null;
        foreach (int count in threads)
        {
            using Device device = Device.Open(kind, count, precision);
            using PatchModel model = name == "small" ? PatchModel.CreateRandom(Small, 1, device) : PatchModel.LoadDefault(device);
            // The emulator takes long for the whole network.
            int different = kind == "cuda" && name == "l2net" ? 2 : Different;
            expected ??= Alone(model, different);
            signs ??= PatchModel.Binarize(expected);
            // The largest once is enough: with several threads.
            foreach (int batch in batches.Where(batch => batch < 10_000 || count == threads[0]))
            {
                byte[] many = Repeat(Patches.AsSpan(0, different * PatchSet.Area), PatchSet.Area, batch);
                Assert.That(model.Describe(many, 32).AsSpan().SequenceEqual(Repeat<float>(expected, model.Dimension, batch)), $"{precision}, {batch} patches, {count} threads");
                if (batch > 64)
                {
                    continue;
                }

                Assert.That(model.DescribeBinary(many, 32).AsSpan().SequenceEqual(Repeat<byte>(signs, model.Dimension / 8, batch)), $"signs, {batch} patches");
            }
        }
    }

    // Each patch in a call of its own.
    private static float[] Alone(PatchModel model, int different) =>
        [.. Enumerable.Range(0, different).SelectMany(i => model.Describe(Patches.AsSpan(i * PatchSet.Area, PatchSet.Area), 32))];

    private static T[] Repeat<T>(ReadOnlySpan<T> rows, int length, int count)
    {
        int different = rows.Length / length;
        var all = new T[count * length];
        for (int i = 0; i < count; i++)
        {
            rows.Slice(i % different * length, length).CopyTo(all.AsSpan(i * length));
        }

        return all;
    }

    private static byte[] TestPatches()
    {
        var random = new Random(3);
        var patches = new byte[Different * PatchSet.Area];
        random.NextBytes(patches);
        // One flat patch, and one of two greys.
        patches.AsSpan(0, PatchSet.Area).Fill(90);
        patches.AsSpan(PatchSet.Area, PatchSet.Area / 2).Fill(40);
        patches.AsSpan(PatchSet.Area * 3 / 2, PatchSet.Area / 2).Fill(200);
        return patches;
    }
}
