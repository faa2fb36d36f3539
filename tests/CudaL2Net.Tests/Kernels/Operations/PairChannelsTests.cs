using CudaL2Net.Autograd;
using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Kernels.Operations;

public sealed class PairChannelsTests(string device) : OperationTests(device)
{
    [TestCase(2, 1, 1)]
    [TestCase(3, 35, 1)]
    [TestCase(2, 1, 7)]
    [TestCase(5, 3, 3)]
    [TestCase(3, 9, 8)]
    [TestCase(7, 1, 512)]
    [TestCase(2, 4096, 1)]
    public void MatchesTheReference(int pairs, int pixels, int channels)
    {
        int length = 2 * pairs * pixels * channels;
        float[] x = Samples.Gaussian(1, length), dy = Samples.Gaussian(2, 2 * length);
        float[][] result = RunOnDevice(device =>
        {
            using Tensor<float> input = device.Upload<float>(x, 2 * pairs, pixels, channels);
            using Tensor<float> outputGradient = device.Upload<float>(dy, 2 * pairs, pixels, 2 * channels);
            Tensor<float> y = device.Allocate<float>(2 * pairs, pixels, 2 * channels), dx = device.Allocate<float>(2 * pairs, pixels, channels);
            device.Kernels.PairChannelsForward(input, y);
            device.Kernels.PairChannelsBackward(outputGradient, dx);
            return [y, dx];
        });
        Assert.That(Samples.Widen(result[0]), Is.EqualTo(Plain.PairChannels(pairs, pixels, channels, Samples.Widen(x))));

        // A sum of two floats is rounded once.
        double[] gradient = Plain.PairChannelsGradient(pairs, pixels, channels, Samples.Widen(dy));
        Assert.That(result[1], Is.EqualTo(Array.ConvertAll(gradient, value => (float)value)));
    }

    [Test]
    public void RowsAreWhatTheyAreSaidToBe()
    {
        double[] y = Plain.PairChannels(3, 1, 2, [1, 1.5, 2, 2.5, 3, 3.5, -1, -1.5, -2, -2.5, -3, -3.5]);
        Assert.That(y, Is.EqualTo(new[]
        {
            1, 1.5, -1, -1.5, 2, 2.5, -2, -2.5, 3, 3.5, -3, -3.5,
            1, 1.5, -2, -2.5, 2, 2.5, -3, -3.5, 3, 3.5, -1, -1.5,
        }));
    }

    [Test]
    public void TheReferenceGradientIsTheFiniteDifference()
    {
        double[] x = Samples.Widen(Samples.Gaussian(3, 2 * 3 * 4 * 2)), dy = Samples.Widen(Samples.Gaussian(4, 2 * x.Length));
        FiniteDifferences.Check(v => FiniteDifferences.Dot(dy, Plain.PairChannels(3, 4, 2, v)), x, Plain.PairChannelsGradient(3, 4, 2, dy));
    }

    [Test]
    public void TheTapesGradientIsTheFiniteDifference([Values] bool maps)
    {
        // Features of a layer with weights go into the pairs, so the gradient passes through.
        const int Pairs = 3, Pixels = 4, Channels = 3;
        float[] images = Samples.Gaussian(5, 2 * Pairs * Pixels), filters = Samples.Gaussian(6, Channels);
        int[] shape = maps ? [2 * Pairs, 2, 2, 2 * Channels] : [2 * Pairs, 2 * Pixels * Channels];
        float[] direction = Samples.Gaussian(7, 4 * Pairs * Pixels * Channels);
        float[] weights = maps ? filters : Samples.Gaussian(8, Pixels * Channels * Pixels);
        float[][] actual = RunOnDevice(device =>
        {
            using var tape = new Tape(device);
            using Tensor<float> input = device.Upload<float>(images, 2 * Pairs, 2, 2, 1);
            using Tensor<float> tensor = maps ? device.Upload<float>(weights, Channels, 1, 1, 1) : device.Upload<float>(weights, Pixels * Channels, Pixels);
            Variable w = tape.Parameter(tensor), x = tape.Input(input);
            Variable y = tape.PairChannels(maps ? tape.Conv2d(x, w, null, 1, 0) : tape.Linear(x, w, null));
            Assert.That(y.Shape.ToArray(), Is.EqualTo(shape));
            y.ClaimGradient().Write(direction);
            tape.Forward();
            tape.Backward();
            return [device.Upload<float>(y.Value.ToArray()), device.Upload<float>(w.Gradient!.ToArray())];
        });
        double[] values = Samples.Widen(weights);
        Closeness.AssertClose(actual[0], Reference(values));
        FiniteDifferences.Check(
            v => FiniteDifferences.Dot(Samples.Widen(direction), Reference(v)), values, Samples.Widen(actual[1]), step: 1e-4, tolerance: 1e-5);

        double[] Reference(double[] w) => maps
            ? Plain.PairChannels(Pairs, Pixels, Channels, [.. images.SelectMany(image => w.Select(weight => image * weight))])
            : Plain.PairChannels(Pairs, 1, Pixels * Channels, Plain.Linear(2 * Pairs, Samples.Widen(images), w, new double[Pixels * Channels]));
    }

    [Test]
    public void AnInputNeedsNoGradient()
    {
        using Device opened = Open();
        using var tape = new Tape(opened);
        using Tensor<float> patches = opened.Upload<float>(Samples.Gaussian(9, 4 * 9), 4, 3, 3, 1);
        Variable y = tape.PairChannels(tape.Input(patches));
        tape.Forward();
        tape.Backward();
        Assert.That(y.NeedsGradient, Is.False);
        Assert.That(y.Shape.ToArray(), Is.EqualTo(new[] { 4, 3, 3, 2 }));
        Assert.That(Samples.Widen(y.Value.ToArray()), Is.EqualTo(Plain.PairChannels(2, 9, 1, Samples.Widen(patches.ToArray()))));
    }

    [Test]
    public void WrongShapesAreRefused()
    {
        using Device opened = Open();
        using var tape = new Tape(opened);
        using Tensor<float> two = opened.Allocate<float>(2, 6), five = opened.Allocate<float>(5, 6), vector = opened.Allocate<float>(8);
        using Tensor<float> four = opened.Allocate<float>(4, 6), wrong = opened.Allocate<float>(4, 11);
        Assert.Multiple(() =>
        {
            Assert.That(() => tape.PairChannels(tape.Input(two)), Throws.ArgumentException.With.Message.Contains("[2][6]"));
            Assert.That(() => tape.PairChannels(tape.Input(five)), Throws.ArgumentException.With.Message.Contains("[5][6]"));
            Assert.That(() => tape.PairChannels(tape.Input(vector)), Throws.ArgumentException.With.Message.Contains("[8]"));
            Assert.That(() => opened.Kernels.PairChannelsForward(four, wrong), Throws.ArgumentException.With.Message.Contains("[4][11]"));
            Assert.That(() => opened.Kernels.PairChannelsBackward(wrong, four), Throws.ArgumentException.With.Message.Contains("[4][11]"));
        });
    }
}
