using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Imaging.Sources.Scenes;
using OpenCvSharp;

namespace CudaL2Net.Tests.Imaging.Sources;

public sealed class SceneRendererTests
{
    [Test]
    public void ASceneIsAFunctionOfSeedAndIndex()
    {
        SceneRenderer renderer = new(7, 160, 120);
        using Mat first = renderer.Render(3), other = renderer.Render(4);
        using Mat again = new SceneRenderer(7, 160, 120).Render(3), otherSeed = new SceneRenderer(8, 160, 120).Render(3);
        Assert.That((first.Width, first.Height, first.Type()), Is.EqualTo((160, 120, MatType.CV_8UC1)));
        Assert.That(Cv2.Norm(first, again, NormTypes.INF), Is.Zero);
        Assert.That(Cv2.Norm(first, other, NormTypes.L1) / first.Total(), Is.GreaterThan(10));
        Assert.That(Cv2.Norm(first, otherSeed, NormTypes.L1) / first.Total(), Is.GreaterThan(10));
    }

    [Test]
    public void ScenesAreRichInKeypointsAndContrast()
    {
        SceneRenderer renderer = new(1, 320, 240);
        int keypoints = 0;
        for (uint i = 0; i < 4; i++)
        {
            using Mat scene = renderer.Render(i);
            keypoints += KeypointDetector.Detect(scene).Length;
            Cv2.MeanStdDev(scene, out _, out Scalar deviation);
            Assert.That(deviation.Val0, Is.GreaterThan(8), $"scene {i}");
        }

        Assert.That(keypoints / 4, Is.GreaterThan(150));
    }

    [Test]
    public void ASillySizeIsRefused() => Assert.That(() => new SceneRenderer(1, 10, 10), Throws.ArgumentException.With.Message.Contains("64 to 4096"));
}
