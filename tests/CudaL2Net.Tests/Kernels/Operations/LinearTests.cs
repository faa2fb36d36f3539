using CudaL2Net.Autograd;
using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;
using static CudaL2Net.Tests.Reference.Closeness;

namespace CudaL2Net.Tests.Kernels.Operations;

/// <summary>The linear layer, which runs a convolution's kernels, as the tape records it.</summary>
[TestFixture("cpu")]
[TestFixture("cuda", Category = "Cuda")]
[TestFixture(Vendor, Category = "Cuda")]
public sealed class LinearTests(string device) : OperationTests(device)
{
    [TestCase(1, 1, 1)]
    [TestCase(3, 5, 7)]
    [TestCase(33, 13, 33)]
    [TestCase(5, 130, 3)]
    [TestCase(67, 64, 130)]
    [TestCase(2, 2051, 34)]
    public void MatchesTheReference(int rows, int inputs, int outputs)
    {
        (float[] x, float[] weights, float[] bias, float[] dy) = Operands(rows, inputs, outputs);
        float[][] result = Run([rows, inputs], x, weights, bias, dy);
        (double[] dx, double[] dWeights, double[] dBias) = Plain.LinearGradient(rows, Samples.Widen(x), Samples.Widen(weights), Samples.Widen(dy));
        AssertClose(result[0], Plain.Linear(rows, Samples.Widen(x), Samples.Widen(weights), Samples.Widen(bias)));
        AssertClose(result[1], dx);
        AssertClose(result[2], dWeights);
        AssertClose(result[3], dBias);
    }

    [Test]
    public void TheReferenceGradientsAreFiniteDifferences()
    {
        (float[] x, float[] weights, float[] bias, float[] dy) = Operands(3, 4, 5);
        (double[] a, double[] b, double[] c, double[] g) = (Samples.Widen(x), Samples.Widen(weights), Samples.Widen(bias), Samples.Widen(dy));
        (double[] dx, double[] dWeights, double[] dBias) = Plain.LinearGradient(3, a, b, g);
        FiniteDifferences.Check(v => FiniteDifferences.Dot(g, Plain.Linear(3, v, b, c)), a, dx);
        FiniteDifferences.Check(v => FiniteDifferences.Dot(g, Plain.Linear(3, a, v, c)), b, dWeights);
        FiniteDifferences.Check(v => FiniteDifferences.Dot(g, Plain.Linear(3, a, b, v)), c, dBias);
    }

    [Test]
    public void AnImageIsTakenRowByRowColumnByColumnChannelByChannel()
    {
        (float[] x, float[] weights, float[] bias, float[] dy) = Operands(4, 3 * 2 * 5, 9);
        Assert.That(Run([4, 3, 2, 5], x, weights, bias, dy), Is.EqualTo(Run([4, 30], x, weights, bias, dy)));
    }

    [Test]
    public void ItEqualsAConvolutionWhoseKernelCoversTheImage()
    {
        (float[] x, float[] weights, float[] bias, float[] dy) = Operands(4, 3 * 2 * 5, 9);
        float[][] convolution = RunOnDevice(device =>
        {
            using var tape = new Tape(device);
            using Tensor<float> images = device.Upload<float>(x, 4, 3, 2, 5), filters = device.Upload<float>(weights, 9, 3, 2, 5);
            using Tensor<float> offset = device.Upload<float>(bias);
            Variable[] inputs = [tape.Parameter(images), tape.Parameter(filters), tape.Parameter(offset)];
            Variable y = tape.Conv2d(inputs[0], inputs[1], inputs[2], 1, 0);
            y.ClaimGradient().Write(dy);
            tape.Forward();
            tape.Backward();
            return [.. inputs.Select(input => input.Gradient!).Prepend(y.Value).Select(tensor => device.Upload<float>(tensor.ToArray()))];
        });
        float[][] linear = Run([4, 30], x, weights, bias, dy);
        for (int i = 0; i < linear.Length; i++)
        {
            AssertClose(linear[i], Samples.Widen(convolution[i]), 1e-6);
        }
    }

    [Test]
    public void ARowDoesNotDependOnItsBatchOnTheCpu()
    {
        // 67 rows end in tiles that are not full.
        (float[] x, float[] weights, float[] bias, _) = Operands(67, 70, 37);
        using Device cpu = Device.Open("cpu", 2);
        float[] all = Rows(67), one = Rows(1);
        Assert.That(one, Is.EqualTo(all[^37..]));

        float[] Rows(int count)
        {
            using var tape = new Tape(cpu);
            using Tensor<float> input = cpu.Upload<float>(x[^(70 * count)..], count, 70), matrix = cpu.Upload<float>(weights, 37, 70);
            using Tensor<float> offset = cpu.Upload<float>(bias);
            Variable y = tape.Linear(tape.Input(input), tape.Input(matrix), tape.Input(offset));
            tape.Forward();
            return y.Value.ToArray();
        }
    }

    [Test]
    public void ABiasIsTrainedThoughTheWeightsAreNot()
    {
        (float[] x, float[] weights, float[] bias, float[] dy) = Operands(6, 7, 3);
        float[][] all = Run([6, 7], x, weights, bias, dy), alone = Run([6, 7], x, weights, bias, dy, train: false);
        Assert.That(alone[0], Is.EqualTo(all[0]));
        Assert.That(alone[1], Is.EqualTo(all[3]));
    }

    private static (float[] X, float[] Weights, float[] Bias, float[] Dy) Operands(int rows, int inputs, int outputs) => (
        Samples.Gaussian(1, rows * inputs), Samples.Gaussian(2, outputs * inputs), Samples.Gaussian(3, outputs), Samples.Gaussian(4, rows * outputs));

    /// <summary>y and the gradients of x, weights and bias; without <paramref name="train"/> y and that of the bias alone.</summary>
    private float[][] Run(int[] shape, float[] x, float[] weights, float[] bias, float[] dy, bool train = true) => RunOnDevice(device =>
    {
        using var tape = new Tape(device);
        using Tensor<float> input = device.Upload<float>(x, shape), matrix = device.Upload<float>(weights, bias.Length, weights.Length / bias.Length);
        using Tensor<float> offset = device.Upload<float>(bias);
        Variable a = train ? tape.Parameter(input) : tape.Input(input), w = train ? tape.Parameter(matrix) : tape.Input(matrix), b = tape.Parameter(offset);
        Variable y = tape.Linear(a, w, b);
        y.ClaimGradient().Write(dy);
        tape.Forward();
        tape.Backward();
        Variable[] results = train ? [a, w, b] : [b];
        return [.. results.Select(variable => variable.Gradient!).Prepend(y.Value).Select(tensor => device.Upload<float>(tensor.ToArray()))];
    });
}
