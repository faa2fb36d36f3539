using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;
using static CudaL2Net.Tests.Reference.Closeness;

namespace CudaL2Net.Tests.Kernels.Operations;

[TestFixture("cpu")]
[TestFixture("cuda", Category = "Cuda")]
[TestFixture(Vendor, Category = "Cuda")]
public sealed class CorrelationTests(string device) : OperationTests(device)
{
    [Test]
    public void MatchesTheReference([Values(1, 2, 3, 33, 130)] int pairs, [Values(1, 5, 33, 128)] int width, [Values] bool firstHalfOnly, [Values] bool exact)
    {
        var options = new CorrelationOptions(firstHalfOnly, exact);
        float[] y = Samples.Gaussian(3, 2 * pairs * width);
        double value = Plain.Correlation(options, Samples.Widen(y), pairs);
        double[] gradient = Plain.CorrelationGradient(options, Samples.Widen(y), pairs);
        (float actual, float[] actualGradient) = Run(options, y, pairs, 0.5f);
        Assert.That((double)actual, Is.EqualTo(0.5 * value).Within(1e-5 * value));

        // With two rows every exact correlation is 1 or -1 and the gradient is 0 but for rounding.
        double[] expected = Array.ConvertAll(gradient, d => 0.5 * d);
        if (exact && pairs <= 2)
        {
            Assert.That(actualGradient, Is.All.EqualTo(0).Within(1e-3));
        }
        else
        {
            AssertClose(actualGradient, expected, 2e-5);
        }
    }

    [Test]
    public void TheReferenceGradientIsTheFiniteDifference([Values] bool firstHalfOnly, [Values] bool exact)
    {
        var options = new CorrelationOptions(firstHalfOnly, exact);
        double[] y = Samples.Widen(Samples.Gaussian(5, 2 * 6 * 4));
        FiniteDifferences.Check(v => Plain.Correlation(options, v, 6), y, Plain.CorrelationGradient(options, y, 6));
    }

    [Test]
    public void WorkedOutByHand([Values] bool exact)
    {
        // Two dimensions over four patches, mean 0 and variance 1 as batch normalization leaves them. First half:
        // (1, 1), (1, -1), (-1, -1), (-1, 1): r = (1 - 1 + 1 - 1) / 4 = 0. Second half: (1, 1), (1, 1), (-1, -1), (-1, -1): r = 1, and r_12 = r_21:
        // E2 = 1/2 (1 + 1) = 1.
        // Both forms agree on such features.
        (float value, _) = Run(new CorrelationOptions(false, exact), [1, 1, 1, -1, -1, -1, -1, 1, 1, 1, 1, 1, -1, -1, -1, -1], 4, 1);
        Assert.That(value, Is.EqualTo(1).Within(1e-6f));
    }

    [Test]
    public void AConstantDimensionCountsNothingInTheExactForm()
    {
        float[] y = Samples.Gaussian(8, 2 * 10 * 3);
        for (int row = 0; row < 20; row++)
        {
            y[3 * row] = 7;
        }

        (float value, float[] gradient) = Run(new CorrelationOptions(false, true), y, 10, 1);
        Assert.That((double)value, Is.EqualTo(Plain.Correlation(new CorrelationOptions(false, true), Samples.Widen(y), 10)).Within(1e-5));
        Assert.That(Enumerable.Range(0, 20).Select(row => gradient[3 * row]), Is.All.Zero);
    }

    private (float Value, float[] Gradient) Run(CorrelationOptions options, float[] y, int pairs, float weight)
    {
        float[][] result = RunOnDevice(device =>
        {
            using Tensor<float> features = device.Upload<float>(y, 2 * pairs, y.Length / (2 * pairs));
            Tensor<float> loss = device.Allocate<float>(1), gradient = device.Upload<float>(y, 2 * pairs, y.Length / (2 * pairs));
            device.Kernels.Correlation(options, weight, features, loss, gradient);
            return [loss, gradient];
        });
        return (result[0][0], result[1]);
    }
}
