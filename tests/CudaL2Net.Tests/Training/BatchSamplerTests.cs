using CudaL2Net.Data;
using CudaL2Net.Training;

namespace CudaL2Net.Tests.Training;

public sealed class BatchSamplerTests
{
    [TestCase(SamplingKind.Pairs, 8)]
    [TestCase(SamplingKind.Pairs, 33)]
    [TestCase(SamplingKind.Progressive, 8)]
    [TestCase(SamplingKind.Progressive, 32)]
    public void EveryBatchHasTwoPatchesOfDistinctPoints(SamplingKind sampling, int batch)
    {
        PatchSet set = TrainingData.Blobs(33, views: 3);
        TrainingOptions options = Options(sampling, batch);
        var sampler = new BatchSampler(set, options);
        var rows = new int[sampler.StepsPerEpoch * 2 * batch];
        sampler.Draw(0, rows);
        for (int step = 0; step < sampler.StepsPerEpoch; step++)
        {
            int[] first = rows[(step * 2 * batch)..((step * 2 * batch) + batch)], second = rows[((step * 2 * batch) + batch)..((step + 1) * 2 * batch)];
            Assert.That(first.Select(row => set.PointIds[row]), Is.EqualTo(second.Select(row => set.PointIds[row])).And.Unique);
            Assert.That(first.Zip(second), Has.None.Matches<(int First, int Second)>(pair => pair.First == pair.Second));
        }
    }

    [Test]
    public void ProgressiveSamplingWalksAllPointsInOrder()
    {
        PatchSet set = TrainingData.Blobs(20);
        var sampler = new BatchSampler(set, Options(SamplingKind.Progressive, 8));
        var rows = new int[sampler.StepsPerEpoch * 16];
        sampler.Draw(3, rows);
        Assert.That(sampler.StepsPerEpoch, Is.EqualTo(5));
        int[] walked = [.. Enumerable.Range(0, 5).SelectMany(step => rows[(step * 16)..((step * 16) + 4)]).Select(row => set.PointIds[row])];
        Assert.That(walked, Is.EqualTo(Enumerable.Range(0, 20)));
    }

    [Test]
    public void AnEpochIsAFunctionOfSeedAndEpoch()
    {
        PatchSet set = TrainingData.Blobs(20);
        int[] Draw(ulong seed, int epoch)
        {
            var sampler = new BatchSampler(set, Options(SamplingKind.Pairs, 8) with { Seed = seed });
            var rows = new int[sampler.StepsPerEpoch * 16];
            sampler.Draw(epoch, rows);
            return rows;
        }

        int[] drawn = Draw(1, 0);
        Assert.That(Draw(1, 0), Is.EqualTo(drawn));
        Assert.That(Draw(1, 1), Is.Not.EqualTo(drawn));
        Assert.That(Draw(2, 0), Is.Not.EqualTo(drawn));
    }

    [Test]
    public void PointsWithOnePatchAreLeftOut()
    {
        PatchSet set = TrainingData.Blobs(5, views: 2).Select([0, 1, 2, 4, 5, 6, 7]);
        Assert.That(new BatchSampler(set, Options(SamplingKind.Pairs, 3)).Points, Is.EqualTo(3));
    }

    [Test]
    public void TooFewPointsAreAnErrorThatSaysSo() =>
        Assert.That(() => new BatchSampler(TrainingData.Blobs(5), Options(SamplingKind.Pairs, 8)),
            Throws.ArgumentException.With.Message.Contains("5 points").And.Message.Contains("batch of 8"));

    private static TrainingOptions Options(SamplingKind sampling, int batch) => new()
    {
        Preset = "test",
        Sampling = sampling,
        Batch = batch,
        PairsPerEpoch = 5 * batch
    };
}
