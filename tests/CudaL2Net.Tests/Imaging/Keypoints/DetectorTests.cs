using CudaL2Net.Imaging.Keypoints;
using OpenCvSharp;

namespace CudaL2Net.Tests.Imaging.Keypoints;

/// <summary>What holds for every detector.</summary>
public sealed class DetectorTests
{
    private static Detector[] All => Enum.GetValues<Detector>();

    private static Detector[] OfContent => [.. All.Where(detector => detector != Detector.Grid)];

    [TestCaseSource(nameof(All))]
    public void KeypointsAreInTheImageByFallingStrengthAndTheSameEachTime(Detector detector)
    {
        using Mat image = TestImages.Speckle(200, 160, 3);
        Keypoint[] all = Detect(image, detector), few = Detect(image, detector, limit: 20);
        Assert.Multiple(() =>
        {
            Assert.That(all, Has.Length.GreaterThan(20));
            Assert.That(few, Has.Length.InRange(detector is Detector.Grid or Detector.Orb ? 10 : 20, 20));
            Assert.That(all.Select(k => k.Response), Is.Ordered.Descending);
            Assert.That(all.All(k => k.X is >= 0 and <= 199 && k.Y is >= 0 and <= 159 && k.Size > 0 && k.Angle is >= 0 and < 360), Is.True);
            Assert.That(Detect(image, detector), Is.EqualTo(all));
            Assert.That(all.All(k => k.IsAffine == (detector == Detector.Mser)), Is.True);
            Assert.That(PatchCutter.Cut(image, all, 6, 32), Has.Length.EqualTo(all.Length * 32 * 32));
        });
    }

    [TestCaseSource(nameof(OfContent))]
    public void AFlatImageHasNone(Detector detector)
    {
        using Mat flat = TestImages.Render(100, 100, (_, _) => 128);
        Assert.That(Detect(flat, detector), Is.Empty);
    }

    [TestCaseSource(nameof(All))]
    public void ATinyImageHasNone(Detector detector)
    {
        using Mat tiny = TestImages.Render(3, 200, (x, y) => x * y);
        Assert.That(Detect(tiny, detector), Is.Empty);
    }

    [TestCaseSource(nameof(All))]
    public void ThereAreNoneWhereTheMaskIsZero(Detector detector)
    {
        using Mat image = TestImages.Speckle(200, 160, 3), left = TestImages.Render(200, 160, (x, _) => x < 100 ? 1 : 0), none = TestImages.Render(200, 160, (_, _) => 0);
        Keypoint[] kept = Detect(image, detector, left);
        Assert.Multiple(() =>
        {
            Assert.That(kept, Is.Not.Empty);
            Assert.That(kept.All(k => k.X < 100), Is.True);
            Assert.That(Detect(image, detector, none), Is.Empty);
            Assert.That(
                () => Detect(image, detector, mask: TestImages.Render(160, 200, (_, _) => 1)), Throws.ArgumentException.With.Message.Contains("200 x 160, not 160 x 200"));
        });
    }

    [TestCaseSource(nameof(OfContent))]
    public void TheLimitCountsWhatTheMaskLeaves(Detector detector)
    {
        using Mat image = TestImages.Speckle(200, 160, 3), left = TestImages.Render(200, 160, (x, _) => x < 130 ? 255 : 0);
        Assert.That(Detect(image, detector, left, limit: 20), Has.Length.InRange(detector == Detector.Orb ? 15 : 20, 20));
    }

    [TestCaseSource(nameof(All))]
    public void UprightKeypointsPointToTheRight(Detector detector)
    {
        using Mat image = TestImages.Speckle(200, 160, 3);
        Keypoint[] upright = Detect(image, detector, upright: true);
        Assert.Multiple(() =>
        {
            Assert.That(upright.All(k => k.IsAffine ? k.Shape.A12 == k.Shape.A21 : k.Angle == 0), Is.True);
            Assert.That(upright.Select(k => (k.X, k.Y, k.Size, k.Shape)), Is.Unique);
            Assert.That(upright, Has.Length.LessThanOrEqualTo(Detect(image, detector).Length));
            Assert.That(detector == Detector.Grid || Detect(image, detector).Any(k => k.Angle is > 20 and < 340), Is.True, "else they are turned");
        });
    }

    [TestCaseSource(nameof(OfContent))]
    public void AReducedImagesKeypointsAreInThePixelsOfTheImage(Detector detector)
    {
        // Few blobs with sharp edges, so that every detector finds them in both sizes.
        using Mat image = TestImages.Render(480, 360, (x, y) => Squares(x, y)), half = TestImages.Render(240, 180, (x, y) => Squares((2 * x) + 0.5, (2 * y) + 0.5));
        Keypoint[] reduced = Detect(image, detector, maxSide: 240), small = Detect(half, detector);
        Assert.That(reduced, Has.Length.EqualTo(small.Length).Within(small.Length / 5));
        double shift = reduced.Average(k => small.Min(s => Distance(k, ((2 * s.X) + 0.5, (2 * s.Y) + 0.5))));
        Assert.That(shift, Is.LessThan(0.5));
        Assert.That(reduced.Average(k => k.Size) / small.Average(k => k.Size), Is.EqualTo(2).Within(0.1));
    }

    [TestCase(Detector.Sift)]
    [TestCase(Detector.Akaze)]
    [TestCase(Detector.Orb)]
    [TestCase(Detector.Brisk)]
    [TestCase(Detector.Mser)]
    [TestCase(Detector.Harris)]
    public void KeypointsTurnWithTheImage(Detector detector)
    {
        using Mat image = TestImages.Speckle(161, 161, 3);
        using Mat turned = new();
        Cv2.Rotate(image, turned, RotateFlags.Rotate90Clockwise);
        Keypoint[] before = Detect(image, detector, limit: 60), after = Detect(turned, detector, limit: 400);
        (Keypoint Before, Keypoint After)[] pairs =
        [
            .. before.SelectMany(k => after.Where(other => Distance(other, (160 - k.Y, k.X)) < 1 && Math.Abs((other.Size / k.Size) - 1) < 0.1).Select(other => (k, other))),
        ];
        int same = pairs.Count(pair => Math.Abs((((pair.After.Angle - pair.Before.Angle) + 540 - 90) % 360) - 180) < 12);
        Assert.That(pairs.Select(pair => pair.Before).Distinct().Count(), Is.GreaterThan(before.Length / 2), "found again");
        Assert.That(same, Is.GreaterThan(before.Length / 2), "a quarter turn clockwise is 90 degrees more");
    }

    [TestCase(Detector.Akaze, 0)]
    [TestCase(Detector.Orb, 0)]
    [TestCase(Detector.Brisk, 0)]
    [TestCase(Detector.Mser, 0)]
    [TestCase(Detector.Harris, 0)]
    [TestCase(Detector.Sift, 0.25)]
    public void KeypointsAreNotMovedToOneSide(Detector detector, double known)
    {
        // What is moved to one side is moved to the other in the image that is turned by half: the two lie twice as far apart. Sides that reduced images do not divide.
        const int Width = 203, Height = 163;
        using Mat image = TestImages.Speckle(Width, Height, 3);
        using Mat turned = new();
        Cv2.Rotate(image, turned, RotateFlags.Rotate180);
        Keypoint[] before = Detect(image, detector), after = Detect(turned, detector);
        (double X, double Y)[] moves =
        [
            .. from k in before
               let other = after.Where(other => Math.Abs((other.Size / k.Size) - 1) < 0.1).DefaultIfEmpty()
                   .MinBy(other => Distance(k, (Width - 1 - other.X, Height - 1 - other.Y)))
               let move = (X: k.X - (Width - 1 - other.X), Y: k.Y - (Height - 1 - other.Y))
               where Math.Abs(move.X) < 3 && Math.Abs(move.Y) < 3
               select move,
        ];
        Assert.Multiple(() =>
        {
            Assert.That(moves, Has.Length.GreaterThan(before.Length * 0.5));
            Assert.That(moves.Average(move => move.X) / 2, Is.EqualTo(known).Within(0.1));
            Assert.That(moves.Average(move => move.Y) / 2, Is.EqualTo(known).Within(0.1));
        });
    }

    [Test]
    public void HarrisFindsACornerToAFractionOfAPixel()
    {
        using Mat image = TestImages.Render(80, 60, (x, y) => 40 + (180 * Edge(x - 40.4) * Edge(y - 30.7)));
        Keypoint corner = Detect(image, Detector.Harris, limit: 1).Single();
        Assert.That(corner.X, Is.EqualTo(40.4).Within(0.35));
        Assert.That(corner.Y, Is.EqualTo(30.7).Within(0.35));

        static double Edge(double at) => 1 / (1 + Math.Exp(-2 * at));
    }

    [Test]
    public void TheGridIsRegularAndKeepsTheLimit([Values(1, 7, 50, 100000)] int limit)
    {
        using Mat image = TestImages.Render(200, 100, (_, _) => 128);
        Keypoint[] grid = Detect(image, Detector.Grid, limit: limit);
        Assert.That(grid, Has.Length.InRange(Math.Min(limit, 300) / 3, limit));
        Assert.That(grid.Average(k => k.X), Is.EqualTo(99.5).Within(0.01));
        Assert.That(grid.Average(k => k.Y), Is.EqualTo(49.5).Within(0.01));
        if (limit == 100000)
        {
            Assert.That(grid.Select(k => k.X).Distinct().Order().Take(2), Is.EqualTo(new[] { 3.5f, 11.5f }), "8 pixels apart");
        }
    }

    [Test]
    public void LargeImagesAreRefusedWithAWord()
    {
        using Mat image = new(6000, 6000, MatType.CV_8UC1, Scalar.All(0));
        Assert.That(() => Detect(image, Detector.Akaze), Throws.InvalidOperationException.With.Message.Contains("--max-side"));
        Assert.That(Detect(image, Detector.Akaze, maxSide: 200), Is.Empty);
    }

    [Test]
    public void OptionsOutOfRangeAreRefused()
    {
        using Mat image = TestImages.Speckle(60, 60, 3);
        Assert.That(() => Detect(image, Detector.Orb, limit: 0), Throws.ArgumentException.With.Message.Contains("limit"));
        Assert.That(() => Detect(image, Detector.Orb, maxSide: 0), Throws.ArgumentException.With.Message.Contains("longer side"));
        Assert.That(() => Detect(image, (Detector)99), Throws.ArgumentException);
    }

    private static Keypoint[] Detect(Mat image, Detector detector, Mat? mask = null, int limit = 5000, int? maxSide = null, bool upright = false) =>
        KeypointDetector.Detect(image, new DetectionOptions { Detector = detector, Limit = limit, MaxSide = maxSide, Upright = upright }, mask);

    private static double Distance(Keypoint k, (double X, double Y) to) => Math.Sqrt(((k.X - to.X) * (k.X - to.X)) + ((k.Y - to.Y) * (k.Y - to.Y)));

    private static double Squares(double x, double y)
    {
        double value = 60;
        for (int i = 0; i < 12; i++)
        {
            double cx = 60 + (120 * (i % 4)) + (7 * (i / 4)), cy = 60 + (110 * (i / 4)) + (5 * (i % 4)), half = 14 + (3 * (i % 3));
            value += (90 + (8 * i)) * Edge(half - Math.Abs(x - cx)) * Edge(half + 4 - Math.Abs(y - cy));
        }

        return value;

        static double Edge(double inside) => 1 / (1 + Math.Exp(-inside));
    }
}
