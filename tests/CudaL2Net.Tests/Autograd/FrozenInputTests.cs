using CudaL2Net.Autograd;
using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;
using static CudaL2Net.Tests.Reference.Closeness;

namespace CudaL2Net.Tests.Autograd;

/// <summary>What is trained behind something that is not: no gradient is lost, and what nobody needs does not disturb.</summary>
public sealed class FrozenInputTests(string device) : OperationTests(device)
{
    private const int Rows = 6, Channels = 5;

    private static readonly BatchNormOptions Statistics = new(2, 1e-3f, 0.1f, Relu: true);

    [TestCase(true, true)]
    [TestCase(true, false)]
    [TestCase(false, true)]
    public void ScaleAndShiftOfANormalizedInput(bool scaleTrained, bool shiftTrained)
    {
        float[] x = Samples.Gaussian(1, Rows * 4 * Channels), dy = Samples.Gaussian(2, x.Length);
        float[] scales = Samples.Gaussian(3, Channels), shifts = Samples.Gaussian(4, Channels);
        float[][] actual = RunOnDevice(opened =>
        {
            using var tape = new Tape(opened);
            using Tensor<float> images = opened.Upload<float>(x, Rows, 2, 2, Channels);
            using Tensor<float> scaleValue = opened.Upload<float>(scales), shiftValue = opened.Upload<float>(shifts);
            using Tensor<float> mean = opened.Allocate<float>(Channels), variance = opened.Allocate<float>(Channels);
            Variable scale = scaleTrained ? tape.Parameter(scaleValue) : tape.Input(scaleValue);
            Variable shift = shiftTrained ? tape.Parameter(shiftValue) : tape.Input(shiftValue);
            Variable y = tape.BatchNorm(tape.Input(images), Statistics, scale, shift, mean, variance);
            y.ClaimGradient().Write(dy);
            tape.Forward();
            tape.Backward();
            Assert.That((scale.Gradient != null, shift.Gradient != null), Is.EqualTo((scaleTrained, shiftTrained)));
            return [Copy(opened, scale.Gradient ?? scaleValue), Copy(opened, shift.Gradient ?? shiftValue)];
        });
        (_, double[] dScale, double[] dShift) =
            Plain.BatchNormGradient(Statistics, Samples.Widen(x), Channels, Samples.Widen(scales), Samples.Widen(shifts), Samples.Widen(dy));
        AssertClose(actual[0], scaleTrained ? dScale : Samples.Widen(scales), 2e-5);
        AssertClose(actual[1], shiftTrained ? dShift : Samples.Widen(shifts), 2e-5);
    }

    [Test]
    public void TheBiasOfAFrozenConvolution()
    {
        var geometry = new Conv2dGeometry(Rows, 4, 4, 3, Channels, 3, 3, 1, 1);
        float[] x = Samples.Gaussian(1, Rows * 16 * 3), bank = Samples.Gaussian(2, Channels * 27), dy = Samples.Gaussian(3, Rows * 16 * Channels);
        float[][] actual = RunOnDevice(opened =>
        {
            using var tape = new Tape(opened);
            using Tensor<float> images = opened.Upload<float>(x, Rows, 4, 4, 3), filters = opened.Upload<float>(bank, Channels, 3, 3, 3);
            using Tensor<float> start = opened.Allocate<float>(Channels);
            Variable bias = tape.Parameter(start), frozen = tape.Input(filters);
            Variable y = tape.Conv2d(tape.Input(images), frozen, bias, 1, 1);
            y.ClaimGradient().Write(dy);
            tape.Forward();
            tape.Backward();
            Assert.That(frozen.Gradient, Is.Null);
            return [Copy(opened, bias.Gradient!)];
        });
        AssertClose(actual[0], Plain.Conv2dBackwardFilter(geometry, Samples.Widen(x), Samples.Widen(dy)).Bias, 2e-5);
    }

    [Test]
    public void ScaleAndShiftOfAFrozenStage()
    {
        var geometry = new Conv2dGeometry(Rows, 4, 4, 4, Channels, 3, 3, 1, 1);
        float[] x = Samples.Gaussian(1, Rows * 16 * 4), bank = Samples.Gaussian(2, Channels * 36), dy = Samples.Gaussian(3, Rows * 16 * Channels);
        float[] scales = Samples.Gaussian(4, Channels), shifts = Samples.Gaussian(5, Channels);
        float[][] actual = RunOnDevice(opened =>
        {
            using var tape = new Tape(opened);
            using Tensor<float> images = opened.Upload<float>(x, Rows, 4, 4, 4), filters = opened.Upload<float>(bank, Channels, 3, 3, 4);
            using Tensor<float> scaleValue = opened.Upload<float>(scales), shiftValue = opened.Upload<float>(shifts), none = opened.Allocate<float>(Channels);
            using Tensor<float> mean = opened.Allocate<float>(Channels), variance = opened.Allocate<float>(Channels);
            Variable scale = tape.Parameter(scaleValue), shift = tape.Parameter(shiftValue), bias = tape.Parameter(none);
            Variable y = tape.ConvolutionBatchNorm(tape.Input(images), tape.Input(filters), bias, 1, 1, Statistics, scale, shift, mean, variance);
            y.ClaimGradient().Write(dy);
            tape.Forward();
            tape.Backward();
            return [Copy(opened, scale.Gradient!), Copy(opened, shift.Gradient!), Copy(opened, bias.Gradient!)];
        });
        double[] raw = Plain.Conv2d(geometry, Samples.Widen(x), Samples.Widen(bank), null);
        (_, double[] dScale, double[] dShift) =
            Plain.BatchNormGradient(Statistics, raw, Channels, Samples.Widen(scales), Samples.Widen(shifts), Samples.Widen(dy));
        AssertClose(actual[0], dScale, 2e-5);
        AssertClose(actual[1], dShift, 2e-5);
        Assert.That(actual[2], Is.All.InRange(-1e-3f, 1e-3f), "the normalization takes the bias out again");
    }

    [Test]
    public void StagesOfDifferentHalvesFollowEachOther()
    {
        float[] x = Samples.Gaussian(1, Rows * 16 * 4), bank = Samples.Gaussian(2, 4 * 36), dy = Samples.Gaussian(3, Rows * 16 * 4);
        float[][] Run(bool fused) => RunOnDevice(opened =>
        {
            using var tape = new Tape(opened);
            using Tensor<float> images = opened.Upload<float>(x, Rows, 4, 4, 4), filters = opened.Upload<float>(bank, 4, 3, 3, 4);
            using Tensor<float> mean = opened.Allocate<float>(4), variance = opened.Allocate<float>(4);
            Variable y = tape.Parameter(images), shared = tape.Parameter(filters);
            foreach (int halves in new[] { 2, 1 })
            {
                BatchNormOptions options = Statistics with { Halves = halves };
                y = fused
                    ? tape.ConvolutionBatchNorm(y, shared, null, 1, 1, options, null, null, mean, variance)
                    : tape.BatchNorm(tape.Conv2d(y, shared, null, 1, 1), options, null, null, mean, variance);
            }

            y.ClaimGradient().Write(dy);
            tape.Forward();
            tape.Backward();
            return [Copy(opened, shared.Gradient!), Copy(opened, variance)];
        });

        float[][] stages = Run(fused: true), apart = Run(fused: false);
        AssertClose(stages[0], Samples.Widen(apart[0]), 2e-5);
        AssertClose(stages[1], Samples.Widen(apart[1]), 2e-5);
    }

    [Test]
    public void WhatNoLossReadsHasNoGradient()
    {
        float[][] actual = RunOnDevice(opened =>
        {
            using var tape = new Tape(opened);
            using Tensor<float> images = opened.Upload<float>(Samples.Gaussian(1, Rows * 16), Rows, 4, 4, 1);
            using Tensor<float> filters = opened.Upload<float>(Samples.Gaussian(2, 2 * 16), 2, 4, 4, 1);
            Variable shared = tape.Parameter(filters);
            Variable descriptors = tape.UnitVector(tape.Conv2d(tape.Input(images), shared, null, 1, 0));
            tape.Tanh(tape.Conv2d(tape.Input(images), shared, null, 2, 1));
            tape.Forward();
            tape.Backward();
            Assert.That(shared.Gradient!.ToArray(), Is.All.Zero);
            tape.DistanceSoftmax(descriptors);
            tape.Forward();
            tape.Backward();
            return [Copy(opened, shared.Gradient)];
        });
        float[] once = RunOnDevice(opened =>
        {
            using var tape = new Tape(opened);
            using Tensor<float> images = opened.Upload<float>(Samples.Gaussian(1, Rows * 16), Rows, 4, 4, 1);
            using Tensor<float> filters = opened.Upload<float>(Samples.Gaussian(2, 2 * 16), 2, 4, 4, 1);
            Variable shared = tape.Parameter(filters);
            tape.DistanceSoftmax(tape.UnitVector(tape.Conv2d(tape.Input(images), shared, null, 1, 0)));
            tape.Forward();
            tape.Backward();
            return [Copy(opened, shared.Gradient!)];
        })[0];
        Assert.That(actual[0], Is.EqualTo(once));
    }

    private static Tensor<float> Copy(Device opened, Tensor<float> tensor) => opened.Upload<float>(tensor.ToArray());
}
