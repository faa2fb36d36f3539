using CudaL2Net.Imaging.Geometry;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Imaging.Regions;
using CudaL2Net.Tests.Imaging.Geometry;
using OpenCvSharp;

namespace CudaL2Net.Tests.Imaging.Regions;

public sealed class RegionDetectorTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void MakeFolder() => folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    [Test]
    public void SiftGivesDiscsOfTwoSigmaWithSiftsOrientation()
    {
        using Mat image = TestImages.Speckle(200, 150, 1);
        Keypoint[] keypoints = KeypointDetector.Detect(image, 40);
        OrientedRegion[] regions = RegionDetector.Open("sift", 40).Detect("x", image);
        Assert.That(regions.Select(region => (region.Shape.X, region.Shape.Y, region.Angle)), Is.EqualTo(keypoints.Select(k => ((double)k.X, (double)k.Y, (double)k.Angle))));
        Assert.That(regions.Select(region => region.Shape.Radius), Is.EqualTo(keypoints.Select(k => (double)k.Size)).Within(1e-9));
        Assert.That(RegionDetector.Open("sift").Detect("x", image), Has.Length.GreaterThan(40));
    }

    [Test]
    public void MserGivesTheEllipseOfADarkAndABrightRegion([Values(20, 235)] int grey)
    {
        using var image = new Mat(120, 160, MatType.CV_8UC1, new Scalar(128));
        Cv2.Ellipse(image, new Point(70, 55), new Size(24, 12), 30, 0, 360, new Scalar(grey), -1);
        OrientedRegion[] regions = RegionDetector.Open("mser").Detect("x", image);
        Assert.That(regions, Is.Not.Empty);
        Ellipse drawn = EllipseTests.Turned(70, 55, 24.3, 12.3, 30);
        Assert.That(regions.Max(region => region.Shape.Overlap(drawn)), Is.GreaterThan(0.95));
        Assert.That(RegionDetector.Open("mser").Detect("x", image), Is.EqualTo(regions), "the same regions in the same order");
    }

    [TestCase("haraff", "img1.ppm.haraff")]
    [TestCase("hesaff", "img1.hesaff")]
    public void FilesBesideTheImageAreRead(string detector, string file)
    {
        using Mat image = TestImages.Speckle(100, 80, 2);
        Ellipse[] regions = [Ellipse.Circle(40, 30, 4), EllipseTests.Turned(60, 50, 6, 3, 20)];
        EllipseFile.Write(folder[file], regions);
        OrientedRegion[] found = RegionDetector.Open(detector).Detect(folder["img1.ppm"], image);
        Assert.That(found.Select(region => region.Shape), Is.EqualTo(regions));
        Assert.That(found, Is.EqualTo(RegionPatches.Orient(image, regions)), "turned by the gradient");
    }

    [Test]
    public void MissingAndForeignFilesAreNamed()
    {
        using Mat image = TestImages.Speckle(100, 80, 2);
        var detector = RegionDetector.Open("haraff");
        Assert.That(
            () => detector.Detect(folder["img1.ppm"], image),
            Throws.TypeOf<FileNotFoundException>().With.Message.Contains("img1.ppm.haraff").And.Message.Contains("img1.haraff"));
        EllipseFile.Write(folder["img1.ppm.haraff"], [Ellipse.Circle(4, 4, 2), Ellipse.Circle(300, 30, 4)]);
        Assert.That(
            () => detector.Detect(folder["img1.ppm"], image),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("img1.ppm.haraff: region 2").And.Message.Contains("100 x 80"));
    }

    [Test]
    public void UnknownDetectorsAreRefused() =>
        Assert.That(() => RegionDetector.Open("surf"), Throws.ArgumentException.With.Message.Contains("sift, mser, haraff, hesaff"));
}
