using CudaL2Net.Imaging.Description;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Kernels;
using CudaL2Net.Matching;
using CudaL2Net.Networks;
using CudaL2Net.Tests.Networks;
using OpenCvSharp;
using OpenCvSharp.Features2D;

namespace CudaL2Net.Tests.Imaging.Description;

public sealed class DescriberTests
{
    [Test]
    public void SiftAtGivenKeypointsEqualsDetectionAndDescriptionInOne()
    {
        using Mat image = TestSequences.Discs(320, 240, 3);
        using SIFT sift = SIFT.Create();
        using var wanted = new Mat();
        sift.DetectAndCompute(image, null, out KeyPoint[] points, wanted);
        Keypoint[] keypoints = Array.ConvertAll(points, p => new Keypoint(p.Pt.X, p.Pt.Y, p.Size, p.Angle, p.Response, 0));
        Assert.That(keypoints.Select(k => k.Size).Max() / keypoints.Select(k => k.Size).Min(), Is.GreaterThan(8), "several octaves");

        DescriptorSet found = new SiftDescriber().Describe(image, keypoints);
        Assert.That(wanted.GetArray(out float[] expected), Is.True);
        Assert.That(found.Values, Is.EqualTo(expected));
    }

    [Test]
    public void RootSiftIsTheRootOfTheShareInTheSum()
    {
        using Mat image = TestSequences.Discs(160, 120, 4);
        Keypoint[] keypoints = KeypointDetector.Detect(image, 20);
        float[] sift = new SiftDescriber().Describe(image, keypoints).Values!;
        DescriptorSet root = new RootSiftDescriber().Describe(image, keypoints);
        Assert.That(root.Count, Is.EqualTo(keypoints.Length).And.GreaterThan(0));
        for (int i = 0; i < root.Count; i++)
        {
            float sum = sift.AsSpan(i * 128, 128).ToArray().Sum();
            Assert.That(root.Values!.Skip(i * 128).Take(128).Sum(value => value * value), Is.EqualTo(1).Within(1e-5));
            Assert.That(root.Values![(i * 128) + 5], Is.EqualTo(Math.Sqrt(sift[(i * 128) + 5] / sum)).Within(1e-6));
        }
    }

    [Test]
    public void ModelDescribesThePatchesOfItsScaleAndSide([Values] bool centreSurround)
    {
        using Device device = Device.Open("cpu");
        using PatchModel model = PatchModel.CreateRandom(TestNetworks.Of(centreSurround), 5, device);
        using Mat image = TestSequences.Discs(160, 120, 4);
        Keypoint[] keypoints = KeypointDetector.Detect(image, 10);
        byte[] patches = PatchCutter.Cut(image, keypoints, model.PatchScale, model.PatchSide);

        DescriptorSet values = new CutPatchDescriber(new ModelDescriber("network", model)).Describe(image, keypoints);
        Assert.That(values.Values, Is.EqualTo(model.Describe(patches, model.PatchSide)));
        Assert.That((values.Count, values.Dimension), Is.EqualTo((keypoints.Length, centreSurround ? 256 : 128)));

        DescriptorSet bits = new CutPatchDescriber(new ModelDescriber("bits", model, binary: true)).Describe(image, keypoints);
        Assert.That(bits.Bits, Is.EqualTo(PatchModel.Binarize(values.Values)));
    }

    [Test]
    public void NoKeypointsGiveNoDescriptors()
    {
        using Mat image = TestSequences.Discs(64, 64, 4);
        Assert.That(new SiftDescriber().Describe(image, []).Count, Is.Zero);
        Assert.That(new RootSiftDescriber().Describe(image, []).Count, Is.Zero);
    }
}
