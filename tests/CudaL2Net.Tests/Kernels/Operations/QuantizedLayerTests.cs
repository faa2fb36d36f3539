using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using CudaL2Net.Tests.Networks;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Kernels.Operations;

public sealed class QuantizedLayerTests
{
    [TestCase(32, 32)]
    [TestCase(128, 128)]
    public void WeightsAreWithinHalfAStepAndUseTheWholeRange(int inChannels, int outChannels)
    {
        FoldedLayer layer = Layer(inChannels, Samples.Gaussian(1, outChannels * 9 * inChannels));
        float[] limits = Array.ConvertAll(Samples.Gaussian(2, inChannels), value => 0.5f + Math.Abs(value));
        var quantized = QuantizedLayer.Of(layer, limits);
        int depth = 9 * inChannels;
        for (int o = 0; o < outChannels; o++)
        {
            int largest = 0;
            for (int k = 0; k < depth; k++)
            {
                sbyte filter = quantized.Filters[(o * depth) + k];
                double weight = layer.Filters[(o * depth) + k] * limits[k % inChannels] / 255;
                Assert.That(filter * quantized.Scales[o], Is.EqualTo(weight).Within(0.5001 * quantized.Scales[o]));
                largest = Math.Max(largest, Math.Abs((int)filter));
            }

            // Of 1,152 weights that large, the sum has to be kept in bounds, too.
            Assert.That(largest, inChannels == 32 ? Is.EqualTo(127) : Is.InRange(80, 127));
        }
    }

    [Test]
    public void NoInputCanMakeASumTooLarge([Values(1f, -1f)] float sign, [Values(288, 576, 1152)] int depth)
    {
        FoldedLayer layer = Layer(depth / 9, Array.ConvertAll(Samples.Gaussian(3, depth), value => sign * (1 + (0.01f * value))));
        var quantized = QuantizedLayer.Of(layer, [.. Enumerable.Repeat(1f, depth / 9)]);
        int sum = 255 * quantized.Filters.Sum(filter => filter);
        Assert.That(Math.Abs(sum), Is.InRange(QuantizedLayer.MostSum * 0.9, QuantizedLayer.MostSum));
    }

    [Test]
    public void AnOutputWithoutWeightsIsZero()
    {
        var quantized = QuantizedLayer.Of(Layer(32, new float[288]), [.. Enumerable.Repeat(1f, 32)]);
        Assert.That(quantized.Filters, Is.All.Zero);
        Assert.That(quantized.Scales, Is.EqualTo(new[] { 1f }));
    }

    [Test]
    public void LimitsAreEightDeviationsAboveTheMean()
    {
        ModelFile model = ModelFile.Untrained(TestNetworks.L2Net.With(layer => layer is BatchNormalization normalization ? normalization with { Learned = true } : layer), 1);
        Assert.That(TestNetworks.Fold(model).Layers[1].Limits, Has.Length.EqualTo(32).And.All.EqualTo(8f));
        float[] scale = [-0.5f, 2, 0.1f], shift = [1, -3, -7];
        model = TestNetworks.Map(TestNetworks.Map(model, "scale", values => [.. scale, .. values[3..]]), "shift", values => [.. shift, .. values[3..]]);
        Assert.That(TestNetworks.Fold(model).Layers[1].Limits![..4], Is.EqualTo(new[] { 5f, 13f, 1e-6f, 8f }));
    }

    private static FoldedLayer Layer(int inChannels, float[] filters)
    {
        int outChannels = filters.Length / 9 / inChannels;
        return new FoldedLayer(3, 1, 1, inChannels, outChannels, filters, new float[outChannels], true);
    }
}
