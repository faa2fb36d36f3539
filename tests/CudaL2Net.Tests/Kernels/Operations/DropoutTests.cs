using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;
using static CudaL2Net.Tests.Reference.Closeness;

namespace CudaL2Net.Tests.Kernels.Operations;

public sealed class DropoutTests(string device) : OperationTests(device)
{
    [TestCase(1, 0.3f)]
    [TestCase(33, 0.3f)]
    [TestCase(40003, 0.3f)]
    [TestCase(7, 0f)]
    public void MatchesTheReference(int length, float rate)
    {
        float[] x = Samples.Gaussian(1, length);
        AssertClose(Run(x, rate, 11), Plain.Dropout(rate, 5, 11, Samples.Widen(x)), 1e-6);
    }

    [Test]
    public void DropsTheShareThatTheRateSaysAndKeepsTheMean()
    {
        var ones = new float[100000];
        Array.Fill(ones, 1);
        float[] y = Run(ones, 0.3f, 0);
        Assert.Multiple(() =>
        {
            Assert.That(y.Count(value => value == 0) / 100000.0, Is.EqualTo(0.3).Within(0.01));
            Assert.That(y.Average(), Is.EqualTo(1).Within(0.015));
        });
    }

    [Test]
    public void AnotherStepDropsOthers()
    {
        float[] x = Samples.Gaussian(1, 64);
        Assert.That(Run(x, 0.5f, 1), Is.Not.EqualTo(Run(x, 0.5f, 2)));
    }

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(7)]
    public void EveryLayerMatchesTheReference(int layer)
    {
        float[] x = Samples.Gaussian(1, 133);
        AssertClose(Run(x, 0.4f, 3, layer), Plain.Dropout(0.4f, 5, 3, Samples.Widen(x), layer), 1e-6);
    }

    [Test]
    public void AnotherLayerDropsOthers()
    {
        var ones = new float[100000];
        Array.Fill(ones, 1);
        float[] first = Run(ones, 0.5f, 1), second = Run(ones, 0.5f, 1, 1);

        // Independent masks agree on half of the elements.
        Assert.That(first.Zip(second, (a, b) => a == b ? 1 : 0).Sum() / 100000.0, Is.EqualTo(0.5).Within(0.01));
    }

    private float[] Run(float[] x, float rate, uint step, int layer = 0) => RunOnDevice(device =>
    {
        using Tensor<float> input = device.Upload<float>(x);
        using Tensor<StepParameters> parameters = device.Step(step);
        Tensor<float> y = device.Allocate<float>(x.Length);
        device.Kernels.Dropout(new DropoutOptions(rate, 5, layer), parameters, input, y);
        return [y];
    })[0];
}
