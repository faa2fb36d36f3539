using CudaL2Net.Kernels;

namespace CudaL2Net.Tests.Kernels;

/// <summary>Large sets of patches are trained on where they lie.</summary>
public sealed class LentArrayTests
{
    [Test]
    public void OnTheCpuATensorOfALentArrayIsTheArrayItself()
    {
        using Device device = Device.Open("cpu");
        byte[] values = [1, 2, 3, 4, 5, 6];
        using (Tensor<byte> tensor = device.Lend(values, 2, 3))
        {
            values[4] = 50;
            Assert.That(tensor.ToArray(), Is.EqualTo(new byte[] { 1, 2, 3, 4, 50, 6 }));
            Assert.That(tensor.Rows(1, 1).ToArray(), Is.EqualTo(new byte[] { 4, 50, 6 }));
        }

        Assert.That(values[4], Is.EqualTo(50), "what was lent is not freed");
        Assert.That(() => device.Lend(values, 2, 4), Throws.ArgumentException);
    }
}
