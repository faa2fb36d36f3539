using CudaL2Net.Data;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Matching;
using CudaL2Net.Tests.Imaging.Data;
using OpenCvSharp;

namespace CudaL2Net.Tests.Imaging.Description;

public sealed class PatchDescriberTests
{
    [Test]
    public void RawIsTheCentredPatchAsAUnitVectorAndFlatPatchesAreZero([Values(32, 64, 65)] int side)
    {
        var random = new Random(side);
        byte[] patches = new byte[3 * side * side];
        random.NextBytes(patches);
        patches.AsSpan(side * side, side * side).Fill(77);
        DescriptorSet found = new RawDescriber().Describe(patches, side);
        byte[] reduced = new byte[3 * 1024];
        PatchResize.Reduce(patches, side, reduced);
        Assert.That((found.Count, found.Dimension), Is.EqualTo((3, 1024)));
        for (int i = 0; i < 3; i++)
        {
            double[] pixels = [.. reduced.Skip(1024 * i).Take(1024).Select(value => (double)value)];
            double mean = pixels.Average(), norm = Math.Sqrt(pixels.Sum(value => Math.Pow(value - mean, 2)));
            double[] expected = [.. pixels.Select(value => norm == 0 ? 0 : (value - mean) / norm)];
            Assert.That(found.Values!.Skip(1024 * i).Take(1024), Is.EqualTo(expected).Within(1e-6));
        }
    }

    [Test]
    public void SiftOfAPatchIsThatOfAKeypointAtItsCentre([Values(32, 64, 65)] int side)
    {
        using Mat image = TestSequences.Discs(side, side * 4, 3);
        image.GetArray(out byte[] patches);
        DescriptorSet found = new SiftDescriber().Describe(patches, side);
        DescriptorSet root = new RootSiftDescriber().Describe(patches, side);
        Assert.That((found.Count, root.Count), Is.EqualTo((4, 4)));
        for (int i = 0; i < 4; i++)
        {
            using var patch = new Mat(image, new Rect(0, i * side, side, side));
            using Mat alone = patch.Clone();
            DescriptorSet one = new SiftDescriber().Describe(alone, [new((side - 1) / 2f, (side - 1) / 2f, side / 6f, 0, 0, 0)]);
            Assert.That(found.Values!.Skip(128 * i).Take(128), Is.EqualTo(one.Values));
            Assert.That(root.Values!.Skip(128 * i).Take(128).Sum(value => value * value), Is.EqualTo(1).Within(1e-5));
        }
    }

    [Test]
    public void OtherSidesAndPartsOfPatchesAreRefused()
    {
        foreach (IPatchDescriber method in new IPatchDescriber[] { new RawDescriber(), new SiftDescriber() })
        {
            Assert.That(method.Describe([], 65).Count, Is.Zero);
            Assert.That(() => method.Describe(new byte[33 * 33], 33), Throws.ArgumentException.With.Message.Contains("33"));
            Assert.That(() => method.Describe(new byte[1000], 32), Throws.ArgumentException.With.Message.Contains("1000"));
        }
    }

    [Test]
    public void FlatPatchesGetFiniteDescriptors()
    {
        byte[] patches = HPatchesFolder.MakeStrip(2, 0, flatRow: 1);
        foreach (IPatchDescriber method in new IPatchDescriber[] { new RawDescriber(), new SiftDescriber(), new RootSiftDescriber() })
        {
            Assert.That(method.Describe(patches, 65).Values, Is.All.Matches<float>(float.IsFinite), method.Name);
        }
    }
}
