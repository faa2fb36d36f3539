namespace CudaL2Net.Kernels.Cpu;

/// <summary>
/// Batch normalization with the statistics of each half of the batch: mean and squares about the mean per block of rows, the blocks combined in double
/// precision by Chan's formula. A tensor's rows take the place of images of one pixel.
/// </summary>
internal sealed unsafe partial class CpuDevice
{
    // Floats of a block of rows that is gone through channel by channel: they stay in the first cache.
    private const int BlockLength = 8192;

    public void BatchNormForward(in BatchNormOptions options, Tensor<float> x, Tensor<float>? scale, Tensor<float>? shift, Tensor<float> mean,
        Tensor<float> inverseDeviation, Tensor<float> runningMean, Tensor<float> runningVariance, Tensor<float> y)
    {
        Statistics(x, options, mean, inverseDeviation, runningMean, runningVariance);
        ReadAll(Normalized(Pixels(x, options.Halves), options.Relu, mean, inverseDeviation, scale, shift, InputCoefficientScratch), y.Pointer);
    }

    public void BatchNormBackward(in BatchNormOptions options, Tensor<float> x, Tensor<float>? scale, Tensor<float>? shift, Tensor<float> mean,
        Tensor<float> inverseDeviation, Tensor<float> dy, Tensor<float> dx, Tensor<float>? dScale, Tensor<float>? dShift)
    {
        float* sums = Scratch(GradientSumScratch, (nuint)(2 * options.Halves * x.Shape[^1]));
        ActivationReader rows = Normalized(Pixels(x, options.Halves), options.Relu, mean, inverseDeviation, scale, shift, OutputCoefficientScratch);
        GradientSums(rows, inverseDeviation, dy.Pointer, sums);
        AffineGradient(options.Halves, rows.Channels, sums, dScale, dShift);
        ReadAll(BeforeNormalization(rows, inverseDeviation, sums, dy.Pointer), dx.Pointer);
    }

    public void Normalize(Tensor<float> x, Normalization normalization, Tensor<float> y) =>
        ReadAll(Normalized(Pixels(x, normalization.Halves), normalization, InputCoefficientScratch), y.Pointer);

    public void NormalizationSums(NormalizedActivation activation, Tensor<float> gradient) =>
        GradientSums(Normalized(Pixels(activation.X, activation.Normalization.Halves), activation.Normalization, InputCoefficientScratch),
            activation.Normalization.InverseDeviation, gradient.Pointer, activation.Sums.Pointer);

    public void NormalizationAffineGradient(Normalization normalization, Tensor<float> sums, Tensor<float>? dScale, Tensor<float>? dShift) =>
        AffineGradient(normalization.Halves, normalization.Mean.Shape[^1], sums.Pointer, dScale, dShift);

    private static void AffineGradient(int halves, int channels, float* sums, Tensor<float>? dScale, Tensor<float>? dShift)
    {
        for (int c = 0; c < channels; c++)
        {
            float sum = 0, product = 0;
            for (int half = 0; half < halves; half++)
            {
                sum += sums[(2 * half * channels) + c];
                product += sums[(((2 * half) + 1) * channels) + c];
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
    private static ActivationReader Pixels(Tensor<float> x, int halves)
    {
        int channels = x.Shape[^1], rows = x.Length / channels;
        return new ActivationReader { X = x.Pointer, Rows = 1, Columns = 1, Channels = channels, Count = rows, ItemsPerHalf = rows / halves };
    }

    /// <summary>The same images, normalized as they are read.</summary>
    private ActivationReader Normalized(in ActivationReader images, Normalization n, int slot) =>
        Normalized(images, n.Relu, n.Mean, n.InverseDeviation, n.Scale, n.Shift, slot);

    private ActivationReader Normalized(ActivationReader images, bool relu, Tensor<float> mean, Tensor<float> inverseDeviation, Tensor<float>? scale,
        Tensor<float>? shift, int slot)
    {
        int channels = images.Channels;
        images.Relu = relu;
        images.Coefficients = Scratch(slot, (nuint)(images.Halves * ActivationReader.Kinds * channels));
        for (int half = 0; half < images.Halves; half++)
        {
            float* to = images.Coefficients + ((nint)half * ActivationReader.Kinds * channels);
            for (int c = 0; c < channels; c++)
            {
                int at = (half * channels) + c;
                to[c] = mean.Pointer[at];
                to[(ActivationReader.Factor * channels) + c] = scale == null ? inverseDeviation.Pointer[at] : inverseDeviation.Pointer[at] * scale.Pointer[c];
                to[(ActivationReader.Shift * channels) + c] = shift == null ? 0 : shift.Pointer[c];
            }
        }

        return images;
    }

    /// <summary>The gradient before the normalization of images from the one behind it: dx = factor (m - sum(m) / n - xhat sum(m xhat) / n).</summary>
    private static ActivationReader BeforeNormalization(ActivationReader normalized, Tensor<float> inverseDeviation, float* sums, float* gradient)
    {
        int channels = normalized.Channels;
        double count = (double)normalized.ItemsPerHalf * normalized.Rows * normalized.Columns;
        normalized.Gradient = gradient;
        for (int half = 0; half < normalized.Halves; half++)
        {
            float* to = normalized.Coefficients + ((nint)half * ActivationReader.Kinds * channels);
            for (int c = 0; c < channels; c++)
            {
                float factor = to[(ActivationReader.Factor * channels) + c], inverse = inverseDeviation.Pointer[(half * channels) + c];
                to[(ActivationReader.Slope * channels) + c] = (float)(-factor * inverse * (sums[(((2 * half) + 1) * channels) + c] / count));
                to[(ActivationReader.Offset * channels) + c] = (float)(-factor * (sums[(2 * half * channels) + c] / count));
            }
        }

        return normalized;
    }

    private static int BlockRows(int channels) => Math.Max(1, BlockLength / channels);

    /// <summary>Writes all images out.</summary>
    private void ReadAll(in ActivationReader images, float* to)
    {
        ActivationReader rows = images.Pixels;
        int block = BlockRows(rows.Channels);
        pool.For(rows.Halves * rows.GroupsOfHalf(block), new ReadJob { Rows = rows, Block = block, To = to });
    }

    /// <summary>Mean and deviation of each half, and the running ones.</summary>
    private void Statistics(Tensor<float> x, in BatchNormOptions options, Tensor<float> mean, Tensor<float> inverseDeviation, Tensor<float> runningMean,
        Tensor<float> runningVariance)
    {
        ActivationReader rows = Pixels(x, options.Halves);
        int block = BlockRows(rows.Channels), blocks = options.Halves * rows.GroupsOfHalf(block);
        BlockSums sums = Sums(blocks, rows.Channels);
        pool.For(blocks, new SumJob { Sums = sums, Rows = rows, Block = block, Pixels = x.Pointer });
        FinishStatistics(sums, rows.ItemsPerHalf, block, options, mean, inverseDeviation, runningMean, runningVariance);
    }

    private BlockSums Sums(int blocks, int channels) => new() { Partial = Scratch(StatisticsScratch, (nuint)2 * (nuint)blocks * (nuint)channels), Channels = channels };

    /// <summary>The two sums of the gradient of normalized rows, [halves][2][channels].</summary>
    private void GradientSums(in ActivationReader rows, Tensor<float> inverseDeviation, float* gradient, float* sums)
    {
        int block = BlockRows(rows.Channels), blocks = rows.GroupsOfHalf(block);
        BlockSums partial = Sums(rows.Halves * blocks, rows.Channels);
        partial.Activation = rows;
        pool.For(rows.Halves * blocks, new SumJob { Sums = partial, Rows = rows, Block = block, Pixels = gradient });
        FinishGradientSums(partial, blocks, inverseDeviation, sums);
    }

    private static void FinishStatistics(in BlockSums sums, int rows, int blockRows, in BatchNormOptions options, Tensor<float> mean,
        Tensor<float> inverseDeviation, Tensor<float> runningMean, Tensor<float> runningVariance)
    {
        int channels = sums.Channels, blocks = (rows + blockRows - 1) / blockRows;
        for (int half = 0; half < options.Halves; half++)
        {
            for (int c = 0; c < channels; c++)
            {
                double count = 0, halfMean = 0, squares = 0;
                for (int block = 0; block < blocks; block++)
                {
                    float* moments = sums.Partial + ((nint)2 * ((half * blocks) + block) * channels);
                    double added = Math.Min(blockRows, rows - (block * blockRows)), delta = moments[c] - halfMean, total = count + added;
                    squares += moments[channels + c] + (delta * delta * count * added / total);
                    halfMean += delta * added / total;
                    count = total;
                }

                mean.Pointer[(half * channels) + c] = (float)halfMean;
                inverseDeviation.Pointer[(half * channels) + c] = (float)(1 / Math.Sqrt((squares / rows) + options.Epsilon));
                runningMean.Pointer[c] += options.Momentum * ((float)halfMean - runningMean.Pointer[c]);
                runningVariance.Pointer[c] += options.Momentum * ((float)(squares / Math.Max(1, rows - 1)) - runningVariance.Pointer[c]);
            }
        }
    }

    /// <summary>[halves][2][channels]: sum(m), sum(m xhat).</summary>
    private static void FinishGradientSums(in BlockSums partial, int blocks, Tensor<float> inverseDeviation, float* sums)
    {
        int channels = partial.Channels;
        for (int half = 0; half < partial.Activation.Halves; half++)
        {
            for (int c = 0; c < channels; c++)
            {
                double sum = 0, product = 0;
                for (int block = 0; block < blocks; block++)
                {
                    float* from = partial.Partial + ((nint)2 * ((half * blocks) + block) * channels);
                    sum += from[c];
                    product += from[channels + c];
                }

                sums[(2 * half * channels) + c] = (float)sum;
                sums[(((2 * half) + 1) * channels) + c] = (float)(product * inverseDeviation.Pointer[(half * channels) + c]);
            }
        }
    }

    private struct ReadJob : IParallelJob
    {
        public ActivationReader Rows;
        public int Block;
        public float* To;

        public readonly void Run(int index, int worker)
        {
            (int half, int first, int count) = Rows.Group(index, Block);
            Rows.ReadPixels(half, first, count, 0, Rows.Channels, To + ((nint)first * Rows.Channels));
        }
    }

    private struct SumJob : IParallelJob
    {
        public BlockSums Sums;
        public ActivationReader Rows;
        public int Block;
        public float* Pixels;

        public readonly void Run(int index, int worker)
        {
            (int half, int first, int count) = Rows.Group(index, Block);
            Sums.Gather(index, half, Pixels, first, count);
        }
    }
}
