using System.Runtime.InteropServices;
using CudaL2Net.Kernels;
using CudaL2Net.Kernels.Cpu;
using CudaL2Net.Tests.Reference;
using static CudaL2Net.Tests.Reference.Closeness;

namespace CudaL2Net.Tests.Kernels.Operations;

public sealed unsafe class WinogradTests
{
    [TestCase(1, 4, 16, 32, true)]
    [TestCase(3, 8, 32, 32, false)]
    [TestCase(2, 12, 48, 64, true)]
    [TestCase(5, 8, 128, 128, false)]
    public void MatchesTheDirectConvolution(int images, int side, int inChannels, int outChannels, bool relu)
    {
        var g = new Conv2dGeometry(images, side, side, inChannels, outChannels, 3, 3, 1, 1);
        float[] x = Samples.Gaussian(1, images * side * side * inChannels), filters = Samples.Gaussian(2, outChannels * 9 * inChannels);
        float[] bias = Samples.Gaussian(3, outChannels);
        double[] expected = Plain.Conv2d(g, Samples.Widen(x), Samples.Widen(filters), Samples.Widen(bias));

        // The transforms enlarge rounding errors some ten times: 6e-6 of the largest value at 128 channels.
        AssertClose(Run(g, x, filters, bias, relu), relu ? Plain.Relu(expected) : expected, 1e-5);
    }

    [Test]
    public void OnlyWholeTilesAndVectorsFit()
    {
        Assert.That(WinogradPass.Fits(3, 1, 1, 8, 16, 32), Is.True);
        Assert.That(WinogradPass.Fits(3, 2, 1, 8, 16, 32), Is.False);
        Assert.That(WinogradPass.Fits(3, 1, 0, 8, 16, 32), Is.False);
        Assert.That(WinogradPass.Fits(3, 1, 1, 6, 16, 32), Is.False);
        Assert.That(WinogradPass.Fits(3, 1, 1, 8, 1, 32), Is.False);
        Assert.That(WinogradPass.Fits(3, 1, 1, 8, 16, 20), Is.False);
    }

    private static float[] Run(Conv2dGeometry g, float[] x, float[] filters, float[] bias, bool relu)
    {
        int padded = g.Width + 2, image = padded * padded * g.InChannels, row = g.Width * g.InChannels;
        float[] source = new float[g.Batch * image], y = new float[g.Batch * g.Height * g.Width * g.OutChannels];
        for (int i = 0; i < g.Batch * g.Height; i++)
        {
            x.AsSpan(i * row, row).CopyTo(source.AsSpan((i / g.Height * image) + ((((i % g.Height) + 1) * padded) + 1) * g.InChannels));
        }

        float* transformed = (float*)NativeMemory.Alloc(WinogradPass.FilterLength(g.InChannels, g.OutChannels), sizeof(float));
        int columns = RegisterTile.Columns, depth = 9 * g.InChannels;
        float[] panel = new float[depth * columns];
        for (int first = 0; first < g.OutChannels; first += columns)
        {
            for (int i = 0; i < panel.Length; i++)
            {
                panel[i] = filters[((first + (i % columns)) * depth) + (i / columns)];
            }

            fixed (float* packed = panel)
            {
                WinogradPass.TransformFilters(packed, g.InChannels, g.OutChannels, false, transformed + (first * g.InChannels));
            }
        }

        fixed (float* from = source)
        fixed (float* to = y)
        fixed (float* b = bias)
        {
            var pass = new WinogradPass
            {
                Side = g.Height,
                InChannels = g.InChannels,
                OutChannels = g.OutChannels,
                TargetRowStride = g.Width * g.OutChannels,
                Filters = transformed,
                Bias = b,
                Relu = relu,
            };
            float* scratch = (float*)NativeMemory.Alloc(pass.ScratchLength(g.Batch), sizeof(float));
            pass.Run(g.Batch, from, image, to, g.Height * g.Width * g.OutChannels, scratch);
            NativeMemory.Free(scratch);
        }

        NativeMemory.Free(transformed);
        return y;
    }
}
