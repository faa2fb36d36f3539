using CudaL2Net.Imaging.Keypoints;
using OpenCvSharp;

namespace CudaL2Net.Tests.Imaging.Keypoints;

public sealed class KeypointDetectorTests
{
    [Test]
    public void FindsABlobAtItsPlaceAndScale()
    {
        using Mat image = TestImages.Render(100, 80, (x, y) => 30 + (200 * Math.Exp(-(((x - 40) * (x - 40)) + ((y - 33) * (y - 33))) / (2 * 6.0 * 6))));
        Keypoint[] keypoints = KeypointDetector.Detect(image, 1);
        Assert.That(keypoints, Has.Length.EqualTo(1));
        Assert.That(keypoints[0].X, Is.EqualTo(40).Within(0.3));
        Assert.That(keypoints[0].Y, Is.EqualTo(33).Within(0.3));
        Assert.That(keypoints[0].Size, Is.EqualTo(12).Within(3), "size is a diameter, 2 sigma");
    }

    [Test]
    public void AngleFollowsTheDirectionOfRisingGreyClockwise()
    {
        // A soft half disc, bright below its straight edge: grey rises downwards (+y), 90 degrees clockwise from +x.
        using Mat image = TestImages.Render(100, 100, (x, y) =>
            20 + (200 * Math.Exp(-(((x - 50) * (x - 50)) + ((y - 50) * (y - 50))) / (2 * 8.0 * 8)) / (1 + Math.Exp(50 - y))));
        Keypoint blob = KeypointDetector.Detect(image, 1)[0];
        Assert.That(blob.Angle, Is.EqualTo(90).Within(15));
    }

    [Test]
    public void ReturnsTheStrongestInAFixedOrder()
    {
        using Mat image = TestImages.Speckle(200, 160, 3);
        Keypoint[] all = KeypointDetector.Detect(image);
        Keypoint[] few = KeypointDetector.Detect(image, 25);
        Assert.That(all, Has.Length.GreaterThan(50));
        Assert.That(few, Is.EqualTo(all[..25]));
        Assert.That(all.Select(k => k.Response), Is.Ordered.Descending);
        Assert.That(KeypointDetector.Detect(image), Is.EqualTo(all));
    }

    [Test]
    public void AFlatOrTinyImageHasNone()
    {
        using Mat flat = TestImages.Render(100, 100, (_, _) => 128);
        using Mat tiny = TestImages.Render(3, 200, (x, y) => x * y);
        Assert.That(KeypointDetector.Detect(flat), Is.Empty);
        Assert.That(KeypointDetector.Detect(tiny), Is.Empty);
    }

    [Test]
    public void AColourImageIsRefused()
    {
        using Mat colour = new(30, 30, MatType.CV_8UC3);
        Assert.That(() => KeypointDetector.Detect(colour), Throws.ArgumentException.With.Message.Contains("grey"));
    }
}
