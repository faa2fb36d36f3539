using CudaL2Net.Autograd;
using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;
using static CudaL2Net.Tests.Reference.Closeness;

namespace CudaL2Net.Tests.Kernels.Operations;

/// <summary>
/// Two stages in a row, as a tower has them, against the double references one after the other: on the CPU by separate operations, on a CUDA device fused.
/// </summary>
public sealed class ConvolutionStageTests(string device) : OperationTests(device)
{
    private readonly string device = device;

    // Batch, halves, side of the image, channels, kernel, stride and padding of the second stage (the first: 3 x 3, stride 1, padding 1).
    private static readonly object[] Shapes =
    [
        new object[] { 3, 1, 7, new[] { 1, 5, 33 }, 3, 2, 1 },
        new object[] { 6, 2, 5, new[] { 33, 1, 5 }, 3, 1, 1 },
        new object[] { 6, 2, 9, new[] { 4, 32, 64 }, 3, 2, 1 },
        new object[] { 2, 2, 12, new[] { 8, 64, 128 }, 3, 1, 1 },
        new object[] { 26, 2, 8, new[] { 32, 32, 64 }, 3, 1, 1 },
        new object[] { 10, 2, 8, new[] { 4, 132, 36 }, 8, 1, 0 },
        new object[] { 10, 2, 4, new[] { 3, 5, 6 }, 4, 1, 0 },
        new object[] { 4, 1, 6, new[] { 4, 8, 12 }, 2, 3, 2 },
    ];

    [TestCaseSource(nameof(Shapes))]
    public void MatchesTheReferencesComposed(int batch, int halves, int side, int[] channels, int kernel, int stride, int padding)
    {
        foreach (bool learned in new[] { false, true })
        {
            Check(new Stages(batch, halves, side, channels, kernel, stride, padding, Relu: true, learned, Tapped: false), Precision.Float32);
        }
    }

    [TestCase(1, true)]
    [TestCase(2, false)]
    [TestCase(2, true)]
    public void AnActivationMayHaveSeveralReaders(int halves, bool relu) =>
        Check(new Stages(6, halves, 6, [4, 32, 8], 3, 2, 1, relu, Learned: true, Tapped: true), Precision.Float32);

    [Test]
    public void MoreRowsThanATile() => Check(new Stages(4, 2, 20, [1, 32, 32], 3, 1, 1, Relu: true, Learned: false, Tapped: false), Precision.Float32);

    [TestCase(Precision.Tf32)]
    [TestCase(Precision.Bf16)]
    [TestCase(Precision.Tf32, KernelSet.Vendor)]
    [TestCase(Precision.Bf16, KernelSet.Vendor)]
    public void TensorCoresAreAsCloseAsTheirFormat(Precision precision, KernelSet kernels = KernelSet.Own)
    {
        if (device == "cpu")
        {
            Assert.Ignore("a CPU has float32 only");
        }

        if (kernels == KernelSet.Vendor && !CudaDriver.Emulated)
        {
            Assert.Ignore("a test of how the vendor's libraries are called; how exactly they compute is theirs to choose");
        }

        Check(new Stages(6, 2, 8, [4, 32, 64], 3, 2, 1, Relu: false, Learned: true, Tapped: true), precision, kernels);
        Check(new Stages(6, 2, 8, [5, 128, 33], 8, 1, 0, Relu: false, Learned: false, Tapped: false), precision, kernels);
        Check(new Stages(3, 1, 5, [3, 33, 70], 3, 1, 1, Relu: false, Learned: true, Tapped: false), precision, kernels);
    }

    private void Check(Stages stages, Precision precision, KernelSet kernels = KernelSet.Own)
    {
        Expected expected = stages.Reference();
        float[][] actual = precision == Precision.Float32 ? RunOnDevice(stages.Run) : RunInPrecision(stages, precision, kernels);
        double[][] values =
        [
            expected.Output, expected.Tap, .. expected.RunningMean, .. expected.RunningVariance, expected.Dx, .. expected.DFilters, .. expected.DScale,
            .. expected.DShift,
        ];
        for (int i = 0; i < values.Length; i++)
        {
            if (!stages.Learned && i >= 9)
            {
                continue;
            }

            if (precision == Precision.Float32)
            {
                AssertClose(actual[i], values[i], 2e-5);
                continue;
            }

            // Both operands of a product are rounded, by half a unit of the last of 11 or 8 bits; two products follow each other, forward and backward.
            double square = 0, error = 0, unit = precision == Precision.Tf32 ? 1.0 / 2048 : 1.0 / 256;
            for (int e = 0; e < values[i].Length; e++)
            {
                square += values[i][e] * values[i][e];
                error += (actual[i][e] - values[i][e]) * (actual[i][e] - values[i][e]);
            }

            Assert.That(Math.Sqrt(error / square), Is.LessThan(4 * unit), $"output {i}");
        }

        // Normalization makes the gradient of a bias before it zero: what is left is rounding.
        double unitOfSums = precision switch { Precision.Float32 => 1e-6, Precision.Tf32 => 1e-3, _ => 1e-2 };
        Assert.That(actual[^1], Is.All.Matches<float>(v => Math.Abs(v) <= unitOfSums * expected.BiasMagnitude));
    }

    private float[][] RunInPrecision(Stages stages, Precision precision, KernelSet kernels)
    {
        using Device opened = Device.Open(device, precision: precision, kernels: kernels);
        return Array.ConvertAll(stages.Run(opened), output => output.ToArray());
    }

    private sealed record Expected(double[] Output, double[] Tap, double[][] RunningMean, double[][] RunningVariance, double[] Dx, double[][] DFilters,
        double[][] DScale, double[][] DShift, double BiasMagnitude);

    private sealed record Stages(int Batch, int Halves, int Side, int[] Channels, int Kernel, int Stride, int Padding, bool Relu, bool Learned, bool Tapped)
    {
        private readonly Conv2dGeometry first = new(Batch, Side, Side, Channels[0], Channels[1], 3, 3, 1, 1);
        private readonly Conv2dGeometry second = new(Batch, Side, Side, Channels[1], Channels[2], Kernel, Kernel, Stride, Padding);
        private readonly BatchNormOptions options = new(Halves, 1e-3f, 0.1f, Relu);

        private float[] X => Samples.Gaussian(1, Batch * Side * Side * Channels[0]);

        private float[] OutputGradient => Samples.Gaussian(2, Batch * second.OutHeight * second.OutWidth * Channels[2]);

        private float[] TapGradient => Samples.Gaussian(3, Batch * Side * Side * Channels[1]);

        private float[] Bias => Samples.Gaussian(4, Channels[1]);

        private float[] Filters(int layer)
        {
            Conv2dGeometry g = layer == 0 ? first : second;
            return Samples.Gaussian(5 + (ulong)layer, g.OutChannels * g.KernelHeight * g.KernelWidth * g.InChannels);
        }

        private float[] Scale(int layer) => Samples.Gaussian(7 + (ulong)layer, Channels[layer + 1]);

        private float[] Shift(int layer) => Samples.Gaussian(9 + (ulong)layer, Channels[layer + 1]);

        /// <summary>Output, tap, running means and variances, dx, filters' gradients, scales' and shifts' if learned; last the bias's.</summary>
        public Tensor<float>[] Run(Device device)
        {
            using var tape = new Tape(device);
            Variable x = tape.Parameter(device.Upload<float>(X, Batch, Side, Side, Channels[0]));
            Variable Layer(Variable input, int layer, Variable? bias, out Variable filters, out Variable? scale, out Variable? shift, out Tensor<float> mean,
                out Tensor<float> variance)
            {
                Conv2dGeometry g = layer == 0 ? first : second;
                filters = tape.Parameter(device.Upload<float>(Filters(layer), g.OutChannels, g.KernelHeight, g.KernelWidth, g.InChannels));
                scale = Learned ? tape.Parameter(device.Upload<float>(Scale(layer))) : null;
                shift = Learned ? tape.Parameter(device.Upload<float>(Shift(layer))) : null;
                mean = device.Allocate<float>(g.OutChannels);
                variance = device.Allocate<float>(g.OutChannels);
                return tape.ConvolutionBatchNorm(input, filters, bias, g.Stride, g.Padding, options, scale, shift, mean, variance);
            }

            Variable bias = tape.Parameter(device.Upload<float>(Bias));
            Variable tap = Layer(x, 0, bias, out Variable filters0, out Variable? scale0, out Variable? shift0, out Tensor<float> mean0,
                out Tensor<float> variance0);
            Assert.That(tap.Activation is Activation.Deferred, Is.EqualTo(device.FusedKernels != null));
            Tensor<float> tapValue = tap.Value;
            if (Tapped)
            {
                Reader(tape, tap, TapGradient);
            }

            Variable output = Layer(tap, 1, null, out Variable filters1, out Variable? scale1, out Variable? shift1, out Tensor<float> mean1,
                out Tensor<float> variance1);
            Tensor<float> outputValue = output.Value;
            Reader(tape, output, OutputGradient);

            tape.Forward();
            tape.Backward();
            Tensor<float> Copy(Tensor<float> from) => device.Upload<float>(from.ToArray(), from.Shape);
            return
            [
                Copy(outputValue), Copy(tapValue), mean0, mean1, variance0, variance1, Copy(x.Gradient!), Copy(filters0.Gradient!), Copy(filters1.Gradient!),
                .. Learned ? new[] { Copy(scale0!.Gradient!), Copy(scale1!.Gradient!), Copy(shift0!.Gradient!), Copy(shift1!.Gradient!) } : [],
                Copy(bias.Gradient!),
            ];
        }

        public Expected Reference()
        {
            double[] x = Samples.Widen(X), filters0 = Samples.Widen(Filters(0)), filters1 = Samples.Widen(Filters(1));
            double[]?[] scale = [Learned ? Samples.Widen(Scale(0)) : null, Learned ? Samples.Widen(Scale(1)) : null];
            double[]?[] shift = [Learned ? Samples.Widen(Shift(0)) : null, Learned ? Samples.Widen(Shift(1)) : null];
            double[][] mean = [new double[Channels[1]], new double[Channels[2]]], variance = [new double[Channels[1]], new double[Channels[2]]];
            double[] raw0 = Plain.Conv2d(first, x, filters0, Samples.Widen(Bias));
            double[] tap = Plain.BatchNorm(options, raw0, Channels[1], scale[0], shift[0], mean[0], variance[0]);
            double[] raw1 = Plain.Conv2d(second, tap, filters1, null);
            double[] output = Plain.BatchNorm(options, raw1, Channels[2], scale[1], shift[1], mean[1], variance[1]);

            (double[] dRaw1, double[] dScale1, double[] dShift1) =
                Plain.BatchNormGradient(options, raw1, Channels[2], scale[1], shift[1], Samples.Widen(OutputGradient));
            double[] dTap = Plain.Conv2dBackwardData(second, dRaw1, filters1), tapGradient = Samples.Widen(TapGradient);
            for (int i = 0; i < dTap.Length && Tapped; i++)
            {
                dTap[i] += tapGradient[i];
            }

            (double[] dRaw0, double[] dScale0, double[] dShift0) = Plain.BatchNormGradient(options, raw0, Channels[1], scale[0], shift[0], dTap);
            return new Expected(
                output,
                tap,
                mean,
                variance,
                Plain.Conv2dBackwardData(first, dRaw0, filters0),
                [Plain.Conv2dBackwardFilter(first, x, dRaw0).Filters, Plain.Conv2dBackwardFilter(second, tap, dRaw1).Filters],
                [dScale0, dScale1],
                [dShift0, dShift1],
                dRaw0.Sum(Math.Abs));
        }

        /// <summary>A loss whose gradient is given.</summary>
        private static void Reader(Tape tape, Variable variable, float[] gradient)
        {
            Tensor<float> claimed = variable.ClaimGradient();
            tape.RecordLoss($"given {tape.Losses.Count}", _ => claimed.Write(gradient));
        }
    }
}
