using CudaL2Net.Data;

namespace CudaL2Net.Tests.Data;

public sealed class BrownWriterTests
{
    private const string Origin = "Noise.";

    private TemporaryFolder folder = null!;

    [SetUp]
    public void MakeFolder() => folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    [TestCase(4)]
    [TestCase(256)]
    [TestCase(300)]
    public void WhatIsWrittenIsReadBack(int count)
    {
        (byte[] patches, int[] ids) = Make(count);
        PatchPair[] pairs = BrownWriter.DrawPairs(ids, 40, 7);
        string list = BrownWriter.Write(folder["set"], patches, ids, pairs, Origin);
        Assert.That(list, Is.EqualTo($"m50_{pairs.Length}_{pairs.Length}_0.txt"));

        var set = BrownDataset.Open(folder["set"]);
        Assert.That(set.PointIds.ToArray(), Is.EqualTo(ids));
        Assert.That(set.ReadPatches().SelectMany(block => block), Is.EqualTo(patches));
        Assert.That(set.ReadOrigin(), Is.EqualTo(Origin));
        Assert.That(set.FindPairs(), Is.EqualTo(list));
        Assert.That(set.ReadPairs(list), Is.EqualTo(pairs));
        Assert.That(Directory.GetFiles(folder["set"], "patches*.bmp").Select(path => new FileInfo(path).Length), Is.All.EqualTo(54 + 1024 + (1024 * 1024)));
        Assert.That(Directory.Exists(folder["set.partial"]), Is.False);
    }

    [Test]
    public void TheMosaicIsPaddedWithBlack()
    {
        (byte[] patches, int[] ids) = Make(3);
        BrownWriter.Write(folder["set"], patches, ids, [new PatchPair(0, 1, IsMatch: true)], Origin);
        byte[] file = File.ReadAllBytes(folder["set/patches0000.bmp"]);

        // The file begins with the lowest row; patches 0 to 2 are in the first 64 rows from the top.
        Assert.That(file.Skip(1078).Take(1024 * 960).All(value => value == 0));
        Assert.That(file.Skip(1078 + (1024 * 1023)).Take(64), Is.EqualTo(patches.Take(64)));
        Assert.That(file.Skip(1078 + (1024 * 1023) + 192).Take(1024 - 192).All(value => value == 0));
    }

    [Test]
    public void PairsAreHalfMatchesAndNoneComesTwice()
    {
        (_, int[] ids) = Make(90);
        PatchPair[] pairs = BrownWriter.DrawPairs(ids, 60, 3);
        Assert.That(pairs, Has.Length.EqualTo(60));
        Assert.That(pairs.Count(pair => pair.IsMatch), Is.EqualTo(30));
        Assert.That(pairs.All(pair => pair.First != pair.Second && pair.IsMatch == (ids[pair.First] == ids[pair.Second])));
        Assert.That(pairs.Select(pair => (Math.Min(pair.First, pair.Second), Math.Max(pair.First, pair.Second))), Is.Unique);
        Assert.That(BrownWriter.DrawPairs(ids, 60, 3), Is.EqualTo(pairs));
        Assert.That(BrownWriter.DrawPairs(ids, 60, 4), Is.Not.EqualTo(pairs));
    }

    [Test]
    public void ThereAreNoMorePairsThanMatches()
    {
        (_, int[] ids) = Make(9);
        PatchPair[] pairs = BrownWriter.DrawPairs(ids, 1000, 3);
        Assert.That(pairs.Count(pair => pair.IsMatch), Is.EqualTo(9));
        Assert.That(pairs, Has.Length.EqualTo(18));
    }

    [Test]
    public void OnePointOrLonePatchesGiveNoPairs()
    {
        Assert.That(() => BrownWriter.DrawPairs([4, 4, 4], 2, 1), Throws.ArgumentException);
        Assert.That(() => BrownWriter.DrawPairs([1, 2, 3], 2, 1), Throws.ArgumentException);
    }

    [Test]
    public void AFolderInUseIsLeftAlone()
    {
        (byte[] patches, int[] ids) = Make(6);
        Directory.CreateDirectory(folder["set"]);
        File.WriteAllText(folder["set/thesis.txt"], "precious");
        Assert.That(() => BrownWriter.Write(folder["set"], patches, ids, BrownWriter.DrawPairs(ids, 2, 1), Origin), Throws.TypeOf<IOException>().With.Message.Contains(
            "not empty"));
        Assert.That(File.ReadAllText(folder["set/thesis.txt"]), Is.EqualTo("precious"));
    }

    [Test]
    public void SeveralListsMustBeToldApart()
    {
        BrownFolder.Write(folder["set"], 12);
        Assert.That(BrownDataset.Open(folder["set"]).FindPairs(), Is.EqualTo(BrownDataset.DefaultPairs));
        File.Move(folder["set/" + BrownDataset.DefaultPairs], folder["set/m50_4_4_0.txt"]);
        Assert.That(BrownDataset.Open(folder["set"]).FindPairs(), Is.EqualTo("m50_4_4_0.txt"));
        File.Copy(folder["set/m50_4_4_0.txt"], folder["set/m50_8_8_0.txt"]);
        Assert.That(() => BrownDataset.Open(folder["set"]).FindPairs(), Throws.TypeOf<FileNotFoundException>().With.Message.Contains("m50_8_8_0.txt"));
    }

    [Test]
    public void PairsThatContradictThePointsAreRefused()
    {
        (byte[] patches, int[] ids) = Make(6);
        Assert.That(() => BrownWriter.Write(folder["set"], patches, ids, [new PatchPair(0, 3, IsMatch: true)], Origin), Throws.ArgumentException);
        Assert.That(() => BrownWriter.Write(folder["set"], patches, ids, [new PatchPair(0, 6, IsMatch: false)], Origin), Throws.ArgumentException);
        Assert.That(() => BrownWriter.Write(folder["set"], patches[1..], ids, [new PatchPair(0, 1, IsMatch: true)], Origin), Throws.ArgumentException);
        Assert.That(Directory.Exists(folder["set"]), Is.False);
    }

    private static (byte[] Patches, int[] Ids) Make(int count)
    {
        byte[] patches = new byte[count * 64 * 64];
        new Random(1).NextBytes(patches);
        return (patches, [.. Enumerable.Range(0, count).Select(i => i / 3)]);
    }
}
