using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;
using static CudaL2Net.Tests.Reference.Closeness;

namespace CudaL2Net.Tests.Kernels.Operations;

[TestFixture("cpu")]
[TestFixture("cuda", Category = "Cuda")]
[TestFixture(Vendor, Category = "Cuda")]
public sealed class IntermediateSoftmaxTests(string device) : OperationTests(device)
{
    [Test]
    public void MatchesTheReference([Values(1, 2, 3, 33, 130)] int pairs, [Values(5, 130, 777)] int width)
    {
        float[] f = Samples.Gaussian(3, 2 * pairs * width);
        (double value, double[] gradient) = Plain.IntermediateSoftmax(1f / width, Samples.Widen(f), pairs);
        (float actual, float[] actualGradient) = Run(1f / width, f, pairs, 0.5f);
        Assert.That((double)actual, Is.EqualTo(0.5 * value).Within(1e-6 * pairs));
        AssertClose(actualGradient, Array.ConvertAll(gradient, d => 0.5 * d));
    }

    [Test]
    public void TheLiteralFormDoesNotOverflow()
    {
        // Inner products of thousands: the softmax saturates, but value and gradient stay finite. Its exponents carry the rounding of those
        // products, 1e-7 of 8000, so the gradient is only good to 1e-3.
        float[] f = Array.ConvertAll(Samples.Gaussian(3, 2 * 9 * 2000), v => 2 * v);
        f.AsSpan(0, 9 * 2000).CopyTo(f.AsSpan(9 * 2000));
        f.AsSpan(0, 2000).CopyTo(f.AsSpan(10 * 2000));
        (double value, double[] gradient) = Plain.IntermediateSoftmax(1, Samples.Widen(f), 9);
        (float actual, float[] actualGradient) = Run(1, f, 9, 1);
        Assert.That((double)actual, Is.EqualTo(value).Within(1e-5 * value));
        AssertClose(actualGradient, gradient, 1e-3);
    }

    [Test]
    public void TheReferenceGradientIsTheFiniteDifference([Values(1, 2, 4)] int pairs)
    {
        double[] f = Samples.Widen(Samples.Gaussian(5, 2 * pairs * 7));
        FiniteDifferences.Check(v => Plain.IntermediateSoftmax(0.4, v, pairs).Value, f, Plain.IntermediateSoftmax(0.4, f, pairs).Gradient);
    }

    [Test]
    public void WorkedOutByHand()
    {
        // Maps of one pair side (1, 0), (0, 2), of the other (1, 1), (0, 1): G = (1 0; 2 2). Rows: log v_00 = -log(1 + e^(0 - 1)) = -0.3132617,
        // log v_11 = -log(1 + e^(2 - 2)) = -0.6931472. Columns: log v_00 = -log(1 + e^(2 - 1)) = -1.3132617, log v_11 = -log(1 + e^(0 - 2)) = -0.1269280.
        // E3 = 1/2 (0.3132617 + 0.6931472 + 1.3132617 + 0.1269280) = 1.2232993.
        (float value, _) = Run(1, [1, 0, 0, 2, 1, 1, 0, 1], 2, 1);
        Assert.That(value, Is.EqualTo(1.2232993f).Within(1e-6f));
    }

    private (float Value, float[] Gradient) Run(float similarity, float[] f, int pairs, float weight)
    {
        float[][] result = RunOnDevice(device =>
        {
            using Tensor<float> features = device.Upload<float>(f, 2 * pairs, f.Length / (2 * pairs));
            Tensor<float> loss = device.Allocate<float>(1), gradient = device.Allocate<float>(2 * pairs, f.Length / (2 * pairs));
            device.Kernels.IntermediateSoftmax(similarity, weight, features, loss, gradient);
            return [loss, gradient];
        });
        return (result[0][0], result[1]);
    }
}
