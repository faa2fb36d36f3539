namespace CudaL2Net.Kernels.Cpu;

/// <summary>
/// Convolutions with the normalizations before and after them: images are normalized as they are read into a thread's own memory, gradients made as they are
/// read, and sums taken of what has just been written. Matrix products (the last layer) read from and write to memory, so they are preceded and followed by a
/// pass.
/// </summary>
internal sealed unsafe partial class CpuDevice
{
    public void Conv2dForward(in Conv2dGeometry geometry, Tensor<float> x, Normalization? input, Tensor<float> filters, Tensor<float>? bias, Tensor<float> y,
        in BatchNormOptions options, Tensor<float> mean, Tensor<float> inverseDeviation, Tensor<float> runningMean, Tensor<float> runningVariance)
    {
        Conv2dGeometry g = Collapse(geometry);
        ActivationReader images = Read(geometry, x, input, options.Halves);
        if (IsProduct(g))
        {
            Forward(g, WrittenOut(g, images, ProductInputScratch), filters, bias, y.Pointer, default);
            Statistics(y, options, mean, inverseDeviation, runningMean, runningVariance);
            return;
        }

        int blockImages = ImagesOfJob(g, images, g.OutChannels);
        int pixels = g.OutHeight * g.OutWidth;
        BlockSums sums = Sums(options.Halves * images.GroupsOfHalf(blockImages), g.OutChannels);
        Forward(g, images, filters, bias, y.Pointer, sums);
        FinishStatistics(sums, images.ItemsPerHalf * pixels, blockImages * pixels, options, mean, inverseDeviation, runningMean, runningVariance);
    }

    public void Conv2dBackwardFilter(in Conv2dGeometry geometry, Tensor<float> x, Normalization? input, NormalizedActivation output, Tensor<float> gradient,
        Tensor<float> dFilters, Tensor<float>? dBias)
    {
        Conv2dGeometry g = Collapse(geometry);
        ActivationReader images = Read(geometry, x, input, output.Normalization.Halves), gradients = ReadGradient(geometry, output, gradient);
        if (IsProduct(g))
        {
            images = WrittenOut(g, images, ProductInputScratch);
            gradients = WrittenOut(g, gradients, ProductGradientScratch);
        }

        BackwardFilter(g, images, gradients, dFilters);

        // The normalization takes a bias out again.
        dBias?.Clear();
    }

    public void Conv2dBackwardData(in Conv2dGeometry geometry, NormalizedActivation output, Tensor<float> gradient, Tensor<float> filters, Tensor<float> dInput,
        NormalizedActivation? input)
    {
        Conv2dGeometry g = Collapse(geometry);
        ActivationReader gradients = ReadGradient(geometry, output, gradient);
        if (IsProduct(g))
        {
            BackwardData(g, WrittenOut(g, gradients, ProductGradientScratch), filters, dInput.Pointer, default);
            if (input != null)
            {
                NormalizationSums(input, dInput);
            }

            return;
        }

        BlockSums sums = default;
        int blocks = gradients.GroupsOfHalf(ImagesOfJob(g, gradients, g.InChannels));
        if (input != null)
        {
            sums = Sums(gradients.Halves * blocks, g.InChannels);
            sums.Activation = Read(geometry, input.X, input.Normalization, gradients.Halves);
        }

        BackwardData(g, gradients, filters, dInput.Pointer, sums);
        if (input != null)
        {
            FinishGradientSums(sums, blocks, input.Normalization.InverseDeviation, input.Sums.Pointer);
        }
    }

    private ActivationReader Read(in Conv2dGeometry geometry, Tensor<float> x, Normalization? input, int halves)
    {
        ActivationReader images = Images(geometry, x.Pointer, halves);
        return input == null ? images : Normalized(images, input, InputCoefficientScratch);
    }

    private ActivationReader ReadGradient(in Conv2dGeometry geometry, NormalizedActivation output, Tensor<float> gradient)
    {
        Normalization normalization = output.Normalization;
        ActivationReader normalized = Normalized(OutputImages(geometry, output.X.Pointer, normalization.Halves), normalization, OutputCoefficientScratch);
        return BeforeNormalization(normalized, normalization.InverseDeviation, output.Sums.Pointer, gradient.Pointer);
    }

    /// <summary>The same images as they would be read, plain.</summary>
    private ActivationReader WrittenOut(in Conv2dGeometry collapsed, in ActivationReader images, int slot)
    {
        float* x = images.X;
        if (images.Coefficients != null)
        {
            x = Scratch(slot, (nuint)images.Count * (nuint)images.ItemLength);
            ReadAll(images, x);
        }

        return new ActivationReader
        {
            X = x,
            Rows = 1,
            Columns = collapsed.Height * collapsed.Width,
            Channels = (int)images.ItemLength / (collapsed.Height * collapsed.Width),
            Count = images.Count,
            ItemsPerHalf = images.ItemsPerHalf,
        };
    }
}
