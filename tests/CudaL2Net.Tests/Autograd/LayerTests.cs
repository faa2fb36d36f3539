using CudaL2Net.Autograd;
using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Autograd;

/// <summary>
/// Gradients of a network of every kind of layer that has no batch statistics, as the tape computes them, against finite differences of the same network put
/// together from the double references; and what the layers refuse.
/// </summary>
public sealed class LayerTests(string device) : OperationTests(device)
{
    private const int Batch = 3, Side = 9, Channels = 3, Hidden = 6, Dimension = 4;
    private const float Epsilon = 1e-3f, Rate = 0.3f;
    private const ulong Seed = 21;

    private static readonly PoolOptions Roots = new(PoolKind.L2, 2, 2, 0, RoundUp: true), Averages = new(PoolKind.Average, 2, 1);
    private static readonly PoolOptions Largest = new(PoolKind.Max, 3, 2, 1);

    // Filters and bias; scale, shift and threshold; weights and bias twice.
    private static readonly int[][] Shapes =
        [[Channels, 3, 3, 1], [Channels], [Channels], [Channels], [Channels], [Hidden, 2 * 2 * Channels], [Hidden], [Dimension, Hidden], [Dimension]];

    [Test]
    public void GradientsThroughEveryLayerAreFiniteDifferences()
    {
        float[] images = Samples.Gaussian(1, Batch * Side * Side), direction = Samples.Gaussian(2, Batch * Dimension);
        float[][] start = [.. Shapes.Select((shape, i) => Samples.Gaussian((ulong)(20 + i), shape.Aggregate(1, (a, b) => a * b)))];
        float[][] actual = RunOnDevice(device =>
        {
            using var tape = new Tape(device);
            using Tensor<float> input = device.Upload<float>(images, Batch, Side, Side, 1);
            using Tensor<float> neighbourhood = device.Upload<float>(SubtractiveNorm.GaussianWeights(3), 3, 3);
            using Tensor<StepParameters> step = device.Step(3);
            Tensor<float>[] tensors = [.. start.Zip(Shapes, (values, shape) => device.Upload<float>(values, shape))];
            Variable[] w = [.. tensors.Select(tape.Parameter)];
            Variable x = tape.Pool(tape.Tanh(tape.Conv2d(tape.Input(input), w[0], w[1], 1, 1)), Roots);
            x = tape.FilterResponseNorm(tape.SubtractiveNorm(x, neighbourhood), Epsilon, w[2], w[3], w[4]);
            x = tape.Dropout(tape.Pool(tape.Pool(x, Largest), Averages), new DropoutOptions(Rate, Seed), step);
            x = tape.Dropout(tape.Tanh(tape.Linear(x, w[5], w[6])), new DropoutOptions(Rate, Seed, 1), step);
            Variable y = tape.Linear(x, w[7], w[8]);
            y.ClaimGradient().Write(direction);
            tape.Forward();
            tape.Backward();
            Tensor<float>[] results = [.. w.Select(parameter => parameter.Gradient!).Prepend(y.Value).Select(tensor => device.Upload<float>(tensor.ToArray()))];
            Array.ForEach(tensors, tensor => tensor.Dispose());
            return results;
        });
        double[][] weights = Array.ConvertAll(start, Samples.Widen);
        Closeness.AssertClose(actual[0], Reference(Samples.Widen(images), weights));
        for (int i = 0; i < weights.Length; i++)
        {
            FiniteDifferences.Check(_ => FiniteDifferences.Dot(Samples.Widen(direction), Reference(Samples.Widen(images), weights)), weights[i],
                Samples.Widen(actual[i + 1]), step: 1e-6, tolerance: 1e-4);
        }
    }

    [Test]
    public void ParametersBehindAnInputAreTrained()
    {
        // x needs no gradient; scale and threshold do.
        float[] x = Samples.Gaussian(1, 2 * 9 * 5), dy = Samples.Gaussian(2, 2 * 9 * 5);
        float[][] actual = RunOnDevice(device =>
        {
            using var tape = new Tape(device);
            using Tensor<float> input = device.Upload<float>(x, 2, 3, 3, 5), ones = device.Upload<float>([1, 1, 1, 1, 1]), zeros = device.Allocate<float>(5);
            Variable scale = tape.Parameter(ones), threshold = tape.Parameter(zeros);
            Variable y = tape.FilterResponseNorm(tape.Input(input), Epsilon, scale, null, threshold);
            y.ClaimGradient().Write(dy);
            tape.Forward();
            tape.Backward();
            return [device.Upload<float>(scale.Gradient!.ToArray()), device.Upload<float>(threshold.Gradient!.ToArray())];
        });
        double[] scales = [1, 1, 1, 1, 1], none = new double[5];
        (_, double[] dScale, _, double[] dThreshold) =
            Plain.FilterResponseNormGradient(2, 5, Epsilon, Samples.Widen(x), scales, none, none, Samples.Widen(dy));
        Closeness.AssertClose(actual[0], dScale);
        Closeness.AssertClose(actual[1], dThreshold);
    }

    [Test]
    public void AReplayedStepAllocatesNothing()
    {
        using Device opened = Device.Open("cpu", 2);
        using var tape = new Tape(opened);
        using Tensor<float> images = opened.Upload<float>(Samples.Gaussian(1, Batch * Side * Side * 5), Batch, Side, Side, 5);
        using Tensor<float> neighbourhood = opened.Upload<float>(SubtractiveNorm.GaussianWeights(5), 5, 5), scales = opened.Allocate<float>(5);
        using Tensor<float> matrix = opened.Upload<float>(Samples.Gaussian(2, 4 * 125), 4, 125);
        Variable x = tape.Pool(tape.Tanh(tape.SubtractiveNorm(tape.Parameter(images), neighbourhood)), Roots);
        Variable scale = tape.Parameter(scales);
        x = tape.FilterResponseNorm(tape.Pool(tape.Pool(x, Largest with { Stride = 1 }), Averages with { Padding = 1, Stride = 1 }), Epsilon, scale, scale, scale);
        tape.Linear(tape.Pool(x, Averages), tape.Parameter(matrix), null).ClaimGradient().Write(Samples.Gaussian(3, Batch * 4));
        for (int i = 0; i < 2; i++)
        {
            tape.Forward();
            tape.Backward();
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 5; i++)
        {
            tape.Forward();
            tape.Backward();
        }

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    [Test]
    public void WrongShapesAreRefused()
    {
        using Device opened = Open();
        using var tape = new Tape(opened);
        using Tensor<float> map = opened.Allocate<float>(2, 4, 4, 3), rows = opened.Allocate<float>(2, 48), five = opened.Allocate<float>(5);
        using Tensor<float> matrix = opened.Allocate<float>(5, 47), even = opened.Allocate<float>(4, 4), oblong = opened.Allocate<float>(3, 5);
        Variable x = tape.Input(map), flat = tape.Input(rows), wrong = tape.Parameter(five);
        Assert.Multiple(() =>
        {
            Refused(() => tape.Pool(flat, Averages), "[2][48]");
            Refused(() => tape.Pool(x, new PoolOptions(PoolKind.Max, 5, 1)), "5 x 5");
            Refused(() => tape.SubtractiveNorm(flat, oblong), "[2][48]");
            Refused(() => tape.SubtractiveNorm(x, even), "[4][4]");
            Refused(() => tape.SubtractiveNorm(x, oblong), "[3][5]");
            Refused(() => tape.FilterResponseNorm(x, Epsilon, wrong, null, null), "3 channels");
            Refused(() => tape.FilterResponseNorm(x, Epsilon, null, wrong, null), "3 channels");
            Refused(() => tape.FilterResponseNorm(x, Epsilon, null, null, wrong), "3 channels");
            Refused(() => tape.FilterResponseNorm(x, 0, null, null, null), "epsilon");
            Refused(() => tape.FilterResponseNorm(x, float.NaN, null, null, null), "epsilon");
            Refused(() => tape.Linear(x, tape.Input(matrix), null), "[5][47]");
            Refused(() => tape.Linear(x, wrong, null), "[5]");
        });

        static void Refused(Action record, string part) => Assert.That(record, Throws.InstanceOf<ArgumentException>().With.Message.Contains(part));
    }

    private static double[] Reference(double[] images, double[][] w)
    {
        double[] x = Plain.Tanh(Plain.Conv2d(new Conv2dGeometry(Batch, Side, Side, 1, Channels, 3, 3, 1, 1), images, w[0], w[1]));
        x = Plain.Pool(Roots.Over(Batch, Side, Side, Channels), x);
        x = Plain.SubtractiveNorm(5, 5, Channels, Samples.Widen(SubtractiveNorm.GaussianWeights(3)), x);
        x = Plain.FilterResponseNorm(Batch, Channels, Epsilon, x, w[2], w[3], w[4]);
        x = Plain.Pool(Averages.Over(Batch, 3, 3, Channels), Plain.Pool(Largest.Over(Batch, 5, 5, Channels), x));
        x = Plain.Dropout(Rate, Seed, 3, x);
        x = Plain.Dropout(Rate, Seed, 3, Plain.Tanh(Plain.Linear(Batch, x, w[5], w[6])), 1);
        return Plain.Linear(Batch, x, w[7], w[8]);
    }
}
