using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;
using static CudaL2Net.Tests.Reference.Closeness;

namespace CudaL2Net.Tests.Kernels.Operations;

public sealed class OptimizerTests(string device) : OperationTests(device)
{
    [Test]
    public void SgdMatchesTheReference([Values(1, 33, 40001)] int length, [Values(0u, 7u)] uint step)
    {
        var options = new SgdOptions(0.9f, 0.9f, 1e-4f);
        float[] g = Samples.Gaussian(1, length), v = Samples.Gaussian(2, length), w = Samples.Gaussian(3, length);
        float[][] result = RunOnDevice(device =>
        {
            using Tensor<StepParameters> parameters = device.Step(step, 10);
            using Tensor<float> gradient = device.Upload<float>(g);
            Tensor<float> velocity = device.Upload<float>(v), weights = device.Upload<float>(w);
            device.Kernels.SgdUpdate(options, parameters, gradient, velocity, weights);
            return [velocity, weights];
        });
        (double[] expectedVelocity, double[] expectedWeights) = Plain.Sgd(options, step, 10, Samples.Widen(g), Samples.Widen(v), Samples.Widen(w));
        AssertClose(result[0], expectedVelocity, 1e-6);
        AssertClose(result[1], expectedWeights, 1e-6);
    }

    [Test]
    public void SgdWorkedOutByHand()
    {
        // w = 2, g = 1, decay 0.5: g + decay w = 2. Step 0: v = 2, w = 2 - 0.1 * 2 = 1.8.
        // Step 1, the same g: g + decay w = 1.9; v = 0.9 * 2 + (1 - 0.25) * 1.9 = 3.225; w = 1.8 - 0.3225 = 1.4775.
        var options = new SgdOptions(0.9f, 0.25f, 0.5f);
        float[][] result = RunOnDevice(device =>
        {
            using Tensor<float> gradient = device.Upload<float>([1]);
            Tensor<float> velocity = device.Upload<float>([123]), weights = device.Upload<float>([2]);
            for (uint step = 0; step < 2; step++)
            {
                using Tensor<StepParameters> parameters = device.Step(step, 0.1f);
                device.Kernels.SgdUpdate(options, parameters, gradient, velocity, weights);
            }

            return [velocity, weights];
        });
        AssertClose(result[0], [3.225], 1e-6);
        AssertClose(result[1], [1.4775], 1e-6);
    }

    [Test]
    public void AdamMatchesTheReference([Values(1, 33, 40001)] int length, [Values(0u, 7u, 5000u)] uint step, [Values(0f, 0.01f)] float decay)
    {
        var options = new AdamOptions(0.9f, 0.999f, 1e-8f, decay);
        float[] g = Samples.Gaussian(1, length), m = Samples.Gaussian(2, length), w = Samples.Gaussian(3, length);
        float[] s = Array.ConvertAll(Samples.Gaussian(4, length), value => value * value);
        float[][] result = RunOnDevice(device =>
        {
            using Tensor<StepParameters> parameters = device.Step(step, 2e-3f);
            using Tensor<float> gradient = device.Upload<float>(g);
            Tensor<float> first = device.Upload<float>(m), second = device.Upload<float>(s), weights = device.Upload<float>(w);
            device.Kernels.AdamUpdate(options, parameters, gradient, first, second, weights);
            return [first, second, weights];
        });
        (double[] expectedFirst, double[] expectedSecond, double[] expectedWeights) =
            Plain.Adam(options, step, 2e-3f, Samples.Widen(g), Samples.Widen(m), Samples.Widen(s), Samples.Widen(w));
        AssertClose(result[0], expectedFirst, 1e-6);
        AssertClose(result[1], expectedSecond, 1e-6);
        AssertClose(result[2], expectedWeights, 2e-6);
    }

    [Test]
    public void AdamsFirstStepIsTheLearningRateAgainstTheGradientsSign()
    {
        // m / (1 - b1) = g and s / (1 - b2) = g^2, so the step is rate g / (|g| + 1e-8).
        float[][] result = RunOnDevice(device =>
        {
            using Tensor<StepParameters> parameters = device.Step(0, 0.25f);
            using Tensor<float> gradient = device.Upload<float>([4, -0.5f, 0]);
            using Tensor<float> first = device.Allocate<float>(3), second = device.Allocate<float>(3);
            Tensor<float> weights = device.Upload<float>([1, 1, 1]);
            device.Kernels.AdamUpdate(new AdamOptions(0.9f, 0.999f, 1e-8f, 0), parameters, gradient, first, second, weights);
            return [weights];
        });
        AssertClose(result[0], [0.75, 1.25, 1], 1e-6);
    }
}
