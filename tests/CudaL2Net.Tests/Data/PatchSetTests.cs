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

    [TestCase(32)]
    [TestCase(64)]
    [TestCase(65)]
    public void ASetIsMadeOfPatchesOfAnySideThatIsTaken(int side)
    {
        byte[] patches = [.. Enumerable.Range(0, 3 * side * side).Select(i => (byte)(i * 7 % 251))];
        PatchParts parts = side == 32 ? PatchParts.None : PatchParts.Centres | PatchParts.Large;
        PatchSet set = PatchSet.From(patches, side, [5, 9, 5], parts);
        byte[] pixels = new byte[3 * PatchSet.Area], centres = new byte[3 * PatchSet.Area], large = new byte[3 * PatchSet.LargeArea];
        PatchResize.Reduce(patches, side, pixels);
        Assert.That((set.Pixels, set.PointIds), Is.EqualTo((pixels, new[] { 5, 9, 5 })));
        if (side == 32)
        {
            Assert.That((set.Centres, set.Large), Is.EqualTo(((byte[]?)null, (byte[]?)null)));
            return;
        }

        PatchResize.CropCentre(patches, side, centres);
        PatchResize.ToLarge(patches, side, large);
        Assert.That((set.Centres, set.Large), Is.EqualTo((centres, large)));
    }

    [Test]
    public void PatchesThatMatchByWayOfOthersShowOnePoint()
    {
        (int, int)[] matches = [(6, 4), (1, 3), (4, 1), (7, 0), (3, 6)];
        PatchSet set = PatchSet.From(new byte[8 * PatchSet.Area], 32, matches);
        Assert.That(set.PointIds, Is.EqualTo(new[] { 0, 1, 2, 1, 1, 5, 1, 0 }));
    }

    [Test]
    public void PatchesAndLabelsThatDoNotFitAreRefused()
    {
        byte[] two = new byte[2 * PatchSet.Area];
        Fails(() => PatchSet.From(two, 48, [0, 1]), "48 x 48");
        Fails(() => PatchSet.From(two, 32, [0, 1], PatchParts.Large), "64 x 64 or 65 x 65");
        Fails(() => PatchSet.From(two, 32, [0]), "1024 bytes, not 2048");
        Fails(() => PatchSet.From(two, 32, [(0, 2)]), "0 and 2: there are 2");
        Fails(() => PatchSet.From(two.AsSpan(1), 32, [(0, 0)]), "not 2047");
        Fails(() => PatchSet.From(two, 0, [(0, 0)]), "0 and 0: there are 0");

        static void Fails(Func<PatchSet> call, string words) => Assert.That(() => call(), Throws.ArgumentException.With.Message.Contains(words));
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
