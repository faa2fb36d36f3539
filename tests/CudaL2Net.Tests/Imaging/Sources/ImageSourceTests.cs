using CudaL2Net.Imaging.Sources;
using OpenCvSharp;

namespace CudaL2Net.Tests.Imaging.Sources;

public sealed class ImageSourceTests
{
    private static readonly PairOptions Small = new() { PointsPerPicture = 50 };
    private string folder = "";

    [SetUp]
    public void MakeFolder() => folder = Directory.CreateTempSubdirectory("cudal2net-").FullName;

    [TearDown]
    public void DeleteFolder() => Directory.Delete(folder, true);

    [Test]
    public void TheNumberOfThreadsDoesNotShow()
    {
        SyntheticSource source = new(1, 200, 160);
        SourceResult one = source.Build(170, Small, 4, threads: 1), two = source.Build(170, Small, 4, threads: 2);
        Assert.That(two.Patches.Pixels, Is.EqualTo(one.Patches.Pixels));
        Assert.That(two.Patches.PointIds, Is.EqualTo(one.Patches.PointIds));
        Assert.That(two.Patches.ImageIds, Is.EqualTo(one.Patches.ImageIds));
        Assert.That(source.Build(170, Small, 5).Patches.Pixels, Is.Not.EqualTo(one.Patches.Pixels));
    }

    [Test]
    public void PointsAndImagesAscendAndEachPointHasAPair()
    {
        int reported = 0;
        SourceResult result = new SyntheticSource(2, 200, 160).Build(170, Small, 1, new Progress(done => reported = done));
        Assert.That(result.Report.Points, Is.EqualTo(170));
        Assert.That(reported, Is.EqualTo(170));
        Assert.That(result.Patches.PointIds, Is.Ordered);
        Assert.That(result.Patches.ImageIds, Is.Ordered);
        Assert.That(result.Patches.PointIds.Distinct().Count(), Is.EqualTo(170));
        Assert.That(result.Patches.PointIds.GroupBy(p => p).Min(g => g.Count()), Is.GreaterThanOrEqualTo(2));
        Assert.That(result.Patches.ImageIds!.Distinct().Count(), Is.EqualTo(result.Report.Images));
    }

    [Test]
    public void PhotographsAreFoundInFoldersAndDamagedOnesCounted()
    {
        Directory.CreateDirectory(Path.Combine(folder, "inner"));
        for (int i = 0; i < 3; i++)
        {
            using Mat image = TestImages.Speckle(160, 120, (ulong)i);
            Cv2.ImWrite(Path.Combine(folder, i == 2 ? "inner/c.JPG" : $"p{i}.png"), image);
        }

        File.WriteAllText(Path.Combine(folder, "text.png"), "not an image");
        File.WriteAllText(Path.Combine(folder, "notes.txt"), "no image's name");
        byte[] whole = File.ReadAllBytes(Path.Combine(folder, "p0.png"));
        File.WriteAllBytes(Path.Combine(folder, "cut.png"), whole[..(whole.Length / 2)]);

        ImageFolderSource source = new(folder);
        SourceResult result = source.Build(100_000, Small, 1);
        Assert.That(source.Files, Is.EqualTo(5));
        Assert.That(result.Report.DamagedPictures, Is.EqualTo(2));
        Assert.That(result.Report.Warnings, Has.Some.Contains("text.png").And.Some.Contains("cut.png"));
        Assert.That(result.Report.Warnings, Has.Some.Contains("100000 asked for"));
        Assert.That(result.Patches.ImageIds!.Distinct().Count(), Is.EqualTo(3));
        Assert.That(result.Report.Points, Is.GreaterThan(3 * 50), "later passes take the images' other keypoints");
        Assert.That(source.Build(100_000, Small, 1, threads: 1).Patches.Pixels, Is.EqualTo(result.Patches.Pixels));
    }

    [Test]
    public void FoldersWithoutUsableImagesAreErrors()
    {
        Assert.That(() => new ImageFolderSource(folder), Throws.TypeOf<InvalidDataException>().With.Message.Contains("holds no images"));
        Assert.That(() => new ImageFolderSource(Path.Combine(folder, "none")),
            Throws.TypeOf<DirectoryNotFoundException>().With.Message.Contains("does not exist"));
        string file = Path.Combine(folder, "a.png");
        File.WriteAllText(file, "x");
        Assert.That(() => new ImageFolderSource(file), Throws.TypeOf<DirectoryNotFoundException>().With.Message.Contains("is a file"));
        Assert.That(() => new ImageFolderSource(folder).Build(10, Small, 1),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("none of the 1 files"));
        using Mat flat = TestImages.Render(100, 100, (_, _) => 128);
        Cv2.ImWrite(file, flat);
        Assert.That(() => new ImageFolderSource(folder).Build(10, Small, 1), Throws.TypeOf<InvalidDataException>().With.Message.Contains("no keypoints"));
    }

    [Test]
    public void TooManyPointsAndCancellationAreRefusedAndObeyed()
    {
        SyntheticSource source = new(1, 200, 160);
        Assert.That(() => source.Build(0, Small, 1), Throws.ArgumentException);
        Assert.That(() => source.Build(int.MaxValue, Small, 1), Throws.ArgumentException.With.Message.Contains("number of points"));
        using CancellationTokenSource stop = new();
        Progress stopper = new(_ => stop.Cancel());
        Assert.That(() => source.Build(100_000, Small, 1, stopper, cancellation: stop.Token), Throws.InstanceOf<OperationCanceledException>());
    }

    private sealed class Progress(Action<int> report) : IProgress<(int Done, int Total)>
    {
        public void Report((int Done, int Total) value) => report(value.Done);
    }
}
