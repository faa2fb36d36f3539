using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Kernels.Operations;

public sealed class AddTests(string device) : OperationTests(device)
{
    [TestCase(1)]
    [TestCase(33)]
    [TestCase(40001)]
    public void AddsElementByElement(int length)
    {
        float[] x = Samples.Gaussian(1, length), y = Samples.Gaussian(2, length);
        float[][] result = RunOnDevice(device =>
        {
            using Tensor<float> added = device.Upload<float>(x);
            Tensor<float> sum = device.Upload<float>(y);
            device.Kernels.Add(added, sum);
            return [sum];
        });
        Assert.That(result[0], Is.EqualTo(x.Zip(y, (a, b) => a + b)));
    }
}
