using CudaL2Net.Bench.Measuring;
using CudaL2Net.Interop;
using CudaL2Net.Kernels;
using CudaL2Net.Reference;
using static CudaL2Net.Bench.Operations.PreparedOperation;

namespace CudaL2Net.Bench.Operations;

/// <summary>
/// The convolutions as a training step calls them, fused with the normalizations before and after: layers 2 to 6 read the normalized output of the layer
/// before; the first one reads patches, the last one the output of dropout. The only place of the bench that knows <see cref="IFusedKernels"/>.
/// </summary>
internal static class FusedOperations
{
    private const int Halves = 2;
    private static readonly BatchNormOptions Options = new(Halves, 1e-5f, 0.1f, true);

    /// <summary>All passes of all layers, and the passes of the normalizations that are not fused.</summary>
    /// <param name="precision">The device's precision.</param>
    public static IEnumerable<KernelOperation> All(Precision precision)
    {
        Arithmetic arithmetic = Peaks.For(precision);
        int last = L2NetLayers.Of(1).Length - 1;
        for (int i = 0; i <= last; i++)
        {
            int layer = i;
            string shape = L2NetLayers.Name(layer);
            bool normalizedInput = layer > 0 && layer < last;
            Conv2dGeometry At(int patches) => L2NetLayers.Of(patches)[layer];

            yield return new KernelOperation(
                "conv2d forward fused",
                shape,
                patches => Work.FusedForward(At(patches), arithmetic),
                (set, patches) => Forward(set, At(patches), normalizedInput, layer < last))
            {
                ByPrecision = true,
            };
            if (layer > 0)
            {
                yield return new KernelOperation(
                    "conv2d backward data fused",
                    shape,
                    patches => Work.FusedBackwardData(At(patches), normalizedInput, arithmetic),
                    (set, patches) => BackwardData(set, At(patches), normalizedInput, layer < last))
                {
                    ByPrecision = true,
                };
            }

            yield return new KernelOperation(
                "conv2d backward filter fused",
                shape,
                patches => Work.FusedBackwardFilter(At(patches), arithmetic),
                (set, patches) => BackwardFilter(set, At(patches), normalizedInput, layer < last))
            {
                ByPrecision = true,
            };
        }

        // The last map before dropout, and the features.
        foreach ((int side, int channels, bool relu) in new[] { (8, 128, true), (1, 128, false) })
        {
            string shape = $"{channels} channels on {side}x{side}";
            long Values(int patches) => (long)patches * side * side * channels;

            if (relu)
            {
                yield return new KernelOperation(
                    "normalize", shape, patches => Work.PerValue(Values(patches), 8, 3, "reads x, writes y"),
                    (set, patches) => Normalize(set, patches, side, channels))
                {
                    ByPrecision = true,
                };
            }

            yield return new KernelOperation(
                "normalization sums", shape, patches => Work.PerValue(Values(patches), 8, 6, "reads x and the gradient"),
                (set, patches) => Sums(set, patches, side, channels, relu))
            {
                ByPrecision = true,
            };
        }
    }

    private static IFusedKernels Kernels(TensorSet set) => set.Device.FusedKernels!;

    private static PreparedOperation Forward(TensorSet set, Conv2dGeometry g, bool normalizedInput, bool relu)
    {
        Activation? input = normalizedInput ? Activation.Random(set, g.Batch, g.Height, g.Width, g.InChannels, relu: true) : null;
        Tensor<float> x = input?.X ?? set.Gaussian(g.Batch, g.Height, g.Width, g.InChannels);
        Tensor<float> filters = set.Filters(g), y = set.Empty<float>(g.Batch, g.OutHeight, g.OutWidth, g.OutChannels);
        Tensor<float> mean = set.Empty<float>(Halves, g.OutChannels), inverse = set.Empty<float>(Halves, g.OutChannels);
        Tensor<float> runningMean = set.Empty<float>(g.OutChannels), runningVariance = set.Empty<float>(g.OutChannels);
        IFusedKernels kernels = Kernels(set);
        BatchNormOptions options = Options with { Relu = relu };
        return Of(
            () => kernels.Conv2dForward(g, x, input?.Normalization, filters, null, y, options, mean, inverse, runningMean, runningVariance),
            () => [Plain.Conv2d(g, input?.Normalized() ?? Doubles(x), Doubles(filters), null)],
            y).Beside(set.Vendor?.Convolution(set, g, CudaDnnConvolutionPass.Forward));
    }

    private static PreparedOperation BackwardData(TensorSet set, Conv2dGeometry g, bool normalizedInput, bool relu)
    {
        Activation output = Activation.Random(set, g.Batch, g.OutHeight, g.OutWidth, g.OutChannels, relu);
        Activation? input = normalizedInput ? Activation.Random(set, g.Batch, g.Height, g.Width, g.InChannels, relu: true) : null;
        Tensor<float> gradient = Gradient(set, output), filters = set.Filters(g), dInput = set.Empty<float>(g.Batch, g.Height, g.Width, g.InChannels);
        IFusedKernels kernels = Kernels(set);
        return Of(
            () => kernels.Conv2dBackwardData(g, output.Stored, gradient, filters, dInput, input?.Stored),
            () => [Plain.Conv2dBackwardData(g, output.InputGradient(gradient), Doubles(filters))],
            dInput).Beside(set.Vendor?.Convolution(set, g, CudaDnnConvolutionPass.BackwardData));
    }

    private static PreparedOperation BackwardFilter(TensorSet set, Conv2dGeometry g, bool normalizedInput, bool relu)
    {
        Activation output = Activation.Random(set, g.Batch, g.OutHeight, g.OutWidth, g.OutChannels, relu);
        Activation? input = normalizedInput ? Activation.Random(set, g.Batch, g.Height, g.Width, g.InChannels, relu: true) : null;
        Tensor<float> x = input?.X ?? set.Gaussian(g.Batch, g.Height, g.Width, g.InChannels), gradient = Gradient(set, output);
        Tensor<float> dFilters = set.Empty<float>(g.OutChannels, g.KernelHeight, g.KernelWidth, g.InChannels);
        IFusedKernels kernels = Kernels(set);
        return Of(
            () => kernels.Conv2dBackwardFilter(g, x, input?.Normalization, output.Stored, gradient, dFilters, null),
            () => [Plain.Conv2dBackwardFilter(g, input?.Normalized() ?? Doubles(x), output.InputGradient(gradient)).Filters],
            dFilters).Beside(set.Vendor?.Convolution(set, g, CudaDnnConvolutionPass.BackwardFilter));
    }

    private static PreparedOperation Normalize(TensorSet set, int patches, int side, int channels)
    {
        Activation activation = Activation.Random(set, patches, side, side, channels, relu: true);
        Tensor<float> y = set.Empty<float>(patches, side, side, channels);
        IFusedKernels kernels = Kernels(set);
        return Of(() => kernels.Normalize(activation.X, activation.Normalization, y), () => [activation.Normalized()], y);
    }

    private static PreparedOperation Sums(TensorSet set, int patches, int side, int channels, bool relu)
    {
        Activation activation = Activation.Random(set, patches, side, side, channels, relu);
        Tensor<float> gradient = set.Gaussian(patches, side, side, channels);
        IFusedKernels kernels = Kernels(set);
        return Of(() => kernels.NormalizationSums(activation.Stored, gradient), () => [activation.GradientSums(gradient)], activation.Stored.Sums);
    }

    /// <summary>A random gradient of an activation, whose sums are made complete.</summary>
    private static Tensor<float> Gradient(TensorSet set, Activation activation)
    {
        Tensor<float> gradient = set.Gaussian(activation.X.Shape);
        Kernels(set).NormalizationSums(activation.Stored, gradient);
        return gradient;
    }

    /// <summary>A stored map and how its readers normalize it.</summary>
    private sealed record Activation(Tensor<float> X, Normalization Normalization, NormalizedActivation Stored)
    {
        public static Activation Random(TensorSet set, int patches, int height, int width, int channels, bool relu)
        {
            Tensor<float> x = set.Gaussian(patches, height, width, channels);
            Tensor<float> mean = set.Around(0, 0.1f, Halves, channels), inverse = set.Around(1, 0.1f, Halves, channels);
            var normalization = new Normalization(Halves, relu, mean, inverse, null, null);
            return new Activation(x, normalization, new NormalizedActivation(x, normalization, set.Empty<float>(Halves, 2, channels)));
        }

        public double[] Normalized() => Plain.Normalized(Doubles(X), Mean(), Inverse(), Halves, Normalization.Relu);

        public double[] InputGradient(Tensor<float> gradient) =>
            Plain.NormalizationGradient(Doubles(X), Mean(), Inverse(), Halves, Normalization.Relu, Doubles(gradient));

        public double[] GradientSums(Tensor<float> gradient) =>
            Plain.NormalizationSums(Doubles(X), Mean(), Inverse(), Halves, Normalization.Relu, Doubles(gradient));

        private double[] Mean() => Doubles(Normalization.Mean);

        private double[] Inverse() => Doubles(Normalization.InverseDeviation);
    }
}
