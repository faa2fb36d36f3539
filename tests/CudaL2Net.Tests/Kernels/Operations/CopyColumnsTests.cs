using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Kernels.Operations;

public sealed class CopyColumnsTests(string device) : OperationTests(device)
{
    [TestCase(1, 1, 1, 1, 0, 0)]
    [TestCase(3, 5, 7, 4, 1, 3)]
    [TestCase(130, 128, 256, 128, 0, 128)]
    [TestCase(33, 256, 128, 128, 128, 0)]
    public void CopiesOneBlockOfColumnsAndLeavesTheRest(int rows, int sourceWidth, int targetWidth, int count, int sourceColumn, int targetColumn)
    {
        float[] source = Samples.Gaussian(1, rows * sourceWidth), target = Samples.Gaussian(2, rows * targetWidth);
        float[] result = RunOnDevice(device =>
        {
            using Tensor<float> from = device.Upload<float>(source, rows, sourceWidth);
            Tensor<float> to = device.Upload<float>(target, rows, targetWidth);
            device.Kernels.CopyColumns(from, sourceColumn, to, targetColumn, count);
            return [to];
        })[0];
        for (int i = 0; i < result.Length; i++)
        {
            int row = i / targetWidth, column = (i % targetWidth) - targetColumn;
            bool copied = column >= 0 && column < count;
            Assert.That(result[i], Is.EqualTo(copied ? source[(row * sourceWidth) + sourceColumn + column] : target[i]), $"element {i}");
        }
    }
}
