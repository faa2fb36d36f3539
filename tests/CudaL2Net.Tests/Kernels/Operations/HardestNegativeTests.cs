using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;
using static CudaL2Net.Tests.Reference.Closeness;

namespace CudaL2Net.Tests.Kernels.Operations;

public sealed class HardestNegativeTests(string device) : OperationTests(device)
{
    private static readonly HardestNegativeOptions HardNet = new(DescriptorDistance.Euclidean, 0.008f);
    private static readonly HardestNegativeOptions RalNet = new(DescriptorDistance.Angular, 6.4e-5f);

    [Test]
    public void MatchesTheReference(
        [Values(1, 2, 3, 33, 65, 130)] int pairs, [Values(1, 5, 33, 128)] int width, [Values] DescriptorDistance distance)
    {
        HardestNegativeOptions options = distance == DescriptorDistance.Euclidean ? HardNet : RalNet;
        float[] y = Samples.Pairs(7, pairs, width);
        double[] wide = Samples.Widen(y);
        (float[] positive, float[] negative, int[] negativePair) = Run(options, y, pairs);
        (double[] expectedPositive, double[] expectedNegative, _) = Plain.HardestNegative(options, wide, pairs);
        for (int pair = 0; pair < pairs; pair++)
        {
            // Absolute: both distances come from numbers of size 1. The pair that is named must be one of those that have
            // the distance, and belong to this pair.
            Assert.That((double)positive[pair], Is.EqualTo(expectedPositive[pair]).Within(2e-6));
            Assert.That((double)negative[pair], Is.EqualTo(expectedNegative[pair]).Within(2e-6));
            int first = negativePair[2 * pair], second = negativePair[(2 * pair) + 1];
            if (first >= 0)
            {
                Assert.That(first == pair || second == pairs + pair, Is.True);
                Assert.That(second, Is.Not.EqualTo(pairs + first).And.InRange(pairs, (2 * pairs) - 1));
                Assert.That(Plain.Distance(distance, wide, width, first, second), Is.EqualTo(expectedNegative[pair]).Within(2e-6));
            }
            else
            {
                Assert.That(float.IsPositiveInfinity(negative[pair]) && double.IsPositiveInfinity(expectedNegative[pair]), Is.True);
            }
        }
    }

    [Test]
    public void WorkedOutByHand()
    {
        // First patches: (1, 0), (0, 1), (-1, 0). Second: (1, 0), (0.6, 0.8), (0, -1).
        // Cosines, rows first patches:   1    0.6   0        Angular distances 2 (1 - cos):   0   0.8  2
        //                                0    0.8  -1                                         2   0.4  4
        //                               -1   -0.6   0                                         4   3.2  2
        // Pair 0: row min 0.8 at (0, 1), column min 2: 0.8. Pair 1: row 2 at (1, 0), column 0.8 at (0, 1): 0.8, from the column.
        // Pair 2: row min 3.2, column 2 at (0, 2): 2.
        float[] y = [1, 0, 0, 1, -1, 0, 1, 0, 0.6f, 0.8f, 0, -1];
        (float[] positive, float[] negative, int[] negativePair) = Run(RalNet, y, 3);
        AssertClose(positive, [0, 0.4, 2], 1e-6);
        AssertClose(negative, [0.8, 0.8, 2], 1e-6);
        Assert.That(negativePair, Is.EqualTo(new[] { 0, 4, 0, 4, 0, 5 }));
    }

    [Test]
    public void TiesGoToTheRowAndToTheLowerIndex()
    {
        // All second patches are alike, all first ones are alike: every distance off the diagonal is the same.
        float[] y = [1, 0, 1, 0, 1, 0, 1, 0, 0, 1, 0, 1, 0, 1, 0, 1];
        (_, float[] negative, int[] negativePair) = Run(HardNet, y, 4);
        AssertClose(negative, Enumerable.Repeat(Math.Sqrt(2 + 1e-6) + 1e-8, 4).ToArray(), 1e-6);
        Assert.That(negativePair, Is.EqualTo(new[] { 0, 5, 1, 4, 2, 4, 3, 4 }));
    }

    [TestCase(DescriptorDistance.Euclidean)]
    [TestCase(DescriptorDistance.Angular)]
    public void IdenticalDescriptorsAreNearDuplicatesSoThereIsNoNegative(DescriptorDistance distance)
    {
        float[] one = Samples.UnitRows(3, 1, 128);
        float[] y = Enumerable.Repeat(one, 2 * 70).SelectMany(row => row).ToArray();
        (float[] positive, float[] negative, int[] negativePair) = Run(distance == DescriptorDistance.Euclidean ? HardNet : RalNet, y, 70);
        Assert.Multiple(() =>
        {
            Assert.That(positive, Is.All.EqualTo(distance == DescriptorDistance.Euclidean ? 1e-3f : 0).Within(1e-6f));
            Assert.That(negative, Is.All.EqualTo(float.PositiveInfinity));
            Assert.That(negativePair, Is.All.EqualTo(-1));
        });
    }

    [Test]
    public void ANearDuplicateIsPassedOverForTheNextNearest()
    {
        // The second patch of pair 1 lies 0.004 from the first patch of pair 0, below 0.008, so pair 0 does not take it.
        float[] y = [1, 0, 0, -1, 0, 1, 0.8f, 0.6f, 1, 0.004f, 0, 1];
        (_, float[] negative, int[] negativePair) = Run(HardNet, y, 3);
        (_, double[] expected, int[] expectedPair) = Plain.HardestNegative(HardNet, Samples.Widen(y), 3);
        AssertClose(negative, expected, 1e-6);
        Assert.That(negativePair, Is.EqualTo(expectedPair));
        Assert.That(negativePair[1], Is.Not.EqualTo(4));
    }

    private (float[] Positive, float[] Negative, int[] NegativePair) Run(HardestNegativeOptions options, float[] y, int pairs)
    {
        int[] indices = [];
        float[][] result = RunOnDevice(device =>
        {
            using Tensor<float> descriptors = device.Upload<float>(y, 2 * pairs, y.Length / (2 * pairs));
            using Tensor<int> negativePair = device.Allocate<int>(pairs, 2);
            Tensor<float> positive = device.Allocate<float>(pairs), negative = device.Allocate<float>(pairs);
            device.Kernels.HardestNegative(options, descriptors, positive, negative, negativePair);
            int[] found = negativePair.ToArray();
            Assert.That(indices.Length == 0 || found.AsSpan().SequenceEqual(indices), Is.True, "the indices depend on the number of threads");
            indices = found;
            return [positive, negative];
        });
        return (result[0], result[1], indices);
    }
}
