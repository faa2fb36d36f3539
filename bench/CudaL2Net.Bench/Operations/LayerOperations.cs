using CudaL2Net.Kernels;
using CudaL2Net.Reference;
using static CudaL2Net.Bench.Operations.PreparedOperation;

namespace CudaL2Net.Bench.Operations;

/// <summary>The layers that L2-Net has not, at the shapes of the networks that have them: DeepDesc, PN-Net and HyNet.</summary>
internal static class LayerOperations
{
    private const float Epsilon = 1e-6f;

    /// <summary>All of them.</summary>
    /// <param name="arithmetic">What matrix products multiply.</param>
    public static IEnumerable<KernelOperation> All(Arithmetic arithmetic) =>
    [
        .. Tanh(),
        .. Pooling(new PoolOptions(PoolKind.Max, 2, 2), 26, 32),
        .. Pooling(new PoolOptions(PoolKind.Average, 2, 2), 26, 32),
        .. Pooling(new PoolOptions(PoolKind.L2, 3, 3), 24, 64),
        .. SubtractiveNorms(),
        .. FilterResponseNorms(),
        .. Linears(arithmetic),
        .. PairChannels("features", 1, 512),
        .. PairChannels("patches", 64, 1),
    ];

    private static IEnumerable<KernelOperation> Tanh()
    {
        yield return KernelOperations.OnMaps("tanh forward", 26, 32, 8, 25, "reads x, writes y", (set, x) =>
        {
            Tensor<float> y = set.Empty<float>(x.Shape);
            return PreparedOperation.Of(() => set.Device.Kernels.TanhForward(x, y), () => [Plain.Tanh(Doubles(x))], y);
        });
        yield return KernelOperations.OnMaps("tanh backward", 26, 32, 12, 3, "reads y and dy, writes dx", (set, x) =>
        {
            Tensor<float> y = set.Empty<float>(x.Shape), dy = set.Gaussian(x.Shape), dx = set.Empty<float>(x.Shape);
            set.Device.Kernels.TanhForward(x, y);
            return PreparedOperation.Of(() => set.Device.Kernels.TanhBackward(y, dy, dx), () => [Plain.TanhGradient(Doubles(x), Doubles(dy))], dx);
        });
    }

    private static IEnumerable<KernelOperation> Pooling(PoolOptions options, int side, int channels)
    {
        string name = options.Kind switch { PoolKind.Max => "max", PoolKind.Average => "average", _ => "L2" };
        string shape = $"{channels} channels on {side}x{side}, {options.Kernel}x{options.Kernel} by {options.Stride}";
        (int x, int y, string counting) forward = options.Kind == PoolKind.Max ? (4, 6, "reads x, writes y and places") : (4, 4, "reads x, writes y");
        (int x, int y, string counting) backward = options.Kind switch
        {
            PoolKind.Max => (4, 6, "reads dy and places, writes dx"),
            PoolKind.Average => (4, 4, "reads dy, writes dx"),
            _ => (8, 8, "reads x, y and dy, writes dx"),
        };
        PoolGeometry At(int patches) => options.Over(patches, side, side, channels);
        Work Cost(int patches, (int X, int Y, string Counting) bytes)
        {
            PoolGeometry g = At(patches);
            long inputs = (long)patches * side * side * channels, outputs = (long)patches * g.OutHeight * g.OutWidth * channels;
            return new Work((bytes.X * inputs) + (bytes.Y * outputs), 2 * inputs, Arithmetic.Float32, $"{bytes.Counting}; 2 operations per value of x");
        }

        yield return new KernelOperation(
            $"{name} pool forward",
            shape,
            patches => Cost(patches, forward),
            (set, patches) =>
            {
                PoolGeometry g = At(patches);
                (Tensor<float> x, Tensor<float> y, Tensor<ushort>? places) = Tensors(set, g);
                return PreparedOperation.Of(() => set.Device.Kernels.PoolForward(g, x, y, places), () => [Plain.Pool(g, Doubles(x))], y);
            });
        yield return new KernelOperation(
            $"{name} pool backward",
            shape,
            patches => Cost(patches, backward),
            (set, patches) =>
            {
                PoolGeometry g = At(patches);
                (Tensor<float> x, Tensor<float> y, Tensor<ushort>? places) = Tensors(set, g);
                Tensor<float> dy = set.Gaussian(y.Shape), dx = set.Empty<float>(x.Shape);
                set.Device.Kernels.PoolForward(g, x, y, places);
                return PreparedOperation.Of(
                    () => set.Device.Kernels.PoolBackward(g, x, y, places, dy, dx), () => [Plain.PoolGradient(g, Doubles(x), Doubles(dy))], dx);
            });

        static (Tensor<float> X, Tensor<float> Y, Tensor<ushort>? Places) Tensors(TensorSet set, PoolGeometry g)
        {
            int[] pooled = [g.Batch, g.OutHeight, g.OutWidth, g.Channels];
            return (set.Gaussian(g.Batch, g.Height, g.Width, g.Channels), set.Empty<float>(pooled),
                g.Options.Kind == PoolKind.Max ? set.Empty<ushort>(pooled) : null);
        }
    }

    private static IEnumerable<KernelOperation> SubtractiveNorms()
    {
        const int Side = 29, Channels = 32, Kernel = 5;
        float[] weights = SubtractiveNorm.GaussianWeights(Kernel);
        double[] wide = Array.ConvertAll(weights, weight => (double)weight);
        yield return KernelOperations.OnMaps("subtractive norm forward", Side, Channels, 8, 4, "reads x, writes y", (set, x) =>
        {
            Tensor<float> y = set.Empty<float>(x.Shape), kernel = set.Of<float>(weights, Kernel, Kernel);
            return PreparedOperation.Of(
                () => set.Device.Kernels.SubtractiveNormForward(x, kernel, y), () => [Plain.SubtractiveNorm(Side, Side, Channels, wide, Doubles(x))], y);
        });
        yield return KernelOperations.OnMaps("subtractive norm backward", Side, Channels, 8, 4, "reads dy, writes dx", (set, dy) =>
        {
            Tensor<float> dx = set.Empty<float>(dy.Shape), kernel = set.Of<float>(weights, Kernel, Kernel);
            return PreparedOperation.Of(
                () => set.Device.Kernels.SubtractiveNormBackward(kernel, dy, dx),
                () => [Plain.SubtractiveNormGradient(Side, Side, Channels, wide, Doubles(dy))],
                dx);
        });
    }

    private static IEnumerable<KernelOperation> FilterResponseNorms()
    {
        const int Side = 32, Channels = 32;
        yield return KernelOperations.OnMaps("filter response norm forward", Side, Channels, 8, 5, "reads x, writes y", (set, x) =>
        {
            (Tensor<float> scale, Tensor<float> shift, Tensor<float> threshold, Tensor<float> inverse) = Tensors(set, x);
            Tensor<float> y = set.Empty<float>(x.Shape);
            return PreparedOperation.Of(
                () => set.Device.Kernels.FilterResponseNormForward(Epsilon, x, scale, shift, threshold, inverse, y),
                () => [Plain.FilterResponseNorm(x.Shape[0], Channels, Epsilon, Doubles(x), Doubles(scale), Doubles(shift), Doubles(threshold))],
                y);
        });
        yield return KernelOperations.OnMaps("filter response norm backward", Side, Channels, 12, 14, "reads x and dy, writes dx", (set, x) =>
        {
            (Tensor<float> scale, Tensor<float> shift, Tensor<float> threshold, Tensor<float> inverse) = Tensors(set, x);
            Tensor<float> dy = set.Gaussian(x.Shape), dx = set.Empty<float>(x.Shape);
            Tensor<float> dScale = set.Empty<float>(Channels), dShift = set.Empty<float>(Channels), dThreshold = set.Empty<float>(Channels);
            set.Device.Kernels.FilterResponseNormForward(Epsilon, x, scale, shift, threshold, inverse, dx);
            return PreparedOperation.Of(
                () => set.Device.Kernels.FilterResponseNormBackward(x, scale, shift, threshold, inverse, dy, dx, dScale, dShift, dThreshold),
                () =>
                {
                    (double[] input, double[] a, double[] b, double[] t) = Plain.FilterResponseNormGradient(x.Shape[0], Channels, Epsilon, Doubles(x),
                        Doubles(scale), Doubles(shift), Doubles(threshold), Doubles(dy));
                    return [input, a, b, t];
                },
                dx,
                dScale,
                dShift,
                dThreshold);
        });

        static (Tensor<float> Scale, Tensor<float> Shift, Tensor<float> Threshold, Tensor<float> Inverse) Tensors(TensorSet set, Tensor<float> x) => (
            set.Around(1, 0.1f, Channels), set.Around(0, 0.1f, Channels), set.Around(0, 0.1f, Channels), set.Empty<float>(x.Shape[0], Channels));
    }

    /// <summary>PN-Net's linear layer, 8 x 8 x 64 values to 128, by the kernels of a convolution.</summary>
    private static IEnumerable<KernelOperation> Linears(Arithmetic arithmetic)
    {
        const int Inputs = 4096, Outputs = 128;
        static Conv2dGeometry At(int patches) => new(patches, 1, 1, Inputs, Outputs, 1, 1, 1, 0);

        yield return Linear("linear forward", Work.Forward, (set, patches) =>
        {
            Tensor<float> x = set.Gaussian(patches, Inputs), weights = set.Gaussian(Outputs, Inputs), bias = set.Gaussian(Outputs);
            Tensor<float> y = set.Empty<float>(patches, Outputs);
            return PreparedOperation.Of(
                () => set.Device.Kernels.Conv2dForward(At(patches), x, weights, bias, y),
                () => [Plain.Linear(patches, Doubles(x), Doubles(weights), Doubles(bias))],
                y);
        });
        yield return Linear("linear backward data", Work.BackwardData, (set, patches) =>
        {
            Tensor<float> dy = set.Gaussian(patches, Outputs), weights = set.Gaussian(Outputs, Inputs), dx = set.Empty<float>(patches, Inputs);
            return PreparedOperation.Of(
                () => set.Device.Kernels.Conv2dBackwardData(At(patches), dy, weights, dx),
                () => [Plain.LinearGradient(patches, new double[dx.Length], Doubles(weights), Doubles(dy)).X],
                dx);
        });
        yield return Linear("linear backward weights", Work.BackwardFilter, (set, patches) =>
        {
            Tensor<float> x = set.Gaussian(patches, Inputs), dy = set.Gaussian(patches, Outputs);
            Tensor<float> dWeights = set.Empty<float>(Outputs, Inputs), dBias = set.Empty<float>(Outputs);
            return PreparedOperation.Of(
                () => set.Device.Kernels.Conv2dBackwardFilter(At(patches), x, dy, dWeights, dBias),
                () =>
                {
                    (_, double[] weights, double[] bias) = Plain.LinearGradient(patches, Doubles(x), new double[dWeights.Length], Doubles(dy));
                    return [weights, bias];
                },
                dWeights,
                dBias);
        });

        KernelOperation Linear(string name, ConvolutionCost cost, Func<TensorSet, int, PreparedOperation> prepare) =>
            new(name, $"{Inputs} to {Outputs}", patches => cost(At(patches), arithmetic), prepare) { ByPrecision = true };
    }

    private static IEnumerable<KernelOperation> PairChannels(string what, int side, int channels)
    {
        yield return KernelOperations.OnMaps($"pair {what} forward", side, channels, 12, 0, "reads x, writes y, twice as large", (set, x) =>
        {
            Tensor<float> y = set.Empty<float>(Doubled(x));
            return PreparedOperation.Of(
                () => set.Device.Kernels.PairChannelsForward(x, y), () => [Plain.PairChannels(x.Shape[0] / 2, side * side, channels, Doubles(x))], y);
        });
        yield return KernelOperations.OnMaps($"pair {what} backward", side, channels, 12, 1, "reads dy, twice as large as dx, writes dx", (set, x) =>
        {
            Tensor<float> dy = set.Gaussian(Doubled(x)), dx = set.Empty<float>(x.Shape);
            return PreparedOperation.Of(
                () => set.Device.Kernels.PairChannelsBackward(dy, dx),
                () => [Plain.PairChannelsGradient(x.Shape[0] / 2, side * side, channels, Doubles(dy))],
                dx);
        });

        static int[] Doubled(Tensor<float> x) => [.. x.Shape[..^1], 2 * x.Shape[^1]];
    }

    private delegate Work ConvolutionCost(in Conv2dGeometry geometry, Arithmetic arithmetic);
}
