using CudaL2Net.Autograd;
using CudaL2Net.Kernels;
using CudaL2Net.Numerics;
using CudaL2Net.Tests.Reference;
using static CudaL2Net.Tests.Reference.Closeness;

namespace CudaL2Net.Tests.Kernels.Operations;

public sealed class GatherPatchesTests(string device) : OperationTests(device)
{
    [Test]
    public void MatchesTheReference([Values(1, 3, 33)] int pairs, [Values] PatchNormalization normalization, [Values] PatchAugmentation augmentation,
        [Values] bool withMean) => Check(32, pairs, new GatherOptions(normalization, augmentation, 77, 117.3f, 57.1f), withMean);

    [Test]
    public void LargePatchesMatchTheReference([Values(1, 5)] int pairs, [Values] PatchNormalization normalization, [Values] PatchAugmentation augmentation,
        [Values] bool withMean) => Check(64, pairs, new GatherOptions(normalization, augmentation, 78, 128, 160), withMean);

    [Test]
    public void EverySymmetryTurnsPatchesOfBothHalves([Values(32, 64)] int side)
    {
        // One step after the other, until a pair was turned by each of the eight.
        var options = new GatherOptions(PatchNormalization.Fixed, PatchAugmentation.Dihedral, 5);
        HashSet<int> seen = [];
        byte[] patches = Bytes(2 * side * side);
        for (uint step = 0; seen.Count < 8; step++)
        {
            int symmetry = PatchSymmetry.Draw(options.Augmentation, options.Seed, step, 0);
            if (seen.Add(symmetry))
            {
                float[] output = Run(side, patches, [0, 1], options, null, 2, step, 0);
                for (int row = 0; row < 2; row++)
                {
                    double[] patch = Array.ConvertAll(patches[(row * side * side)..((row + 1) * side * side)], b => (double)b);
                    Assert.That(Samples.Widen(output[(row * side * side)..((row + 1) * side * side)]), Is.EqualTo(Plain.TurnPatch(patch, symmetry)));
                }
            }
        }
    }

    [Test]
    public void RowsThatAreNotTurnedMayBeOddInNumber([Values(32, 64)] int side, [Values(1, 3)] int rows)
    {
        byte[] patches = Bytes(3 * side * side);
        var options = new GatherOptions(PatchNormalization.Fixed, PatchAugmentation.None, 0);
        Assert.That(Run(side, patches, [2, 1, 0], options, null, rows, 0, 0), Is.EqualTo(new[] { 2, 1, 0 }.Take(rows)
            .SelectMany(row => patches[(row * side * side)..((row + 1) * side * side)]).Select(b => (float)b)));
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
    public void TheEightSymmetriesAreDifferentAndKeepThePixels([Values(32, 64)] int side)
    {
        double[] patch = Enumerable.Range(0, side * side).Select(i => (double)i).ToArray();
        double[][] turned = Enumerable.Range(0, 8).Select(symmetry => Plain.TurnPatch(patch, symmetry)).ToArray();
        Assert.That(turned.Select(t => (t[0], t[1])).Distinct().Count(), Is.EqualTo(8));
        Assert.That(turned, Is.All.EquivalentTo(patch));
    }

    [Test]
    public void AFlatPatchBecomesZeros(
        [Values(32, 64)] int side, [Values(PatchNormalization.PerPatch, PatchNormalization.L2Net, PatchNormalization.Centred)] PatchNormalization normalization)
    {
        byte[] patches = Enumerable.Repeat((byte)255, 2 * side * side).ToArray();
        Assert.That(Run(side, patches, [0, 1], new GatherOptions(normalization, PatchAugmentation.None, 0, 3, 7), null, 2, 0, 0), Is.All.Zero);
    }

    [Test]
    public void APatchThatDiffersFromTheMeanImageByAConstantBecomesZeros([Values(32, 64)] int side)
    {
        byte[] patches = Enumerable.Repeat((byte)201, 2 * side * side).ToArray();
        float[] meanImage = Enumerable.Repeat(100.3f, side * side).ToArray();
        Assert.That(Run(side, patches, [0, 1], new GatherOptions(PatchNormalization.L2Net, PatchAugmentation.Dihedral, 0), meanImage, 2, 0, 0), Is.All.Zero);
    }

    [Test]
    public void FixedNumbersKeepABrightPatchBright([Values(32, 64)] int side)
    {
        byte[] patches = Enumerable.Repeat((byte)208, 2 * side * side).ToArray();
        var options = new GatherOptions(PatchNormalization.Fixed, PatchAugmentation.Dihedral, 0, 128, 160);
        Assert.That(Run(side, patches, [0, 1], options, null, 2, 0, 0), Is.All.EqualTo(0.5f));
    }

    [Test]
    public void ARowWithoutAPatchIsNotANumber([Values(32, 64)] int side, [Values(-2, 0, 3, int.MaxValue)] int offset)
    {
        int area = side * side;
        int[] places = [0, -1, 1, 2, int.MaxValue, 1];
        float[] output = Run(side, Bytes(2 * area), places, new GatherOptions(PatchNormalization.PerPatch, PatchAugmentation.None, 0), null, 6, 0, offset);
        for (int row = 0; row < 6; row++)
        {
            long place = (long)offset + row;
            bool known = place >= 0 && place < places.Length && places[place] is (0 or 1);
            Assert.That(Array.TrueForAll(output[(row * area)..((row + 1) * area)], value => float.IsNaN(value) == !known), Is.True, $"row {row}");
        }
    }

    [Test]
    public void WrongShapesAndNumbersAreRefused()
    {
        using Device device = Open();
        using var tape = new Tape(device);
        using Tensor<byte> small = device.Allocate<byte>(2, 32, 32), large = device.Allocate<byte>(2, 64, 64), odd = device.Allocate<byte>(2, 48, 48);
        using Tensor<byte> flat = device.Allocate<byte>(2048);
        using Tensor<float> mean = device.Allocate<float>(32, 32);
        using Tensor<int> indices = device.Upload<int>([0, 1, 0]);
        using Tensor<StepParameters> step = device.Step(0);
        GatherOptions plain = new(PatchNormalization.L2Net, PatchAugmentation.None, 0), divided = plain with { Normalization = PatchNormalization.Fixed };
        Assert.Multiple(() =>
        {
            Refused(odd, plain, null, 2, "[2][48][48]");
            Refused(flat, plain, null, 2, "[2048]");
            Refused(large, plain, mean, 2, "[32][32]");
            Refused(small, plain with { Augmentation = PatchAugmentation.Dihedral }, null, 3, "3");
            Refused(small, divided with { Deviation = 0 }, null, 2, "above 0");
            Refused(small, divided with { Deviation = float.NaN }, null, 2, "above 0");
            Refused(small, divided with { Mean = float.PositiveInfinity }, null, 2, "finite");
            Refused(small, divided with { Normalization = PatchNormalization.Centred, Deviation = -1 }, null, 2, "above 0");
        });

        void Refused(Tensor<byte> patches, GatherOptions options, Tensor<float>? meanImage, int rows, string part) => Assert.That(
            () => tape.GatherPatches(patches, indices, step, options, meanImage, rows), Throws.InstanceOf<ArgumentException>().With.Message.Contains(part));
    }

    private void Check(int side, int pairs, GatherOptions options, bool withMean)
    {
        const int Count = 9;
        int area = side * side;
        byte[] patches = Bytes(Count * area);
        float[] meanImage = Array.ConvertAll(Samples.Gaussian(2, area), v => 120 + (20 * v));
        int[] indices = Enumerable.Range(0, (2 * pairs) + 4).Select(i => i * 5 % Count).ToArray();
        float[] output = Run(side, patches, indices, options, withMean ? meanImage : null, 2 * pairs, step: 6, batchOffset: 4);
        for (int row = 0; row < 2 * pairs; row++)
        {
            double[] patch = Array.ConvertAll(patches[(indices[4 + row] * area)..((indices[4 + row] + 1) * area)], b => (double)b);
            double[] turned = Plain.TurnPatch(patch, PatchSymmetry.Draw(options.Augmentation, options.Seed, 6, row % pairs));
            double[] expected =
                Plain.NormalizePatch(turned, options.Normalization, withMean ? Samples.Widen(meanImage) : null, options.Mean, options.Deviation);
            AssertClose(output[(row * area)..((row + 1) * area)], expected, 1e-6);
        }
    }

    private static byte[] Bytes(int count)
    {
        var stream = new PhiloxStream(4, DrawPurpose.Evaluation, 0);
        return Enumerable.Range(0, count).Select(_ => (byte)stream.NextUInt()).ToArray();
    }

    private float[] Run(int side, byte[] bytes, int[] places, GatherOptions options, float[]? meanImage, int rows, uint step, int batchOffset) =>
        RunOnDevice(device =>
        {
            using Tensor<byte> patches = device.Upload<byte>(bytes, bytes.Length / (side * side), side, side);
            using Tensor<int> indices = device.Upload<int>(places);
            using Tensor<StepParameters> parameters = device.Step(step, batchOffset: batchOffset);
            using Tensor<float>? mean = meanImage == null ? null : device.Upload<float>(meanImage, side, side);
            Tensor<float> output = device.Allocate<float>(rows, side, side, 1);
            device.Kernels.GatherPatches(patches, indices, parameters, options, mean, output);
            return [output];
        })[0];
}
