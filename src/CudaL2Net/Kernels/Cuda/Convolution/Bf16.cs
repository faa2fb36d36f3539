namespace CudaL2Net.Kernels.Cuda;

/// <summary>
/// Launches of passes over numbers stored as bf16, for convolutions that do nothing else. Channels are a multiple of <see cref="StoredChannels"/>.
/// </summary>
internal unsafe partial class CudaDevice
{
    /// <summary>Of a lane, 16 bytes.</summary>
    private protected const int StoredChannels = 8;

    private const string StoredFile = "bf16";

    /// <summary>y = x, rounded to bf16.</summary>
    internal void Round(float* x, ushort* y, int count) => Launch(StoredFile, "bf16_round", Blocks(count / 8), 256, 0, x, y, count);

    /// <summary>y = x, which is bf16.</summary>
    internal void Widen(ushort* x, float* y, int count) => Launch(StoredFile, "bf16_widen", Blocks(count / 8), 256, 0, x, y, count);

    /// <summary>Adds a bias to x, [...][c]; then mean and inverse deviation of each half; moves the running statistics.</summary>
    internal void BatchStatistics(in BatchNormOptions options, Tensor<ushort> x, Tensor<float>? bias, Tensor<float> mean, Tensor<float> inverseDeviation,
        Tensor<float> runningMean, Tensor<float> runningVariance)
    {
        var tiles = new StoredTiles(this, x, mean.Shape[^1], options.Halves);
        float* partial = (float*)Scratch(tiles.Bytes);
        Launch(StoredFile, "bf16_moments", tiles.Grid, 256, 0, x.Pointer, bias, partial, tiles.Rows, tiles.Channels, tiles.TileRows);
        JoinStatistics(options, partial, tiles.Count, tiles.TileRows, tiles.Rows, tiles.Channels, mean, inverseDeviation, runningMean, runningVariance);
    }

    /// <summary>Writes a normalized activation out, rounded again.</summary>
    internal void Normalize(Tensor<ushort> x, Normalization normalization, Tensor<ushort> y)
    {
        var tiles = new StoredTiles(this, x, normalization);
        var arguments = new NormalizationArguments(normalization);
        Launch(StoredFile, "bf16_normalize", tiles.Grid, 256, 0, x.Pointer, y.Pointer, tiles.Rows, tiles.TileRows, KernelArgument.Structure(&arguments));
    }

    /// <summary>Computes the activation's sums from the gradient of the normalized activation.</summary>
    internal void NormalizationSums(Bf16Activation activation, Tensor<ushort> gradient)
    {
        var tiles = new StoredTiles(this, activation.X, activation.Normalization);
        var arguments = new NormalizationArguments(activation.Normalization);
        float* partial = (float*)Scratch(tiles.Bytes);
        Launch(StoredFile, "bf16_gradient_sums", tiles.Grid, 256, 0, activation.X.Pointer, gradient.Pointer, partial, tiles.Rows, tiles.TileRows,
            KernelArgument.Structure(&arguments));
        JoinSums(partial, activation.Normalization.Halves, tiles.Count, 2 * tiles.Channels, activation.Sums.Pointer);
    }

    /// <summary>The gradient of the normalization's input from that of the normalized activation, whose sums are complete.</summary>
    /// <param name="activation">The activation.</param>
    /// <param name="gradient">Like the activation.</param>
    /// <param name="dx">Like the activation; may be the gradient.</param>
    internal void NormalizationGradient(Bf16Activation activation, ushort* gradient, ushort* dx)
    {
        var tiles = new StoredTiles(this, activation.X, activation.Normalization);
        var arguments = new NormalizationArguments(activation.Normalization);
        Launch(StoredFile, "bf16_gradient", tiles.Grid, 256, 0, activation.X.Pointer, gradient, dx, tiles.Rows, tiles.TileRows, activation.Sums,
            KernelArgument.Structure(&arguments));
    }

    /// <summary>How an activation is shared out: tiles of rows of one half, eight per multiprocessor; fewer if a thread would get less than
    /// four rows.</summary>
    private readonly struct StoredTiles
    {
        private const int MostGroups = 32, LeastRows = 4, Threads = 256;

        public StoredTiles(CudaDevice device, Tensor<ushort> x, Normalization normalization)
            : this(device, x, normalization.Mean.Shape[^1], normalization.Halves)
        {
        }

        public StoredTiles(CudaDevice device, Tensor<ushort> x, int channels, int halves)
        {
            if (channels % StoredChannels != 0)
            {
                throw new ArgumentException($"activations are stored as bf16 for a multiple of {StoredChannels} channels, not for {channels}");
            }

            int groups = channels / StoredChannels, columns = (groups + MostGroups - 1) / MostGroups, slots = Threads / Math.Min(groups, MostGroups);
            (Rows, Channels) = (x.Length / channels / halves, channels);
            int wanted = Math.Max(1, 8 * device.Multiprocessors / (halves * columns));
            TileRows = Math.Max(LeastRows * slots, RoundUp((Rows + wanted - 1) / wanted, slots));
            Count = (Rows + TileRows - 1) / TileRows;
            Grid = new Grid(Count, columns, halves);
        }

        public int Rows { get; }

        public int Channels { get; }

        public int TileRows { get; }

        public int Count { get; }

        public Grid Grid { get; }

        /// <summary>Of two numbers per tile and channel.</summary>
        public nuint Bytes => (nuint)(2L * Grid.Z * Count * Channels * sizeof(float));
    }
}
