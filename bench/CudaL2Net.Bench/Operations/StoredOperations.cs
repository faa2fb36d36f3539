using CudaL2Net.Interop;
using CudaL2Net.Kernels;
using CudaL2Net.Kernels.Cuda;
using CudaL2Net.Reference;
using static CudaL2Net.Bench.Operations.PreparedOperation;

namespace CudaL2Net.Bench.Operations;

/// <summary>
/// The convolutions as a training step in bf16 calls them, with activations kept as bf16. The only place of the bench that knows <see cref="IStoredKernels"/>.
/// </summary>
internal static class StoredOperations
{
    private const int Halves = 2;

    // Batches that are only timed have sums of zero: to add them up on the host would take longer than the measurement.
    private const int MostChecked = 16;

    private static readonly BatchNormOptions Options = new(Halves, 1e-5f, 0.1f, Relu: true);

    /// <summary>The passes of all layers that there are such kernels for.</summary>
    public static IEnumerable<KernelOperation> All(IStoredKernels kernels)
    {
        for (int i = 0; i < L2NetLayers.Of(1).Length; i++)
        {
            int layer = i;
            if (!kernels.TakesStored(L2NetLayers.Of(1)[layer]))
            {
                continue;
            }

            Conv2dGeometry At(int patches) => L2NetLayers.Of(patches)[layer];
            KernelOperation Row(string pass, Func<Conv2dGeometry, Work> cost, Func<TensorSet, Conv2dGeometry, PreparedOperation> prepare) =>
                new($"conv2d {pass} images", L2NetLayers.Name(layer), patches => cost(At(patches)), (set, patches) => prepare(set, At(patches)))
                {
                    ByPrecision = true,
                };

            yield return Row("forward", g => Work.Images(g, 1, 1, 1, "reads x and filters, writes y"), (set, g) => Forward(kernels, set, g));
            yield return Row(
                "backward filter", g => Work.Images(g, 1, 2, 1, "reads x, y and the gradient of y, writes dfilters"),
                (set, g) => Backward(kernels, set, g, both: false));
            if (layer > 0)
            {
                yield return Row(
                    "backward", g => Work.Images(g, 3, 4, 2, "reads x twice, y and the gradient of y, writes and reads dy, writes dx and dfilters"),
                    (set, g) => Backward(kernels, set, g, both: true));
            }
        }
    }

    /// <summary>The passes over such activations by themselves, which trainings on cuDNN's convolutions take.</summary>
    public static IEnumerable<KernelOperation> Passes(CudaDevice device)
    {
        foreach ((int side, int channels) in new[] { (32, 32), (16, 64), (8, 128) })
        {
            yield return Row("batch norm forward images", side, channels, 6, 8, "reads x twice, writes y", (set, patches) =>
            {
                Bf16Activation x = Activation(set, patches, side, channels);
                Tensor<float> runningMean = set.Empty<float>(channels), runningVariance = set.Empty<float>(channels);
                Tensor<ushort> y = set.Empty<ushort>(x.X.Shape);
                return new PreparedOperation(
                    () =>
                    {
                        device.BatchStatistics(Options, x.X, null, x.Normalization.Mean, x.Normalization.InverseDeviation, runningMean, runningVariance);
                        device.Normalize(x.X, x.Normalization, y);
                    },
                    () => [Plain.BatchNorm(Options, Doubles(x.X), channels, null, null, new double[channels], new double[channels])],
                    () => [Doubles(y)]);
            });
            yield return Row("batch norm backward images", side, channels, 10, 12, "reads x and dy twice, writes dx", (set, patches) =>
            {
                Bf16Activation x = Activation(set, patches, side, channels);
                Tensor<ushort> dy = set.Bf16(x.X.Shape), dx = set.Empty<ushort>(x.X.Shape);
                return new PreparedOperation(
                    () =>
                    {
                        device.NormalizationSums(x, dy);
                        Finish(device, x, dy, dx);
                    },
                    () =>
                    [
                        Plain.NormalizationGradient(Doubles(x.X), Doubles(x.Normalization.Mean), Doubles(x.Normalization.InverseDeviation), Halves, relu: true,
                            Doubles(dy)),
                    ],
                    () => [Doubles(dx)]);
            });
        }

        yield return Row("round to bf16", 8, 128, 6, 1, "reads x, writes y", (set, patches) =>
        {
            Tensor<float> x = set.Gaussian(patches, 8, 8, 128);
            Tensor<ushort> y = set.Empty<ushort>(x.Shape);
            return new PreparedOperation(() => Round(device, x, y), () => [Doubles(x)], () => [Doubles(y)]);
        });
        yield return Row("widen from bf16", 8, 128, 6, 1, "reads x, writes y", (set, patches) =>
        {
            Tensor<ushort> x = set.Bf16(patches, 8, 8, 128);
            Tensor<float> y = set.Empty<float>(x.Shape);
            return PreparedOperation.Of(() => Widen(device, x, y), () => [Doubles(x)], y);
        });

        static KernelOperation Row(string operation, int side, int channels, int bytes, int operations, string counting,
            Func<TensorSet, int, PreparedOperation> prepare) => new(
                operation, $"{channels} channels on {side}x{side}",
                patches => Work.PerValue((long)patches * side * side * channels, bytes, operations, counting), prepare)
            { ByPrecision = true };
    }

    private static unsafe void Finish(CudaDevice device, Bf16Activation x, Tensor<ushort> dy, Tensor<ushort> dx) =>
        device.NormalizationGradient(x, dy.Pointer, dx.Pointer);

    private static unsafe void Round(CudaDevice device, Tensor<float> x, Tensor<ushort> y) => device.Round(x.Pointer, y.Pointer, x.Length);

    private static unsafe void Widen(CudaDevice device, Tensor<ushort> x, Tensor<float> y) => device.Widen(x.Pointer, y.Pointer, x.Length);

    private static PreparedOperation Forward(IStoredKernels kernels, TensorSet set, Conv2dGeometry g)
    {
        Tensor<ushort> y = set.Empty<ushort>(g.Batch, g.OutHeight, g.OutWidth, g.OutChannels);
        Tensor<float> mean = set.Empty<float>(Halves, g.OutChannels), inverse = set.Empty<float>(Halves, g.OutChannels), filters = set.Filters(g);
        Tensor<float> runningMean = set.Empty<float>(g.OutChannels), runningVariance = set.Empty<float>(g.OutChannels);
        double[][] Actual() => [Doubles(y)];
        VendorRun? vendor = set.Vendor?.Convolution(set, g, CudaDnnConvolutionPass.Forward);
        if (g.InChannels == 1)
        {
            Tensor<float> patches = set.Gaussian(g.Batch, g.Height, g.Width, 1);
            return new PreparedOperation(
                () => kernels.Conv2dForward(g, patches, filters, null, y, Options, mean, inverse, runningMean, runningVariance),
                () => [Plain.Conv2d(g, Doubles(patches), Doubles(filters), null)], Actual)
            { Vendor = vendor };
        }

        Bf16Activation x = Activation(set, g.Batch, g.Height, g.InChannels);
        Tensor<ushort> packed = set.Empty<ushort>(2, filters.Length);
        return new PreparedOperation(
            () =>
            {
                kernels.PackFilters(g, filters, packed);
                kernels.Conv2dForward(g, x, packed, null, y, Options, mean, inverse, runningMean, runningVariance);
            },
            () => [Plain.Conv2d(g, Normalized(x), Doubles(filters), null)], Actual)
        { Vendor = vendor };
    }

    private static PreparedOperation Backward(IStoredKernels kernels, TensorSet set, Conv2dGeometry g, bool both)
    {
        Bf16Activation output = Activation(set, g.Batch, g.OutHeight, g.OutChannels);
        Tensor<ushort> gradient = set.Bf16(output.X.Shape);
        var parts = new GradientParts(gradient, null);
        if (g.Batch <= MostChecked)
        {
            output.Sums.Write(Array.ConvertAll(Plain.NormalizationSums(Doubles(output.X), Doubles(output.Normalization.Mean),
                Doubles(output.Normalization.InverseDeviation), Halves, relu: true, Doubles(gradient)), value => (float)value));
        }

        Tensor<float> filters = set.Filters(g), dFilters = set.Empty<float>(filters.Shape);
        VendorRun? vendor = set.Vendor?.Convolution(set, g, CudaDnnConvolutionPass.BackwardFilter);
        double[] Dy() => Plain.NormalizationGradient(Doubles(output.X), Doubles(output.Normalization.Mean), Doubles(output.Normalization.InverseDeviation), Halves,
            relu: true, Doubles(gradient));
        if (g.InChannels == 1)
        {
            Tensor<float> patches = set.Gaussian(g.Batch, g.Height, g.Width, 1);
            return Of(
                () => kernels.Conv2dBackward(g, patches, output, parts, dFilters),
                () => [Plain.Conv2dBackwardFilter(g, Doubles(patches), Dy()).Filters],
                dFilters) with
            { Vendor = vendor };
        }

        Bf16Activation x = Activation(set, g.Batch, g.Height, g.InChannels);
        Tensor<ushort> packed = set.Empty<ushort>(2, filters.Length);
        kernels.PackFilters(g, filters, packed);
        Tensor<ushort>? dInput = both ? set.Empty<ushort>(x.X.Shape) : null;
        VendorRun? other = both ? set.Vendor?.Convolution(set, g, CudaDnnConvolutionPass.BackwardData) : null;
        return new PreparedOperation(
            () => kernels.Conv2dBackward(g, x, packed, output, parts, dFilters, dInput, gatherSums: both),
            () =>
            {
                double[] dy = Dy(), dw = Plain.Conv2dBackwardFilter(g, Normalized(x), dy).Filters;
                return both ? [dw, Plain.Conv2dBackwardData(g, dy, Doubles(filters))] : [dw];
            },
            () => both ? [Doubles(dFilters), Doubles(dInput!)] : [Doubles(dFilters)])
        {
            Vendor = !both ? vendor : vendor == null || other == null ? null : new VendorRun(
                () =>
                {
                    vendor.Run();
                    other.Run();
                },
                () => $"{vendor.Name()}; {other.Name()}"),
        };
    }

    private static Bf16Activation Activation(TensorSet set, int patches, int side, int channels)
    {
        Tensor<float> mean = set.Around(0, 0.1f, Halves, channels), inverse = set.Around(1, 0.1f, Halves, channels);
        return new Bf16Activation(set.Bf16(patches, side, side, channels), new Normalization(Halves, true, mean, inverse, null, null),
            set.Empty<float>(Halves, 2, channels));
    }

    private static double[] Normalized(Bf16Activation x) =>
        Plain.Normalized(Doubles(x.X), Doubles(x.Normalization.Mean), Doubles(x.Normalization.InverseDeviation), Halves, relu: true);
}
