namespace CudaL2Net.Kernels.Cuda;

/// <summary>Launches of the kernels of L2-Net's own convolutions, with activations as bf16.</summary>
internal unsafe partial class CudaDevice : IStoredKernels
{
    private const string ImageFile = "conv2d_image";
    private const int FirstSide = 32, FirstOut = 32, FirstThreads = 128, FilterThreads = 384;

    // What conv2d_image.cu is instantiated for.
    private static readonly ImageShape[] ImageShapes =
    [
        new(32, 32, 32, 1, Forward: new(16, 1, 2), Data: new(16, 1, 2), Filter: new(8, 1, 1), InWarps: 1, OutWarps: 1),
        new(32, 32, 64, 2, Forward: new(8, 1, 3), Data: new(16, 1, 2), Filter: new(8, 1, 1), InWarps: 1, OutWarps: 2),
        new(16, 64, 64, 1, Forward: new(16, 1, 2), Data: new(16, 1, 2), Filter: new(8, 1, 1), InWarps: 2, OutWarps: 2),
        new(16, 64, 128, 2, Forward: new(8, 2, 2), Data: new(8, 2, 2), Filter: new(8, 1, 1), InWarps: 2, OutWarps: 2),
        new(8, 128, 128, 1, Forward: new(8, 2, 2), Data: new(8, 2, 2), Filter: new(8, 2, 1), InWarps: 2, OutWarps: 2),
    ];

    /// <summary>Shared memory of a multiprocessor, bytes: with it launches choose one stage or two.</summary>
    internal int SharedBytesOfMultiprocessor { get; set; }

    public bool TakesStored(in Conv2dGeometry geometry) => Precision == Precision.Bf16 && TakesWholeImages(geometry);

    /// <summary>Whether there are kernels on whole images for a convolution, in bf16.</summary>
    internal static bool TakesWholeImages(in Conv2dGeometry geometry) => IsFirst(geometry) || ShapeOf(geometry) != null;

    public void PackFilters(in Conv2dGeometry geometry, Tensor<float> filters, Tensor<ushort> packed)
    {
        Launch(ImageFile, "conv2d_image_pack", (filters.Length / 4 + 255) / 256, 256, 0, filters, geometry.InChannels, geometry.OutChannels, geometry.Stride,
            packed.Pointer);
    }

    public void Conv2dForward(in Conv2dGeometry geometry, Bf16Activation input, Tensor<ushort> packed, Tensor<float>? bias, Tensor<ushort> y,
        in BatchNormOptions options, Tensor<float> mean, Tensor<float> inverseDeviation, Tensor<float> runningMean, Tensor<float> runningVariance)
    {
        ImageShape shape = RequiredShape(geometry);
        Units units = Divide(shape.Forward, shape.OutSide, geometry.Batch / options.Halves, options.Halves);
        int threads = shape.Forward.Pixels(shape.OutSide) / 64 * shape.Out / shape.ForwardGroups;
        int stage = StripBytes(shape.In, shape.Side, shape.Stride, shape.Forward), rest = (2 * shape.In * sizeof(float)) + Parked(threads, shape.ForwardGroups);
        var arguments = new ImageArguments(units, Stages(shape.Forward, stage, rest))
        {
            X = input.X.Pointer,
            Filters = packed.Pointer,
            Bias = bias == null ? null : bias.Pointer,
            Result = y.Pointer,
            Tiles = (float*)Scratch((nuint)(2L * units.Blocks * shape.Out * sizeof(float))),
            Input = new NormalizationArguments(input.Normalization),
        };
        Launch(ImageFile, $"conv2d_image_forward_{shape.Name}", units.Blocks, threads, (arguments.Stages * stage) + rest, KernelArgument.Structure(&arguments));
        JoinStatistics(options, arguments.Tiles, units.BlocksOfHalf, units.PixelsOfBlock, units.Images * shape.OutSide * shape.OutSide, shape.Out, mean,
            inverseDeviation, runningMean, runningVariance);
    }

    public void Conv2dForward(in Conv2dGeometry geometry, Tensor<float> patches, Tensor<float> filters, Tensor<float>? bias, Tensor<ushort> y,
        in BatchNormOptions options, Tensor<float> mean, Tensor<float> inverseDeviation, Tensor<float> runningMean, Tensor<float> runningVariance)
    {
        Units units = Divide(FirstUnit, FirstSide, geometry.Batch / options.Halves, options.Halves);
        var arguments = new ImageArguments(units, 0)
        {
            Patches = patches.Pointer,
            Bias = bias == null ? null : bias.Pointer,
            Result = y.Pointer,
            Tiles = (float*)Scratch((nuint)(2L * units.Blocks * FirstOut * sizeof(float))),
        };
        Launch(ImageFile, "conv2d_image_first", units.Blocks, FirstThreads, 0, KernelArgument.Structure(&arguments), filters);
        JoinStatistics(options, arguments.Tiles, units.BlocksOfHalf, units.PixelsOfBlock, units.Images * FirstSide * FirstSide, FirstOut, mean, inverseDeviation,
            runningMean, runningVariance);
    }

    public void Conv2dBackward(in Conv2dGeometry geometry, Bf16Activation input, Tensor<ushort> packed, Bf16Activation output, GradientParts gradient,
        Tensor<float> dFilters, Tensor<ushort>? dInput, bool gatherSums)
    {
        int halves = output.Normalization.Halves, rows = 9 * geometry.InChannels;
        ImageShape shape = RequiredShape(geometry);
        Units units = Divide(shape.Filter, shape.OutSide, geometry.Batch / halves, halves, shape.FilterBlocks);
        Units dataUnits = Divide(shape.Data, shape.OutSide, units.Images, halves);
        int partsLength = units.Blocks * rows * shape.Out, tilesLength = 2 * dataUnits.Blocks * shape.In;
        Backward memory = Lay(output, gradient, partsLength, gatherSums ? tilesLength : 0, keepsFinished: dInput != null);

        int pixels = shape.Filter.Pixels(shape.OutSide), channels = 32 * shape.InWarps, outputs = 32 * shape.OutWarps;
        int stage = StripBytes(channels, shape.Side, shape.Stride, shape.Filter) + (2 * pixels * outputs * sizeof(ushort));
        int rest = ((2 * channels) + (4 * outputs)) * sizeof(float);
        var arguments = new ImageArguments(units, Stages(shape.Filter, stage, rest))
        {
            X = input.X.Pointer,
            Y = output.X.Pointer,
            Gradient = memory.Gradient,
            Sums = output.Sums.Pointer,
            Finished = memory.Finished,
            Parts = memory.Parts,
            Input = new NormalizationArguments(input.Normalization),
            Output = new NormalizationArguments(output.Normalization),
        };
        Launch(ImageFile, $"conv2d_image_filter_{shape.Name}", new Grid(units.Blocks, shape.FilterBlocks), FilterThreads, (arguments.Stages * stage) + rest,
            KernelArgument.Structure(&arguments));
        SumFilterParts(memory.Parts, units.Blocks, rows, shape.Out, dFilters);
        if (dInput == null)
        {
            return;
        }

        int threads = shape.Data.Pixels(shape.OutSide) / (shape.Stride == 1 ? 64 : 32) * shape.In / shape.DataGroups;
        int parked = Parked(threads, shape.DataGroups);
        stage = StripBytes(shape.Out, shape.OutSide, 1, shape.Data);
        arguments = new ImageArguments(dataUnits, Stages(shape.Data, stage, parked))
        {
            X = input.X.Pointer,
            Filters = packed.Pointer + (packed.Length / 2),
            Finished = memory.Finished,
            Result = dInput.Pointer,
            Tiles = gatherSums ? memory.Tiles : null,
            Input = new NormalizationArguments(input.Normalization),
        };
        Launch(ImageFile, $"conv2d_image_data_{shape.Name}", dataUnits.Blocks, threads, (arguments.Stages * stage) + parked,
            KernelArgument.Structure(&arguments));
        if (gatherSums)
        {
            JoinSums(memory.Tiles, halves, dataUnits.BlocksOfHalf, 2 * shape.In, input.Sums.Pointer);
        }
    }

    public void Conv2dBackward(in Conv2dGeometry geometry, Tensor<float> patches, Bf16Activation output, GradientParts gradient, Tensor<float> dFilters)
    {
        int halves = output.Normalization.Halves;
        Units units = Divide(FirstUnit, FirstSide, geometry.Batch / halves, halves);
        Backward memory = Lay(output, gradient, units.Blocks * 9 * FirstOut, 0, keepsFinished: false);
        var arguments = new ImageArguments(units, 0)
        {
            Patches = patches.Pointer,
            Y = output.X.Pointer,
            Gradient = memory.Gradient,
            Sums = output.Sums.Pointer,
            Parts = memory.Parts,
            Output = new NormalizationArguments(output.Normalization),
        };
        Launch(ImageFile, "conv2d_image_first_filter", units.Blocks, FirstThreads, 0, KernelArgument.Structure(&arguments));
        SumFilterParts(memory.Parts, units.Blocks, 9, FirstOut, dFilters);
    }

    // The first layer's unit of work is a patch.
    private static UnitShape FirstUnit => new(FirstSide, 1, 3);

    private static bool IsFirst(in Conv2dGeometry g) =>
        g is { InChannels: 1, OutChannels: FirstOut, Height: FirstSide, Width: FirstSide, KernelHeight: 3, KernelWidth: 3, Stride: 1, Padding: 1 };

    private static ImageShape? ShapeOf(Conv2dGeometry g) =>
        g is { KernelHeight: 3, KernelWidth: 3, Padding: 1 } && g.Height == g.Width
            ? Array.Find(ImageShapes, shape => (shape.Side, shape.In, shape.Out, shape.Stride) == (g.Height, g.InChannels, g.OutChannels, g.Stride))
            : null;

    private static ImageShape RequiredShape(in Conv2dGeometry geometry) =>
        ShapeOf(geometry) ?? throw new ArgumentException($"there is no kernel with activations as bf16 for {geometry}");

    /// <summary>Strip::BYTES of image_tile.cuh.</summary>
    private static int StripBytes(int channels, int side, int stride, UnitShape unit) =>
        ((unit.Images * (((((unit.Rows - 1) * stride) + 3) * (side + 1)) + 1)) + 1) / 2 * 2 * channels * sizeof(ushort);

    /// <summary>Parked::BYTES of conv2d_image.cu.</summary>
    private static int Parked(int threads, int groups) => 16 * groups * threads * sizeof(float);

    /// <summary>Two stages of shared memory where as many blocks as the unit asks for still fit.</summary>
    private int Stages(UnitShape unit, int stageBytes, int otherBytes)
    {
        const int Reserved = 1024;
        int shared = SharedBytesOfMultiprocessor > 0 ? SharedBytesOfMultiprocessor : properties.SharedMemoryPerBlockOptin + Reserved;
        return unit.BlocksOfMultiprocessor * ((2 * stageBytes) + otherBytes + Reserved) <= shared ? 2 : 1;
    }

    /// <summary>Shares the units of a batch out to as many blocks as the device holds, each a run of them.</summary>
    /// <param name="unit">What a unit is.</param>
    /// <param name="outSide">Side of the output images.</param>
    /// <param name="images">Images of a half of the batch.</param>
    /// <param name="halves">Halves of the batch.</param>
    /// <param name="blocksOfUnit">Blocks that work on the same units.</param>
    private Units Divide(UnitShape unit, int outSide, int images, int halves, int blocksOfUnit = 1)
    {
        int count = (images + unit.Images - 1) / unit.Images * (outSide / unit.Rows);
        int blocks = Math.Clamp(Multiprocessors * unit.BlocksOfMultiprocessor / (halves * blocksOfUnit), 1, count);
        int unitsOfBlock = (count + blocks - 1) / blocks, blocksOfHalf = (count + unitsOfBlock - 1) / unitsOfBlock;
        return new Units(images, halves * blocksOfHalf, blocksOfHalf, unitsOfBlock, unitsOfBlock * unit.Pixels(outSide));
    }

    /// <summary>Lays out what a backward pass needs; rounds the gradient, if float32 has a part in it.</summary>
    private Backward Lay(Bf16Activation output, GradientParts gradient, int partsLength, int tilesLength, bool keepsFinished)
    {
        const long Alignment = 256;
        long[] bytes =
        [
            partsLength * (long)sizeof(float),
            tilesLength * (long)sizeof(float),
            keepsFinished ? output.X.Length * (long)sizeof(ushort) : 0,
            gradient.Full == null ? 0 : output.X.Length * (long)sizeof(ushort),
            gradient.Full == null ? 0 : TileSums(output) * sizeof(float),
        ];
        var starts = new long[bytes.Length + 1];
        for (int i = 0; i < bytes.Length; i++)
        {
            starts[i + 1] = starts[i] + ((bytes[i] + Alignment - 1) / Alignment * Alignment);
        }

        byte* memory = (byte*)Scratch((nuint)starts[^1]);
        ushort* rounded = gradient.Full == null ? gradient.Rounded!.Pointer : (ushort*)(memory + starts[3]);
        if (gradient.Full != null)
        {
            RoundGradient(output, gradient.Full, gradient.Rounded, rounded, (float*)(memory + starts[4]));
        }

        return new Backward((float*)memory, (float*)(memory + starts[1]), keepsFinished ? (ushort*)(memory + starts[2]) : null, rounded);
    }

    /// <summary>A layer's kernels: the input's side, channels, stride, the units of each pass, and how many groups of 32 inputs and outputs a block of the
    /// filter kernel takes.</summary>
    private sealed record ImageShape(int Side, int In, int Out, int Stride, UnitShape Forward, UnitShape Data, UnitShape Filter, int InWarps, int OutWarps)
    {
        public int OutSide => Side / Stride;

        /// <summary>GROUPS of the forward pass: 32 outputs each that a warp sums.</summary>
        public int ForwardGroups => In >= 64 ? 2 : 1;

        /// <summary>GROUPS of the pass for the input's gradient.</summary>
        public int DataGroups => Stride == 1 && In >= 64 ? 2 : 1;

        public int FilterBlocks => In / (32 * InWarps) * (Out / (32 * OutWarps));

        public string Name => $"{Side}_{In}_{Out}";
    }

    /// <summary>A unit of work: rows of output of so many images; blocks that are to share a multiprocessor.</summary>
    private readonly record struct UnitShape(int Rows, int Images, int BlocksOfMultiprocessor)
    {
        public int Pixels(int outSide) => Images * Rows * outSide;
    }

    /// <summary>How the units of a batch are shared out; images of a half, pixels of a block.</summary>
    private readonly record struct Units(int Images, int Blocks, int BlocksOfHalf, int UnitsOfBlock, int PixelsOfBlock);

    /// <summary>Memory of a backward pass.</summary>
    private readonly struct Backward(float* parts, float* tiles, ushort* finished, ushort* gradient)
    {
        public readonly float* Parts = parts, Tiles = tiles;
        public readonly ushort* Finished = finished, Gradient = gradient;
    }

    /// <summary><c>ImageConvolution</c> of conv2d_image.cu.</summary>
    private struct ImageArguments(Units units, int stages)
    {
        public int Images = units.Images, BlocksOfHalf = units.BlocksOfHalf, UnitsOfBlock = units.UnitsOfBlock, Stages = stages;
        public ushort* X, Y, Gradient;
        public ushort* Filters;
        public float* Bias, Sums, Patches;
        public ushort* Result, Finished;
        public float* Tiles, Parts;
        public NormalizationArguments Input, Output;
    }
}
