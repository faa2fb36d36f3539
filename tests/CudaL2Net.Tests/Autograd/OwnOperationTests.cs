using CudaL2Net.Autograd;
using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Autograd;

/// <summary>Operations that objectives of one's own are made of: their gradients on the tape against finite differences of the same in double.</summary>
public sealed class OwnOperationTests(string device) : OperationTests(device)
{
    private const int Rows = 6, Width = 5;

    [Test]
    public void SumsDifferencesAndProducts() => Check(
        (tape, x, y) => tape.Multiply(tape.Add(x, tape.Affine(y, -0.5f, 0.25f)), tape.Subtract(tape.Multiply(x, x), y)),
        (x, y) => [.. x.Zip(y, (a, b) => (a + (-0.5 * b) + 0.25) * ((a * a) - b))]);

    [Test]
    public void ExponentialsLogarithmsAndRoots() => Check(
        (tape, x, y) => tape.Log(tape.Affine(tape.Exp(tape.SquareRoot(tape.Affine(tape.Multiply(x, y), 0.1f, 2))), 1, 1)),
        (x, y) => [.. x.Zip(y, (a, b) => Math.Log(Math.Exp(Math.Sqrt((0.1 * a * b) + 2)) + 1))]);

    [Test]
    public void RowsOfABatch() => Check(
        (tape, x, y) => tape.Add(tape.Rows(x, 1, 3), tape.Multiply(tape.Rows(y, 0, 3), tape.Rows(x, 3, 3))),
        (x, y) => [.. Enumerable.Range(0, 3 * Width).Select(i => x[Width + i] + (y[i] * x[(3 * Width) + i]))]);

    [Test]
    public void RowsReadTwiceAndBesideTheWhole() => Check(
        (tape, x, y) =>
        {
            Variable middle = tape.Rows(x, 2, 2);
            return tape.Add(tape.Multiply(middle, middle), tape.Rows(tape.Multiply(x, y), 4, 2));
        },
        (x, y) => [.. Enumerable.Range(0, 2 * Width).Select(i => (x[(2 * Width) + i] * x[(2 * Width) + i]) + (x[(4 * Width) + i] * y[(4 * Width) + i]))]);

    [Test]
    public void SumsOfRows() => Check(
        (tape, x, y) => tape.Multiply(tape.RowSums(x), tape.RowDots(x, y)),
        (x, y) => [.. Plain.RowDots(x, null, Rows).Zip(Plain.RowDots(x, y, Rows), (a, b) => a * b)]);

    [Test]
    public void RowsTimesFactors() => Check(
        (tape, x, y) => tape.ScaleRows(tape.RowSums(y), x),
        (x, y) => Plain.ScaleRows(Plain.RowDots(y, null, Rows), x, Width));

    [Test]
    public void ProductsOfAllRows() => Check(
        (tape, x, y) => tape.Multiply(tape.InnerProducts(x, y), tape.InnerProducts(x, x)),
        (x, y) => [.. Plain.InnerProducts(x, y, Width).Zip(Plain.InnerProducts(x, x, Width), (a, b) => a * b)]);

    [Test]
    public void BothHalvesOfABatchOfPairs() => Check(
        (tape, x, y) => tape.RowDots(tape.FirstHalf(x), tape.SecondHalf(tape.Add(x, y))),
        (x, y) => Plain.RowDots(x[..(3 * Width)], [.. x.Zip(y, (a, b) => a + b).Skip(3 * Width)], 3));

    [Test]
    public void AnOperationOfOnesOwn() => Check(
        (tape, x, y) => tape.Custom([x, y], [Rows, Width], o => o.Output.Write(Cube(o.Inputs[0].ToArray(), o.Inputs[1].ToArray())), o =>
        {
            float[] a = o.Inputs[0].ToArray(), b = o.Inputs[1].ToArray(), gradient = o.OutputGradient.ToArray();
            o.InputGradients[0]!.Write([.. gradient.Select((g, i) => 3 * g * a[i] * a[i] * b[i])]);
            o.InputGradients[1]!.Write([.. gradient.Select((g, i) => g * a[i] * a[i] * a[i])]);
        }),
        (x, y) => [.. x.Zip(y, (a, b) => a * a * a * b)]);

    [Test]
    public void WhatNobodyReadsHasNoInfluence() => Check(
        (tape, x, y) =>
        {
            tape.Exp(tape.Rows(x, 0, 2));
            tape.UnitVector(y);
            return tape.Add(x, y);
        },
        (x, y) => [.. x.Zip(y, (a, b) => a + b)]);

    [Test]
    public void ANormalizationOfAnInputTrainsItsScaleAndShift()
    {
        // x is an input; scale and shift are trained. And a convolution with frozen filters trains its bias.
        float[] image = Samples.Gaussian(1, 8 * 3), filters = Samples.Gaussian(2, 6);
        float[] scale = [1.5f, -0.5f, 1], shift = [0.25f, 0.5f, -1], bias = [0.5f, -0.25f];
        var options = new BatchNormOptions(2, 1e-3f, 0.1f, true);
        var geometry = new Conv2dGeometry(8, 1, 1, 3, 2, 1, 1, 1, 0);
        double Loss(double[] s, double[] t, double[] b)
        {
            double[] y = Plain.BatchNorm(options, Samples.Widen(image), 3, s, t, new double[3], new double[3]);
            return Plain.Conv2d(geometry, y, Samples.Widen(filters), b).Average(v => v * v);
        }

        float[][] gradients = RunOnDevice(device =>
        {
            using var tape = new Tape(device);
            using Tensor<float> x = device.Upload<float>(image, 8, 1, 1, 3), bank = device.Upload<float>(filters, 2, 1, 1, 3);
            using Tensor<float> scaleValue = device.Upload<float>(scale), shiftValue = device.Upload<float>(shift), biasValue = device.Upload<float>(bias);
            using Tensor<float> mean = device.Allocate<float>(3), variance = device.Allocate<float>(3);
            Variable s = tape.Parameter(scaleValue), t = tape.Parameter(shiftValue), b = tape.Parameter(biasValue);
            Variable y = tape.Conv2d(tape.BatchNorm(tape.Input(x), options, s, t, mean, variance), tape.Input(bank), b, 1, 0);
            tape.Loss("squares", tape.Multiply(y, y));
            tape.Forward();
            tape.Backward();
            return [.. new[] { s, t, b }.Select(parameter => device.Upload<float>(parameter.Gradient!.ToArray()))];
        });
        double[] wideScale = Samples.Widen(scale), wideShift = Samples.Widen(shift), wideBias = Samples.Widen(bias);
        FiniteDifferences.Check(v => Loss(v, wideShift, wideBias), wideScale, Samples.Widen(gradients[0]), tolerance: 1e-5);
        FiniteDifferences.Check(v => Loss(wideScale, v, wideBias), wideShift, Samples.Widen(gradients[1]), tolerance: 1e-5);
        FiniteDifferences.Check(v => Loss(wideScale, wideShift, v), wideBias, Samples.Widen(gradients[2]), tolerance: 1e-5);
    }

    [Test]
    public void AFusedStageOfAnInputWithFrozenFiltersTrainsItsScaleAndShift()
    {
        float[] image = Samples.Gaussian(1, 8 * 9), filters = Samples.Gaussian(2, 4 * 4), scale = [1.5f, -0.5f, 1, 2], shift = [0.25f, 0.5f, -1, 0];
        var options = new BatchNormOptions(2, 1e-3f, 0.1f, true);
        var geometry = new Conv2dGeometry(8, 3, 3, 1, 4, 2, 2, 1, 0);
        double Loss(double[] s, double[] t)
        {
            double[] y = Plain.Conv2d(geometry, Samples.Widen(image), Samples.Widen(filters), null);
            return Plain.BatchNorm(options, y, 4, s, t, new double[4], new double[4]).Average(v => v * v);
        }

        float[][] gradients = RunOnDevice(device =>
        {
            using var tape = new Tape(device);
            using Tensor<float> x = device.Upload<float>(image, 8, 3, 3, 1), bank = device.Upload<float>(filters, 4, 2, 2, 1);
            using Tensor<float> scaleValue = device.Upload<float>(scale), shiftValue = device.Upload<float>(shift);
            using Tensor<float> mean = device.Allocate<float>(4), variance = device.Allocate<float>(4);
            Variable s = tape.Parameter(scaleValue), t = tape.Parameter(shiftValue);
            Variable y = tape.ConvolutionBatchNorm(tape.Input(x), tape.Input(bank), null, 1, 0, options, s, t, mean, variance);
            tape.Loss("squares", tape.Multiply(y, y));
            tape.Forward();
            tape.Backward();
            return [.. new[] { s, t }.Select(parameter => device.Upload<float>(parameter.Gradient!.ToArray()))];
        });
        double[] wideScale = Samples.Widen(scale), wideShift = Samples.Widen(shift);
        FiniteDifferences.Check(v => Loss(v, wideShift), wideScale, Samples.Widen(gradients[0]), tolerance: 1e-5);
        FiniteDifferences.Check(v => Loss(wideScale, v), wideShift, Samples.Widen(gradients[1]), tolerance: 1e-5);
    }

    [Test]
    public void ABackwardPassThatForgetsAnElementIsAnError()
    {
        using Device device = Open();
        using var tape = new Tape(device);
        using Tensor<float> values = device.Upload<float>([1, 2, 3]);
        Variable x = tape.Parameter(values);
        tape.Loss("own", tape.Custom([x], [3], o => o.Output.Write(o.Inputs[0].ToArray()), o => o.InputGradients[0]!.Rows(0, 2).Write([1, 1])));
        tape.Forward();
        Assert.That(tape.Backward, Throws.InvalidOperationException.With.Message.Contains("left element 2 of the gradient of input 0 unwritten"));
    }

    [Test]
    public void WhatDoesNotFitIsRefused()
    {
        using Device device = Open();
        using Tape tape = new(device), other = new(device);
        using Tensor<float> values = device.Upload<float>(new float[6], 3, 2), wide = device.Upload<float>(new float[12], 4, 3);
        Variable x = tape.Parameter(values), y = tape.Input(wide), foreign = other.Input(values);
        Assert.Multiple(() =>
        {
            Assert.That(() => tape.Add(x, y), Throws.ArgumentException.With.Message.Contains("x is [3][2] and y is [4][3]"));
            Assert.That(() => tape.Multiply(x, foreign), Throws.ArgumentException.With.Message.Contains("another tape"));
            Assert.That(() => tape.Exp(foreign), Throws.ArgumentException.With.Message.Contains("another tape"));
            Assert.That(() => tape.Rows(x, 2, 2), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => tape.Rows(x, 1, int.MaxValue), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => tape.FirstHalf(x), Throws.ArgumentException.With.Message.Contains("even number of rows"));
            Assert.That(() => tape.RowDots(x, y), Throws.ArgumentException);
            Assert.That(() => tape.InnerProducts(x, y), Throws.ArgumentException.With.Message.Contains("[3][2]"));
            Assert.That(() => tape.ScaleRows(y, x), Throws.ArgumentException.With.Message.Contains("12 factors"));
            Assert.That(() => tape.Loss("weight", x, float.NaN), Throws.InstanceOf<ArgumentException>().With.Message.Contains("a finite number"));
            Assert.That(() => tape.Custom([x], [3], _ => { }, null), Throws.ArgumentException.With.Message.Contains("backward pass"));
            Assert.That(() => tape.Custom([x], [], _ => { }, _ => { }), Throws.InstanceOf<ArgumentOutOfRangeException>());
            Assert.That(() => GradientCheck.LargestError(tape, y), Throws.ArgumentException.With.Message.Contains("no parameter"));
        });
    }

    [Test]
    public void TheGradientCheckFindsAWrongGradient([Values(1f, 1.1f)] float factor)
    {
        using Device device = Open();
        using var tape = new Tape(device);
        using Tensor<float> values = device.Upload<float>(Samples.Gaussian(1, 12));
        Variable x = tape.Parameter(values);
        tape.Loss("squares", tape.Custom([x], [12], o => o.Output.Write([.. o.Inputs[0].ToArray().Select(v => v * v)]), o =>
        {
            float[] v = o.Inputs[0].ToArray(), g = o.OutputGradient.ToArray();
            o.InputGradients[0]!.Write([.. v.Select((value, i) => factor * 2 * value * g[i])]);
        }));
        float[] before = values.ToArray();
        Assert.That(GradientCheck.LargestError(tape, x), factor == 1 ? Is.LessThan(2e-3) : Is.EqualTo(0.1 / 1.1).Within(5e-3));
        Assert.That(values.ToArray(), Is.EqualTo(before));
    }

    private static float[] Cube(float[] a, float[] b) => [.. a.Zip(b, (u, v) => u * u * u * v)];

    /// <summary>The gradients of the mean of what is recorded, three passes on, with respect to x and y.</summary>
    private void Check(Func<Tape, Variable, Variable, Variable> record, Func<double[], double[], double[]> reference)
    {
        float[] x = Samples.Gaussian(21, Rows * Width), y = Samples.Gaussian(22, Rows * Width);
        double[] wideX = Samples.Widen(x), wideY = Samples.Widen(y);
        float[][] result = RunOnDevice(device =>
        {
            using var tape = new Tape(device);
            using Tensor<float> left = device.Upload<float>(x, Rows, Width), right = device.Upload<float>(y, Rows, Width);
            Variable first = tape.Parameter(left), second = tape.Parameter(right);
            tape.Loss("mean", record(tape, first, second), 0.75f);
            for (int pass = 0; pass < 3; pass++)
            {
                tape.Forward();
                tape.Backward();
            }

            return [device.Upload<float>([(float)tape.TotalLoss()]), .. new[] { first, second }.Select(v => device.Upload<float>(v.Gradient!.ToArray()))];
        });
        Assert.That((double)result[0][0], Is.EqualTo(0.75 * reference(wideX, wideY).Average()).Within(1e-5));
        FiniteDifferences.Check(v => 0.75 * reference(v, wideY).Average(), wideX, Samples.Widen(result[1]), tolerance: 1e-5);
        FiniteDifferences.Check(v => 0.75 * reference(wideX, v).Average(), wideY, Samples.Widen(result[2]), tolerance: 1e-5);
    }
}
