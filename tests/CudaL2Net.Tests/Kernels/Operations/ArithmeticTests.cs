using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;
using static CudaL2Net.Tests.Reference.Closeness;

namespace CudaL2Net.Tests.Kernels.Operations;

public sealed class ArithmeticTests(string device) : OperationTests(device)
{
    // Whole vectors, a rest, and arrays that begin between two vectors (views from an odd element on).
    private static readonly int[] Lengths = [1, 4, 33, 40001];

    [TestCaseSource(nameof(Lengths))]
    public void ASumOfMultiplesAndAConstant(int length)
    {
        float[] x = Samples.Gaussian(1, length), y = Samples.Gaussian(2, length);
        float[][] result = RunOnDevice(device =>
        {
            using Tensor<float> left = device.Upload<float>(x), right = device.Upload<float>(y);
            Tensor<float> both = device.Allocate<float>(length), one = device.Allocate<float>(length), filled = device.Allocate<float>(length);
            device.Kernels.Combine(0.5f, left, -3, right, 0.25f, both);
            device.Kernels.Combine(-2, left, 7, null, 1, one);
            device.Kernels.Fill(1.5f, filled);
            return [both, one, filled];
        });
        AssertClose(result[0], Plain.Combine(0.5, Samples.Widen(x), -3, Samples.Widen(y), 0.25), 1e-6);
        AssertClose(result[1], Plain.Combine(-2, Samples.Widen(x), 0, null, 1), 1e-6);
        Assert.That(result[2], Is.All.EqualTo(1.5f));
    }

    [TestCaseSource(nameof(Lengths))]
    public void AProduct(int length)
    {
        float[] x = Samples.Gaussian(3, length), y = Samples.Gaussian(4, length);
        float[][] result = RunOnDevice(device =>
        {
            using Tensor<float> left = device.Upload<float>(x), right = device.Upload<float>(y);
            Tensor<float> product = device.Allocate<float>(length), square = device.Allocate<float>(length);
            device.Kernels.Multiply(left, right, product);
            device.Kernels.Multiply(left, left, square);
            return [product, square];
        });
        Assert.That(result[0], Is.EqualTo(x.Zip(y, (a, b) => a * b)));
        Assert.That(result[1], Is.EqualTo(x.Select(a => a * a)));
    }

    [Test]
    public void AFunctionAndItsGradient([ValueSource(nameof(Lengths))] int length, [Values] ElementFunction function)
    {
        float[] x = Samples.Gaussian(5, length), dy = Samples.Gaussian(6, length);
        if (function != ElementFunction.Exp)
        {
            x = Array.ConvertAll(x, v => MathF.Abs(v) + 0.01f);
        }

        float[][] result = RunOnDevice(device =>
        {
            using Tensor<float> input = device.Upload<float>(x), gradient = device.Upload<float>(dy);
            Tensor<float> y = device.Allocate<float>(length), dx = device.Allocate<float>(length);
            device.Kernels.FunctionForward(function, input, y);
            device.Kernels.FunctionBackward(function, input, y, gradient, dx);
            return [y, dx];
        });
        AssertClose(result[0], Plain.Function(function, Samples.Widen(x)), 1e-6);
        AssertClose(result[1], Plain.FunctionGradient(function, Samples.Widen(x), Samples.Widen(dy)), 1e-6);
    }

    [Test]
    public void TheReferenceGradientIsTheFiniteDifference([Values] ElementFunction function)
    {
        double[] x = Array.ConvertAll(Samples.Widen(Samples.Gaussian(7, 20)), v => Math.Abs(v) + 0.3), dy = Samples.Widen(Samples.Gaussian(8, 20));
        FiniteDifferences.Check(v => FiniteDifferences.Dot(dy, Plain.Function(function, v)), x, Plain.FunctionGradient(function, x, dy));
    }

    [Test]
    public void TheEdgesOfTheFunctions()
    {
        float[] x = [float.NaN, float.PositiveInfinity, 0, -1];
        float[][] result = RunOnDevice(device =>
        {
            using Tensor<float> input = device.Upload<float>(x);
            Tensor<float>[] y = [.. Enum.GetValues<ElementFunction>().Select(function =>
            {
                Tensor<float> output = device.Allocate<float>(x.Length);
                device.Kernels.FunctionForward(function, input, output);
                return output;
            })];
            return y;
        });
        Assert.That(result[0], Is.EqualTo(new[] { float.NaN, float.PositiveInfinity, 1, MathF.Exp(-1) }).Within(1e-6f));
        Assert.That(result[1], Is.EqualTo(new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity, float.NaN }));
        Assert.That(result[2], Is.EqualTo(new[] { float.NaN, float.PositiveInfinity, 0, float.NaN }));
    }

    [Test]
    public void ArraysThatBeginBetweenTwoVectors()
    {
        float[] x = Samples.Gaussian(9, 41);
        float[][] result = RunOnDevice(device =>
        {
            using Tensor<float> all = device.Upload<float>(x);
            Tensor<float> y = device.Allocate<float>(40), e = device.Allocate<float>(40);
            device.Kernels.Combine(2, all.Rows(1, 40), 1, all.Rows(0, 40), 0, y);
            device.Kernels.FunctionForward(ElementFunction.Exp, all.Rows(1, 40), e);
            return [y, e];
        });
        AssertClose(result[0], Plain.Combine(2, Samples.Widen(x[1..]), 1, Samples.Widen(x[..40]), 0), 1e-6);
        AssertClose(result[1], Plain.Function(ElementFunction.Exp, Samples.Widen(x[1..])), 1e-6);
    }
}
