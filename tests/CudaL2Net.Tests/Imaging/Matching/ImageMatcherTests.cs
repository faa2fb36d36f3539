using CudaL2Net.Evaluation.Plots;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Imaging.Matching;
using CudaL2Net.Kernels;
using CudaL2Net.Matching;
using OpenCvSharp;

namespace CudaL2Net.Tests.Imaging.Matching;

public sealed class ImageMatcherTests
{
    private Device device = null!;

    [OneTimeSetUp]
    public void OpenDevice() => device = Device.Open("cpu");

    [OneTimeTearDown]
    public void CloseDevice() => device.Dispose();

    [Test]
    public void FindsTheWarpBetweenTwoImages()
    {
        using Mat first = TestSequences.Discs(320, 240, 1), second = TestSequences.Warped(first, TestSequences.Warp);
        ImageMatches matches = new ImageMatcher(device, new RootSiftDescriber()).Match(first, second, ImageMatchOptions.Default);
        Assert.That(matches.Geometry, Is.EqualTo(MatchGeometry.Homography));
        Assert.That(matches.VerifiedCount, Is.GreaterThan(80));
        for (int i = 0; i < matches.Matches.Length; i++)
        {
            Keypoint a = matches.FirstKeypoints[matches.Matches[i].Query], b = matches.SecondKeypoints[matches.Matches[i].Target];
            (double x, double y) = TestSequences.Warp.Map(a.X, a.Y);
            double error = Math.Sqrt(Math.Pow(b.X - x, 2) + Math.Pow(b.Y - y, 2));
            Assert.That(error, matches.Verified[i] ? Is.LessThan(4.5) : Is.GreaterThan(1.5));
        }
    }

    [Test]
    public void EmptyImageHasNoMatches()
    {
        using Mat first = TestSequences.Discs(160, 120, 1), second = new(120, 160, MatType.CV_8UC1, new Scalar(90));
        ImageMatches matches = new ImageMatcher(device, new SiftDescriber()).Match(first, second, ImageMatchOptions.Default);
        Assert.That((matches.Matches.Length, matches.VerifiedCount, matches.Geometry), Is.EqualTo((0, 0, MatchGeometry.None)));
        Assert.That(MatchDrawing.Draw(first, second, matches), Has.Length.GreaterThan(1000));
    }

    [Test]
    public void ImageShowsVerifiedMatchesInColourAndOthersInGrey()
    {
        using Mat blank = new(200, 300, MatType.CV_8UC1, new Scalar(0));
        Keypoint[] keypoints = [new(150, 50, 8, 0, 1, 0), new(150, 150, 8, 0, 1, 0)];
        DescriptorMatch[] matches = [new(0, 0, 0.1f, 1), new(1, 1, 0.1f, 1)];
        byte[] png = MatchDrawing.Draw(blank, blank, new ImageMatches(keypoints, keypoints, matches, [true, false], MatchGeometry.Homography, null), "test");
        using Mat drawn = Cv2.ImDecode(png, ImreadModes.Color);
        Assert.That(drawn.Width, Is.GreaterThan(600));

        int header = drawn.Height - 200 - 12;
        Assert.That(Saturation(header + 50), Is.GreaterThan(60));
        Assert.That(Saturation(header + 150), Is.LessThan(12));
        Assert.That(Brightness(header + 150), Is.GreaterThan(20));
        Assert.That(Brightness(header + 100), Is.LessThan(5));

        byte[][] Near(int y) => [.. Enumerable.Range(y - 2, 5).Select(row => drawn.At<Vec3b>(row, 200)).Select(p => new[] { p.Item0, p.Item1, p.Item2 })];
        int Saturation(int y) => Near(y).Max(channels => channels.Max() - channels.Min());
        int Brightness(int y) => Near(y).Max(channels => channels[0]);
    }
}
