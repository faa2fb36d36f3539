using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Cli.Runs;
using CudaL2Net.Data;
using CudaL2Net.Evaluation.Protocols;
using CudaL2Net.Imaging.Data;
using CudaL2Net.Imaging.Sequences;
using CudaL2Net.Imaging.Sources;
using CudaL2Net.Tests.Data;
using CudaL2Net.Tests.Imaging;
using CudaL2Net.Tests.Imaging.Data;
using OpenCvSharp;

namespace CudaL2Net.Tests.Cli;

/// <summary>What lies beside data in folders, and files whose names are written after KIND:.</summary>
public sealed class FolderInputTests
{
    private static readonly string[] Sidecars = [".DS_Store", "Thumbs.db", "desktop.ini"];

    private TemporaryFolder folder = null!;

    [SetUp]
    public void MakeFolder() => folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    [Test]
    public void SidecarsAreNoStrips()
    {
        Strip("strips/a.png");
        Litter("strips");
        Assert.That(PatchInput.Read(folder["strips"], null, _ => { }).Count(), Is.EqualTo(1));
    }

    [Test]
    public void SidecarsAreNoPhotographs()
    {
        Strip("photos/a.png");
        Litter("photos");
        Assert.That(new ImageFolderSource(folder["photos"]).Files, Is.EqualTo(1));
    }

    [Test]
    public void SidecarsAreNoImagesOfASequence()
    {
        TestSequences.WriteSequence(folder["all/discs"]);
        Litter("all/discs");
        Litter("all");
        Directory.CreateSymbolicLink(folder["all/again"], "discs");
        Directory.CreateSymbolicLink(folder["all/self"], ".");
        Assert.That(ImageSequence.LoadAll([folder["all"], folder["all/discs"], folder["all/../all/again"]]).Single().Others, Has.Count.EqualTo(1));
    }

    [Test]
    public void SidecarsAreNoPartOfBrownsSets()
    {
        BrownFolder.Write(folder["sets/liberty"], 12);
        Litter("sets/liberty");
        Litter("sets");
        Directory.CreateSymbolicLink(folder["sets/zz"], "liberty");
        Assert.That(BrownEvaluation.OpenAll(folder["sets"]).Single().Count, Is.EqualTo(12));
        Assert.That(BrownDataset.Open(folder["sets/liberty"]).ReadPairs(BrownDataset.Open(folder["sets/liberty"]).FindPairs()), Has.Length.EqualTo(20));
    }

    [Test]
    public void SidecarsAreNoSequencesOfHPatches()
    {
        HPatchesFolder.Write(folder["hpatches/v_a"], 4);
        Litter("hpatches/v_a");
        Litter("hpatches");
        Directory.CreateSymbolicLink(folder["hpatches/v_b"], "v_a");
        Assert.That(HPatchesDataset.Open(folder["hpatches"]).Sequences, Is.EqualTo(new[] { "v_a" }));
    }

    [Test]
    public void SidecarsAreNoStripsOfW1bs()
    {
        W1bsFolder.Write(folder["w1bs"], "A");
        Litter("w1bs/A/1");
        Litter("w1bs/A");
        Litter("w1bs");
        Assert.That(W1bsDataset.Open(folder["w1bs"]).Subsets.Single().Pairs, Has.Count.EqualTo(2));
    }

    [Test]
    public void AnEmptyFolderWithSidecarsIsEmptyForTheDemo()
    {
        Directory.CreateDirectory(folder["demo"]);
        Litter("demo");
        CommandLine.Run("demo", "--out", folder["demo"], "--device", "cuda", "--precision", "int8").Explains(2, "int8");
    }

    [TestCase("sift,model:runs/first,raw", "sift|model:runs/first|raw")]
    [TestCase(" sift , raw ", "sift|raw")]
    [TestCase("model:a,b.safetensors,sift", "model:a,b.safetensors|sift")]
    [TestCase("sift,onnx:a,b,c,raw", "sift|onnx:a,b,c|raw")]
    [TestCase("model:my file.safetensors,sift", "model:my file.safetensors|sift")]
    [TestCase("model:with:colon,model:a,b.safetensors", "model:with:colon|model:a,b.safetensors")]
    [TestCase("model:missing,stft", "model:missing|stft")]
    [TestCase("BINARY:a,b.safetensors", "BINARY:a,b.safetensors")]
    public void AFilesNameMayHaveCommasColonsAndSpaces(string text, string words)
    {
        foreach (string name in new[] { "a,b.safetensors", "a,b,c", "my file.safetensors", "with:colon" })
        {
            File.WriteAllText(folder[name], "");
        }

        string[] split = [.. MethodWords.Split(text.Replace(":", ":" + folder.Path + "/").Replace("with:" + folder.Path + "/", "with:"))];
        Assert.That(split.Select(word => word.Replace(folder.Path + "/", "")), Is.EqualTo(words.Split('|')));
    }

    [TestCase("~/photos", "HOME/photos")]
    [TestCase("images:~/my photos,a:b", "images:HOME/my photos,a:b")]
    [TestCase("model:~", "model:HOME")]
    [TestCase("~", "HOME")]
    [TestCase("a~/b", "a~/b")]
    [TestCase("~someone/b", "~someone/b")]
    [TestCase("images:./~/b", "images:./~/b")]
    [TestCase("backup~", "backup~")]
    public void ATildeIsTheHomeFolderWhereShellsLeaveIt(string text, string expanded) =>
        Assert.That(HomeFolder.Expand(text), Is.EqualTo(expanded.Replace("HOME", Environment.GetFolderPath(Environment.SpecialFolder.UserProfile))));

    [TestCase("my photos")]
    [TestCase("a,b")]
    [TestCase("a:b")]
    [TestCase("@photos")]
    public void TrainingDataMayHaveAnyName(string name)
    {
        Directory.CreateDirectory(folder[name]);
        CommandLine.Run("train", "--data", $"images:{folder[name]}", "--validation", "none", "--out", folder["run"]).Explains(1, folder[name], "no images");
        CommandLine.Run("train", "--data", "images:~/no-such-folder", "--validation", "none", "--out", folder["run"])
            .Explains(1, Environment.GetFolderPath(Environment.SpecialFolder.UserProfile) + "/no-such-folder");
    }

    private void Strip(string name)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(folder[name])!);
        using Mat image = TestImages.Speckle(32, 64, 1);
        Cv2.ImWrite(folder[name], image);
    }

    // Beside each file what macOS writes there, and what Windows and macOS write into folders.
    private void Litter(string name)
    {
        foreach (string file in Directory.GetFileSystemEntries(folder[name]))
        {
            File.WriteAllText(Path.Combine(folder[name], "._" + Path.GetFileName(file)), "\0\x05\x16\x07");
        }

        foreach (string sidecar in Sidecars)
        {
            File.WriteAllText(Path.Combine(folder[name], sidecar), "\0");
        }
    }
}
