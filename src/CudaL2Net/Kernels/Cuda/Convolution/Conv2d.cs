namespace CudaL2Net.Kernels.Cuda;

/// <summary>Launches of the convolution kernels, plain and fused: a plain one is a fused one without normalizations.</summary>
internal unsafe partial class CudaDevice : IFusedKernels
{
    private const int TileRows = 128;

    // The depth of a forward product is cut into parts of at least this, where there are too few tiles to fill the device.
    private const int LeastPartDepth = 256;
    private const int LeastPartPixels = 128;

    // Of a row of an operand in one stage of shared memory.
    private const int StageBytes = 64;

    // Filter elements per output channel, at most, of the kernel that keeps them in registers.
    private const int SmallFilter = 16;

    // Of a filter's number as tensor cores take it; 0 where they are not used.
    private int RoundedBytes => ProductPrecision switch { Precision.Bf16 => 2, Precision.Tf32 => 4, _ => 0 };

    public void Conv2dForward(in Conv2dGeometry geometry, Tensor<float> x, Tensor<float> filters, Tensor<float>? bias, Tensor<float> y) =>
        Forward(geometry, x, null, filters, bias, y, 1, Epilogue.None);

    public void Conv2dForward(in Conv2dGeometry geometry, Tensor<float> x, Normalization? input, Tensor<float> filters, Tensor<float>? bias, Tensor<float> y,
        in BatchNormOptions options, Tensor<float> mean, Tensor<float> inverseDeviation, Tensor<float> runningMean, Tensor<float> runningVariance)
    {
        int rows = geometry.Batch / options.Halves * geometry.OutHeight * geometry.OutWidth;
        float* tiles = Forward(geometry, x, input, filters, bias, y, options.Halves, Epilogue.Statistics);
        if (tiles == null)
        {
            BatchStatistics(options, y, mean, inverseDeviation, runningMean, runningVariance);
        }
        else
        {
            JoinStatistics(options, tiles, (rows + TileRows - 1) / TileRows, TileRows, rows, geometry.OutChannels, mean, inverseDeviation, runningMean,
                runningVariance);
        }
    }

    public void FoldedConvolution(in Conv2dGeometry geometry, Tensor<float> x, Tensor<float> filters, Tensor<float>? bias, bool relu, Tensor<float> y) =>
        Forward(geometry, x, null, filters, bias, y, 1, relu ? Epilogue.FoldedRelu : Epilogue.Folded);

    public void Conv2dBackwardData(in Conv2dGeometry geometry, Tensor<float> dy, Tensor<float> filters, Tensor<float> dx) =>
        BackwardData(geometry, null, dy, filters, dx, null);

    public void Conv2dBackwardData(in Conv2dGeometry geometry, NormalizedActivation output, Tensor<float> gradient, Tensor<float> filters, Tensor<float> dInput,
        NormalizedActivation? input) => BackwardData(geometry, output, gradient, filters, dInput, input);

    public void Conv2dBackwardFilter(in Conv2dGeometry geometry, Tensor<float> x, Tensor<float> dy, Tensor<float> dFilters, Tensor<float>? dBias) =>
        BackwardFilter(geometry, x, null, null, dy, dFilters, dBias);

    public void Conv2dBackwardFilter(in Conv2dGeometry geometry, Tensor<float> x, Normalization? input, NormalizedActivation output, Tensor<float> gradient,
        Tensor<float> dFilters, Tensor<float>? dBias) => BackwardFilter(geometry, x, input, output, gradient, dFilters, dBias);

    /// <summary>Returns where the statistics of the tiles are; null where they have not been gathered.</summary>
    private float* Forward(in Conv2dGeometry g, Tensor<float> x, Normalization? input, Tensor<float> filters, Tensor<float>? bias, Tensor<float> y, int halves,
        Epilogue epilogue)
    {
        int depth = g.KernelHeight * g.KernelWidth * g.InChannels, rows = g.Batch / halves * g.OutHeight * g.OutWidth;
        int tiles = (rows + TileRows - 1) / TileRows;
        bool whole = g.InChannels % 4 == 0;
        int columns = TileColumns(g.OutChannels, whole), columnTiles = (g.OutChannels + columns - 1) / columns;
        int mostParts = Math.Max(1, depth / LeastPartDepth);
        int parts = epilogue switch
        {
            // The last layer has few rows and a large depth: cut as finely as may be, whatever the batch.
            Epilogue.Folded or Epilogue.FoldedRelu => g.OutHeight * g.OutWidth == 1 ? mostParts : 1,
            _ => Math.Clamp(2 * Multiprocessors / (halves * tiles * columnTiles), 1, mostParts),
        };
        int partDepth = RoundUp((depth + parts - 1) / parts, 32);
        parts = (depth + partDepth - 1) / partDepth;

        (int roundedRows, int roundedPitch) = (columnTiles * columns, RoundUp(depth * RoundedBytes, StageBytes));
        long rounded = (long)roundedRows * roundedPitch, table = TableLength(halves, g.InChannels, input, 0, null);
        byte* prepared = (byte*)Scratch((nuint)(rounded
            + ((table + (parts > 1 ? (long)parts * y.Length : 2L * halves * tiles * g.OutChannels)) * sizeof(float))));
        float* scratch = (float*)(prepared + rounded) + table;
        var arguments = new ConvolutionArguments(g, halves)
        {
            TilesOfHalf = tiles,
            PartDepth = partDepth,
            X = x.Pointer,
            Filters = filters.Pointer,
            Bias = bias == null ? null : bias.Pointer,
            Result = parts > 1 ? scratch : y.Pointer,
            Tiles = epilogue == Epilogue.Statistics && parts == 1 ? scratch : null,
            Relu = epilogue == Epilogue.FoldedRelu ? 1 : 0,
            Input = new NormalizationArguments(input),
            InputTable = (float*)(prepared + rounded),
            Rounded = prepared,
            RoundedRows = roundedRows,
            RoundedPitch = roundedPitch,
        };
        if (RoundedBytes > 0)
        {
            var grid = new Grid(((roundedPitch / RoundedBytes) + 2047) / 2048, roundedRows);
            Launch("conv2d_parts", "conv2d_round_forward", grid, 256, 0, KernelArgument.Structure(&arguments), ProductPrecision == Precision.Bf16, prepared);
        }
        else
        {
            FillTables(arguments, table);
        }

        Launch("forward", columns, whole, new Grid(halves * tiles, columnTiles, parts), arguments);
        if (parts > 1)
        {
            Launch("conv2d_parts", "conv2d_sum", Blocks(y.Length), 256, 0, scratch, parts, y.Length, g.OutChannels, bias, arguments.Relu, y);
        }

        return arguments.Tiles;
    }

    private void BackwardData(in Conv2dGeometry g, NormalizedActivation? output, Tensor<float> gradient, Tensor<float> filters, Tensor<float> dx,
        NormalizedActivation? input)
    {
        int halves = output?.Normalization.Halves ?? 1;

        // Where there is one output pixel in a direction, any stride gives the same sums: with one as large as the image each pixel has its own tap only.
        int classRows = g.OutHeight == 1 && g.KernelHeight > 1 ? Math.Max(g.Stride, g.Height) : g.Stride;
        int classColumns = g.OutWidth == 1 && g.KernelWidth > 1 ? Math.Max(g.Stride, g.Width) : g.Stride;
        if ((long)classRows * classColumns > ushort.MaxValue)
        {
            classRows = classColumns = g.Stride;
        }

        int classes = classRows * classColumns;
        int rows = g.Batch / halves * ((g.Height + classRows - 1) / classRows) * ((g.Width + classColumns - 1) / classColumns);
        int tiles = (rows + TileRows - 1) / TileRows;
        bool whole = g.InChannels % 4 == 0 && g.OutChannels % 4 == 0;
        int columns = TileColumns(g.InChannels, whole), columnTiles = (g.InChannels + columns - 1) / columns;
        int taps = (g.KernelHeight + classRows - 1) / classRows * ((g.KernelWidth + classColumns - 1) / classColumns);
        (int roundedRows, int roundedPitch) = (columnTiles * columns, RoundUp(taps * g.OutChannels * RoundedBytes, StageBytes));
        long rounded = (long)classes * roundedRows * roundedPitch, table = TableLength(halves, 0, null, g.OutChannels, output);
        byte* prepared = (byte*)Scratch((nuint)(rounded
            + ((table + (input == null ? 0 : 2L * halves * classes * tiles * g.InChannels)) * sizeof(float))));
        float* outputTable = (float*)(prepared + rounded);
        var arguments = new ConvolutionArguments(g, halves)
        {
            TilesOfHalf = tiles,
            ClassRows = classRows,
            ClassColumns = classColumns,
            X = input == null ? null : input.X.Pointer,
            Filters = filters.Pointer,
            Y = output == null ? null : output.X.Pointer,
            Gradient = gradient.Pointer,
            Sums = output == null ? null : output.Sums.Pointer,
            Result = dx.Pointer,
            Tiles = input == null ? null : outputTable + table,
            Input = new NormalizationArguments(input?.Normalization),
            Output = new NormalizationArguments(output?.Normalization),
            OutputTable = outputTable,
            Rounded = prepared,
            RoundedRows = roundedRows,
            RoundedPitch = roundedPitch,
        };
        if (RoundedBytes > 0)
        {
            RoundBackward(arguments, rounded);
        }
        else
        {
            FillTables(arguments, table);
        }

        Launch("backward_data", columns, whole, new Grid(halves * tiles, columnTiles, classes), arguments);
        if (input != null)
        {
            JoinSums(arguments.Tiles, halves, classes * tiles, 2 * g.InChannels, input.Sums.Pointer);
        }
    }

    private void BackwardFilter(in Conv2dGeometry g, Tensor<float> x, Normalization? input, NormalizedActivation? output, Tensor<float> gradient,
        Tensor<float> dFilters, Tensor<float>? dBias)
    {
        int halves = output?.Normalization.Halves ?? 1;
        int rows = g.KernelHeight * g.KernelWidth * g.InChannels, pixels = g.Batch / halves * g.OutHeight * g.OutWidth;
        int tiles = (rows + TileRows - 1) / TileRows;
        bool whole = g.InChannels % 4 == 0 && g.OutChannels % 4 == 0;
        int columns = TileColumns(g.OutChannels, whole), columnTiles = (g.OutChannels + columns - 1) / columns;
        int parts = Math.Clamp(2 * Multiprocessors / (halves * tiles * columnTiles), 1, Math.Max(1, pixels / LeastPartPixels));
        int partPixels = RoundUp((pixels + parts - 1) / parts, 32);
        parts = (pixels + partPixels - 1) / partPixels;

        long filterLength = (long)halves * parts * rows * g.OutChannels, biasLength = (long)halves * parts * g.OutChannels;
        long table = TableLength(halves, g.InChannels, input, g.OutChannels, output);
        float* tables = (float*)Scratch((nuint)((table + filterLength + biasLength) * sizeof(float))), scratch = tables + table;
        var arguments = new ConvolutionArguments(g, halves)
        {
            PartDepth = partPixels,
            PartsOfHalf = parts,
            X = x.Pointer,
            Y = output == null ? null : output.X.Pointer,
            Gradient = gradient.Pointer,
            Sums = output == null ? null : output.Sums.Pointer,
            Result = scratch,
            Tiles = dBias == null ? null : scratch + filterLength,
            Input = new NormalizationArguments(input),
            Output = new NormalizationArguments(output?.Normalization),
            InputTable = tables,
            OutputTable = tables + TableLength(halves, g.InChannels, input, 0, null),
        };
        FillTables(arguments, table);
        if (rows <= SmallFilter)
        {
            Launch("conv2d_parts", "conv2d_small_filter", new Grid(1, (g.OutChannels + 31) / 32, halves * parts), 512, 0,
                KernelArgument.Structure(&arguments));
        }
        else
        {
            Launch("backward_filter", columns, whole, new Grid(tiles, columnTiles, halves * parts), arguments);
        }

        SumFilterParts(scratch, halves * parts, rows, g.OutChannels, dFilters);
        if (dBias != null)
        {
            JoinSums(arguments.Tiles, 1, halves * parts, g.OutChannels, dBias.Pointer);
        }
    }

    /// <summary>Adds up parts [parts][rows][columns] of the filters' gradient, [columns][rows].</summary>
    private void SumFilterParts(float* parts, int count, int rows, int columns, Tensor<float> dFilters) =>
        Launch("conv2d_parts", "conv2d_filter_sum", new Grid((rows + 7) / 8, (columns + 31) / 32), 256, 0, parts, count, rows, columns, dFilters);

    private void Launch(string pass, int columns, bool whole, Grid grid, ConvolutionArguments arguments)
    {
        (string file, string name) = ProductPrecision switch
        {
            Precision.Tf32 => ("conv2d_tf32", "tf32"),
            Precision.Bf16 => ("conv2d_bf16", "bf16"),
            _ => ("conv2d", "float32"),
        };

        // Stages of both operands, of 64 bytes and a margin of 8 elements per row, the columns' four deep where they are rounded before; or half the sums, for
        // the epilogue. Then 8 bytes per row: where its pixel is; or coefficients of rows and columns.
        int stages = StageBytes * (pass == "backward_filter" || RoundedBytes == 0 ? 2 * (TileRows + columns + 16) : (2 * TileRows) + (4 * columns));
        int tables = pass == "backward_filter" ? sizeof(float) * ((3 * TileRows) + (5 * columns)) : 8 * TileRows;
        int sharedBytes = Math.Max(stages, TileRows / 2 * (columns + 8) * sizeof(float)) + tables;
        Launch(file, $"conv2d_{pass}_{name}_{(whole ? columns : "any")}", grid, columns == 128 ? 256 : 128, sharedBytes, KernelArgument.Structure(&arguments));
    }

    /// <summary>Rounds the filters for backward-data and fills the tables.</summary>
    private void RoundBackward(ConvolutionArguments arguments, long bytes)
    {
        const int Tile = 32;
        (int inTiles, int outTiles) = ((arguments.InChannels + Tile - 1) / Tile, (arguments.OutChannels + Tile - 1) / Tile);
        if (inTiles * Tile < arguments.RoundedRows || arguments.OutChannels * RoundedBytes % StageBytes != 0)
        {
            Clear(arguments.Rounded, (nuint)bytes);
        }

        var grid = new Grid(outTiles, inTiles, arguments.KernelHeight * arguments.KernelWidth);
        Launch("conv2d_parts", "conv2d_round_backward", grid, 256, 0, KernelArgument.Structure(&arguments), ProductPrecision == Precision.Bf16, arguments.Rounded);
    }

    private void FillTables(ConvolutionArguments arguments, long length)
    {
        if (length > 0)
        {
            Launch("conv2d_parts", "conv2d_coefficients", 1, 256, 0, KernelArgument.Structure(&arguments));
        }
    }

    /// <summary>Numbers in the tables of coefficients of a convolution's normalizations, rounded up so that what follows is aligned.</summary>
    private static long TableLength(int halves, int inChannels, Normalization? input, int outChannels, NormalizedActivation? output) =>
        (long)halves * ((input == null ? 0 : 3 * RoundUp(inChannels, 4)) + (output == null ? 0 : 5 * RoundUp(outChannels, 4)));

    private static int TileColumns(int channels, bool whole) => !whole || channels <= 32 ? 32 : channels <= 64 ? 64 : 128;

    private static int RoundUp(int value, int multiple) => (value + multiple - 1) / multiple * multiple;

    /// <summary>What a forward kernel does with its sums besides adding the bias.</summary>
    private enum Epilogue
    {
        /// <summary>Nothing.</summary>
        None,

        /// <summary>Gathers the statistics that batch normalization needs.</summary>
        Statistics,

        /// <summary>Nothing, and parts of the depth that do not depend on the batch.</summary>
        Folded,

        /// <summary>ReLU, and parts of the depth that do not depend on the batch.</summary>
        FoldedRelu,
    }

    /// <summary><c>Convolution</c> of convolution.cuh.</summary>
    private struct ConvolutionArguments(in Conv2dGeometry g, int halves)
    {
        public int Batch = g.Batch, Height = g.Height, Width = g.Width, InChannels = g.InChannels, OutChannels = g.OutChannels;
        public int KernelHeight = g.KernelHeight, KernelWidth = g.KernelWidth, Stride = g.Stride, Padding = g.Padding;
        public int OutHeight = g.OutHeight, OutWidth = g.OutWidth;
        public int Halves = halves, TilesOfHalf, PartDepth, PartsOfHalf, ClassRows, ClassColumns, Relu;
        public Divider ByIn = new(g.InChannels), ByOut = new(g.OutChannels), ByOutWidth = new(g.OutWidth), ByOutPixels = new(g.OutHeight * g.OutWidth);
        public float* X, Filters, Bias, Y, Gradient, Sums, Result, Tiles;
        public NormalizationArguments Input, Output;
        public float* InputTable, OutputTable;
        public byte* Rounded;
        public int RoundedRows, RoundedPitch;
    }
}
