using System.Text.Json.Nodes;
using CudaL2Net.Data;
using CudaL2Net.Formats;
using CudaL2Net.Imaging.Sources;
using CudaL2Net.Tests.Imaging;
using OpenCvSharp;

namespace CudaL2Net.Tests.Cli;

public sealed class DataCommandTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void WriteImages()
    {
        folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["photos"]);
        for (int i = 0; i < 3; i++)
        {
            using Mat image = TestImages.Speckle(240, 200, (ulong)i);
            Cv2.ImWrite(folder[$"photos/{i}.png"], image);
        }
    }

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    [Test]
    public void ASetIsWrittenThatTheReaderTakes()
    {
        CommandLine run = CommandLine.MustRun(
            "data", "make-brown", "--images", folder["photos"], "--out", folder["set"], "--points", "110", "--views", "4", "--pairs", "50", "--seed", "3", "--json");
        JsonNode made = JsonNode.Parse(run.Output)!;
        var set = BrownDataset.Open(folder["set"]);
        Assert.That((int)made["patches"]!, Is.EqualTo(set.Count));
        Assert.That((int)made["points"]!, Is.EqualTo(110).And.EqualTo(set.PointIds.ToArray().Distinct().Count()));
        Assert.That(set.PointIds.ToArray().GroupBy(id => id).Select(group => group.Count()), Is.All.InRange(2, 4));
        Assert.That(set.ReadPairs((string)made["pairList"]!), Has.Length.EqualTo(50));

        // The same images, made in memory, reduced: what training on `images:` sees.
        SourceResult small = new ImageFolderSource(folder["photos"]).Build(110, new PairOptions { Copies = 3, Parts = PatchParts.Centres, PointsPerPicture = 37 }, 3);
        PatchSet loaded = set.Load(PatchParts.Centres);
        Assert.That(loaded.Pixels, Is.EqualTo(small.Patches.Pixels));
        Assert.That(loaded.Centres, Is.EqualTo(small.Patches.Centres));
        Assert.That(loaded.PointIds, Is.EqualTo(small.Patches.PointIds));
    }

    [Test]
    public void ASecondOneForTheSameFolderIsRefusedAndNothingOfOthersIsRemoved()
    {
        string[] line = ["data", "make-brown", "--images", folder["photos"], "--points", "20", "--pairs", "10", "--out", folder["set"]];
        using (FolderLock first = FolderLock.TakeBeside(folder["set"]))
        {
            CommandLine.Run(line).Explains(1, folder["set"], $"process {Environment.ProcessId}");
        }

        Directory.CreateDirectory(folder["set.partial"]);
        File.WriteAllText(folder["set.partial/mine"], "untouched");
        // What a killed run leaves.
        Directory.CreateDirectory(folder["set.abcdefghij1.tmp"]);
        File.WriteAllText(folder["set.abcdefghij1.tmp/patches0000.bmp"], "half");
        CommandLine.MustRun(line);
        Assert.That(File.ReadAllText(folder["set.partial/mine"]), Is.EqualTo("untouched"));
        Assert.That(Directory.GetFileSystemEntries(folder.Path).Select(Path.GetFileName), Is.EquivalentTo(new[] { "photos", "set", "set.partial" }));
    }

    [Test]
    public void TheSameSeedGivesTheSameFiles()
    {
        string[] line = ["data", "make-brown", "--images", folder["photos"], "--points", "20", "--pairs", "10", "--out"];
        foreach (string name in new[] { "a", "b" })
        {
            CommandLine.MustRun([.. line, folder[Path.Combine("new", name)]]);
        }

        foreach (string file in new[] { "patches0000.bmp", "info.txt", "m50_10_10_0.txt" })
        {
            Assert.That(File.ReadAllBytes(folder["new/a/" + file]), Same.As(File.ReadAllBytes(folder["new/b/" + file])), file);
        }
    }

    [Test]
    public void FewerPairsThanAskedForAreTold()
    {
        CommandLine run = CommandLine.MustRun(
            "data", "make-brown", "--images", folder["photos"], "--out", folder["set"], "--points", "5", "--views", "2", "--pairs", "100");
        Assert.That(run.Error, Does.Contain("not the 100 asked for"));
        Assert.That(BrownDataset.Open(folder["set"]).FindPairs(), Is.EqualTo("m50_10_10_0.txt"));
    }

    [TestCase("--views", "1")]
    [TestCase("--points", "0")]
    [TestCase("--pairs", "1")]
    [TestCase("--set", "noise")]
    public void AValueOutOfRangeIsExplained(string option, string value) =>
        CommandLine.Run("data", "make-brown", "--images", folder["photos"], "--out", folder["set"], option, value).Explains(2, option, value);

    [Test]
    public void ASettingThatIsNotThereIsExplained() => CommandLine.Run(
        "data", "make-brown", "--images", folder["photos"], "--out", folder["set"], "--set", "nois=4").Explains(2, "nois", "slidTwins");

    [Test]
    public void AFolderInUseIsExplainedBeforeAnyWork() =>
        CommandLine.Run("data", "make-brown", "--images", folder["nowhere"], "--out", folder["photos"]).Explains(1, folder["photos"], "not empty");

    [Test]
    public void AFolderWithoutImagesIsExplained() =>
        CommandLine.Run("data", "make-brown", "--images", folder["nowhere"], "--out", folder["set"]).Explains(1, folder["nowhere"], "does not exist");
}
