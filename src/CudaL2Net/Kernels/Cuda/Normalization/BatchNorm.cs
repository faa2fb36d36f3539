using System.Numerics;

namespace CudaL2Net.Kernels.Cuda;

internal unsafe partial class CudaDevice
{
    private const int StatisticsRows = 256;

    public void BatchNormForward(in BatchNormOptions options, Tensor<float> x, Tensor<float>? scale, Tensor<float>? shift, Tensor<float> mean,
        Tensor<float> inverseDeviation, Tensor<float> runningMean, Tensor<float> runningVariance, Tensor<float> y)
    {
        BatchStatistics(options, x, mean, inverseDeviation, runningMean, runningVariance);
        Normalize(x, new Normalization(options.Halves, options.Relu, mean, inverseDeviation, scale, shift), y);
    }

    public void BatchNormBackward(in BatchNormOptions options, Tensor<float> x, Tensor<float>? scale, Tensor<float>? shift, Tensor<float> mean,
        Tensor<float> inverseDeviation, Tensor<float> dy, Tensor<float> dx, Tensor<float>? dScale, Tensor<float>? dShift)
    {
        var normalization = new Normalization(options.Halves, options.Relu, mean, inverseDeviation, scale, shift);
        int channels = x.Shape[^1], halfLength = x.Length / options.Halves;
        int tiles = StatisticsTiles(halfLength / channels);
        float* partial = (float*)Scratch((nuint)(2 * options.Halves * channels * (tiles + 1L) * sizeof(float)));
        float* sums = partial + (2L * options.Halves * channels * tiles);
        GradientSums(x, normalization, dy, partial, sums);
        AffineGradient(sums, options.Halves, channels, dScale, dShift);
        var arguments = new NormalizationArguments(normalization);
        var divider = new Divider(channels);
        Launch("batch_norm", "batch_norm_gradient", ElementBlocks(x.Length, channels), 256, 0, x, dy, dx, x.Length, halfLength,
            KernelArgument.Structure(&divider), sums, KernelArgument.Structure(&arguments));
    }

    public void Normalize(Tensor<float> x, Normalization normalization, Tensor<float> y)
    {
        int channels = normalization.Mean.Shape[^1];
        var arguments = new NormalizationArguments(normalization);
        var divider = new Divider(channels);
        Launch("batch_norm", "batch_norm_normalize", ElementBlocks(x.Length, channels), 256, 0, x, y, x.Length, x.Length / normalization.Halves,
            KernelArgument.Structure(&divider), KernelArgument.Structure(&arguments));
    }

    public void NormalizationSums(NormalizedActivation activation, Tensor<float> gradient)
    {
        Normalization normalization = activation.Normalization;
        int channels = normalization.Mean.Shape[^1], tiles = StatisticsTiles(gradient.Length / channels / normalization.Halves);
        float* partial = (float*)Scratch((nuint)(2L * normalization.Halves * channels * tiles * sizeof(float)));
        GradientSums(activation.X, normalization, gradient, partial, activation.Sums.Pointer);
    }

    public void NormalizationAffineGradient(Normalization normalization, Tensor<float> sums, Tensor<float>? dScale, Tensor<float>? dShift) =>
        AffineGradient(sums.Pointer, normalization.Halves, normalization.Mean.Shape[^1], dScale, dShift);

    public void Normalize(Tensor<ushort> x, Normalization normalization, Tensor<float> y)
    {
        int channels = normalization.Mean.Shape[^1];
        var arguments = new NormalizationArguments(normalization);
        var divider = new Divider(channels);
        Launch("batch_norm", "batch_norm_normalize_bf16", Blocks(x.Length / 4), 256, 0, x.Pointer, y, x.Length, x.Length / normalization.Halves,
            KernelArgument.Structure(&divider), KernelArgument.Structure(&arguments));
    }

    /// <summary>The sums of the tiles of <see cref="RoundGradient"/>.</summary>
    private protected static long TileSums(Bf16Activation activation)
    {
        (int halves, int channels) = (activation.Normalization.Halves, activation.Normalization.Mean.Shape[^1]);
        return 2L * halves * channels * StatisticsTiles(activation.X.Length / channels / halves);
    }

    /// <summary>Rounds the gradient of a normalized activation, to which other readers' part may be added, and computes its sums.</summary>
    /// <param name="activation">The activation; its sums are written.</param>
    /// <param name="gradient">Of the normalized activation.</param>
    /// <param name="part">What is added to it, or null.</param>
    /// <param name="rounded">The sum.</param>
    /// <param name="partial">Memory for as many sums of the tiles as <see cref="TileSums"/> says, [halves][tiles][2][c].</param>
    private protected void RoundGradient(Bf16Activation activation, Tensor<float> gradient, Tensor<ushort>? part, ushort* rounded, float* partial)
    {
        Normalization normalization = activation.Normalization;
        int channels = normalization.Mean.Shape[^1], rows = gradient.Length / channels / normalization.Halves, tiles = StatisticsTiles(rows);
        var arguments = new NormalizationArguments(normalization);
        Launch("batch_norm", "batch_norm_round_gradient", new Grid(tiles, (channels + 31) / 32, normalization.Halves), 256, 0, activation.X.Pointer, gradient,
            part == null ? null : part.Pointer, rounded, partial, rows, StatisticsRows, KernelArgument.Structure(&arguments));
        JoinSums(partial, normalization.Halves, tiles, 2 * channels, activation.Sums.Pointer);
    }

    /// <summary>Mean and inverse deviation of each half; moves the running statistics.</summary>
    private void BatchStatistics(in BatchNormOptions options, Tensor<float> x, Tensor<float> mean, Tensor<float> inverseDeviation, Tensor<float> runningMean,
        Tensor<float> runningVariance)
    {
        int channels = x.Shape[^1], rows = x.Length / channels / options.Halves, tiles = StatisticsTiles(rows);
        float* partial = (float*)Scratch((nuint)(2L * options.Halves * channels * tiles * sizeof(float)));
        Launch("batch_norm", "batch_norm_moments", new Grid(tiles, (channels + 31) / 32, options.Halves), 256, 0, x, partial, rows, channels, StatisticsRows);
        JoinStatistics(options, partial, tiles, StatisticsRows, rows, channels, mean, inverseDeviation, runningMean, runningVariance);
    }

    /// <summary>Joins means and squares, [halves][tiles][2][c], of <paramref name="tileRows"/> rows each, the last of a half fewer.</summary>
    private void JoinStatistics(in BatchNormOptions options, float* partial, int tiles, int tileRows, int rows, int channels, Tensor<float> mean,
        Tensor<float> inverseDeviation, Tensor<float> runningMean, Tensor<float> runningVariance) =>
        Launch("batch_norm", "batch_norm_statistics", (channels + 7) / 8, JoiningThreads(tiles), 0, partial, options.Halves, tiles, tileRows, rows, channels,
            options.Epsilon, options.Momentum, mean, inverseDeviation, runningMean, runningVariance);

    private void GradientSums(Tensor<float> x, Normalization normalization, Tensor<float> gradient, float* partial, float* sums)
    {
        int channels = normalization.Mean.Shape[^1], rows = x.Length / channels / normalization.Halves, tiles = StatisticsTiles(rows);
        var arguments = new NormalizationArguments(normalization);
        Launch("batch_norm", "batch_norm_gradient_tiles", new Grid(tiles, (channels + 31) / 32, normalization.Halves), 256, 0, x, gradient, partial, rows,
            StatisticsRows, KernelArgument.Structure(&arguments));
        JoinSums(partial, normalization.Halves, tiles, 2 * channels, sums);
    }

    /// <summary>Adds up [halves][tiles][width] over the tiles.</summary>
    private void JoinSums(float* partial, int halves, int tiles, int width, float* sums) =>
        Launch("batch_norm", "batch_norm_sums", new Grid((width + 7) / 8, halves), JoiningThreads(tiles), 0, partial, tiles, width, sums);

    private void AffineGradient(float* sums, int halves, int channels, Tensor<float>? dScale, Tensor<float>? dShift)
    {
        if (dScale != null || dShift != null)
        {
            Launch("batch_norm", "batch_norm_affine", (channels + 255) / 256, 256, 0, sums, halves, channels, dScale, dShift);
        }
    }

    private static int StatisticsTiles(int rows) => (rows + StatisticsRows - 1) / StatisticsRows;

    private static int JoiningThreads(int tiles) => tiles > 256 ? 1024 : tiles > 32 ? 256 : 64;

    private int ElementBlocks(int length, int channels) => Blocks(channels % 4 == 0 ? length / 4 : length);

    /// <summary>Division by a constant as a multiplication: <c>Divider</c> of block_gemm.cuh.</summary>
    private readonly struct Divider
    {
        public readonly uint Divisor, Multiplier, Shift;

        public Divider(int divisor)
        {
            Divisor = (uint)divisor;
            Shift = 31 + (uint)(32 - BitOperations.LeadingZeroCount((uint)divisor - 1));
            Multiplier = (uint)(((1UL << (int)Shift) + Divisor - 1) / Divisor);
        }
    }

    /// <summary><c>Normalization</c> of normalization.cuh.</summary>
    private readonly struct NormalizationArguments
    {
        public readonly float* Mean, InverseDeviation, Scale, Shift;
        public readonly int Relu, Channels;

        public NormalizationArguments(Normalization? normalization)
        {
            if (normalization != null)
            {
                Mean = normalization.Mean.Pointer;
                InverseDeviation = normalization.InverseDeviation.Pointer;
                Scale = normalization.Scale == null ? null : normalization.Scale.Pointer;
                Shift = normalization.Shift == null ? null : normalization.Shift.Pointer;
                Relu = normalization.Relu ? 1 : 0;
                Channels = normalization.Mean.Shape[^1];
            }
        }
    }
}
