using System.Runtime.Intrinsics;

namespace CudaL2Net.Kernels.Cpu;

// The gradient of a convolution's filters.
internal sealed unsafe partial class CpuDevice
{
    private const int SumRows = 64;

    // Filter gradients are cut into this many pieces: ranges of input channels, and parts of the batch that are each summed in image order and then added in
    // order. The sum does not depend on the number of threads.
    private const int GradientPieces = 32;

    // Pixels of a filter gradient whose input channels and 16 of whose gradients (24 KB) stay in the first cache while tiles of 256-bit vectors pass over them.
    private const int NarrowPixels = 128;

    // Images (floats of a channel range with its margins, and of the output's gradient) that stay in the L2 cache while the tiles of the filter gradient pass
    // over them; a tile sums them in registers before it goes to memory.
    private const int GroupLength = 150_000;

    private static int GradientChannels => Vector512.IsHardwareAccelerated ? 64 : 32;

    /// <summary>The gradient of the filters from input and gradient of the output. A product takes plain images.</summary>
    private void BackwardFilter(in Conv2dGeometry g, in ActivationReader images, in ActivationReader gradients, Tensor<float> dFilters)
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
                Packed = Scratch(ImageScratch, (nuint)((packedLength + gradients.ItemLength) * group) * (nuint)pool.Threads),
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

    /// <summary>A part of the batch and a range of input channels: the part's sum of that range of the filter gradient, [tap][in][out].</summary>
    private struct BackwardFilterJob : IParallelJob
    {
        public Conv2dGeometry Geometry;
        public ActivationReader Images, Gradients;
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

            float* packed = Packed + (worker * (PackedLength + Gradients.ItemLength) * Group), finished = packed + (PackedLength * Group);
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
}
