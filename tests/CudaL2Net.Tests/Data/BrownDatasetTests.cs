using CudaL2Net.Data;

namespace CudaL2Net.Tests.Data;

public sealed class BrownDatasetTests
{
    [TestCase(8)]
    [TestCase(24)]
    public void PatchesPointsAndPairsAreRead(int bits)
    {
        using var folder = new TemporaryFolder();
        byte[] patches = BrownFolder.Write(folder.Path, count: 300, bits: bits);
        var set = BrownDataset.Open(folder.Path);
        Assert.That(set.Count, Is.EqualTo(300));
        Assert.That(set.ReadPatches().SelectMany(block => block).ToArray(), Is.EqualTo(patches));

        PatchSet loaded = set.Load(PatchParts.Centres | PatchParts.Large);
        byte[] reduced = new byte[300 * 1024], centres = new byte[300 * 1024];
        PatchResize.Reduce(patches, 64, reduced);
        PatchResize.CropCentre(patches, 64, centres);
        Assert.That(loaded.Pixels, Is.EqualTo(reduced));
        Assert.That(loaded.Centres, Is.EqualTo(centres));
        Assert.That(loaded.Large, Is.EqualTo(patches));
        Assert.That(set.Load() is { Centres: null, Large: null }, Is.True);
        Assert.That(loaded.PointIds, Is.EqualTo(Enumerable.Range(0, 300).Select(BrownFolder.PointOf)));

        PatchPair[] pairs = set.ReadPairs();
        Assert.That(pairs, Has.Length.EqualTo(20));
        Assert.That(pairs.Count(pair => pair.IsMatch), Is.EqualTo(10));
        Assert.That(pairs.All(pair => pair.IsMatch == (BrownFolder.PointOf(pair.First) == BrownFolder.PointOf(pair.Second))));
    }

    [Test]
    public void ReadingAllMosaicsTakesTheMemoryOfOne()
    {
        using var folder = new TemporaryFolder();
        byte[] patches = BrownFolder.Write(folder.Path, count: 1100);
        var set = BrownDataset.Open(folder.Path);
        bool equal = true;
        int offset = 0;
        long before = GC.GetAllocatedBytesForCurrentThread();
        foreach (ReadOnlyMemory<byte> block in set.ReadBlocks())
        {
            equal &= block.Span.SequenceEqual(patches.AsSpan(offset, block.Length));
            offset += block.Length;
        }

        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.That(equal, Is.True);
        Assert.That(offset, Is.EqualTo(patches.Length));
        Assert.That(allocated, Is.LessThan(6 << 20), "five mosaics of 1 MB each");
    }

    [Test]
    public void NearUniformPatchesAreLeftOutOfTrainingOnly()
    {
        using var folder = new TemporaryFolder();
        BrownFolder.Write(folder.Path, count: 12, flat: [0, 7, 11]);
        var set = BrownDataset.Open(folder.Path);
        LabelledPatches training = set.LoadForTraining(PatchParts.Centres | PatchParts.Large);
        Assert.That(training.NearUniform, Is.EqualTo(3));
        Assert.That(training.Patches.PointIds, Is.EqualTo(new[] { 1, 2, 3, 4, 5, 6, 8, 9, 10 }.Select(BrownFolder.PointOf)));
        PatchSet all = set.Load(PatchParts.Centres | PatchParts.Large);
        Assert.That(all.Count, Is.EqualTo(12));
        Assert.That(training.Patches[6].ToArray(), Is.EqualTo(all[8].ToArray()));
        Assert.That(training.Patches.Centres![(6 * 1024)..(7 * 1024)], Is.EqualTo(all.Centres![(8 * 1024)..(9 * 1024)]));
        Assert.That(training.Patches.Large![(6 * 4096)..(7 * 4096)], Is.EqualTo(all.Large![(8 * 4096)..(9 * 4096)]));
        Assert.That(training.Patches.Large, Has.Length.EqualTo(9 * 4096));
    }

    [TestCase("info.txt", 3, "", "blank")]
    [TestCase("info.txt", 3, "7", "1 fields")]
    [TestCase("info.txt", 3, "7 0 0", "3 fields")]
    [TestCase("info.txt", 3, "seven 0", "'seven' is not a point id")]
    [TestCase("info.txt", 3, "-7 0", "'-7' is not a point id")]
    [TestCase("info.txt", 3, "99999999999 0", "'99999999999' is not a point id")]
    [TestCase("m50_100000_100000_0.txt", 2, "0 100 0 1 100", "5 fields")]
    [TestCase("m50_100000_100000_0.txt", 2, "0 100 0 x 100 0 0", "'x' is not a patch id")]
    [TestCase("m50_100000_100000_0.txt", 2, "0 100 0 12 104 0 0", "patch 12 is not there")]
    [TestCase("m50_100000_100000_0.txt", 2, "0 100 0 3 100 0 0", "shows 101")]
    public void ADamagedLineIsNamed(string file, int line, string text, string reason)
    {
        using var folder = new TemporaryFolder();
        BrownFolder.Write(folder.Path, count: 12);
        string[] lines = File.ReadAllLines(folder[file]);
        lines[line - 1] = text;
        File.WriteAllLines(folder[file], lines);
        Assert.That(
            () => BrownDataset.Open(folder.Path).ReadPairs(),
            Throws.InstanceOf<InvalidDataException>().With.Message.Contains($"{folder[file]}, line {line}: ").And.Message.Contains(reason));
    }

    [TestCase("info.txt")]
    [TestCase("m50_100000_100000_0.txt")]
    public void AnEmptyAndAMissingListAreNamed(string file)
    {
        using var folder = new TemporaryFolder();
        BrownFolder.Write(folder.Path, count: 12);
        File.WriteAllText(folder[file], "\n\n");
        Assert.That(
            () => BrownDataset.Open(folder.Path).ReadPairs(),
            Throws.InstanceOf<InvalidDataException>().With.Message.Contains($"{folder[file]} is empty"));
        File.Delete(folder[file]);
        Assert.That(() => BrownDataset.Open(folder.Path).ReadPairs(), Throws.InstanceOf<FileNotFoundException>().With.Message.Contains(file));
    }

    [Test]
    public void MosaicsThatAreMissingSuperfluousDamagedOrOfAnotherSizeAreNamed()
    {
        using var folder = new TemporaryFolder();
        BrownFolder.Write(folder.Path, count: 300);
        byte[] mosaic = File.ReadAllBytes(folder["patches0001.bmp"]);

        File.WriteAllBytes(folder["patches0002.bmp"], mosaic);
        Assert.That(() => BrownDataset.Open(folder.Path), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("patches0002.bmp"));
        File.Delete(folder["patches0002.bmp"]);

        File.WriteAllBytes(folder["patches0001.bmp"], mosaic[..^1]);
        Assert.That(() => BrownDataset.Open(folder.Path).Load(), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("patches0001.bmp"));
        File.WriteAllBytes(folder["patches0001.bmp"], CudaL2Net.Tests.Formats.Bmp.Encode(64, 64, new byte[64 * 64], 8, topDown: true));
        Assert.That(
            () => BrownDataset.Open(folder.Path).Load(),
            Throws.InstanceOf<InvalidDataException>().With.Message.Contains("patches0001.bmp").And.Message.Contains("64 x 64"));

        File.Delete(folder["patches0001.bmp"]);
        Assert.That(() => BrownDataset.Open(folder.Path), Throws.InstanceOf<FileNotFoundException>().With.Message.Contains("patches0001.bmp"));
    }

    [Test]
    public void TheParentFolderAndAMissingOneAreExplained()
    {
        using var folder = new TemporaryFolder();
        BrownFolder.Write(folder["liberty"], count: 12);
        Assert.That(() => BrownDataset.Open(folder.Path), Throws.InstanceOf<IOException>().With.Message.Contains($"Did you mean {folder["liberty"]}?"));
        Assert.That(() => BrownDataset.Open(folder["none"]), Throws.InstanceOf<DirectoryNotFoundException>().With.Message.Contains("does not exist"));
        Assert.That(BrownDataset.IsBrownFolder(folder["liberty"]), Is.True);
        Assert.That(BrownDataset.IsBrownFolder(folder.Path), Is.False);
    }
}
