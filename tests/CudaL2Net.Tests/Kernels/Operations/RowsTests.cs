using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;
using static CudaL2Net.Tests.Reference.Closeness;

namespace CudaL2Net.Tests.Kernels.Operations;

public sealed class RowsTests(string device) : OperationTests(device)
{
    [TestCase(1, 1)]
    [TestCase(3, 7)]
    [TestCase(70, 33)]
    [TestCase(5, 4099)]
    [TestCase(3000, 2)]
    public void SumsAndScaledRows(int rows, int width)
    {
        float[] x = Samples.Gaussian(1, rows * width), y = Samples.Gaussian(2, rows * width), factors = Samples.Gaussian(3, rows);
        float[][] result = RunOnDevice(device =>
        {
            using Tensor<float> left = device.Upload<float>(x, rows, width), right = device.Upload<float>(y, rows, width);
            using Tensor<float> scale = device.Upload<float>(factors);
            Tensor<float> sums = device.Allocate<float>(rows), dots = device.Allocate<float>(rows);
            Tensor<float> scaled = device.Allocate<float>(rows, width), spread = device.Allocate<float>(rows, width);
            device.Kernels.RowDots(left, null, sums);
            device.Kernels.RowDots(left, right, dots);
            device.Kernels.ScaleRows(scale, left, scaled);
            device.Kernels.ScaleRows(scale, null, spread);
            return [sums, dots, scaled, spread];
        });
        (double[] wideX, double[] wideY, double[] wideFactors) = (Samples.Widen(x), Samples.Widen(y), Samples.Widen(factors));
        AssertClose(result[0], Plain.RowDots(wideX, null, rows), 1e-5);
        AssertClose(result[1], Plain.RowDots(wideX, wideY, rows), 1e-5);
        AssertClose(result[2], Plain.ScaleRows(wideFactors, wideX, width), 1e-6);
        AssertClose(result[3], Plain.ScaleRows(wideFactors, null, width), 0);
    }

    [TestCase(1)]
    [TestCase(4096)]
    [TestCase(4097)]
    [TestCase(100_003)]
    public void AMean(int length)
    {
        // Half of the values are alike, so that a chunk that is left out, or counted twice, shows.
        float[] x = Array.ConvertAll(Samples.Gaussian(4, length), v => v + 0.5f);
        float[][] result = RunOnDevice(device =>
        {
            using Tensor<float> values = device.Upload<float>(x);
            Tensor<float> mean = device.Allocate<float>(1);
            device.Kernels.Mean(-3, values, mean);
            return [mean];
        });
        Assert.That((double)result[0][0], Is.EqualTo(-3 * x.Average(v => (double)v)).Within(2e-6));
    }

    [TestCase(1, 1, 1)]
    [TestCase(3, 5, 7)]
    [TestCase(65, 33, 129)]
    [TestCase(2, 70, 3000)]
    [TestCase(130, 1, 16)]
    public void InnerProductsAndTheirGradients(int n, int m, int width)
    {
        float[] x = Samples.Gaussian(5, n * width), y = Samples.Gaussian(6, m * width), dProducts = Samples.Gaussian(7, n * m);
        float[][] result = RunOnDevice(device =>
        {
            using Tensor<float> left = device.Upload<float>(x, n, width), right = device.Upload<float>(y, m, width);
            using Tensor<float> gradient = device.Upload<float>(dProducts, n, m);
            Tensor<float> products = device.Allocate<float>(n, m), dx = device.Allocate<float>(n, width), dy = device.Allocate<float>(m, width);
            device.Kernels.InnerProductsForward(left, right, products);
            device.Kernels.InnerProductsBackward(left, right, gradient, dx, null);
            device.Kernels.InnerProductsBackward(left, right, gradient, null, dy);
            return [products, dx, dy];
        });
        (double[] wideX, double[] wideY) = (Samples.Widen(x), Samples.Widen(y));
        (double[] dxExpected, double[] dyExpected) = Plain.InnerProductsGradient(wideX, wideY, width, Samples.Widen(dProducts));
        AssertClose(result[0], Plain.InnerProducts(wideX, wideY, width), 1e-5);
        AssertClose(result[1], dxExpected, 1e-5);
        AssertClose(result[2], dyExpected, 1e-5);
    }

    [Test]
    public void TheReferenceGradientsAreTheFiniteDifferences()
    {
        double[] x = Samples.Widen(Samples.Gaussian(8, 3 * 4)), y = Samples.Widen(Samples.Gaussian(9, 2 * 4));
        double[] dProducts = Samples.Widen(Samples.Gaussian(10, 6));
        (double[] dx, double[] dy) = Plain.InnerProductsGradient(x, y, 4, dProducts);
        FiniteDifferences.Check(v => FiniteDifferences.Dot(dProducts, Plain.InnerProducts(v, y, 4)), x, dx);
        FiniteDifferences.Check(v => FiniteDifferences.Dot(dProducts, Plain.InnerProducts(x, v, 4)), y, dy);
    }
}
