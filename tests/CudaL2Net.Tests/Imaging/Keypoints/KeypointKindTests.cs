using CudaL2Net.Imaging.Geometry;
using CudaL2Net.Imaging.Keypoints;
using OpenCvSharp;

namespace CudaL2Net.Tests.Imaging.Keypoints;

/// <summary>Keypoints of other programs: COLMAP's text, Oxford's regions.</summary>
public sealed class KeypointKindTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void MakeFolder() => folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    [Test]
    public void ColmapsFeaturesAreTurnedIntoOurTerms()
    {
        Write("2 3\n10.5 20.5 4 1.5707964 0 255 7\n1.25 2 0.5 -0.5 1 2 3\n\n");
        Keypoint[] keypoints = KeypointFile.Read(folder["k.txt"], 8);
        Assert.Multiple(() =>
        {
            Assert.That((keypoints[0].X, keypoints[0].Y, keypoints[0].Size), Is.EqualTo((10f, 20f, 8f)), "centres at integers, twice sigma");
            Assert.That(keypoints[0].Angle, Is.EqualTo(90).Within(1e-4), "degrees");
            Assert.That((keypoints[1].X, keypoints[1].Y, keypoints[1].Size), Is.EqualTo((0.75f, 1.5f, 1f)));
            Assert.That(keypoints[1].Angle, Is.EqualTo(360 - (0.5 * 180 / Math.PI)).Within(1e-4));
        });
    }

    [TestCase(1, "0 128\n", "no keypoints")]
    [TestCase(1, "-1 128\n", "number of features")]
    [TestCase(2, "1 3\n", "cut short")]
    [TestCase(2, "1 3\n1 2 3 4 5 6\n", "6 numbers")]
    [TestCase(2, "1 128\n1 2 3 4\n", "4 numbers")]
    [TestCase(2, "1 1\nnan 2 3 4 5\n", "x is 'nan'")]
    [TestCase(2, "1 1\n1 2 0 4 5\n", "scale is 0")]
    [TestCase(2, "1 1\n1 2 3 4 256\n", "'256'")]
    [TestCase(3, "1 1\n1 2 3 4 5\n1 2 3 4 5\n", "one more")]
    public void DamagedColmapFilesAreExplained(int line, string text, string reason)
    {
        Write(text);
        Assert.That(() => KeypointFile.Read(folder["k.txt"], 8), Throws.TypeOf<InvalidDataException>().With.Message.Contains(reason)
            .And.Message.StartsWith(line == 1 && reason == "no keypoints" ? folder["k.txt"] : $"{folder["k.txt"]}, line {line}: "));
    }

    [Test]
    public void OxfordsRegionsAreEllipsesTurnedByTheirGradient()
    {
        // Long axis 8 pixels along x, short axis 4: a = 1/64, c = 1/16.
        Write("1.0\n1\n50 40 0.015625 0 0.0625\n");
        using Mat slope = TestImages.Render(100, 80, (_, y) => 2 * y);
        Keypoint upright = KeypointFile.Read(folder["k.txt"], 1).Single(), turned = KeypointFile.Read(folder["k.txt"], 1, slope).Single();
        Assert.Multiple(() =>
        {
            Assert.That(upright.Shape, Is.EqualTo(new AffineShape(4, 0, 0, 2)), "half of the ellipse, so that six times it is Oxford's three times");
            Assert.That((upright.X, upright.Y, upright.Angle), Is.EqualTo((50f, 40f, 0f)));
            Assert.That(turned.Angle, Is.EqualTo(90).Within(1), "grey rises downwards");
            Assert.That(turned.Shape.A12, Is.EqualTo(-4).Within(0.05));
            Assert.That(turned.Shape.A21, Is.EqualTo(2).Within(0.05));
        });
    }

    [TestCase(2, "1.0\n", "cut short")]
    [TestCase(3, "1.0\n2\n", "cut short")]
    [TestCase(3, "1.0\n1\n50 40 1 2 1\n", "no ellipse")]
    [TestCase(3, "1.0\n1\n50 40 1 2\n", "found 4")]
    [TestCase(1, "128\n1\n50 40 1 0 1\n", "128")]
    public void DamagedRegionsAreExplained(int line, string text, string reason)
    {
        Write(text);
        Assert.That(
            () => KeypointFile.Read(folder["k.txt"], 8),
            Throws.TypeOf<InvalidDataException>().With.Message.StartsWith($"{folder["k.txt"]}, line {line}: ").And.Message.Contains(reason));
    }

    [Test]
    public void RegionsThatTheBenchmarkWritesAreRead()
    {
        Ellipse[] regions = [Ellipse.Circle(10, 11, 5), new Ellipse(30, 31, 0.02, 0.005, 0.01)];
        EllipseFile.Write(folder["img1.haraff"], regions);
        Keypoint[] keypoints = KeypointFile.Read(folder["img1.haraff"], 8);
        Assert.That(keypoints[0].Size, Is.EqualTo(5).Within(1e-5));
        Assert.That(keypoints[1].Size, Is.EqualTo(regions[1].Radius).Within(1e-4));
    }

    private void Write(string text) => File.WriteAllText(folder["k.txt"], text);
}
