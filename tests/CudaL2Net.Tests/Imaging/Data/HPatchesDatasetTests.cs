using CudaL2Net.Data;
using CudaL2Net.Imaging.Data;
using CudaL2Net.Imaging.Sources;
using CudaL2Net.Tests.Cli;

namespace CudaL2Net.Tests.Imaging.Data;

public sealed class HPatchesDatasetTests
{
    [Test]
    public void EveryRowIsAPointWithItsPatchesOfAllStrips()
    {
        using var folder = new TemporaryFolder();
        HPatchesFolder.Write(folder["v_b"], rows: 3, seed: 1);
        HPatchesFolder.Write(folder["i_a"], rows: 2, seed: 2);
        var data = HPatchesDataset.Open(folder.Path);
        Assert.That(data.Sequences, Is.EqualTo(new[] { "i_a", "v_b" }));
        LabelledPatches training = data.LoadForTraining(null, PatchParts.Centres | PatchParts.Large);
        Assert.That(training.Patches.Count, Is.EqualTo(5 * 16));
        Assert.That((training.NearUniform, training.Thinned), Is.EqualTo((0, 0)));
        Assert.That(training.Patches.PointIds.CountBy(id => id).ToDictionary(), Is.EqualTo(Enumerable.Range(0, 5).ToDictionary(id => id, _ => 16)));

        // After the 2 x 16 patches of i_a come v_b's ref, then its e1: row 1 there.
        int index = 32 + 3 + 1;
        byte[] strip = HPatchesFolder.MakeStrip(3, strip: 1, seed: 1), reduced = new byte[3 * 1024], centres = new byte[3 * 1024], large = new byte[3 * 4096];
        PatchResize.Reduce(strip, 65, reduced);
        PatchResize.CropCentre(strip, 65, centres);
        PatchResize.ToLarge(strip, 65, large);
        Assert.That(training.Patches[index].ToArray(), Is.EqualTo(reduced[1024..2048]));
        Assert.That(training.Patches.Centres![(index * 1024)..((index + 1) * 1024)], Is.EqualTo(centres[1024..2048]));
        Assert.That(training.Patches.Large![(index * 4096)..((index + 1) * 4096)], Is.EqualTo(large[4096..8192]));
        Assert.That(training.Patches.PointIds[index], Is.EqualTo(3));
    }

    [Test]
    public void NearUniformPatchesAreCountedAndRowsThinnedWhereMemoryEnds()
    {
        using var folder = new TemporaryFolder();
        HPatchesFolder.Write(folder["i_a"], rows: 5, flatRow: 2);
        var data = HPatchesDataset.Open(folder.Path);
        LabelledPatches training = data.LoadForTraining(null);
        Assert.That((training.Patches.Count, training.NearUniform, training.Thinned), Is.EqualTo((64, 16, 0)));
        LabelledPatches thinned = data.LoadForTraining(null, PatchParts.None, maxPatches: 48);
        Assert.That((thinned.Patches.Count, thinned.NearUniform, thinned.Thinned), Is.EqualTo((32, 16, 32)));
        Assert.That(thinned.Patches.PointIds.Distinct(), Is.EqualTo(new[] { 0, 4 }));
    }

    [TestCase("splits.json")]
    [TestCase("tasks/splits.json")]
    [TestCase("tasks/splits/splits.json")]
    public void TheTrainListOfTheSplitIsTaken(string file)
    {
        using var folder = new TemporaryFolder();
        HPatchesFolder.Write(folder["i_a"], rows: 1);
        HPatchesFolder.Write(folder["v_b"], rows: 1);
        Directory.CreateDirectory(folder["tasks/splits"]);
        const string Splits = """
            {"a": {"test": ["i_a"], "train": ["v_b"]}, "b": {"test": ["v_b"], "train": ["i_a"]}, "c": {"test": ["v_b"], "train": ["i_c"]}, "d": {"test": []}}
            """;
        File.WriteAllText(folder[file], Splits);
        var data = HPatchesDataset.Open(folder.Path);
        Assert.That(data.ReadTrainingSequences(), Is.EqualTo(new[] { "v_b" }));
        Assert.That(data.ReadTrainingSequences("b"), Is.EqualTo(new[] { "i_a" }));
        Assert.That(data.LoadForTraining().Patches.Count, Is.EqualTo(16));
        Assert.That(
            () => data.ReadTrainingSequences("c"),
            Throws.InstanceOf<InvalidDataException>().With.Message.Contains("i_c").And.Message.Contains("splits.json"));
        Assert.That(() => data.ReadTrainingSequences("d"), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("'d'"));
        Assert.That(() => data.ReadTrainingSequences("e"), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("'e'"));
        File.WriteAllText(folder[file], "{");
        Assert.That(() => data.ReadTrainingSequences(), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("splits.json"));
    }

    [Test]
    public void NoTestSequenceIsTrainedOnInSilence()
    {
        using var folder = new TemporaryFolder();
        HPatchesFolder.Write(folder["i_a"], rows: 2);
        HPatchesFolder.Write(folder["v_b"], rows: 1);
        CommandLine.Run("train", "--data", $"hpatches:{folder.Path}", "--steps", "1", "--device", "cpu", "--out", folder["run"])
            .Explains(1, "splits.json", $"hpatches-all:{folder.Path}");
        SourceResult all = PatchSources.Open($"hpatches-all:{folder.Path}", points: 1, seed: 1);
        Assert.That(all.Patches.Count, Is.EqualTo(3 * 16));
        Assert.That(all.Report.Warnings, Has.Some.Contains("all 2 sequences, test sequences too"));

        Directory.CreateDirectory(folder["tasks/splits"]);
        File.WriteAllText(folder["tasks/splits/splits.json"], """{"a": {"test": ["i_a"], "train": ["v_b"]}}""");
        SourceResult part = PatchSources.Open($"hpatches:{folder.Path}", points: 1, seed: 1);
        Assert.That(part.Patches.Count, Is.EqualTo(16));
        Assert.That(part.Report.Warnings, Has.Some.Contains("1 of 2 sequences, the training part of split a in " + folder["tasks/splits/splits.json"]));
    }

    [Test]
    public void DamagedStripsAreNamed()
    {
        using var folder = new TemporaryFolder();
        HPatchesFolder.Write(folder["i_a"], rows: 2);
        var data = HPatchesDataset.Open(folder.Path);
        byte[] whole = File.ReadAllBytes(folder["i_a/h3.png"]);

        File.WriteAllBytes(folder["i_a/h3.png"], whole[..(whole.Length / 2)]);
        ExpectError("h3.png");
        File.WriteAllText(folder["i_a/h3.png"], "text named .png");
        ExpectError("h3.png");
        HPatchesFolder.WriteStrip(folder["i_a/h3.png"], new byte[64 * 64 * 2], side: 64);
        ExpectError("64 pixels wide");
        HPatchesFolder.WriteStrip(folder["i_a/h3.png"], HPatchesFolder.MakeStrip(3, 8));
        ExpectError("has 3 patches");
        HPatchesFolder.WriteStrip(folder["i_a/h3.png"], new byte[65 * 100]);
        ExpectError("65 x 100");
        File.WriteAllBytes(folder["i_a/h3.png"], whole);
        File.WriteAllText(folder["i_a/ref.png"], "text named .png");
        ExpectError("ref.png");
        File.Delete(folder["i_a/ref.png"]);
        Assert.That(() => HPatchesDataset.Open(folder.Path), Throws.InstanceOf<FileNotFoundException>().With.Message.Contains("ref.png"));

        void ExpectError(string text) =>
            Assert.That(() => data.LoadForTraining(null), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("i_a").And.Message.Contains(text));
    }

    [Test]
    public void FoldersWithoutSequencesAreExplained()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["something else"]);
        Assert.That(() => HPatchesDataset.Open(folder.Path), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("no HPatches sequences"));
        Assert.That(() => HPatchesDataset.Open(folder["none"]), Throws.InstanceOf<DirectoryNotFoundException>().With.Message.Contains("does not exist"));
    }

    [Test]
    public void TheRealSplitFileIsUnderstood()
    {
        string? root = Environment.GetEnvironmentVariable("CUDAL2NET_DATA");
        if (root is null || !File.Exists(Path.Combine(root, "hpatches", "tasks", "splits.json")))
        {
            Assert.Ignore("set CUDAL2NET_DATA to a folder with hpatches/tasks/splits.json");
        }

        using var folder = new TemporaryFolder();
        HPatchesFolder.Write(folder["v_there"], rows: 1);
        File.Copy(Path.Combine(root!, "hpatches", "tasks", "splits.json"), folder["splits.json"]);
        var data = HPatchesDataset.Open(folder.Path);

        // v_there is the first of the list; the second one is not there.
        Assert.That(() => data.ReadTrainingSequences(), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("i_yellowtent"));
    }

    [Test]
    public void ARealStripIsRead()
    {
        string? root = Environment.GetEnvironmentVariable("CUDAL2NET_DATA");
        if (root is null || !File.Exists(Path.Combine(root, "hpatches", "ref.png")))
        {
            Assert.Ignore("set CUDAL2NET_DATA to a folder with hpatches/ref.png");
        }

        var strip = PatchStrip.Read(Path.Combine(root!, "hpatches", "ref.png"));
        Assert.That((strip.Side, strip.Count, strip.Pixels.Length), Is.EqualTo((65, 1123, 1123 * 65 * 65)));
    }
}
