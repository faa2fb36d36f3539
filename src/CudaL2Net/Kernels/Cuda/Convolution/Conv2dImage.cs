namespace CudaL2Net.Kernels.Cuda;

/// <summary>Launches of the kernels of L2-Net's own convolutions, with activations as bf16.</summary>
internal unsafe partial class CudaDevice : IStoredKernels
{
    private const string ImageFile = "conv2d_image";
    private const int FirstSide = 32, FirstOut = 32;

    // The layers that conv2d_image.cu has kernels for. How each is launched stands there: PassShape.
    private static readonly ImageShape[] ImageShapes = [new(32, 32, 32, 1), new(32, 32, 64, 2), new(16, 64, 64, 1), new(16, 64, 128, 2), new(8, 128, 128, 1)];

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
        string kernel = $"conv2d_image_forward_{shape.Name}";
        PassShape pass = Shape(kernel);
        Units units = Divide(pass, geometry.Batch / options.Halves, options.Halves);
        var arguments = new ImageArguments(units, Stages(pass))
        {
            X = input.X.Pointer,
            Filters = packed.Pointer,
            Bias = bias == null ? null : bias.Pointer,
            Result = y.Pointer,
            Tiles = (float*)Scratch((nuint)(2L * units.Blocks * shape.Out * sizeof(float))),
            Input = new NormalizationArguments(input.Normalization),
        };
        Launch(ImageFile, kernel, units.Blocks, pass.Threads, pass.SharedBytes(arguments.Stages), KernelArgument.Structure(&arguments));
        JoinStatistics(options, arguments.Tiles, units.BlocksOfHalf, units.PixelsOfBlock, units.Images * shape.OutSide * shape.OutSide, shape.Out, mean,
            inverseDeviation, runningMean, runningVariance);
    }

    public void Conv2dForward(in Conv2dGeometry geometry, Tensor<float> patches, Tensor<float> filters, Tensor<float>? bias, Tensor<ushort> y,
        in BatchNormOptions options, Tensor<float> mean, Tensor<float> inverseDeviation, Tensor<float> runningMean, Tensor<float> runningVariance)
    {
        PassShape pass = Shape("conv2d_image_first");
        Units units = Divide(pass, geometry.Batch / options.Halves, options.Halves);
        var arguments = new ImageArguments(units, 0)
        {
            Patches = patches.Pointer,
            Bias = bias == null ? null : bias.Pointer,
            Result = y.Pointer,
            Tiles = (float*)Scratch((nuint)(2L * units.Blocks * FirstOut * sizeof(float))),
        };
        Launch(ImageFile, "conv2d_image_first", units.Blocks, pass.Threads, 0, KernelArgument.Structure(&arguments), filters);
        JoinStatistics(options, arguments.Tiles, units.BlocksOfHalf, units.PixelsOfBlock, units.Images * FirstSide * FirstSide, FirstOut, mean, inverseDeviation,
            runningMean, runningVariance);
    }

    public void Conv2dBackward(in Conv2dGeometry geometry, Bf16Activation input, Tensor<ushort> packed, Bf16Activation output, GradientParts gradient,
        Tensor<float> dFilters, Tensor<ushort>? dInput, bool gatherSums)
    {
        int halves = output.Normalization.Halves, rows = 9 * geometry.InChannels;
        ImageShape shape = RequiredShape(geometry);
        string filter = $"conv2d_image_filter_{shape.Name}", data = $"conv2d_image_data_{shape.Name}";
        PassShape filterPass = Shape(filter), dataPass = Shape(data);
        Units units = Divide(filterPass, geometry.Batch / halves, halves), dataUnits = Divide(dataPass, units.Images, halves);
        int partsLength = units.Blocks * rows * shape.Out, tilesLength = 2 * dataUnits.Blocks * shape.In;
        Backward memory = Lay(output, gradient, partsLength, gatherSums ? tilesLength : 0, keepsFinished: dInput != null);

        var arguments = new ImageArguments(units, Stages(filterPass))
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
        Launch(ImageFile, filter, new Grid(units.Blocks, filterPass.Columns), filterPass.Threads, filterPass.SharedBytes(arguments.Stages),
            KernelArgument.Structure(&arguments));
        SumFilterParts(memory.Parts, units.Blocks, rows, shape.Out, dFilters);
        if (dInput == null)
        {
            return;
        }

        arguments = new ImageArguments(dataUnits, Stages(dataPass))
        {
            X = input.X.Pointer,
            Filters = packed.Pointer + (packed.Length / 2),
            Finished = memory.Finished,
            Result = dInput.Pointer,
            Tiles = gatherSums ? memory.Tiles : null,
            Input = new NormalizationArguments(input.Normalization),
        };
        Launch(ImageFile, data, dataUnits.Blocks, dataPass.Threads, dataPass.SharedBytes(arguments.Stages), KernelArgument.Structure(&arguments));
        if (gatherSums)
        {
            JoinSums(memory.Tiles, halves, dataUnits.BlocksOfHalf, 2 * shape.In, input.Sums.Pointer);
        }
    }

    public void Conv2dBackward(in Conv2dGeometry geometry, Tensor<float> patches, Bf16Activation output, GradientParts gradient, Tensor<float> dFilters)
    {
        int halves = output.Normalization.Halves;
        PassShape pass = Shape("conv2d_image_first");
        Units units = Divide(pass, geometry.Batch / halves, halves);
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
        Launch(ImageFile, "conv2d_image_first_filter", units.Blocks, pass.Threads, 0, KernelArgument.Structure(&arguments));
        SumFilterParts(memory.Parts, units.Blocks, 9, FirstOut, dFilters);
    }

    private static bool IsFirst(in Conv2dGeometry g) =>
        g is { InChannels: 1, OutChannels: FirstOut, Height: FirstSide, Width: FirstSide, KernelHeight: 3, KernelWidth: 3, Stride: 1, Padding: 1 };

    private static ImageShape? ShapeOf(Conv2dGeometry g) =>
        g is { KernelHeight: 3, KernelWidth: 3, Padding: 1 } && g.Height == g.Width
            ? Array.Find(ImageShapes, shape => (shape.Side, shape.In, shape.Out, shape.Stride) == (g.Height, g.InChannels, g.OutChannels, g.Stride))
            : null;

    private static ImageShape RequiredShape(in Conv2dGeometry geometry) =>
        ShapeOf(geometry) ?? throw new ArgumentException($"there is no kernel with activations as bf16 for {geometry}");

    private PassShape Shape(string kernel) => new(Constants(ImageFile, $"{kernel}_shape"));

    /// <summary>Two stages of shared memory where as many blocks as are to share a multiprocessor still fit.</summary>
    private int Stages(PassShape pass)
    {
        const int Reserved = 1024;
        int shared = SharedBytesOfMultiprocessor > 0 ? SharedBytesOfMultiprocessor : properties.SharedMemoryPerBlockOptin + Reserved;
        return pass.Blocks * (pass.SharedBytes(2) + Reserved) <= shared ? 2 : 1;
    }

    /// <summary>Shares the units of a batch out to as many blocks as the device holds, each a run of them.</summary>
    /// <param name="pass">What a unit is.</param>
    /// <param name="images">Batch items of a half.</param>
    /// <param name="halves">Halves of the batch.</param>
    private Units Divide(PassShape pass, int images, int halves)
    {
        int count = (images + pass.Images - 1) / pass.Images * pass.Strips;
        int blocks = Math.Clamp(Multiprocessors * pass.Blocks / (halves * pass.Columns), 1, count);
        int unitsOfBlock = (count + blocks - 1) / blocks, blocksOfHalf = (count + unitsOfBlock - 1) / unitsOfBlock;
        return new Units(images, halves * blocksOfHalf, blocksOfHalf, unitsOfBlock, unitsOfBlock * pass.Pixels);
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

    /// <summary>A layer that has kernels: the input's side, channels, stride.</summary>
    private sealed record ImageShape(int Side, int In, int Out, int Stride)
    {
        public int OutSide => Side / Stride;

        public string Name => $"{Side}_{In}_{Out}";
    }

    /// <summary><c>PassShape</c> of image_convolution.cuh: how a kernel is launched.</summary>
    private readonly struct PassShape(int[] numbers)
    {
        public readonly int Threads = numbers[0], Blocks = numbers[1], Strips = numbers[2], Images = numbers[3], Pixels = numbers[4], Columns = numbers[7];

        /// <summary>Shared memory of a block with so many stages.</summary>
        public int SharedBytes(int stages) => (stages * numbers[5]) + numbers[6];
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
