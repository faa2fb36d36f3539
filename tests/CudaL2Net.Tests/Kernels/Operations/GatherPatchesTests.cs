using CudaL2Net.Kernels;
using CudaL2Net.Numerics;
using CudaL2Net.Tests.Reference;
using static CudaL2Net.Tests.Reference.Closeness;

namespace CudaL2Net.Tests.Kernels.Operations;

public sealed class GatherPatchesTests(string device) : OperationTests(device)
{
    private const int Area = 32 * 32;

    [Test]
    public void MatchesTheReference(
        [Values(1, 3, 33)] int pairs, [Values] PatchNormalization normalization, [Values] PatchAugmentation augmentation, [Values] bool withMean)
    {
        byte[] patches = Bytes(9 * Area);
        float[] meanImage = Array.ConvertAll(Samples.Gaussian(2, Area), v => 120 + (20 * v));
        int[] indices = Enumerable.Range(0, (2 * pairs) + 4).Select(i => i * 5 % 9).ToArray();
        float[] output = Run(patches, indices, new GatherOptions(normalization, augmentation, 77), withMean ? meanImage : null, pairs, step: 6, batchOffset: 4);
        for (int row = 0; row < 2 * pairs; row++)
        {
            double[] patch = Array.ConvertAll(patches[(indices[4 + row] * Area)..((indices[4 + row] + 1) * Area)], b => (double)b);
            double[] turned = Plain.TurnPatch(patch, PatchSymmetry.Draw(augmentation, 77, 6, row % pairs));
            AssertClose(
                output[(row * Area)..((row + 1) * Area)], Plain.NormalizePatch(turned, normalization, withMean ? Samples.Widen(meanImage) : null), 1e-6);
        }
    }

    [Test]
    public void TheAugmentationsDrawTheSymmetriesTheyNameEquallyOften()
    {
        for (int symmetry = 0; symmetry < 8; symmetry++)
        {
            int dihedral = Enumerable.Range(0, 8000).Count(pair => PatchSymmetry.Draw(PatchAugmentation.Dihedral, 1, 2, pair) == symmetry);
            int transposeFlip = Enumerable.Range(0, 8000).Count(pair => PatchSymmetry.Draw(PatchAugmentation.TransposeFlip, 1, 2, pair) == symmetry);
            Assert.That(dihedral, Is.EqualTo(1000).Within(150));
            Assert.That(transposeFlip, symmetry < 4 ? Is.EqualTo(2000).Within(200) : Is.Zero);
            Assert.That(PatchSymmetry.Draw(PatchAugmentation.None, 1, 2, symmetry), Is.Zero);
        }
    }

    [Test]
    public void TheEightSymmetriesAreDifferentAndKeepThePixels()
    {
        double[] patch = Enumerable.Range(0, Area).Select(i => (double)i).ToArray();
        double[][] turned = Enumerable.Range(0, 8).Select(symmetry => Plain.TurnPatch(patch, symmetry)).ToArray();
        Assert.That(turned.Select(t => (t[0], t[1])).Distinct().Count(), Is.EqualTo(8));
        Assert.That(turned, Is.All.EquivalentTo(patch));
    }

    [Test]
    public void AFlatPatchBecomesZeros([Values] PatchNormalization normalization)
    {
        byte[] patches = Enumerable.Repeat((byte)255, 2 * Area).ToArray();
        Assert.That(Run(patches, [0, 1], new GatherOptions(normalization, PatchAugmentation.None, 0), null, 1, 0, 0), Is.All.Zero);
    }

    [Test]
    public void APatchThatDiffersFromTheMeanImageByAConstantBecomesZeros()
    {
        byte[] patches = Enumerable.Repeat((byte)201, 2 * Area).ToArray();
        float[] meanImage = Enumerable.Repeat(100.3f, Area).ToArray();
        Assert.That(Run(patches, [0, 1], new GatherOptions(PatchNormalization.L2Net, PatchAugmentation.Dihedral, 0), meanImage, 1, 0, 0), Is.All.Zero);
    }

    private static byte[] Bytes(int count)
    {
        var stream = new PhiloxStream(4, DrawPurpose.Evaluation, 0);
        return Enumerable.Range(0, count).Select(_ => (byte)stream.NextUInt()).ToArray();
    }

    private float[] Run(
        byte[] bytes, int[] rows, GatherOptions options, float[]? meanImage, int pairs, uint step, int batchOffset) => RunOnDevice(device =>
    {
        using Tensor<byte> patches = device.Upload<byte>(bytes, bytes.Length / Area, 32, 32);
        using Tensor<int> indices = device.Upload<int>(rows);
        using Tensor<StepParameters> parameters = device.Step(step, batchOffset: batchOffset);
        using Tensor<float>? mean = meanImage == null ? null : device.Upload<float>(meanImage, 32, 32);
        Tensor<float> output = device.Allocate<float>(2 * pairs, 32, 32, 1);
        device.Kernels.GatherPatches(patches, indices, parameters, options, mean, output);
        return [output];
    })[0];
}
