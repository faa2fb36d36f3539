using CudaL2Net.Evaluation.Protocols;
using CudaL2Net.Imaging.Geometry;
using CudaL2Net.Imaging.Keypoints;

namespace CudaL2Net.Tests.Evaluation.Protocols;

public sealed class CorrespondencesTests
{
    // The map doubles lengths and adds 10 to x: (20, 30) of size 4 goes to (50, 60) of size 8.
    private static readonly Homography Doubling = new(2, 0, 10, 0, 2, 0, 0, 0, 1);

    [TestCase(50, 60, 8, true)]
    [TestCase(53, 60, 8, true)]
    [TestCase(50, 63.01f, 8, false)]
    [TestCase(52.5f, 62.5f, 8, false)]
    [TestCase(50, 60, 11.99f, true)]
    [TestCase(50, 60, 12.01f, false)]
    [TestCase(50, 60, 5.34f, true)]
    [TestCase(50, 60, 5.32f, false)]
    public void PlaceAndScaleDecide(float x, float y, float size, bool expected)
    {
        var found = new Correspondences([new Keypoint(20, 30, 4, 10, 1, 0)], [new Keypoint(x, y, size, 250, 1, 0)], Doubling);
        Assert.That(found.Contains(0, 0), Is.EqualTo(expected));
        Assert.That(found.Positives, Is.EqualTo(expected ? 1 : 0));
    }

    [Test]
    public void PartnersComeNearestFirst()
    {
        Keypoint[] first = [new(20, 30, 4, 0, 1, 0), new(90, 90, 4, 0, 1, 0)];
        Keypoint[] second = [new(52, 60, 8, 0, 1, 0), new(50.5f, 60, 8, 0, 1, 0), new(10, 10, 8, 0, 1, 0)];
        var found = new Correspondences(first, second, Doubling);
        Assert.That(found[0].ToArray(), Is.EqualTo(new[] { 1, 0 }));
        Assert.That(found[1].ToArray(), Is.Empty);
        Assert.That(found.Positives, Is.EqualTo(1));
    }

    // The map turns by 90 degrees clockwise (x to y): an angle of 10 becomes 100.
    [TestCase(100, true)]
    [TestCase(129, true)]
    [TestCase(131, false)]
    [TestCase(10, false)]
    public void AlignedPartnerAgreesInOrientationToo(float angle, bool expected)
    {
        var turn = new Homography(0, -1, 100, 1, 0, 0, 0, 0, 1);
        var found = new Correspondences([new Keypoint(20, 30, 4, 10, 1, 0)], [new Keypoint(70, 20, 4, 250, 1, 0), new Keypoint(71, 20, 4, angle, 1, 0)], turn);
        Assert.That(found[0].ToArray(), Is.EqualTo(new[] { 0, 1 }));
        Assert.That(found.AlignedPartner(0), Is.EqualTo(expected ? 1 : -1));
    }

    // Stretching x by 2 turns a gradient of 45 degrees to atan(2) = 63.4, where an arrow would go to 26.6.
    [TestCase(90, true)]
    [TestCase(0, false)]
    public void OrientationsTurnAsGradientsDo(float angle, bool expected)
    {
        var stretch = new Homography(2, 0, 0, 0, 1, 0, 0, 0, 1);
        var found = new Correspondences([new Keypoint(20, 30, 4, 45, 1, 0)], [new Keypoint(40, 30, 5.6f, angle, 1, 0)], stretch);
        Assert.That(found.AlignedPartner(0), Is.EqualTo(expected ? 0 : -1));
    }
}
