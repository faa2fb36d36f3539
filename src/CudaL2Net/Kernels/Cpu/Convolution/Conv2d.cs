namespace CudaL2Net.Kernels.Cpu;

/// <summary>
/// Convolution by register tiles straight on NHWC images: a padded copy of one image stays in the L2 cache while all filters sweep it, so there is no im2col.
/// A filter as large as its unpadded image (L2-Net's last layer) and 1x1 filters are matrix products over all pixels of the batch
/// (MatrixProduct.cs). The filters' gradient is in FilterGradient.cs.
/// </summary>
internal sealed unsafe partial class CpuDevice
{
    private const int TransposeTile = 16;

    public void Conv2dForward(in Conv2dGeometry geometry, Tensor<float> x, Tensor<float> filters, Tensor<float>? bias, Tensor<float> y)
    {
        Conv2dGeometry g = Collapse(geometry);
        Forward(g, Images(g, x.Pointer, 1), filters, bias, y.Pointer, default);
    }

    public void FoldedConvolution(in Conv2dGeometry geometry, Tensor<float> x, Tensor<float> filters, Tensor<float>? bias, bool relu, Tensor<float> y)
    {
        Conv2dForward(geometry, x, filters, bias, y);
        if (relu)
        {
            ReluForward(y, y);
        }
    }

    public void Conv2dBackwardData(in Conv2dGeometry geometry, Tensor<float> dy, Tensor<float> filters, Tensor<float> dx)
    {
        Conv2dGeometry g = Collapse(geometry);
        BackwardData(g, OutputImages(g, dy.Pointer, 1), filters, dx.Pointer, default);
    }

    public void Conv2dBackwardFilter(in Conv2dGeometry geometry, Tensor<float> x, Tensor<float> dy, Tensor<float> dFilters, Tensor<float>? dBias)
    {
        Conv2dGeometry g = Collapse(geometry);
        BackwardFilter(g, Images(g, x.Pointer, 1), OutputImages(g, dy.Pointer, 1), dFilters);
        if (dBias != null)
        {
            int pixels = geometry.OutHeight * geometry.OutWidth;
            double* biasSums = (double*)Scratch(GradientScratch, (nuint)geometry.OutChannels * 2);
            new Span<double>(biasSums, geometry.OutChannels).Clear();
            for (nint row = 0; row < (nint)geometry.Batch * pixels; row++)
            {
                for (int o = 0; o < geometry.OutChannels; o++)
                {
                    biasSums[o] += dy.Pointer[(row * geometry.OutChannels) + o];
                }
            }

            for (int o = 0; o < geometry.OutChannels; o++)
            {
                dBias.Pointer[o] = (float)biasSums[o];
            }
        }
    }

    private static ActivationReader Images(in Conv2dGeometry g, float* x, int halves) =>
        new() { X = x, Rows = g.Height, Columns = g.Width, Channels = g.InChannels, Count = g.Batch, ItemsPerHalf = g.Batch / halves };

    private static ActivationReader OutputImages(in Conv2dGeometry g, float* y, int halves) =>
        new() { X = y, Rows = g.OutHeight, Columns = g.OutWidth, Channels = g.OutChannels, Count = g.Batch, ItemsPerHalf = g.Batch / halves };

    /// <summary>Images that a job goes through at a time, all of one half.</summary>
    private static int ImagesOfJob(in Conv2dGeometry g, in ActivationReader images, int outChannels)
    {
        nint length = ((nint)g.Height * g.Width * g.InChannels) + ((nint)g.OutHeight * g.OutWidth * g.OutChannels);
        int most = FitsWinograd(g, images.Channels, outChannels) ? WinogradPass.ImagesAtOnce(g.Height) : ConvolutionPass.ImagesAtOnce(length);
        return Math.Min(most, images.ItemsPerHalf);
    }

    /// <summary>The convolution of images; sums are taken of blocks of <see cref="ImagesOfJob"/> images. A product takes plain images and no sums.</summary>
    private void Forward(in Conv2dGeometry g, in ActivationReader images, Tensor<float> filters, Tensor<float>? bias, float* y, in BlockSums sums)
    {
        int taps = g.KernelHeight * g.KernelWidth;
        float* panels = Scratch(PanelScratch, ConvolutionPass.PanelLength(taps, g.InChannels,
            g.OutChannels) + (nuint)ConvolutionPass.PaddedColumns(g.OutChannels));
        float* paddedBias = bias == null ? null : panels + ConvolutionPass.PanelLength(taps, g.InChannels, g.OutChannels);
        if (bias != null)
        {
            new Span<float>(paddedBias, ConvolutionPass.PaddedColumns(g.OutChannels)).Clear();
            new ReadOnlySpan<float>(bias.Pointer, g.OutChannels).CopyTo(new Span<float>(paddedBias, g.OutChannels));
        }

        PackForward(g, filters.Pointer, panels);
        if (FitsWinograd(g, g.InChannels, g.OutChannels))
        {
            Winograd(images, g.OutChannels, panels, paddedBias, false, y, sums);
            return;
        }

        if (IsProduct(g))
        {
            MatrixProduct(g.Batch * g.Height * g.Width, g.OutChannels, g.InChannels, images.X, panels, paddedBias, y);
            return;
        }

        int paddedRows = g.Height + (2 * g.Padding), paddedColumns = g.Width + (2 * g.Padding);
        nint imageLength = (nint)paddedRows * paddedColumns * g.InChannels;
        int group = ImagesOfJob(g, images, g.OutChannels);
        int* offsets = stackalloc int[g.KernelHeight];
        ForwardOffsets(g, paddedColumns, offsets);
        var job = new ForwardJob
        {
            Geometry = g,
            Images = images,
            Sums = sums,
            Y = y,
            Group = group,
            PaddedLength = imageLength,
            Padded = g.Padding == 0 && images.Coefficients == null ? null : Scratch(ImageScratch, (nuint)(imageLength * group) * (nuint)pool.Threads),
            Pass = ForwardPass(g, paddedColumns, offsets, panels, paddedBias, false, g.OutChannels, (nint)g.OutWidth * g.OutChannels),
        };
        pool.For(images.Halves * images.GroupsOfHalf(group), job);
    }

    /// <summary>The gradient of the convolution's input from that of its output; as <see cref="Forward"/>.</summary>
    private void BackwardData(in Conv2dGeometry g, in ActivationReader gradients, Tensor<float> filters, float* dx, in BlockSums sums)
    {
        int taps = g.KernelHeight * g.KernelWidth;
        if (IsProduct(g))
        {
            float* product = Scratch(PanelScratch, ConvolutionPass.PanelLength(1, g.OutChannels, g.InChannels));
            pool.For((g.InChannels + RegisterTile.Columns - 1) / RegisterTile.Columns, new PackTransposedJob
            {
                Geometry = g,
                Filters = filters.Pointer,
                Panels = product
            });
            MatrixProduct(g.Batch * g.Height * g.Width, g.InChannels, g.OutChannels, gradients.X, product, null, dx);
            return;
        }

        if (FitsWinograd(g, g.OutChannels, g.InChannels))
        {
            float* packed = Scratch(PanelScratch, ConvolutionPass.PanelLength(taps, g.OutChannels, g.InChannels));
            PackBackward(g, 0, 0, taps, filters.Pointer, packed);
            Winograd(gradients, g.InChannels, packed, null, true, dx, sums);
            return;
        }

        // Input row iy = stride u + r takes filter row kh from output row (iy + padding - kh) / stride, for the kh that divide: offset (r + padding - kh) /
        // stride from u.
        int stride = g.Stride, phases = stride * stride;
        int first = FirstOffset(g), lastRow = ((g.Height - 1) / stride) + LastOffset(g), lastColumn = ((g.Width - 1) / stride) + LastOffset(g);
        int margin = Math.Max(0, -first);
        int paddedRows = Math.Max(g.OutHeight, lastRow + 1) + margin, paddedColumns = Math.Max(g.OutWidth, lastColumn + 1) + margin;
        nint imageLength = (nint)paddedRows * paddedColumns * g.OutChannels;
        int group = ImagesOfJob(g, gradients, g.InChannels);
        nuint panelLength = ConvolutionPass.PanelLength(taps, g.OutChannels, g.InChannels);
        float* panels = Scratch(PanelScratch, panelLength);
        int* offsets = stackalloc int[taps];
        ConvolutionPass* passes = stackalloc ConvolutionPass[phases];
        float* nextPanel = panels;
        int* nextOffset = offsets;
        for (int phase = 0; phase < phases; phase++)
        {
            int rowPhase = phase / stride, columnPhase = phase % stride;
            int count = 0;
            for (int kh = 0; kh < g.KernelHeight; kh++)
            {
                for (int kw = 0; kw < g.KernelWidth; kw++)
                {
                    int down = rowPhase + g.Padding - kh, right = columnPhase + g.Padding - kw;
                    if (down % stride == 0 && right % stride == 0)
                    {
                        nextOffset[count++] = ((((down / stride) + margin) * paddedColumns) + (right / stride) + margin) * g.OutChannels;
                    }
                }
            }

            passes[phase] = new ConvolutionPass
            {
                Rows = (g.Height - rowPhase + stride - 1) / stride,
                Columns = (g.Width - columnPhase + stride - 1) / stride,
                SourceRowStride = (nint)paddedColumns * g.OutChannels,
                SourcePixelStride = g.OutChannels,
                TargetRowStride = (nint)stride * g.Width * g.InChannels,
                TargetPixelStride = (nint)stride * g.InChannels,
                Taps = count,
                Offsets = nextOffset,
                Channels = g.OutChannels,
                OutChannels = g.InChannels,
                Panels = nextPanel,
            };
            PackBackward(g, rowPhase, columnPhase, count, filters.Pointer, nextPanel);
            nextPanel += ConvolutionPass.PanelLength(count, g.OutChannels, g.InChannels);
            nextOffset += count;
        }

        var job = new BackwardDataJob
        {
            Geometry = g,
            Gradients = gradients,
            Sums = sums,
            Dx = dx,
            Margin = margin,
            PaddedRows = paddedRows,
            PaddedColumns = paddedColumns,
            Group = group,
            Padded = Scratch(ImageScratch, (nuint)(imageLength * group) * (nuint)pool.Threads),
            Passes = passes,
        };
        pool.For(gradients.Halves * gradients.GroupsOfHalf(group), job);
    }

    /// <summary>The forward sweep over an image with its margin, writing pixels that lie <paramref name="targetPixelStride"/> floats apart.</summary>
    private static ConvolutionPass ForwardPass(in Conv2dGeometry g, int paddedColumns, int* offsets, float* panels, float* bias, bool relu,
        nint targetPixelStride, nint targetRowStride) => new()
        {
            Rows = g.OutHeight,
            Columns = g.OutWidth,
            SourceRowStride = (nint)g.Stride * paddedColumns * g.InChannels,
            SourcePixelStride = (nint)g.Stride * g.InChannels,
            TargetRowStride = targetRowStride,
            TargetPixelStride = targetPixelStride,
            Taps = g.KernelHeight,
            Offsets = offsets,
            Channels = g.KernelWidth * g.InChannels,
            OutChannels = g.OutChannels,
            Panels = panels,
            Bias = bias,
            Relu = relu,
        };

    /// <summary>Of each row of the filters, whose taps follow one another in the image.</summary>
    private static void ForwardOffsets(in Conv2dGeometry g, int paddedColumns, int* offsets)
    {
        for (int kh = 0; kh < g.KernelHeight; kh++)
        {
            offsets[kh] = kh * paddedColumns * g.InChannels;
        }
    }

    private static int FirstOffset(in Conv2dGeometry g) => (int)Math.Ceiling((g.Padding - Math.Max(g.KernelHeight, g.KernelWidth) + 1) / (double)g.Stride);

    private static int LastOffset(in Conv2dGeometry g) => (g.Stride - 1 + g.Padding) / g.Stride;

    private void PackForward(in Conv2dGeometry g, float* filters, float* panels) =>
        pool.For(ConvolutionPass.PaddedColumns(g.OutChannels) / RegisterTile.Columns, new PackJob
        {
            Depth = g.KernelHeight * g.KernelWidth * g.InChannels,
            OutChannels = g.OutChannels,
            Filters = filters,
            Panels = panels
        });

    /// <summary>Panels of the taps of one phase: [panels of input channels][taps][out][channels of a panel].</summary>
    private static void PackBackward(in Conv2dGeometry g, int rowPhase, int columnPhase, int taps, float* filters, float* panels)
    {
        float* to = panels;
        for (int n = 0; n < g.InChannels; n += RegisterTile.Columns)
        {
            int columns = Math.Min(RegisterTile.Columns, g.InChannels - n);
            for (int kh = 0; kh < g.KernelHeight; kh++)
            {
                for (int kw = 0; kw < g.KernelWidth; kw++)
                {
                    if ((rowPhase + g.Padding - kh) % g.Stride != 0 || (columnPhase + g.Padding - kw) % g.Stride != 0)
                    {
                        continue;
                    }

                    for (int o = 0; o < g.OutChannels; o++, to += RegisterTile.Columns)
                    {
                        float* from = filters + ((((((nint)o * g.KernelHeight) + kh) * g.KernelWidth) + kw) * g.InChannels) + n;
                        new ReadOnlySpan<float>(from, columns).CopyTo(new Span<float>(to, columns));
                        new Span<float>(to + columns, RegisterTile.Columns - columns).Clear();
                    }
                }
            }
        }
    }

    private struct PackJob : IParallelJob
    {
        public int Depth, OutChannels;
        public float* Filters, Panels;

        public readonly void Run(int index, int worker)
        {
            int n = index * RegisterTile.Columns, columns = Math.Min(RegisterTile.Columns, OutChannels - n);
            float* to = Panels + ((nint)n * Depth);
            float* from = Filters + ((nint)n * Depth);
            if (columns < RegisterTile.Columns)
            {
                new Span<float>(to, Depth * RegisterTile.Columns).Clear();
            }

            for (int k = 0; k < Depth; k += TransposeTile, to += TransposeTile * RegisterTile.Columns)
            {
                int depth = Math.Min(TransposeTile, Depth - k);
                for (int j = 0; j < columns; j++)
                {
                    float* row = from + ((nint)j * Depth) + k;
                    for (int i = 0; i < depth; i++)
                    {
                        to[(i * RegisterTile.Columns) + j] = row[i];
                    }
                }
            }
        }
    }

    private struct ForwardJob : IParallelJob
    {
        public Conv2dGeometry Geometry;
        public ActivationReader Images;
        public BlockSums Sums;
        public int Group;
        public float* Y, Padded;
        public nint PaddedLength;
        public ConvolutionPass Pass;

        public readonly void Run(int index, int worker)
        {
            (int half, int first, int count) = Images.Group(index, Group);
            float* source = Images.X + (first * Images.ItemLength);
            if (Padded != null)
            {
                source = Padded + (worker * Group * PaddedLength);
                for (int i = 0; i < count; i++)
                {
                    Images.Read(first + i, 0, Geometry.InChannels, Geometry.Padding, Geometry.Height + (2 * Geometry.Padding),
                        Geometry.Width + (2 * Geometry.Padding), source + (i * PaddedLength));
                }
            }

            int pixels = Geometry.OutHeight * Geometry.OutWidth;
            nint firstPixel = (nint)first * pixels;
            Pass.Run(count, source, PaddedLength, Y + (firstPixel * Geometry.OutChannels), (nint)pixels * Geometry.OutChannels);
            Sums.Gather(index, half, Y, firstPixel, count * pixels);
        }
    }

    private struct BackwardDataJob : IParallelJob
    {
        public Conv2dGeometry Geometry;
        public ActivationReader Gradients;
        public BlockSums Sums;
        public int Margin, PaddedRows, PaddedColumns, Group;
        public float* Dx, Padded;
        public ConvolutionPass* Passes;

        public readonly void Run(int index, int worker)
        {
            (int half, int first, int count) = Gradients.Group(index, Group);
            int pixels = Geometry.Height * Geometry.Width;
            nint paddedLength = (nint)PaddedRows * PaddedColumns * Geometry.OutChannels, firstPixel = (nint)first * pixels;
            float* padded = Padded + (worker * Group * paddedLength);
            for (int i = 0; i < count; i++)
            {
                Gradients.Read(first + i, 0, Geometry.OutChannels, Margin, PaddedRows, PaddedColumns, padded + (i * paddedLength));
            }

            float* target = Dx + (firstPixel * Geometry.InChannels);
            for (int phase = 0; phase < Geometry.Stride * Geometry.Stride; phase++)
            {
                int rowPhase = phase / Geometry.Stride, columnPhase = phase % Geometry.Stride;
                Passes[phase].Run(count, padded, paddedLength, target + ((((nint)rowPhase * Geometry.Width) + columnPhase) * Geometry.InChannels),
                    (nint)pixels * Geometry.InChannels);
            }

            Sums.Gather(index, half, Dx, firstPixel, count * pixels);
        }
    }
}
