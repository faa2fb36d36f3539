using CudaL2Net.Data;
using CudaL2Net.Training;

namespace CudaL2Net.Tests.Data;

public sealed class PatchSetTests
{
    [Test]
    public void ViewsAreThePartsThatANetworkOfThatSideTakes()
    {
        PatchSet set = Noise(3);
        Assert.That(set.View(PatchView.Whole, 32), Is.SameAs(set.Pixels));
        Assert.That(set.View(PatchView.Reduced, 64), Is.SameAs(set.Pixels));
        Assert.That(set.View(PatchView.Centre, 64), Is.SameAs(set.Centres));
        Assert.That(set.View(PatchView.Whole, 64), Is.SameAs(set.Large));
    }

    [Test]
    public void AViewThatTheSetLacksSaysWhatDataIsNeeded()
    {
        PatchSet set = new(new byte[1024], [0]);
        Assert.That(() => set.View(PatchView.Centre, 64), Throws.ArgumentException.With.Message.Contains("centres").And.Message.Contains("cut at 64 x 64"));
        Assert.That(() => set.View(PatchView.Whole, 64), Throws.ArgumentException.With.Message.Contains("cut at 64 x 64"));
    }

    [TestCase(PatchView.Reduced, 32, "Reduced")]
    [TestCase(PatchView.Centre, 32, "Centre")]
    [TestCase(PatchView.Whole, 48, "48")]
    [TestCase((PatchView)7, 64, "7")]
    [TestCase((PatchView)7, 32, "7")]
    public void OtherViewsAreRefused(PatchView view, int side, string named) =>
        Assert.That(() => Noise(1).View(view, side), Throws.ArgumentException.With.Message.Contains(named));

    [Test]
    public void SelectKeepsAllParts()
    {
        PatchSet set = Noise(4), chosen = set.Select([2, 0, 2]);
        Assert.That(chosen.PointIds, Is.EqualTo(new[] { 2, 0, 2 }));
        Assert.That(chosen.ImageIds, Is.EqualTo(new[] { 12, 10, 12 }));
        Assert.That(chosen.Pixels, Is.EqualTo(Rows(set.Pixels, 1024)));
        Assert.That(chosen.Centres, Is.EqualTo(Rows(set.Centres!, 1024)));
        Assert.That(chosen.Large, Is.EqualTo(Rows(set.Large!, 4096)));
        Assert.That(new PatchSet(set.Pixels, set.PointIds).Select([1]) is { Centres: null, Large: null, ImageIds: null }, Is.True);

        static byte[] Rows(byte[] all, int area) => [.. all[(2 * area)..(3 * area)], .. all[..area], .. all[(2 * area)..(3 * area)]];
    }

    [Test]
    public void LengthsMustAgree()
    {
        Assert.That(() => new PatchSet(new byte[1024], [0, 1]), Throws.ArgumentException.With.Message.Contains("2048"));
        Assert.That(() => new PatchSet(new byte[1024], [0], new byte[1023]), Throws.ArgumentException.With.Message.Contains("1023"));
        Assert.That(() => new PatchSet(new byte[1024], [0], large: new byte[1024]), Throws.ArgumentException.With.Message.Contains("4096"));
        Assert.That(() => new PatchSet(new byte[1024], [0], imageIds: [0, 1]), Throws.ArgumentException.With.Message.Contains("image"));
    }

    [Test]
    public void TheFingerprintDependsOnEveryPart()
    {
        PatchSet set = Noise(2);
        PatchSet[] sets =
        [
            new(set.Pixels, set.PointIds), new(set.Pixels, set.PointIds, set.Centres), new(set.Pixels, set.PointIds, large: set.Large),
            new(set.Pixels, set.PointIds, set.Centres, large: set.Large), new(set.Pixels, set.PointIds, set.Centres, large: new byte[2 * 4096]),
        ];
        Assert.That(sets.Select(Checkpoint.Fingerprint), Is.Unique);

        // Checkpoints of sets without large patches hold the hash of pixels, points and centres.
        byte[] hashed = [.. set.Pixels, .. set.PointIds.SelectMany(BitConverter.GetBytes), .. set.Centres!];
        Assert.That(Checkpoint.Fingerprint(sets[1]), Is.EqualTo(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(hashed))));
    }

    private static PatchSet Noise(int count)
    {
        var random = new Random(5);
        byte[] pixels = new byte[count * 1024], centres = new byte[count * 1024], large = new byte[count * 4096];
        random.NextBytes(pixels);
        random.NextBytes(centres);
        random.NextBytes(large);
        int[] ids = [.. Enumerable.Range(0, count)];
        return new PatchSet(pixels, ids, centres, Array.ConvertAll(ids, id => id + 10), large);
    }
}
