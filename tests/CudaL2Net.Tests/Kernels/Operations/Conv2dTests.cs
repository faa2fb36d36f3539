using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;
using static CudaL2Net.Tests.Reference.Closeness;

namespace CudaL2Net.Tests.Kernels.Operations;

[TestFixture("cpu")]
[TestFixture("cuda", Category = "Cuda")]
[TestFixture(Vendor, Category = "Cuda")]
public sealed class Conv2dTests(string device) : OperationTests(device)
{
    [Test]
    public void EveryKernelStrideAndPaddingMatchesTheReference(
        [Values("1x1", "3x3", "2x5", "8x8")] string kernel, [Values(1, 2, 3)] int stride, [Values(0, 1, 2, 3)] int padding)
    {
        int kernelHeight = kernel[0] - '0', kernelWidth = kernel[2] - '0';
        Check(new Conv2dGeometry(3, 9, 11, 5, 33, kernelHeight, kernelWidth, stride, padding), bias: stride == 2);
    }

    [Test]
    public void EveryChannelCountMatchesTheReference(
        [Values(1, 5, 32, 33, 130)] int inChannels, [Values(1, 5, 32, 33, 130)] int outChannels, [Values(1, 2)] int stride) =>
        Check(new Conv2dGeometry(2, 5, 6, inChannels, outChannels, 3, 3, stride, 1), bias: true);

    [TestCase(1, 1, 1, 1, 1, 0)]
    [TestCase(1, 8, 8, 1, 1, 0)]
    [TestCase(33, 8, 8, 5, 8, 0)]
    [TestCase(67, 4, 4, 3, 3, 1)]
    [TestCase(5, 1, 7, 33, 1, 0)]
    public void EveryBatchMatchesTheReference(int batch, int height, int width, int channels, int kernel, int padding) =>
        Check(new Conv2dGeometry(batch, height, width, channels, 34, kernel, kernel, 1, padding), bias: false);

    [TestCase(1, 32, 1, 32, 3, 1, 1)]
    [TestCase(1, 32, 32, 32, 3, 1, 1)]
    [TestCase(1, 32, 32, 64, 3, 2, 1)]
    [TestCase(1, 16, 64, 64, 3, 1, 1)]
    [TestCase(1, 16, 64, 128, 3, 2, 1)]
    [TestCase(3, 8, 128, 128, 3, 1, 1)]
    [TestCase(37, 8, 48, 32, 3, 1, 1)]
    [TestCase(19, 4, 80, 64, 3, 1, 1)]
    [TestCase(5, 8, 128, 128, 8, 1, 0)]
    public void TheLayersOfL2NetMatchTheReference(int batch, int side, int inChannels, int outChannels, int kernel, int stride, int padding) =>
        Check(new Conv2dGeometry(batch, side, side, inChannels, outChannels, kernel, kernel, stride, padding), bias: false);

    [Test]
    public void TheReferenceGradientsAreTheFiniteDifferences([Values(1, 2, 3)] int stride, [Values(0, 1, 2)] int padding)
    {
        var g = new Conv2dGeometry(2, 4, 5, 2, 3, 2, 3, stride, padding);
        double[] x = Samples.Widen(Samples.Gaussian(1, g.Batch * g.Height * g.Width * g.InChannels));
        double[] filters = Samples.Widen(Samples.Gaussian(2, g.OutChannels * g.KernelHeight * g.KernelWidth * g.InChannels));
        double[] bias = Samples.Widen(Samples.Gaussian(3, g.OutChannels));
        double[] dy = Samples.Widen(Samples.Gaussian(4, g.Batch * g.OutHeight * g.OutWidth * g.OutChannels));
        (double[] dFilters, double[] dBias) = Plain.Conv2dBackwardFilter(g, x, dy);
        FiniteDifferences.Check(v => FiniteDifferences.Dot(dy, Plain.Conv2d(g, v, filters, bias)), x, Plain.Conv2dBackwardData(g, dy, filters));
        FiniteDifferences.Check(v => FiniteDifferences.Dot(dy, Plain.Conv2d(g, x, v, bias)), filters, dFilters);
        FiniteDifferences.Check(v => FiniteDifferences.Dot(dy, Plain.Conv2d(g, x, filters, v)), bias, dBias);
    }

    [Test]
    public void WorkedOutByHand()
    {
        // x = 1 2 / 3 4, a 2 x 2 filter 1 10 / 100 1000, no padding: 1 + 20 + 300 + 4000 = 4321: a cross-correlation, the filter is not turned round.
        float[][] result = RunOnDevice(device =>
        {
            using Tensor<float> x = device.Upload<float>([1, 2, 3, 4], 1, 2, 2, 1), filters = device.Upload<float>([1, 10, 100, 1000], 1, 2, 2, 1);
            Tensor<float> y = device.Allocate<float>(1, 1, 1, 1);
            device.Kernels.Conv2dForward(new Conv2dGeometry(1, 2, 2, 1, 1, 2, 2, 1, 0), x, filters, null, y);
            return [y];
        });
        Assert.That(result[0], Is.EqualTo(new[] { 4321f }));
    }

    private void Check(Conv2dGeometry g, bool bias)
    {
        float[] x = Samples.Gaussian(1, g.Batch * g.Height * g.Width * g.InChannels);
        float[] filters = Samples.Gaussian(2, g.OutChannels * g.KernelHeight * g.KernelWidth * g.InChannels);
        float[] b = Samples.Gaussian(3, g.OutChannels), dy = Samples.Gaussian(4, g.Batch * g.OutHeight * g.OutWidth * g.OutChannels);
        float[][] result = RunOnDevice(device =>
        {
            using Tensor<float> input = device.Upload<float>(x, g.Batch, g.Height, g.Width, g.InChannels);
            using Tensor<float> weights = device.Upload<float>(filters, g.OutChannels, g.KernelHeight, g.KernelWidth, g.InChannels);
            using Tensor<float> biases = device.Upload<float>(b), outputGradient = device.Upload<float>(dy, g.Batch, g.OutHeight, g.OutWidth, g.OutChannels);

            // Outputs hold numbers at first: they are to be overwritten, not added to.
            Tensor<float> y = device.Upload<float>(dy, outputGradient.Shape), dx = device.Upload<float>(x, input.Shape);
            Tensor<float> dFilters = device.Upload<float>(filters, weights.Shape), dBias = device.Upload<float>(b);
            device.Kernels.Conv2dForward(g, input, weights, bias ? biases : null, y);
            device.Kernels.Conv2dBackwardData(g, outputGradient, weights, dx);
            device.Kernels.Conv2dBackwardFilter(g, input, outputGradient, dFilters, bias ? dBias : null);
            return [y, dx, dFilters, dBias];
        });
        double[] wideX = Samples.Widen(x), wideFilters = Samples.Widen(filters), wideDy = Samples.Widen(dy);
        (double[] expectedFilters, double[] expectedBias) = Plain.Conv2dBackwardFilter(g, wideX, wideDy);
        AssertClose(result[0], Plain.Conv2d(g, wideX, wideFilters, bias ? Samples.Widen(b) : null), 5e-6);
        AssertClose(result[1], Plain.Conv2dBackwardData(g, wideDy, wideFilters), 5e-6);
        AssertClose(result[2], expectedFilters, 5e-6);
        if (bias)
        {
            AssertClose(result[3], expectedBias, 5e-6);
        }
    }
}
