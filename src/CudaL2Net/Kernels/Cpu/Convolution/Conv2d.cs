using System.Runtime.Intrinsics;

namespace CudaL2Net.Kernels.Cpu;

/// <summary>
/// Convolution by register tiles straight on NHWC images: a padded copy of one image stays in the L2 cache while all filters sweep it, so there is no im2col.
/// A filter as large as its unpadded image (L2-Net's last layer) and 1x1 filters are matrix products over all pixels of the batch.
/// </summary>
internal sealed unsafe partial class CpuDevice
{
    private const int TransposeTile = 16;
    private const int SumRows = 64;

    // Filter gradients are cut into this many pieces: ranges of input channels, and parts of the batch that are each summed in image order and then added in
    // order. The sum does not depend on the number of threads.
    private const int GradientPieces = 32;

    // Pixels of a filter gradient whose input channels and 16 of whose gradients (24 KB) stay in the first cache while tiles of 256-bit vectors pass over them.
    private const int NarrowPixels = 128;

    // A depth slice of a panel (64 KB) and the rows that pass over it stay in the L2 cache.
    private const int ProductDepth = 512;
    private const int ProductRows = 64;

    // Images (floats of a channel range with its margins, and of the output's gradient) that stay in the L2 cache while the tiles of the filter gradient pass
    // over them; a tile sums them in registers before it goes to memory.
    private const int GroupLength = 150_000;

    // Pixels that a matrix product's gradient sums in registers: their channels are first copied side by side, since whole pixels lie far apart.
    private const int ProductPixels = 256;
    private const int ProductChannels = 128;

    // Rows a power of two apart would evict one another from the first cache.
    private const int NarrowProductStride = ProductChannels + 16;

    private static int GradientChannels => Vector512.IsHardwareAccelerated ? 64 : 32;

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

    private static ImageReader Images(in Conv2dGeometry g, float* x, int sides) =>
        new() { X = x, Rows = g.Height, Columns = g.Width, Channels = g.InChannels, Count = g.Batch, ImagesPerSide = g.Batch / sides };

    private static ImageReader OutputImages(in Conv2dGeometry g, float* y, int sides) =>
        new() { X = y, Rows = g.OutHeight, Columns = g.OutWidth, Channels = g.OutChannels, Count = g.Batch, ImagesPerSide = g.Batch / sides };

    /// <summary>Images that a job goes through at a time, all of one side.</summary>
    private static int ImagesOfJob(in Conv2dGeometry g, in ImageReader images, int outChannels)
    {
        nint length = ((nint)g.Height * g.Width * g.InChannels) + ((nint)g.OutHeight * g.OutWidth * g.OutChannels);
        int most = FitsWinograd(g, images.Channels, outChannels) ? WinogradPass.ImagesAtOnce(g.Height) : ConvolutionPass.ImagesAtOnce(length);
        return Math.Min(most, images.ImagesPerSide);
    }

    /// <summary>The convolution of images; sums are taken of blocks of <see cref="ImagesOfJob"/> images. A product takes plain images and no sums.</summary>
    private void Forward(in Conv2dGeometry g, in ImageReader images, Tensor<float> filters, Tensor<float>? bias, float* y, in BlockSums sums)
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
        pool.For(images.Sides * images.GroupsOfSide(group), job);
    }

    /// <summary>The gradient of the convolution's input from that of its output; as <see cref="Forward"/>.</summary>
    private void BackwardData(in Conv2dGeometry g, in ImageReader gradients, Tensor<float> filters, float* dx, in BlockSums sums)
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
        pool.For(gradients.Sides * gradients.GroupsOfSide(group), job);
    }

    /// <summary>The gradient of the filters from input and gradient of the output. A product takes plain images.</summary>
    private void BackwardFilter(in Conv2dGeometry g, in ImageReader images, in ImageReader gradients, Tensor<float> dFilters)
    {
        int taps = g.KernelHeight * g.KernelWidth;
        nint partLength = (nint)taps * g.InChannels * g.OutChannels;
        float* sums;
        int parts = 1;
        if (FitsWinograd(g, g.InChannels, g.OutChannels))
        {
            sums = Scratch(GradientScratch, (nuint)partLength);
            WinogradFilterGradient(images, gradients, sums);
        }
        else if (IsProduct(g))
        {
            sums = Scratch(GradientScratch, (nuint)partLength);
            float* packed = Scratch(ImageScratch, (nuint)(ProductPixels * NarrowProductStride) * (nuint)pool.Threads);
            pool.For((g.InChannels + ProductChannels - 1) / ProductChannels, new ProductGradientJob
            {
                Geometry = g,
                X = images.X,
                Dy = gradients.X,
                Packed = packed,
                Sums = sums,
            });
        }
        else
        {
            int ranges = (g.InChannels + GradientChannels - 1) / GradientChannels;
            parts = Math.Clamp(GradientPieces / ranges, 1, g.Batch);
            int paddedRows = g.Height + (2 * g.Padding), paddedColumns = g.Width + (2 * g.Padding);
            nint packedLength = (nint)paddedRows * paddedColumns * Math.Min(GradientChannels, g.InChannels);
            int largest = (g.Batch + parts - 1) / parts;
            int group = Math.Clamp(GroupLength / (int)(packedLength + ((nint)g.OutHeight * g.OutWidth * g.OutChannels)), 1, largest);
            int groups = (largest + group - 1) / group;
            group = (largest + groups - 1) / groups;
            sums = Scratch(GradientScratch, (nuint)partLength * (nuint)parts);
            pool.For(parts * ranges, new BackwardFilterJob
            {
                Geometry = g,
                Parts = parts,
                Ranges = ranges,
                Group = group,
                Images = images,
                Gradients = gradients,
                PackedLength = packedLength,
                Packed = Scratch(ImageScratch, (nuint)((packedLength + gradients.ImageLength) * group) * (nuint)pool.Threads),
                Sums = sums,
            });
        }

        int rows = taps * g.InChannels;
        pool.For((rows + SumRows - 1) / SumRows, new SumPartsJob
        {
            Parts = parts,
            PartLength = partLength,
            Rows = rows,
            OutChannels = g.OutChannels,
            Sums = sums,
            Filters = dFilters.Pointer,
        });
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

    private static bool IsProduct(in Conv2dGeometry g) => g is { KernelHeight: 1, KernelWidth: 1, Stride: 1, Padding: 0 };

    /// <summary>A filter that covers its unpadded image is a 1x1 filter on one pixel whose channels are all the image's values.</summary>
    private static Conv2dGeometry Collapse(in Conv2dGeometry g) => g.Padding == 0 && g.KernelHeight == g.Height && g.KernelWidth == g.Width
        ? new Conv2dGeometry(g.Batch, 1, 1, g.Height * g.Width * g.InChannels, g.OutChannels, 1, 1, 1, 0)
        : g;

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

    /// <summary>y[m][n] = a[m][k] b[k][n] + bias[n], b packed in panels.</summary>
    private void MatrixProduct(int m, int n, int k, float* a, float* panels, float* bias, float* y) =>
        pool.For((m + ProductRows - 1) / ProductRows * ((n + RegisterTile.Columns - 1) / RegisterTile.Columns), new ProductJob
        {
            M = m,
            N = n,
            K = k,
            A = a,
            Panels = panels,
            Bias = bias,
            Y = y
        });

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

    private struct PackTransposedJob : IParallelJob
    {
        public Conv2dGeometry Geometry;
        public float* Filters, Panels;

        public readonly void Run(int index, int worker)
        {
            int n = index * RegisterTile.Columns, columns = Math.Min(RegisterTile.Columns, Geometry.InChannels - n);
            float* to = Panels + ((nint)n * Geometry.OutChannels);
            for (int o = 0; o < Geometry.OutChannels; o++, to += RegisterTile.Columns)
            {
                new ReadOnlySpan<float>(Filters + ((nint)o * Geometry.InChannels) + n, columns).CopyTo(new Span<float>(to, columns));
                new Span<float>(to + columns, RegisterTile.Columns - columns).Clear();
            }
        }
    }

    private struct ForwardJob : IParallelJob
    {
        public Conv2dGeometry Geometry;
        public ImageReader Images;
        public BlockSums Sums;
        public int Group;
        public float* Y, Padded;
        public nint PaddedLength;
        public ConvolutionPass Pass;

        public readonly void Run(int index, int worker)
        {
            (int side, int first, int count) = Images.Group(index, Group);
            float* source = Images.X + (first * Images.ImageLength);
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
            Sums.Gather(index, side, Y, firstPixel, count * pixels);
        }
    }

    private struct BackwardDataJob : IParallelJob
    {
        public Conv2dGeometry Geometry;
        public ImageReader Gradients;
        public BlockSums Sums;
        public int Margin, PaddedRows, PaddedColumns, Group;
        public float* Dx, Padded;
        public ConvolutionPass* Passes;

        public readonly void Run(int index, int worker)
        {
            (int side, int first, int count) = Gradients.Group(index, Group);
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

            Sums.Gather(index, side, Dx, firstPixel, count * pixels);
        }
    }

    /// <summary>A part of the batch and a range of input channels: the part's sum of that range of the filter gradient, [tap][in][out].</summary>
    private struct BackwardFilterJob : IParallelJob
    {
        public Conv2dGeometry Geometry;
        public ImageReader Images, Gradients;
        public int Parts, Ranges, Group;
        public float* Packed, Sums;
        public nint PackedLength;

        public readonly void Run(int index, int worker)
        {
            int part = index / Ranges, firstChannel = index % Ranges * GradientChannels;
            int channels = Math.Min(GradientChannels, Geometry.InChannels - firstChannel);
            int taps = Geometry.KernelHeight * Geometry.KernelWidth;
            nint rowLength = (nint)Geometry.InChannels * Geometry.OutChannels;
            float* sums = Sums + (part * taps * rowLength) + ((nint)firstChannel * Geometry.OutChannels);
            for (int tap = 0; tap < taps; tap++)
            {
                new Span<float>(sums + (tap * rowLength), channels * Geometry.OutChannels).Clear();
            }

            float* packed = Packed + (worker * (PackedLength + Gradients.ImageLength) * Group), finished = packed + (PackedLength * Group);
            int end = (int)((long)Geometry.Batch * (part + 1) / Parts);
            for (int n = (int)((long)Geometry.Batch * part / Parts); n < end; n += Group)
            {
                int count = Math.Min(Group, end - n);
                for (int i = 0; i < count; i++)
                {
                    Images.Read(n + i, firstChannel, channels, Geometry.Padding, Geometry.Height + (2 * Geometry.Padding),
                        Geometry.Width + (2 * Geometry.Padding), packed + (i * PackedLength));
                }

                float* gradient = Gradients.Whole(n, count, finished);
                if (Vector512.IsHardwareAccelerated || Geometry.OutChannels % RegisterTile.NarrowColumns != 0)
                {
                    AddImages(count, packed, channels, gradient, sums);
                }
                else
                {
                    AddImagesNarrow(count, packed, channels, gradient, sums);
                }
            }
        }

        /// <summary>
        /// By tiles of six rows (a row is a channel of a tap) and 16 columns, over as many pixels as stay in the first cache.
        /// </summary>
        private readonly void AddImagesNarrow(int count, float* packed, int channels, float* dy, float* sums)
        {
            int outChannels = Geometry.OutChannels, columns = Geometry.OutWidth, pixels = columns * Geometry.OutHeight;
            int most = NarrowPixels / Geometry.Stride, rows = Math.Clamp(most / columns, 1, Geometry.OutHeight), images = Math.Max(1, most / pixels);
            nint rowStride = (nint)Geometry.Stride * (Geometry.Width + (2 * Geometry.Padding)) * channels;
            int tiles = ((Geometry.KernelHeight * Geometry.KernelWidth * channels) + RegisterTile.NarrowRows - 1) / RegisterTile.NarrowRows;
            float* panel = stackalloc float[NarrowPixels * RegisterTile.NarrowColumns];
            float* unused = stackalloc float[outChannels];
            float** x = stackalloc float*[tiles * RegisterTile.NarrowRows], y = stackalloc float*[tiles * RegisterTile.NarrowRows];
            for (int image = 0; image < count; image += images)
            {
                for (int row = 0; row < Geometry.OutHeight; row += rows)
                {
                    for (int column = 0; column < columns; column += NarrowPixels)
                    {
                        var layout = new GradientImages
                        {
                            Count = Math.Min(images, count - image),
                            Rows = Math.Min(rows, Geometry.OutHeight - row),
                            Columns = Math.Min(NarrowPixels, columns - column),
                            ImageStride = PackedLength,
                            RowStride = rowStride,
                            PixelStride = (nint)Geometry.Stride * channels,
                            GradientImageStride = (nint)pixels * outChannels,
                            GradientRowStride = (nint)columns * outChannels,
                            GradientPixelStride = outChannels,
                        };
                        float* from = packed + (image * PackedLength) + (row * rowStride) + (column * layout.PixelStride);
                        float* gradient = dy + ((((((nint)image * Geometry.OutHeight) + row) * columns) + column) * outChannels);
                        Rows(from, channels, sums, unused, x, y);
                        for (int o = 0; o < outChannels; o += RegisterTile.NarrowColumns)
                        {
                            GradientImages gradients = layout.PackGradients(gradient + o, panel);
                            for (int tile = 0; tile < tiles; tile++)
                            {
                                RegisterTile.OuterProduct6x16(gradients, x + (tile * RegisterTile.NarrowRows), panel, y + (tile * RegisterTile.NarrowRows), o);
                            }
                        }
                    }
                }
            }
        }

        /// <summary>Where the rows of the gradient, the channels of all taps, begin in the images and in the sums; those beyond the last go nowhere.</summary>
        private readonly void Rows(float* from, int channels, float* sums, float* unused, float** x, float** y)
        {
            int rows = Geometry.KernelHeight * Geometry.KernelWidth * channels, row = 0;
            nint sumStride = (nint)Geometry.InChannels * Geometry.OutChannels, tapRow = (nint)(Geometry.Width + (2 * Geometry.Padding)) * channels;
            for (int tap = 0; tap < Geometry.KernelHeight * Geometry.KernelWidth; tap++)
            {
                float* at = from + (tap / Geometry.KernelWidth * tapRow) + ((nint)(tap % Geometry.KernelWidth) * channels);
                for (int channel = 0; channel < channels; channel++, row++)
                {
                    x[row] = at + channel;
                    y[row] = sums + (tap * sumStride) + ((nint)channel * Geometry.OutChannels);
                }
            }

            for (; row % RegisterTile.NarrowRows != 0; row++)
            {
                x[row] = from;
                y[row] = unused;
            }
        }

        private readonly void AddImages(int count, float* packed, int channels, float* dy, float* sums)
        {
            int outChannels = Geometry.OutChannels, paddedColumns = Geometry.Width + (2 * Geometry.Padding);
            nint rowLength = (nint)Geometry.InChannels * outChannels;
            var layout = new GradientImages
            {
                Count = count,
                Rows = Geometry.OutHeight,
                Columns = Geometry.OutWidth,
                ImageStride = PackedLength,
                RowStride = (nint)Geometry.Stride * paddedColumns * channels,
                PixelStride = (nint)Geometry.Stride * channels,
                GradientImageStride = (nint)Geometry.OutHeight * Geometry.OutWidth * outChannels,
                GradientRowStride = (nint)Geometry.OutWidth * outChannels,
                GradientPixelStride = outChannels,
            };
            for (int o = 0; o < outChannels; o += RegisterTile.Columns)
            {
                int columns = Math.Min(RegisterTile.Columns, outChannels - o);
                for (int tap = 0; tap < Geometry.KernelHeight * Geometry.KernelWidth; tap++)
                {
                    float* at = packed + ((((nint)(tap / Geometry.KernelWidth) * paddedColumns) + (tap % Geometry.KernelWidth)) * channels);
                    for (int c = 0; c < channels; c += RegisterTile.Rows)
                    {
                        float* sum = sums + (tap * rowLength) + ((nint)c * outChannels) + o;
                        RegisterTile.OuterProduct(layout, at + c, dy + o, sum, outChannels, Math.Min(RegisterTile.Rows, channels - c), columns);
                    }
                }
            }
        }
    }

    /// <summary>Adds the parts in order and turns [tap and channel][out] into [out][tap and channel], 16 x 16 values at a time.</summary>
    private struct SumPartsJob : IParallelJob
    {
        public int Parts, Rows, OutChannels;
        public nint PartLength;
        public float* Sums, Filters;

        public readonly void Run(int index, int worker)
        {
            float* tile = stackalloc float[TransposeTile * TransposeTile];
            float* sums = stackalloc float[TransposeTile];
            int end = Math.Min(Rows, (index + 1) * SumRows);
            for (int first = 0; first < OutChannels; first += TransposeTile)
            {
                int outs = Math.Min(TransposeTile, OutChannels - first);
                for (int t = index * SumRows; t < end; t += TransposeTile)
                {
                    int rows = Math.Min(TransposeTile, end - t);
                    for (int i = 0; i < rows; i++)
                    {
                        AddParts(Sums + ((nint)(t + i) * OutChannels) + first, outs, sums);
                        for (int o = 0; o < outs; o++)
                        {
                            tile[(o * TransposeTile) + i] = sums[o];
                        }
                    }

                    for (int o = 0; o < outs; o++)
                    {
                        new ReadOnlySpan<float>(tile + (o * TransposeTile), rows).CopyTo(new Span<float>(Filters + ((nint)(first + o) * Rows) + t, rows));
                    }
                }
            }
        }

        private readonly void AddParts(float* from, int outs, float* sums)
        {
            if (outs == TransposeTile)
            {
                Vector512<float> sum = Vector512.Load(from);
                for (int part = 1; part < Parts; part++)
                {
                    sum += Vector512.Load(from + (part * PartLength));
                }

                Vector512.Store(sum, sums);
                return;
            }

            for (int o = 0; o < outs; o++)
            {
                float sum = from[o];
                for (int part = 1; part < Parts; part++)
                {
                    sum += from[(part * PartLength) + o];
                }

                sums[o] = sum;
            }
        }
    }

    private struct ProductGradientJob : IParallelJob
    {
        public Conv2dGeometry Geometry;
        public float* X, Dy, Packed, Sums;

        public readonly void Run(int index, int worker)
        {
            int inChannels = Geometry.InChannels, outChannels = Geometry.OutChannels, pixels = Geometry.Batch * Geometry.Height * Geometry.Width;
            int first = index * ProductChannels, channels = Math.Min(ProductChannels, inChannels - first);
            float* packed = Packed + ((nint)worker * ProductPixels * NarrowProductStride);
            bool narrow = !Vector512.IsHardwareAccelerated && outChannels % RegisterTile.NarrowColumns == 0;
            float* sums = Sums + ((nint)first * outChannels);
            new Span<float>(sums, channels * outChannels).Clear();
            for (int pixel = 0; pixel < pixels; pixel += ProductPixels)
            {
                int count = Math.Min(ProductPixels, pixels - pixel), stride = narrow ? NarrowProductStride : ProductChannels;
                for (int i = 0; i < count; i++)
                {
                    var from = new ReadOnlySpan<float>(X + ((nint)(pixel + i) * inChannels) + first, channels);
                    from.CopyTo(new Span<float>(packed + (i * stride), channels));
                }

                if (narrow)
                {
                    for (int done = 0; done < count; done += NarrowPixels)
                    {
                        AddNarrow(Math.Min(NarrowPixels, count - done), packed + (done * stride), channels, Dy + ((nint)(pixel + done) * outChannels), sums);
                    }

                    continue;
                }

                var layout = GradientImages.Matrices(count, stride, outChannels);
                for (int o = 0; o < outChannels; o += RegisterTile.Columns)
                {
                    float* dy = Dy + ((nint)pixel * outChannels) + o;
                    int columns = Math.Min(RegisterTile.Columns, outChannels - o);
                    for (int c = 0; c < channels; c += RegisterTile.Rows)
                    {
                        int rows = Math.Min(RegisterTile.Rows, channels - c);
                        RegisterTile.OuterProduct(layout, packed + c, dy, sums + ((nint)c * outChannels) + o, outChannels, rows, columns);
                    }
                }
            }
        }

        private readonly void AddNarrow(int pixels, float* packed, int channels, float* dy, float* sums)
        {
            float* panel = stackalloc float[NarrowPixels * RegisterTile.NarrowColumns];
            float* unused = stackalloc float[RegisterTile.NarrowColumns];
            float** x = stackalloc float*[RegisterTile.NarrowRows], y = stackalloc float*[RegisterTile.NarrowRows];
            for (int o = 0; o < Geometry.OutChannels; o += RegisterTile.NarrowColumns)
            {
                GradientImages layout = GradientImages.Matrices(pixels, NarrowProductStride, Geometry.OutChannels).PackGradients(dy + o, panel);
                for (int c = 0; c < channels; c += RegisterTile.NarrowRows)
                {
                    for (int m = 0; m < RegisterTile.NarrowRows; m++)
                    {
                        x[m] = packed + Math.Min(c + m, channels - 1);
                        y[m] = c + m < channels ? sums + ((nint)(c + m) * Geometry.OutChannels) + o : unused;
                    }

                    RegisterTile.OuterProduct6x16(layout, x, panel, y, 0);
                }
            }
        }
    }

    private struct ProductJob : IParallelJob
    {
        public int M, N, K;
        public float* A, Panels, Bias, Y;

        public readonly void Run(int index, int worker)
        {
            int blocks = (N + RegisterTile.Columns - 1) / RegisterTile.Columns;
            int n = index % blocks * RegisterTile.Columns, first = index / blocks * ProductRows, end = Math.Min(M, first + ProductRows);
            int columns = Math.Min(RegisterTile.Columns, N - n), offset = 0;
            float* panel = Panels + ((nint)n * K);
            for (int k = 0; k < K; k += ProductDepth)
            {
                for (int m = first; m < end; m += RegisterTile.Rows)
                {
                    RegisterTile.Multiply(A + ((nint)m * K) + k, K, &offset, 1, Math.Min(ProductDepth, K - k), panel + ((nint)k * RegisterTile.Columns),
                        Bias == null ? null : Bias + n, k > 0, false, Y + ((nint)m * N) + n, N, Math.Min(RegisterTile.Rows, end - m), columns);
                }
            }
        }
    }
}
