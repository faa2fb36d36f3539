using CudaL2Net.Autograd;
using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;
using static CudaL2Net.Tests.Reference.Closeness;

namespace CudaL2Net.Tests.Kernels.Operations;

/// <summary>
/// The linear layer on tensor cores. Operands that have no more bits than the format give what float32 gives. Others are rounded by half a unit of the last
/// bit each, so a sum is off by at most 2 u times the sum of the magnitudes of its products, u = 2^-11 for tf32 and 2^-8 for bf16.
/// </summary>
[TestFixture(Precision.Tf32, Category = "Cuda")]
[TestFixture(Precision.Bf16, Category = "Cuda")]
public sealed class LinearPrecisionTests(Precision precision)
{
    private static readonly (int Rows, int Inputs, int Outputs)[] Sizes = [(3, 5, 7), (33, 13, 33), (130, 64, 36), (5, 2052, 128), (67, 130, 3)];

    [OneTimeSetUp]
    public void RequireDevice() => CudaDriver.Require();

    [TestCaseSource(nameof(Sizes))]
    public void RoundedOperandsGiveWhatFloat32Gives((int Rows, int Inputs, int Outputs) size)
    {
        (float[] x, float[] weights, float[] dy) = Operands(size, Rounded);
        (double[] dx, double[] dWeights, _) = Plain.LinearGradient(size.Rows, Samples.Widen(x), Samples.Widen(weights), Samples.Widen(dy));
        float[][] result = Run(size, x, weights, dy);
        AssertClose(result[0], Plain.Linear(size.Rows, Samples.Widen(x), Samples.Widen(weights), null));
        AssertClose(result[1], dx);
        AssertClose(result[2], dWeights);
    }

    [TestCaseSource(nameof(Sizes))]
    public void OtherOperandsAreRoundedByHalfAUnit((int Rows, int Inputs, int Outputs) size)
    {
        (float[] x, float[] weights, float[] dy) = Operands(size, v => v);
        (double[] a, double[] b, double[] g) = (Samples.Widen(x), Samples.Widen(weights), Samples.Widen(dy));
        (double[] dx, double[] dWeights, _) = Plain.LinearGradient(size.Rows, a, b, g);
        (double[] dxMagnitudes, double[] dWeightsMagnitudes, _) = Plain.LinearGradient(size.Rows, Magnitudes(a), Magnitudes(b), Magnitudes(g));
        float[][] result = Run(size, x, weights, dy);
        AssertRounded(result[0], Plain.Linear(size.Rows, a, b, null), Plain.Linear(size.Rows, Magnitudes(a), Magnitudes(b), null));
        AssertRounded(result[1], dx, dxMagnitudes);
        AssertRounded(result[2], dWeights, dWeightsMagnitudes);

        static double[] Magnitudes(double[] values) => Array.ConvertAll(values, Math.Abs);
    }

    private void AssertRounded(float[] actual, double[] expected, double[] magnitudes)
    {
        double unit = precision == Precision.Tf32 ? 1.0 / 2048 : 1.0 / 256, error = 0;
        AssertWithin(actual, expected, i => ((2 * unit) + (unit * unit) + 1e-5) * magnitudes[i]);
        for (int i = 0; i < actual.Length; i++)
        {
            error += Math.Abs(actual[i] - expected[i]);
        }

        // And rounding there is: float32 would be a hundred times closer. The gradient of weights with up to 16 inputs stays float32.
        if (actual.Length > 16 * 36)
        {
            Assert.That(error, Is.GreaterThan(1e-3 * unit * magnitudes.Sum()));
        }
    }

    private float Rounded(float value)
    {
        int bits = BitConverter.SingleToInt32Bits(value), dropped = precision == Precision.Tf32 ? 13 : 16;
        return BitConverter.Int32BitsToSingle(bits >> dropped << dropped);
    }

    private static (float[] X, float[] Weights, float[] Dy) Operands((int Rows, int Inputs, int Outputs) size, Converter<float, float> rounded) => (
        Array.ConvertAll(Samples.Gaussian(1, size.Rows * size.Inputs), rounded),
        Array.ConvertAll(Samples.Gaussian(2, size.Outputs * size.Inputs), rounded),
        Array.ConvertAll(Samples.Gaussian(3, size.Rows * size.Outputs), rounded));

    private float[][] Run((int Rows, int Inputs, int Outputs) size, float[] x, float[] weights, float[] dy)
    {
        using Device device = Device.Open("cuda", precision: precision);
        using var tape = new Tape(device);
        using Tensor<float> input = device.Upload<float>(x, size.Rows, size.Inputs), matrix = device.Upload<float>(weights, size.Outputs, size.Inputs);
        Variable a = tape.Parameter(input), w = tape.Parameter(matrix), y = tape.Linear(a, w, null);
        y.ClaimGradient().Write(dy);
        tape.Forward();
        tape.Backward();
        return [y.Value.ToArray(), a.Gradient!.ToArray(), w.Gradient!.ToArray()];
    }
}
