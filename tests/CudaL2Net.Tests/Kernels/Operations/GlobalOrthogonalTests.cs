using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;
using static CudaL2Net.Tests.Reference.Closeness;

namespace CudaL2Net.Tests.Kernels.Operations;

public sealed class GlobalOrthogonalTests(string device) : OperationTests(device)
{
    [Test]
    public void MatchesTheReference([Values(1, 2, 3, 33, 130)] int pairs, [Values(5, 33, 128)] int width)
    {
        float[] y = Samples.Pairs(3, pairs, width);
        int[] negativePair = Negatives(pairs);
        (double value, double[] gradient) = Plain.GlobalOrthogonal(Samples.Widen(y), pairs, negativePair);
        (float actual, float[] actualGradient) = Run(y, pairs, negativePair, 0.5f);
        Assert.That((double)actual, Is.EqualTo(0.5 * value).Within(1e-6));
        AssertClose(actualGradient, Array.ConvertAll(gradient, d => 0.5 * d));
    }

    [TestCase(3)]
    [TestCase(40)]
    public void TheReferenceGradientIsTheFiniteDifference(int width)
    {
        // Unit vectors of 3 and of 40 dimensions, so that the second term is there and, scaled down, is not.
        double[] y = Samples.Widen(Samples.Pairs(5, 6, width));
        y = width == 40 ? Array.ConvertAll(y, v => 0.1 * v) : y;
        FiniteDifferences.Check(v => Plain.GlobalOrthogonal(v, 6, Negatives(6)).Value, y, Plain.GlobalOrthogonal(y, 6, Negatives(6)).Gradient);
    }

    [Test]
    public void WorkedOutByHand()
    {
        // q = 2. Negatives: (1,0).(0.6,0.8) = 0.6 and (0,1).(1,0) = 0. mean = 0.3, mean of squares 0.18 < 1/2: L = 0.09.
        // With (0,1) replaced by (1,0): products 0.6 and 1: mean 0.8, mean of squares 0.68: L = 0.64 + 0.18 = 0.82.
        int[] negativePair = [0, 3, 1, 2];
        Assert.That(Run([1, 0, 0, 1, 1, 0, 0.6f, 0.8f], 2, negativePair, 1).Value, Is.EqualTo(0.09f).Within(1e-6f));
        Assert.That(Run([1, 0, 1, 0, 1, 0, 0.6f, 0.8f], 2, negativePair, 1).Value, Is.EqualTo(0.82f).Within(1e-6f));
    }

    [Test]
    public void WithoutNegativesThereIsNothing()
    {
        (float value, float[] gradient) = Run(Samples.Pairs(1, 2, 8), 2, [-1, -1, -1, -1], 1);
        Assert.That(value, Is.Zero);
        Assert.That(gradient, Is.All.Zero);
    }

    /// <summary>The next pair's second patch; every fifth pair has none, every third takes patch 0 so that one row is many pairs' negative.</summary>
    private static int[] Negatives(int pairs)
    {
        var negativePair = new int[2 * pairs];
        for (int i = 0; i < pairs; i++)
        {
            bool none = i % 5 == 4 || pairs == 1;
            negativePair[2 * i] = none ? -1 : i;
            negativePair[(2 * i) + 1] = none ? -1 : pairs + (i % 3 == 2 ? 0 : (i + 1) % pairs);
        }

        return negativePair;
    }

    private (float Value, float[] Gradient) Run(float[] y, int pairs, int[] negatives, float weight)
    {
        float[][] result = RunOnDevice(device =>
        {
            using Tensor<float> descriptors = device.Upload<float>(y, 2 * pairs, y.Length / (2 * pairs));
            using Tensor<int> negativePair = device.Upload<int>(negatives, pairs, 2);
            Tensor<float> loss = device.Allocate<float>(1), gradient = device.Upload<float>(y, 2 * pairs, y.Length / (2 * pairs));
            device.Kernels.GlobalOrthogonal(weight, descriptors, negativePair, loss, gradient);
            return [loss, gradient];
        });
        return (result[0][0], result[1]);
    }
}
