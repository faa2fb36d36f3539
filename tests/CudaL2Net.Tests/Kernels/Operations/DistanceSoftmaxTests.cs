using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;
using static CudaL2Net.Tests.Reference.Closeness;

namespace CudaL2Net.Tests.Kernels.Operations;

[TestFixture("cpu")]
[TestFixture("cuda", Category = "Cuda")]
[TestFixture(Vendor, Category = "Cuda")]
public sealed class DistanceSoftmaxTests(string device) : OperationTests(device)
{
    [Test]
    public void MatchesTheReference([Values(1, 2, 3, 33, 130)] int pairs, [Values(5, 33, 128)] int width, [Values(0.6f, 0.01f)] float noise)
    {
        float[] y = Samples.Pairs(3, pairs, width, noise);
        (double value, double[] gradient) = Plain.DistanceSoftmax(Samples.Widen(y), pairs);
        (float actual, float[] actualGradient) = Run(y, pairs, 0.5f);

        // The value is a sum of 2p logarithms of size 1.
        Assert.That((double)actual, Is.EqualTo(0.5 * value).Within(1e-6 * pairs));
        AssertClose(actualGradient, Array.ConvertAll(gradient, d => 0.5 * d));
    }

    [Test]
    public void TheReferenceGradientIsTheFiniteDifference([Values(1, 2, 4)] int pairs)
    {
        double[] y = Samples.Widen(Samples.Pairs(5, pairs, 6));
        FiniteDifferences.Check(v => Plain.DistanceSoftmax(v, pairs).Value, y, Plain.DistanceSoftmax(y, pairs).Gradient);
    }

    [Test]
    public void WorkedOutByHand()
    {
        // First patches (1,0), (0,1); second (1,0), (0.6,0.8). d_ij = |y2_i - y1_j|:
        // d00 = 0, d01 = sqrt 2 = 1.4142136, d10 = sqrt 0.8 = 0.8944272, d11 = sqrt 0.4 = 0.6324555.
        // Rows: log s_00 = -log(1 + e^(0 - 1.4142136)) = -log 1.2431167 = -0.2176217;
        // log s_11 = -log(1 + e^(0.6324555 - 0.8944272)) = -log 1.7695327 = -0.5707155.
        // Columns: log s_00 = -log(1 + e^(0 - 0.8944272)) = -log 1.4088418 = -0.3427678;
        // log s_11 = -log(1 + e^(0.6324555 - 1.4142136)) = -log 1.4576009 = -0.3767919.
        // E1 = 1/2 (0.2176217 + 0.5707155 + 0.3427678 + 0.3767919) = 0.7539485.
        (float value, _) = Run([1, 0, 0, 1, 1, 0, 0.6f, 0.8f], 2, 1);
        Assert.That(value, Is.EqualTo(0.7539485f).Within(1e-6f));
    }

    [Test]
    public void OfIdenticalDescriptorsTheLossIsPLogPAndTheGradientZero([Values(1, 2, 70)] int pairs)
    {
        float[] row = Samples.UnitRows(1, 1, 32);
        (float value, float[] gradient) = Run(Enumerable.Repeat(row, 2 * pairs).SelectMany(v => v).ToArray(), pairs, 1);
        Assert.That((double)value, Is.EqualTo(pairs * Math.Log(pairs)).Within(1e-5 * pairs));
        Assert.That(gradient, Is.All.Zero);
    }

    private (float Value, float[] Gradient) Run(float[] y, int pairs, float weight)
    {
        float[][] result = RunOnDevice(device =>
        {
            using Tensor<float> descriptors = device.Upload<float>(y, 2 * pairs, y.Length / (2 * pairs));
            Tensor<float> loss = device.Allocate<float>(1), gradient = device.Allocate<float>(2 * pairs, y.Length / (2 * pairs));
            device.Kernels.DistanceSoftmax(weight, descriptors, loss, gradient);
            return [loss, gradient];
        });
        return (result[0][0], result[1]);
    }
}
