using CudaL2Net.Data;
using CudaL2Net.Evaluation.Plots;
using CudaL2Net.Evaluation.Results;
using OpenCvSharp;

namespace CudaL2Net.Tests.Evaluation.Plots;

public sealed class PatchGalleryTests
{
    [Test]
    public void EachPointIsAColumnOfItsPatches()
    {
        // Five patches of grey 50, 60, 70, 80, 90; points 7, 7, 9, 7, 9; the third patch of point 7 is beyond the limit.
        byte[] pixels = [.. Enumerable.Range(0, 5 * PatchSet.Area).Select(i => (byte)(50 + (10 * (i / PatchSet.Area))))];
        byte[] png = PatchGallery.Draw(new PatchSet(pixels, [7, 7, 9, 7, 9]), points: 10, perPoint: 2);
        using Mat drawn = Cv2.ImDecode(png, ImreadModes.Grayscale);
        Assert.That((drawn.Width, drawn.Height), Is.EqualTo(((2 * 76) + 12, (2 * 68) + 20)));
        byte[] middles = [drawn.At<byte>(40, 40), drawn.At<byte>(108, 40), drawn.At<byte>(40, 116), drawn.At<byte>(108, 116)];
        Assert.That(middles, Is.EqualTo(new byte[] { 50, 60, 70, 90 }));
        Assert.That(drawn.At<byte>(2, 2), Is.EqualTo(32));
    }

    [Test]
    public void AnEmptySetIsRefused() => Assert.That(() => PatchGallery.Draw(new PatchSet([], []), 3, 2), Throws.ArgumentException);

    [Test]
    public void PairsStandSideBySide()
    {
        PairExample[] pairs = [.. Enumerable.Range(0, 3).Select(i => new PairExample(i, Grey(50 + (20 * i)), Grey(60 + (20 * i))))];
        byte[] png = PatchGallery.DrawPairs(pairs, 64, perRow: 2);
        using Mat drawn = Cv2.ImDecode(png, ImreadModes.Grayscale);
        Assert.That((drawn.Width, drawn.Height), Is.EqualTo((12 + (2 * 144), 12 + (2 * 94))));
        byte[] middles = [drawn.At<byte>(40, 40), drawn.At<byte>(40, 108), drawn.At<byte>(40, 184), drawn.At<byte>(40, 252), drawn.At<byte>(134, 40)];
        Assert.That(middles, Is.EqualTo(new byte[] { 50, 60, 70, 80, 90 }));

        static byte[] Grey(int level) => [.. Enumerable.Repeat((byte)level, 64 * 64)];
    }

    [Test]
    public void PairsOfAnotherSizeAreRefused()
    {
        Assert.That(() => PatchGallery.DrawPairs([], 64), Throws.ArgumentException);
        Assert.That(() => PatchGallery.DrawPairs([new PairExample(1, new byte[64 * 64], new byte[32 * 32])], 64), Throws.ArgumentException);
    }
}
