using CudaL2Net.Bench.Measuring;
using CudaL2Net.Data;
using CudaL2Net.Interop;
using CudaL2Net.Kernels;
using CudaL2Net.Kernels.Cuda;
using CudaL2Net.Networks;
using CudaL2Net.Reference;
using static CudaL2Net.Bench.Operations.PreparedOperation;

namespace CudaL2Net.Bench.Operations;

/// <summary>Every operation that describing, training and matching are made of, at the network's shapes.</summary>
internal static class KernelOperations
{
    private const int Dimension = 128;

    // Descriptors that are matched, a patch of the batch.
    private const int DescriptorsPerPatch = 16;

    private static readonly BatchNormOptions Normalization = new(2, 1e-5f, 0.1f, true);
    private static readonly GatherOptions Gather = new(PatchNormalization.PerPatch, PatchAugmentation.Dihedral, 1);
    private static readonly DropoutOptions Dropout = new(0.3f, 1);
    private static readonly HardestNegativeOptions Mining = new(DescriptorDistance.Euclidean, 0.008f);
    private static readonly TripletOptions Triplet = new(TripletLoss.Margin, DescriptorDistance.Euclidean, 1, 1);
    private static readonly SgdOptions Sgd = new(0.9f, 0.9f, 1e-4f);
    private static readonly AdamOptions Adam = new(0.9f, 0.999f, 1e-8f, 0);

    /// <summary>The weights that are described with: the model in the box.</summary>
    public static FoldedNetwork Network { get; } = LoadNetwork();

    /// <summary>The operations of a device.</summary>
    public static IEnumerable<KernelOperation> Of(Device device)
    {
        bool fused = device.FusedKernels is not null;
        return
        [
            .. fused ? FusedOperations.All(device.Precision) : [],
            .. device.StoredKernels is { } images ? StoredOperations.All(images) : [],
            .. Convolutions(Peaks.For(device.Precision)),
            .. Normalizations(),
            .. device is CudaDevice { Precision: Precision.Bf16 } stored ? StoredOperations.Passes(stored) : [],
            .. Elementwise(),
            .. LayerOperations.All(Peaks.For(device.Precision)),
            .. Losses(),
            .. Optimizers(),
            .. Matching(device is CudaDevice),
            Describe(Peaks.For(device.Precision)),
        ];
    }

    private static IEnumerable<KernelOperation> Convolutions(Arithmetic arithmetic)
    {
        for (int i = 0; i < L2NetLayers.Of(1).Length; i++)
        {
            int layer = i;
            Conv2dGeometry At(int patches) => L2NetLayers.Of(patches)[layer];

            yield return Convolution("conv2d forward", CudaDnnConvolutionPass.Forward, g => Work.Forward(g, arithmetic), (set, g) =>
            {
                Tensor<float> x = X(set, g), filters = set.Filters(g), y = set.Empty<float>(Y(g));
                return PreparedOperation.Of(
                    () => set.Device.Kernels.Conv2dForward(g, x, filters, null, y),
                    () => [Plain.Conv2d(g, Doubles(x), Doubles(filters), null)],
                    y);
            });
            if (layer > 0)
            {
                yield return Convolution("conv2d backward data", CudaDnnConvolutionPass.BackwardData, g => Work.BackwardData(g, arithmetic), (set, g) =>
                {
                    Tensor<float> dy = set.Gaussian(Y(g)), filters = set.Filters(g), dx = set.Empty<float>(g.Batch, g.Height, g.Width, g.InChannels);
                    return PreparedOperation.Of(
                        () => set.Device.Kernels.Conv2dBackwardData(g, dy, filters, dx),
                        () => [Plain.Conv2dBackwardData(g, Doubles(dy), Doubles(filters))],
                        dx);
                });
            }

            yield return Convolution("conv2d backward filter", CudaDnnConvolutionPass.BackwardFilter, g => Work.BackwardFilter(g, arithmetic), (set, g) =>
            {
                Tensor<float> x = X(set, g), dy = set.Gaussian(Y(g));
                Tensor<float> dFilters = set.Empty<float>(g.OutChannels, g.KernelHeight, g.KernelWidth, g.InChannels);
                return PreparedOperation.Of(
                    () => set.Device.Kernels.Conv2dBackwardFilter(g, x, dy, dFilters, null),
                    () => [Plain.Conv2dBackwardFilter(g, Doubles(x), Doubles(dy)).Filters],
                    dFilters);
            });

            KernelOperation Convolution(
                string operation, CudaDnnConvolutionPass pass, Func<Conv2dGeometry, Work> cost, Func<TensorSet, Conv2dGeometry, PreparedOperation> prepare) =>
                new(operation, L2NetLayers.Name(layer), patches => cost(At(patches)),
                    (set, patches) => prepare(set, At(patches)).Beside(set.Vendor?.Convolution(set, At(patches), pass)))
                {
                    ByPrecision = true,
                };
        }

        static Tensor<float> X(TensorSet set, Conv2dGeometry g) => set.Gaussian(g.Batch, g.Height, g.Width, g.InChannels);

        static int[] Y(Conv2dGeometry g) => [g.Batch, g.OutHeight, g.OutWidth, g.OutChannels];
    }

    private static IEnumerable<KernelOperation> Normalizations()
    {
        foreach ((int side, int channels) in new[] { (32, 32), (16, 64), (8, 128) })
        {
            yield return OnMaps("batch norm forward", side, channels, 12, 8, "reads x twice, writes y", (set, x) =>
            {
                (Tensor<float> mean, Tensor<float> inverse) = (set.Empty<float>(2, channels), set.Empty<float>(2, channels));
                (Tensor<float> runningMean, Tensor<float> runningVariance) = (set.Empty<float>(channels), set.Empty<float>(channels));
                Tensor<float> y = set.Empty<float>(x.Shape);
                return PreparedOperation.Of(
                    () => set.Device.Kernels.BatchNormForward(Normalization, x, null, null, mean, inverse, runningMean, runningVariance, y),
                    () => [Plain.BatchNorm(Normalization, Doubles(x), channels, null, null, new double[channels], new double[channels])],
                    y).Beside(set.Vendor?.BatchNorm(set, Normalization, x, backward: false));
            });
            yield return OnMaps("batch norm backward", side, channels, 20, 12, "reads x and dy twice, writes dx", (set, x) =>
            {
                (Tensor<float> mean, Tensor<float> inverse) = (set.Empty<float>(2, channels), set.Empty<float>(2, channels));
                (Tensor<float> runningMean, Tensor<float> runningVariance) = (set.Empty<float>(channels), set.Empty<float>(channels));
                Tensor<float> dy = set.Gaussian(x.Shape), dx = set.Empty<float>(x.Shape);
                set.Device.Kernels.BatchNormForward(Normalization, x, null, null, mean, inverse, runningMean, runningVariance, dx);
                return PreparedOperation.Of(
                    () => set.Device.Kernels.BatchNormBackward(Normalization, x, null, null, mean, inverse, dy, dx, null, null),
                    () => [Plain.BatchNormGradient(Normalization, Doubles(x), channels, null, null, Doubles(dy)).X],
                    dx).Beside(set.Vendor?.BatchNorm(set, Normalization, x, backward: true));
            });
        }

        var lrn = new LrnOptions(Dimension, 5, 1, 1e-4f, 0.75f);
        yield return OnMaps("lrn forward", 8, Dimension, 8, 14, "reads x, writes y", (set, x) =>
        {
            Tensor<float> y = set.Empty<float>(x.Shape);
            return PreparedOperation.Of(() => set.Device.Kernels.LrnForward(lrn, x, y), () => [Plain.Lrn(lrn, Doubles(x))], y);
        });
        yield return OnMaps("lrn backward", 8, Dimension, 12, 30, "reads x and dy, writes dx", (set, x) =>
        {
            Tensor<float> dy = set.Gaussian(x.Shape), dx = set.Empty<float>(x.Shape);
            return PreparedOperation.Of(() => set.Device.Kernels.LrnBackward(lrn, x, dy, dx), () => [Plain.LrnGradient(lrn, Doubles(x), Doubles(dy))], dx);
        });
        yield return OnMaps("unit vector forward", 1, Dimension, 8, 3, "reads x, writes y", (set, x) =>
        {
            Tensor<float> y = set.Empty<float>(x.Shape);
            return PreparedOperation.Of(() => set.Device.Kernels.UnitVectorForward(x, y), () => [Plain.UnitVector(Doubles(x), Dimension)], y);
        });
        yield return OnMaps("unit vector backward", 1, Dimension, 12, 7, "reads x and dy, writes dx", (set, x) =>
        {
            Tensor<float> dy = set.Gaussian(x.Shape), dx = set.Empty<float>(x.Shape);
            return PreparedOperation.Of(
                () => set.Device.Kernels.UnitVectorBackward(x, dy, dx), () => [Plain.UnitVectorGradient(Doubles(x), Doubles(dy), Dimension)], dx);
        });
    }

    private static IEnumerable<KernelOperation> Elementwise()
    {
        const int Area = PatchSet.Area;
        yield return new KernelOperation(
            "gather and augment",
            "32x32",
            patches => Work.PerValue((long)patches * Area, 5, 5, "reads bytes, writes floats"),
            (set, patches) =>
            {
                PatchSet source = TensorSet.Patches(4 * patches);
                var random = new Random(patches);
                int[] rows = [.. Enumerable.Range(0, patches).Select(_ => random.Next(source.Count))];
                Tensor<byte> pixels = set.Of<byte>(source.Pixels, source.Count, PatchSet.Side, PatchSet.Side);
                Tensor<int> indices = set.Of<int>(rows);
                Tensor<StepParameters> step = set.Step(3);
                Tensor<float> output = set.Empty<float>(patches, PatchSet.Side, PatchSet.Side, 1);
                return PreparedOperation.Of(
                    () => set.Device.Kernels.GatherPatches(pixels, indices, step, Gather, null, output),
                    () => [[.. rows.SelectMany((row, i) => Turned(source, row, i % (patches / 2)))]],
                    output);
            });
        yield return OnMaps("dropout", 8, Dimension, 8, 1, "reads x, writes y; its random numbers are not counted", (set, x) =>
        {
            Tensor<float> y = set.Empty<float>(x.Shape);
            Tensor<StepParameters> step = set.Step(3);
            return PreparedOperation.Of(
                () => set.Device.Kernels.Dropout(Dropout, step, x, y), () => [Plain.Dropout(Dropout.Rate, Dropout.Seed, 3, Doubles(x))], y);
        });
        yield return OnMaps("relu forward", 8, Dimension, 8, 1, "reads x, writes y", (set, x) =>
        {
            Tensor<float> y = set.Empty<float>(x.Shape);
            return PreparedOperation.Of(() => set.Device.Kernels.ReluForward(x, y), () => [Plain.Relu(Doubles(x))], y);
        });
        yield return OnMaps("relu backward", 8, Dimension, 12, 1, "reads x and dy, writes dx", (set, x) =>
        {
            Tensor<float> dy = set.Gaussian(x.Shape), dx = set.Empty<float>(x.Shape);
            return PreparedOperation.Of(() => set.Device.Kernels.ReluBackward(x, dy, dx), () => [Plain.ReluGradient(Doubles(x), Doubles(dy))], dx);
        });
        yield return OnMaps("add", 8, Dimension, 12, 1, "reads x and y, writes y", (set, x) =>
        {
            Tensor<float> y = set.Gaussian(x.Shape);
            return PreparedOperation.Of(() => set.Device.Kernels.Add(x, y), () => [[.. Doubles(x).Zip(Doubles(y), (a, b) => a + b)]], y);
        });

        static double[] Turned(PatchSet source, int row, int pair)
        {
            double[] patch = Array.ConvertAll(source.Pixels[(row * Area)..((row + 1) * Area)], value => (double)value);
            return Plain.NormalizePatch(Plain.TurnPatch(patch, PatchSymmetry.Draw(Gather.Augmentation, Gather.Seed, 3, pair)), Gather.Normalization, null);
        }
    }

    private static IEnumerable<KernelOperation> Losses()
    {
        yield return OnPairs("distance softmax (E1)", Dimension, pairs => Work.OfPairs(pairs, Dimension, 3), (set, pairs) =>
        {
            Tensor<float> descriptors = set.UnitPairs(pairs, Dimension);
            return ValueAndGradient(set, descriptors, (loss, gradient) => set.Device.Kernels.DistanceSoftmax(1, descriptors, loss, gradient),
                y => Plain.DistanceSoftmax(y, pairs)).Beside(set.Vendor?.Products(set, OfGradient(pairs, Dimension)));
        });
        var correlation = new CorrelationOptions(FirstHalfOnly: false, Exact: false);
        yield return OnPairs("correlation (E2)", Dimension, pairs => Work.OfDimensions(pairs, Dimension), (set, pairs) =>
        {
            Tensor<float> features = set.Gaussian(2 * pairs, Dimension);
            return ValueAndGradient(set, features, (loss, gradient) => set.Device.Kernels.Correlation(correlation, 1, features, loss, gradient),
                y => (Plain.Correlation(correlation, y, pairs), Plain.CorrelationGradient(correlation, y, pairs)));
        });
        foreach (int width in new[] { Dimension, 32 * 32 * 32 })
        {
            yield return OnPairs("intermediate softmax (E3)", width, pairs => Work.OfPairs(pairs, width, 3), (set, pairs) =>
            {
                Tensor<float> features = set.Gaussian(2 * pairs, width);
                return ValueAndGradient(set, features,
                    (loss, gradient) => set.Device.Kernels.IntermediateSoftmax(1f / width, 1, features, loss, gradient),
                    y => Plain.IntermediateSoftmax(1.0 / width, y, pairs)).Beside(set.Vendor?.Products(set, OfGradient(pairs, width)));
            });
        }

        yield return OnPairs("hardest negative", Dimension, pairs => Work.OfPairs(pairs, Dimension, 1), (set, pairs) =>
        {
            Tensor<float> descriptors = set.UnitPairs(pairs, Dimension), positive = set.Empty<float>(pairs), negative = set.Empty<float>(pairs);
            Tensor<int> negativePair = set.Empty<int>(pairs, 2);
            return PreparedOperation.Of(
                () => set.Device.Kernels.HardestNegative(Mining, descriptors, positive, negative, negativePair),
                () =>
                {
                    (double[] near, double[] far, _) = Plain.HardestNegative(Mining, Doubles(descriptors), pairs);
                    return [near, far];
                },
                positive,
                negative).Beside(set.Vendor?.Products(set, (pairs, pairs, Dimension)));
        });
        yield return OnPairs(
            "triplet",
            Dimension,
            pairs => Work.PerValue(2L * pairs * Dimension, 12, 6, "reads its pair's and its negatives' row, writes the gradient"),
            (set, pairs) =>
            {
                (Tensor<float> descriptors, Tensor<float> positive, Tensor<float> negative, Tensor<int> negativePair) = Mined(set, pairs);
                return ValueAndGradient(
                    set,
                    descriptors,
                    (loss, gradient) => set.Device.Kernels.Triplet(Triplet, 1, descriptors, positive, negative, negativePair, loss, gradient),
                    y => (Plain.Triplet(Triplet, y, pairs, negativePair.ToArray()), Plain.TripletGradient(Triplet, y, pairs, negativePair.ToArray())));
            });
        yield return OnPairs(
            "global orthogonal",
            Dimension,
            pairs => Work.PerValue(2L * pairs * Dimension, 12, 6, "reads the negatives' rows twice, writes the gradient"),
            (set, pairs) =>
            {
                (Tensor<float> descriptors, _, _, Tensor<int> negativePair) = Mined(set, pairs);
                return ValueAndGradient(set, descriptors, (loss, gradient) => set.Device.Kernels.GlobalOrthogonal(1, descriptors, negativePair, loss, gradient),
                    y => Plain.GlobalOrthogonal(y, pairs, negativePair.ToArray()));
            });

        // The matrix, and both halves' gradients.
        static (int Rows, int Columns, int Depth)[] OfGradient(int pairs, int width) => [(pairs, pairs, width), (pairs, width, pairs), (pairs, width, pairs)];

        static (Tensor<float> Descriptors, Tensor<float> Positive, Tensor<float> Negative, Tensor<int> NegativePair) Mined(TensorSet set, int pairs)
        {
            Tensor<float> descriptors = set.UnitPairs(pairs, Dimension), positive = set.Empty<float>(pairs), negative = set.Empty<float>(pairs);
            Tensor<int> negativePair = set.Empty<int>(pairs, 2);
            set.Device.Kernels.HardestNegative(Mining, descriptors, positive, negative, negativePair);
            return (descriptors, positive, negative, negativePair);
        }

        static PreparedOperation ValueAndGradient(
            TensorSet set, Tensor<float> input, Action<Tensor<float>, Tensor<float>> run, Func<double[], (double Value, double[] Gradient)> reference)
        {
            Tensor<float> loss = set.Empty<float>(1), gradient = set.Empty<float>(input.Shape);
            return PreparedOperation.Of(
                () => run(loss, gradient),
                () =>
                {
                    (double value, double[] slope) = reference(Doubles(input));
                    return [[value], slope];
                },
                loss,
                gradient);
        }
    }

    private static IEnumerable<KernelOperation> Optimizers()
    {
        int parameters = L2NetLayers.Of(1).Sum(layer => layer.OutChannels * layer.KernelHeight * layer.KernelWidth * layer.InChannels);
        string shape = $"{parameters} weights";
        yield return new KernelOperation(
            "sgd",
            shape,
            _ => Work.PerValue(parameters, 20, 6, "reads gradient, velocity and weight, writes the last two"),
            (set, _) =>
            {
                Tensor<float> gradient = set.Gaussian(parameters), velocity = set.Gaussian(parameters), weights = set.Gaussian(parameters);
                Tensor<StepParameters> step = set.Step(3);
                return PreparedOperation.Of(
                    () => set.Device.Kernels.SgdUpdate(Sgd, step, gradient, velocity, weights),
                    () =>
                    {
                        (double[] v, double[] w) = Plain.Sgd(Sgd, 3, 1e-3f, Doubles(gradient), Doubles(velocity), Doubles(weights));
                        return [v, w];
                    },
                    velocity,
                    weights);
            })
        {
            ByBatch = false,
        };
        yield return new KernelOperation(
            "adam",
            shape,
            _ => Work.PerValue(parameters, 28, 14, "reads gradient, both moments and weight, writes the last three"),
            (set, _) =>
            {
                Tensor<float> gradient = set.Gaussian(parameters), first = set.Gaussian(parameters), second = set.Around(10, 1, parameters);
                Tensor<float> weights = set.Gaussian(parameters);
                Tensor<StepParameters> step = set.Step(3);
                return PreparedOperation.Of(
                    () => set.Device.Kernels.AdamUpdate(Adam, step, gradient, first, second, weights),
                    () =>
                    {
                        (double[] m, double[] s, double[] w) = Plain.Adam(Adam, 3, 1e-3f, Doubles(gradient), Doubles(first), Doubles(second), Doubles(weights));
                        return [m, s, w];
                    },
                    first,
                    second,
                    weights);
            })
        {
            ByBatch = false,
        };
    }

    /// <summary>Matching as many descriptors with as many others.</summary>
    /// <param name="onGpu">Whether candidates are looked for on tensor cores once there are many.</param>
    private static IEnumerable<KernelOperation> Matching(bool onGpu)
    {
        const int Bits = 256;
        yield return new KernelOperation(
            "nearest (Euclidean)",
            $"{DescriptorsPerPatch} descriptors of 128 floats a patch",
            patches => MatchOperations.EuclideanWork(patches * DescriptorsPerPatch, onGpu),
            (set, patches) => MatchOperations.PrepareEuclidean(set, patches * DescriptorsPerPatch));
        yield return new KernelOperation(
            "nearest (Hamming)",
            $"{DescriptorsPerPatch} descriptors of {Bits} bits a patch",
            patches => Work.NearestHamming(patches * DescriptorsPerPatch, patches * DescriptorsPerPatch, Bits),
            (set, patches) => MatchOperations.PrepareHamming(set, patches * DescriptorsPerPatch));
    }

    private static KernelOperation Describe(Arithmetic arithmetic) => new(
        "describe tower",
        "bytes to descriptors",
        patches => Work.Describe(patches, arithmetic),
        (set, patches) =>
        {
            byte[] bytes = TensorSet.Patches(patches).Pixels;
            INetworkPlan plan = set.Own(set.Device.Kernels.Plan(Network));
            Tensor<byte> pixels = set.Of<byte>(bytes, patches, PatchSet.Area);
            Tensor<float> descriptors = set.Empty<float>(patches, Dimension);
            return PreparedOperation.Of(
                () => plan.DescribeOnDevice(pixels, descriptors),
                () => [[.. Enumerable.Range(0, patches).SelectMany(i => Plain.Describe(Network, bytes[(i * PatchSet.Area)..((i + 1) * PatchSet.Area)]))]],
                descriptors);
        })
    {
        ByPrecision = true,
        CheckedPatches = 2,
    };

    /// <summary>An operation on maps of so many channels and pixels, with bytes and operations per value of its input.</summary>
    internal static KernelOperation OnMaps(
        string operation, int side, int channels, int bytes, int operations, string counting, Func<TensorSet, Tensor<float>, PreparedOperation> prepare) => new(
        operation,
        $"{channels} channels on {side}x{side}",
        patches => Work.PerValue((long)patches * side * side * channels, bytes, operations, counting),
        (set, patches) => prepare(set, side == 1 ? set.Gaussian(patches, channels) : set.Gaussian(patches, side, side, channels)));

    private static KernelOperation OnPairs(string operation, int width, Func<int, Work> cost, Func<TensorSet, int, PreparedOperation> prepare) => new(
        operation, $"{width} values a patch", patches => cost(patches / 2), (set, patches) => prepare(set, patches / 2))
    {
        CheckedPatches = 32,
    };

    private static FoldedNetwork LoadNetwork() => L2NetLayers.Folded(PatchModel.ReadDefault());
}
