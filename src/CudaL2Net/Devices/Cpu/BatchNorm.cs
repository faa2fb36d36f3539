using CudaL2Net.Operations;
using CudaL2Net.Tensors;

namespace CudaL2Net.Devices.Cpu;

/// <summary>
/// Batch normalization with the statistics of each side of the batch: mean and squares about the mean per block of rows, the blocks combined in double
/// precision by Chan's formula. A tensor's rows take the place of images of one pixel.
/// </summary>
internal sealed unsafe partial class CpuDevice
{
    private const int StatisticsScratch = 3;
    private const int InputCoefficientScratch = 6;
    private const int OutputCoefficientScratch = 7;
    private const int GradientSumScratch = 8;

    // Floats of a block of rows that is gone through channel by channel: they stay in the first cache.
    private const int BlockLength = 8192;

    public void BatchNormForward(in BatchNormOptions options, Tensor<float> x, Tensor<float>? scale, Tensor<float>? shift, Tensor<float> mean,
        Tensor<float> inverseDeviation, Tensor<float> runningMean, Tensor<float> runningVariance, Tensor<float> y)
    {
        Statistics(x, options, mean, inverseDeviation, runningMean, runningVariance);
        Normalize(x, new Normalization(options.Sides, options.Relu, mean, inverseDeviation, scale, shift), y);
    }

    public void BatchNormBackward(in BatchNormOptions options, Tensor<float> x, Tensor<float>? scale, Tensor<float>? shift, Tensor<float> mean,
        Tensor<float> inverseDeviation, Tensor<float> dy, Tensor<float> dx, Tensor<float>? dScale, Tensor<float>? dShift)
    {
        var normalization = new Normalization(options.Sides, options.Relu, mean, inverseDeviation, scale, shift);
        float* sums = Scratch(GradientSumScratch, (nuint)(2 * options.Sides * x.Shape[^1]));
        GradientSums(x, normalization, dy, sums);
        AffineGradient(options.Sides, x.Shape[^1], sums, dScale, dShift);
        ReadAll(GradientReader(Pixels(x, options.Sides), normalization, sums, dy.Pointer), dx.Pointer);
    }

    public void Normalize(Tensor<float> x, Normalization normalization, Tensor<float> y) =>
        ReadAll(Normalized(Pixels(x, normalization.Sides), normalization, InputCoefficientScratch), y.Pointer);

    public void NormalizationSums(NormalizedActivation activation, Tensor<float> gradient) =>
        GradientSums(activation.X, activation.Normalization, gradient, activation.Sums.Pointer);

    public void NormalizationAffineGradient(Normalization normalization, Tensor<float> sums, Tensor<float>? dScale, Tensor<float>? dShift) =>
        AffineGradient(normalization.Sides, normalization.Mean.Shape[^1], sums.Pointer, dScale, dShift);

    private static void AffineGradient(int sides, int channels, float* sums, Tensor<float>? dScale, Tensor<float>? dShift)
    {
        for (int c = 0; c < channels; c++)
        {
            float sum = 0, product = 0;
            for (int side = 0; side < sides; side++)
            {
                sum += sums[(2 * side * channels) + c];
                product += sums[(((2 * side) + 1) * channels) + c];
            }

            if (dShift != null)
            {
                dShift.Pointer[c] = sum;
            }

            if (dScale != null)
            {
                dScale.Pointer[c] = product;
            }
        }
    }

    /// <summary>A tensor's rows as images of one pixel.</summary>
    private static ImageReader Pixels(Tensor<float> x, int sides)
    {
        int channels = x.Shape[^1], rows = x.Length / channels;
        return new ImageReader { X = x.Pointer, Rows = 1, Columns = 1, Channels = channels, Count = rows, ImagesPerSide = rows / sides };
    }

    /// <summary>The same images, normalized as they are read.</summary>
    private ImageReader Normalized(ImageReader images, Normalization normalization, int slot)
    {
        int channels = images.Channels;
        images.Relu = normalization.Relu;
        images.Coefficients = Scratch(slot, (nuint)(normalization.Sides * ImageReader.Kinds * channels));
        for (int side = 0; side < normalization.Sides; side++)
        {
            float* to = images.Coefficients + ((nint)side * ImageReader.Kinds * channels);
            for (int c = 0; c < channels; c++)
            {
                int at = (side * channels) + c;
                to[c] = normalization.Mean.Pointer[at];
                to[(ImageReader.Factor * channels) + c] = normalization.InverseDeviation.Pointer[at] * (normalization.Scale?.Pointer[c] ?? 1);
                to[(ImageReader.Shift * channels) + c] = normalization.Shift == null ? 0 : normalization.Shift.Pointer[c];
            }
        }

        return images;
    }

    /// <summary>The gradient before a normalization of those images: dx = factor (m - sum(m) / n - xhat sum(m xhat) / n).</summary>
    private ImageReader GradientReader(ImageReader images, Normalization normalization, float* sums, float* gradient)
    {
        int channels = images.Channels;
        double count = (double)images.ImagesPerSide * images.Rows * images.Columns;
        ImageReader reader = Normalized(images, normalization, OutputCoefficientScratch);
        reader.Gradient = gradient;
        for (int side = 0; side < normalization.Sides; side++)
        {
            float* to = reader.Coefficients + ((nint)side * ImageReader.Kinds * channels);
            for (int c = 0; c < channels; c++)
            {
                float factor = to[(ImageReader.Factor * channels) + c], inverse = normalization.InverseDeviation.Pointer[(side * channels) + c];
                to[(ImageReader.Slope * channels) + c] = (float)(-factor * inverse * (sums[(((2 * side) + 1) * channels) + c] / count));
                to[(ImageReader.Offset * channels) + c] = (float)(-factor * (sums[(2 * side * channels) + c] / count));
            }
        }

        return reader;
    }

    private static int BlockRows(int channels) => Math.Max(1, BlockLength / channels);

    /// <summary>Writes all images out.</summary>
    private void ReadAll(in ImageReader images, float* to)
    {
        int rows = images.ImagesPerSide * images.Rows * images.Columns, blockRows = BlockRows(images.Channels), blocks = (rows + blockRows - 1) / blockRows;
        pool.For(images.Sides * blocks, new ReadJob { Images = images, Rows = rows, BlockRows = blockRows, Blocks = blocks, To = to });
    }

    /// <summary>Mean and deviation of each side, and the running ones.</summary>
    private void Statistics(Tensor<float> x, in BatchNormOptions options, Tensor<float> mean, Tensor<float> inverseDeviation, Tensor<float> runningMean,
        Tensor<float> runningVariance)
    {
        int channels = x.Shape[^1], rows = x.Length / channels / options.Sides, blockRows = BlockRows(channels), blocks = (rows + blockRows - 1) / blockRows;
        BlockSums sums = Sums(options.Sides * blocks, channels);
        pool.For(options.Sides * blocks, new SumJob { Sums = sums, Rows = rows, BlockRows = blockRows, Blocks = blocks, Pixels = x.Pointer });
        FinishStatistics(sums, rows, blockRows, options, mean, inverseDeviation, runningMean, runningVariance);
    }

    private BlockSums Sums(int blocks, int channels) => new() { Partial = Scratch(StatisticsScratch, (nuint)2 * (nuint)blocks * (nuint)channels), Channels = channels };

    private void GradientSums(Tensor<float> x, Normalization normalization, Tensor<float> gradient, float* sums)
    {
        int channels = x.Shape[^1], rows = x.Length / channels / normalization.Sides, blockRows = BlockRows(channels), blocks = (rows + blockRows - 1) / blockRows;
        BlockSums partial = Sums(normalization.Sides * blocks, channels);
        partial.Activation = Normalized(Pixels(x, normalization.Sides), normalization, InputCoefficientScratch);
        pool.For(normalization.Sides * blocks, new SumJob { Sums = partial, Rows = rows, BlockRows = blockRows, Blocks = blocks, Pixels = gradient.Pointer });
        FinishGradientSums(partial, blocks, normalization, sums);
    }

    private static void FinishStatistics(in BlockSums sums, int rows, int blockRows, in BatchNormOptions options, Tensor<float> mean,
        Tensor<float> inverseDeviation, Tensor<float> runningMean, Tensor<float> runningVariance)
    {
        int channels = sums.Channels, blocks = (rows + blockRows - 1) / blockRows;
        for (int side = 0; side < options.Sides; side++)
        {
            for (int c = 0; c < channels; c++)
            {
                double count = 0, sideMean = 0, squares = 0;
                for (int block = 0; block < blocks; block++)
                {
                    float* moments = sums.Partial + ((nint)2 * ((side * blocks) + block) * channels);
                    double added = Math.Min(blockRows, rows - (block * blockRows)), delta = moments[c] - sideMean, total = count + added;
                    squares += moments[channels + c] + (delta * delta * count * added / total);
                    sideMean += delta * added / total;
                    count = total;
                }

                mean.Pointer[(side * channels) + c] = (float)sideMean;
                inverseDeviation.Pointer[(side * channels) + c] = (float)(1 / Math.Sqrt((squares / rows) + options.Epsilon));
                runningMean.Pointer[c] += options.Momentum * ((float)sideMean - runningMean.Pointer[c]);
                runningVariance.Pointer[c] += options.Momentum * ((float)(squares / Math.Max(1, rows - 1)) - runningVariance.Pointer[c]);
            }
        }
    }

    /// <summary>[sides][2][channels]: sum(m), sum(m xhat).</summary>
    private static void FinishGradientSums(in BlockSums partial, int blocks, Normalization normalization, float* sums)
    {
        int channels = partial.Channels;
        for (int side = 0; side < normalization.Sides; side++)
        {
            for (int c = 0; c < channels; c++)
            {
                double sum = 0, product = 0;
                for (int block = 0; block < blocks; block++)
                {
                    float* from = partial.Partial + ((nint)2 * ((side * blocks) + block) * channels);
                    sum += from[c];
                    product += from[channels + c];
                }

                sums[(2 * side * channels) + c] = (float)sum;
                sums[(((2 * side) + 1) * channels) + c] = (float)(product * normalization.InverseDeviation.Pointer[(side * channels) + c]);
            }
        }
    }

    private struct ReadJob : IParallelJob
    {
        public ImageReader Images;
        public int Rows, BlockRows, Blocks;
        public float* To;

        public readonly void Run(int index, int worker)
        {
            int side = index / Blocks, first = index % Blocks * BlockRows;
            nint pixel = ((nint)side * Rows) + first;
            Images.ReadPixels(side, pixel, Math.Min(BlockRows, Rows - first), 0, Images.Channels, To + (pixel * Images.Channels));
        }
    }

    private struct SumJob : IParallelJob
    {
        public BlockSums Sums;
        public int Rows, BlockRows, Blocks;
        public float* Pixels;

        public readonly void Run(int index, int worker)
        {
            int side = index / Blocks, first = index % Blocks * BlockRows;
            Sums.Gather(index, side, Pixels, ((nint)side * Rows) + first, Math.Min(BlockRows, Rows - first));
        }
    }
}
