using CudaL2Net.Pipelines.Images;

namespace CudaL2Net.Tests.Pipelines;

/// <summary>Which images are matched with which.</summary>
public sealed class ImagePairsTests
{
    private static readonly string[] Names = ["c.jpg", "a.jpg", "my b.jpg", "dir/d.jpg"];

    [Test]
    public void AllPairsComeOnce([Values(0, 1, 2, 31, 32, 33, 100)] int images)
    {
        ImagePairs pairs = ImagePairs.Read("exhaustive", [.. Enumerable.Range(0, images).Select(i => $"{i}")]);
        (int, int)[] all = [.. pairs.Pairs];
        Assert.That(all, Is.EquivalentTo(Enumerable.Range(0, images).SelectMany(i => Enumerable.Range(i + 1, images - i - 1).Select(j => (i, j)))));
        Assert.That(pairs.Count, Is.EqualTo(all.Length));
    }

    // By name the order is a, c, dir/d, my b: numbers 1, 0, 3, 2.
    [Test]
    public void SequencesGoByName()
    {
        Assert.That(ImagePairs.Read("sequential:2", Names).Pairs, Is.EquivalentTo(new[] { (0, 1), (1, 3), (0, 3), (0, 2), (2, 3) }));
        Assert.That(ImagePairs.Read("sequential:100", Names).Count, Is.EqualTo(6));
    }

    [TestCase("sequential:0")]
    [TestCase("sequential:x")]
    [TestCase("sequential:")]
    public void SequencesNeedANumber(string text) => Assert.That(() => ImagePairs.Read(text, Names), Throws.ArgumentException.With.Message.Contains(text));

    [Test]
    public void FilesNameTwoImagesPerLine()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["pairs.txt"], "# a comment\na.jpg c.jpg\n\nc.jpg   a.jpg\nmy b.jpg dir/d.jpg\ndir/d.jpg\tmy b.jpg\na.jpg a.jpg\n");
        Assert.That(ImagePairs.Read(folder["pairs.txt"], Names).Pairs, Is.EqualTo(new[] { (0, 1), (2, 3) }), "each pair once, none with itself");
    }

    [TestCase("a.jpg c.jpg\na.jpg e.jpg", "line 2", "e.jpg")]
    [TestCase("a.jpg", "line 1", "two images")]
    public void WrongLinesAreNamed(string text, params string[] words)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["pairs.txt"], text);
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => ImagePairs.Read(folder["pairs.txt"], Names));
        Assert.That(words.Append("pairs.txt"), Has.All.Matches<string>(word => error.Message.Contains(word!, StringComparison.Ordinal)));
    }
}
