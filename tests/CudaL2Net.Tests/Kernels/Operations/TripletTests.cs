using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;
using static CudaL2Net.Tests.Reference.Closeness;

namespace CudaL2Net.Tests.Kernels.Operations;

public sealed class TripletTests(string device) : OperationTests(device)
{
    [Test]
    public void MatchesTheReference([Values(1, 2, 3, 33, 130)] int pairs, [Values] TripletLoss loss, [Values] DescriptorDistance distance)
    {
        var options = new TripletOptions(loss, distance, 1, distance == DescriptorDistance.Angular ? 4 : 2);
        float[] y = Samples.Pairs(7, pairs, 33);
        double[] wide = Samples.Widen(y);
        (_, _, int[] negativePair) = Plain.HardestNegative(Mining(distance), wide, pairs);
        (float value, float[] gradient, int[] mined) = Run(options, y, pairs, 0.5f);
        Assert.That(mined, Is.EqualTo(negativePair));
        Assert.That((double)value, Is.EqualTo(0.5 * Plain.Triplet(options, wide, pairs, negativePair)).Within(5e-6));
        AssertClose(gradient, Array.ConvertAll(Plain.TripletGradient(options, wide, pairs, negativePair), d => 0.5 * d));
    }

    [Test]
    public void TheReferenceGradientIsTheFiniteDifference([Values(2, 5)] int pairs, [Values] TripletLoss loss, [Values] DescriptorDistance distance)
    {
        var options = new TripletOptions(loss, distance, 1, 0.5f);
        double[] y = Samples.Widen(Samples.Pairs(9, pairs, 4));
        int[] negativePair = Plain.HardestNegative(Mining(distance), y, pairs).NegativePair;
        FiniteDifferences.Check(v => Plain.Triplet(options, v, pairs, negativePair), y, Plain.TripletGradient(options, y, pairs, negativePair));
    }

    [Test]
    public void HardNetsMarginWorkedOutByHand()
    {
        // Pairs ((1,0), (0.6,0.8)) and ((0,1), (0,1)); squared distances: d00 = 0.16 + 0.64 = 0.8, d11 = 0, d01 = |(1,0) - (0,1)|^2 = 2,
        // d10 = |(0,1) - (0.6,0.8)|^2 = 0.4. Both hardest negatives are d10. With HardNet's 1e-6 in the root: pos = sqrt(0.800001), sqrt(0.000001) = 0.001;
        // neg = sqrt(0.400001).
        // loss = 1/2 ((1 + 0.8944278 - 0.6324563) + (1 + 0.001 - 0.6324563)) = 1/2 (1.2619715 + 0.3685437) = 0.8152576.
        // Gradients (a - b) / root, halved by the mean: pair 0's positive gives (0.4, -0.8) / 0.8944278 / 2 = (0.2236066, -0.4472133) to (1,0)
        // and minus that to (0.6,0.8);
        // the negative counts twice: -((0,1) - (0.6,0.8)) / 0.6324563 = (0.6, -0.2) / 0.6324563 = (0.9486821, -0.3162274) to (0,1) and minus that to (0.6,0.8).
        (float value, float[] gradient, int[] negativePair) = Run(
            new TripletOptions(TripletLoss.Margin, DescriptorDistance.Euclidean, 1, 1), [1, 0, 0, 1, 0.6f, 0.8f, 0, 1], 2);
        Assert.That(negativePair, Is.EqualTo(new[] { 1, 2, 1, 2 }));
        Assert.That(value, Is.EqualTo(0.8152576f).Within(1e-6f));
        AssertClose(gradient, [0.2236066, -0.4472133, 0.9486821, -0.3162274, -0.2236066 - 0.9486821, 0.4472133 + 0.3162274, 0, 0], 1e-6);
    }

    [Test]
    public void RalNetsScaleOfThePaperIsOneAndOfTheCodeTwo()
    {
        // Cosines: (1,0).(0.6,0.8) = 0.6 and (0,1).(0.8,0.6) = 0.6 of the pairs; (1,0).(0.8,0.6) = 0.8 and (0,1).(0.6,0.8) = 0.8 of the negatives.
        // s(pos) - s(neg) = -0.2: the paper's loss is 1 - tanh(-0.2) = 1.1973753. The angular distances are 0.8 and 0.4, their gap is 0.4, twice
        // as much: scale 1 gives 1 + tanh(0.2), the paper's; scale 2 gives the code's 1 + tanh(0.4) = 1.3799490.
        float[] y = [1, 0, 0, 1, 0.6f, 0.8f, 0.8f, 0.6f];
        Assert.That(Run(new TripletOptions(TripletLoss.Tanh, DescriptorDistance.Angular, 1, 1), y, 2).Value, Is.EqualTo(1.1973753f).Within(1e-6f));
        Assert.That(Run(new TripletOptions(TripletLoss.Tanh, DescriptorDistance.Angular, 1, 2), y, 2).Value, Is.EqualTo(1.3799490f).Within(1e-6f));
    }

    [Test]
    public void SoftmaxAndContrastiveWorkedOutByHand()
    {
        // The same descriptors, angular: pos 0.8, neg 0.4 for both pairs. Softmax: log(1 + e^0.4) = 0.9130153. Contrastive: max(0, 1 - 0.4) + 0.8 = 1.4.
        float[] y = [1, 0, 0, 1, 0.6f, 0.8f, 0.8f, 0.6f];
        Assert.That(Run(new TripletOptions(TripletLoss.Softmax, DescriptorDistance.Angular, 1, 1), y, 2).Value, Is.EqualTo(0.9130153f).Within(1e-6f));
        Assert.That(Run(new TripletOptions(TripletLoss.Contrastive, DescriptorDistance.Angular, 1, 1), y, 2).Value, Is.EqualTo(1.4f).Within(1e-6f));
    }

    [Test]
    public void WithoutANegativeThereIsNoLossAndNoGradient([Values] TripletLoss loss, [Values(1, 3)] int pairs)
    {
        float[] row = Samples.UnitRows(1, 1, 16);
        (float value, float[] gradient, _) = Run(
            new TripletOptions(loss, DescriptorDistance.Euclidean, 1, 1), Enumerable.Repeat(row, 2 * pairs).SelectMany(v => v).ToArray(), pairs);
        Assert.That(value, Is.Zero);
        Assert.That(gradient, Is.All.Zero);
    }

    [Test]
    public void APositiveOfDistanceZeroHasAFiniteGradient()
    {
        float[] y = [1, 0, 0, 1, 1, 0, 0.6f, 0.8f];
        (float value, float[] gradient, _) = Run(new TripletOptions(TripletLoss.Margin, DescriptorDistance.Euclidean, 1, 1), y, 2);
        Assert.That(float.IsFinite(value) && Array.TrueForAll(gradient, float.IsFinite), Is.True);
    }

    [Test]
    public void NaNIsNotHidden()
    {
        float[] y = Samples.Pairs(1, 3, 16);
        Array.Fill(y, float.NaN);
        (float value, _, _) = Run(new TripletOptions(TripletLoss.Margin, DescriptorDistance.Euclidean, 1, 1), y, 3);
        Assert.That(value, Is.NaN);
    }

    private HardestNegativeOptions Mining(DescriptorDistance distance) => new(distance, distance == DescriptorDistance.Euclidean ? 0.008f : 6.4e-5f);

    private (float Value, float[] Gradient, int[] NegativePair) Run(TripletOptions options, float[] y, int pairs, float weight = 1)
    {
        int[] indices = [];
        float[][] result = RunOnDevice(device =>
        {
            using Tensor<float> descriptors = device.Upload<float>(y, 2 * pairs, y.Length / (2 * pairs));
            using Tensor<float> positive = device.Allocate<float>(pairs), negative = device.Allocate<float>(pairs);
            using Tensor<int> negativePair = device.Allocate<int>(pairs, 2);
            Tensor<float> loss = device.Allocate<float>(1), gradient = device.Upload<float>(new float[y.Length], 2 * pairs, y.Length / (2 * pairs));
            device.Kernels.HardestNegative(Mining(options.Distance), descriptors, positive, negative, negativePair);
            device.Kernels.Triplet(options, weight, descriptors, positive, negative, negativePair, loss, gradient);
            indices = negativePair.ToArray();
            return [loss, gradient];
        });
        return (result[0][0], result[1], indices);
    }
}
