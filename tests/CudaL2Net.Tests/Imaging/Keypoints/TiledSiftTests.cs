using CudaL2Net.Imaging.Keypoints;
using OpenCvSharp;

namespace CudaL2Net.Tests.Imaging.Keypoints;

/// <summary>Detection in tiles, which bounds the memory of large images.</summary>
public sealed class TiledSiftTests
{
    [TestCase(660, 420)]
    [TestCase(420, 660)]
    public void TilesFindTheKeypointsOfTheWholeImage(int width, int height)
    {
        using Mat image = Mixed(width, height);
        Keypoint[] whole = Sorted(TiledSift.Detect(image, 4096)), tiled = Sorted(TiledSift.Detect(image, 512));
        Keypoint[] fine = [.. whole.Where(k => k.Octave <= 1)], fineOfTiles = [.. tiled.Where(k => k.Octave <= 1)];
        Keypoint[] coarse = [.. whole.Where(k => k.Octave > 1)], coarseOfTiles = [.. tiled.Where(k => k.Octave > 1)];
        Assert.Multiple(() =>
        {
            Assert.That(fine, Has.Length.GreaterThan(400));
            Assert.That(fine.Select(k => k.Octave).Distinct(), Is.EquivalentTo(new[] { -1, 0, 1 }));
            Assert.That(fineOfTiles.Select(k => (k.Response, k.Size, k.Angle, k.Octave)), Is.EqualTo(fine.Select(k => (k.Response, k.Size, k.Angle, k.Octave))));
            Assert.That(fineOfTiles.Zip(fine).Max(pair => Apart(pair.First, pair.Second)), Is.LessThan(1e-3), "only the last bit of a place may differ");
            Assert.That(coarse, Has.Length.GreaterThan(40));
            Assert.That(Share(coarse, coarseOfTiles), Is.GreaterThan(0.8));
            Assert.That(Share(coarseOfTiles, coarse), Is.GreaterThan(0.8));
        });
    }

    [Test]
    public void TilesCoverEachSideOnceAndNoneIsLargerThanItsLimit([Values(352 + 16, 512, 2048)] int tile)
    {
        for (int length = 1; length < 6 * tile; length += 1 + (length / 3))
        {
            int covered = 0;
            foreach ((int start, int first, int end, int tileEnd) in TiledSift.Cut(length, tile))
            {
                bool last = end == int.MaxValue;
                Assert.That(first, Is.EqualTo(covered));
                Assert.That(start % 32, Is.Zero);
                Assert.That(tileEnd - start, Is.InRange(1, tile));
                Assert.That(start == 0 || first - start >= 160, Is.True);
                Assert.That(last ? tileEnd == length : tileEnd == length || tileEnd - end >= 160, Is.True);
                covered = end;
            }

            Assert.That(covered, Is.EqualTo(int.MaxValue), $"{length} pixels");
        }
    }

    [Test]
    public void KeypointsOfAReducedImageAreGivenInThePixelsOfTheImageItself()
    {
        using Mat image = TestImages.Render(500, 400, (x, y) => 30 + (200 * Math.Exp(-(((x - 200) * (x - 200)) + ((y - 165) * (y - 165))) / (2 * 30.0 * 30))));
        Keypoint blob = KeypointDetector.Detect(image, 1, maxSide: 100)[0];
        Assert.Multiple(() =>
        {
            Assert.That(blob.X, Is.EqualTo(200).Within(1));
            Assert.That(blob.Y, Is.EqualTo(165).Within(1));
            Assert.That(blob.Size, Is.EqualTo(60).Within(12), "size is a diameter, 2 sigma");
        });
    }

    [Test]
    public void AnImageThatIsSmallEnoughIsNotReduced()
    {
        using Mat image = TestImages.Speckle(120, 90, 4);
        Assert.That(KeypointDetector.Detect(image, maxSide: 120), Is.EqualTo(KeypointDetector.Detect(image)));
        Assert.That(() => KeypointDetector.Detect(image, maxSide: 0), Throws.ArgumentException);
    }

    // Structure of all sizes: fine grain, blots, large blots.
    private static Mat Mixed(int width, int height)
    {
        using Mat fine = TestImages.Speckle(width, height, 1), blots = TestImages.Speckle(width / 6, height / 6, 2), large = TestImages.Speckle(width / 15, height / 15, 3);
        Mat sum = new();
        foreach ((Mat part, double weight) in new[] { (fine, 0.35), (blots, 0.35), (large, 0.3) })
        {
            using var sized = new Mat();
            Cv2.Resize(part, sized, new Size(width, height), 0, 0, InterpolationFlags.Cubic);
            if (sum.Empty())
            {
                sized.ConvertTo(sum, MatType.CV_8UC1, weight);
            }
            else
            {
                Cv2.AddWeighted(sum, 1, sized, weight, 0, sum);
            }
        }

        return sum;
    }

    private static Keypoint[] Sorted(List<Keypoint> keypoints) => [.. keypoints
        .OrderByDescending(k => k.Response).ThenBy(k => k.Size).ThenBy(k => k.Angle).ThenBy(k => Math.Round(k.Y)).ThenBy(k => k.X)];

    private static double Apart(Keypoint a, Keypoint b) => Math.Max(Math.Abs(a.X - b.X), Math.Abs(a.Y - b.Y));

    // Of keypoints those that have another one at their place, a tenth of their size apart, and of their size.
    private static double Share(Keypoint[] keypoints, Keypoint[] others) =>
        keypoints.Count(k => others.Any(o => Apart(k, o) < k.Size / 10 && Math.Abs((o.Size / k.Size) - 1) < 0.1)) / (double)keypoints.Length;
}
