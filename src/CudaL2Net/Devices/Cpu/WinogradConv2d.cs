using CudaL2Net.Operations;

namespace CudaL2Net.Devices.Cpu;

/// <summary>Convolutions of a batch by <see cref="WinogradPass"/>: the forward pass, and the gradient of the input, which is a forward pass with turned filters.</summary>
internal sealed unsafe partial class CpuDevice
{
    private const int WinogradFilterScratch = 4;
    private const int WinogradScratch = 5;

    // A filter gradient is cut into this many pieces, ranges of input channels and parts of the batch, each with 36 sums a pair of channels.
    private const int WinogradPieces = 16;
    private const int MostWinogradChannels = 64;

    private static bool FitsWinograd(in Conv2dGeometry g, int inChannels, int outChannels) => g.Height == g.Width && g.KernelHeight == g.KernelWidth
        && WinogradPass.Fits(g.KernelHeight, g.Stride, g.Padding, g.Height, inChannels, outChannels);

    /// <summary>Filters [36][panels][in][channels of a panel] of packed ones.</summary>
    private void TransformFilters(float* panels, int inChannels, int outChannels, bool turned, float* transformed) =>
        pool.For(outChannels / RegisterTile.Columns, new TransformFiltersJob
        {
            InChannels = inChannels,
            OutChannels = outChannels,
            Turned = turned,
            Panels = panels,
            Transformed = transformed,
        });

    private void Winograd(in Conv2dGeometry g, int inChannels, int outChannels, float* source, float* panels, float* bias, bool turned, float* target)
    {
        float* filters = Scratch(WinogradFilterScratch, WinogradPass.FilterLength(inChannels, outChannels));
        TransformFilters(panels, inChannels, outChannels, turned, filters);
        var pass = new WinogradPass
        {
            Side = g.Height,
            InChannels = inChannels,
            OutChannels = outChannels,
            TargetRowStride = (nint)g.Width * outChannels,
            Filters = filters,
            Bias = bias,
        };
        int group = Math.Min(pass.ImagesAtOnce, g.Batch);
        nint paddedLength = (nint)(g.Height + 2) * (g.Width + 2) * inChannels;
        nuint scratchLength = ((nuint)(group * paddedLength) + pass.ScratchLength(group) + 15) & ~(nuint)15;
        pool.For((g.Batch + group - 1) / group, new WinogradJob
        {
            Pass = pass,
            Batch = g.Batch,
            Group = group,
            PaddedLength = paddedLength,
            Source = source,
            Target = target,
            Scratch = Scratch(WinogradScratch, scratchLength * (nuint)pool.Threads),
            ScratchLength = (nint)scratchLength,
        });
    }

    /// <summary>The filter gradient as [tap][in][out].</summary>
    private void WinogradFilterGradient(in Conv2dGeometry g, float* x, float* dy, float* gradient)
    {
        int channels = WinogradChannels(g.InChannels), ranges = g.InChannels / channels, parts = Math.Clamp(WinogradPieces / ranges, 1, g.Batch);
        var pass = new WinogradGradient
        {
            Side = g.Height,
            Channels = channels,
            OutChannels = g.OutChannels,
            PointStride = (nint)g.InChannels * g.OutChannels,
            PanelStride = (nint)g.InChannels * RegisterTile.Columns,
        };
        int tiles = g.Height / WinogradPass.TileSide * (g.Height / WinogradPass.TileSide);
        int group = Math.Clamp(WinogradGradient.TilesAtOnce / tiles, 1, g.Batch);
        nint partLength = WinogradPass.Points * pass.PointStride, packedLength = (nint)(g.Height + 2) * (g.Width + 2) * channels;
        nuint scratchLength = ((nuint)(group * packedLength) + pass.ScratchLength + 15) & ~(nuint)15;
        float* sums = Scratch(WinogradFilterScratch, (nuint)partLength * (nuint)parts);
        pool.For(parts * ranges, new WinogradGradientJob
        {
            Pass = pass,
            Batch = g.Batch,
            InChannels = g.InChannels,
            Parts = parts,
            Ranges = ranges,
            Group = group,
            X = x,
            Dy = dy,
            Sums = sums,
            PartLength = partLength,
            PackedLength = packedLength,
            Scratch = Scratch(WinogradScratch, scratchLength * (nuint)pool.Threads),
            ScratchLength = (nint)scratchLength,
        });
        pool.For(g.InChannels, new FinishWinogradGradientJob { Pass = pass, Parts = parts, PartLength = partLength, Sums = sums, Gradient = gradient });
    }

    /// <summary>Input channels whose gradient is computed together: as many as there are, up to 64, in equal parts.</summary>
    private static int WinogradChannels(int inChannels)
    {
        int channels = Math.Min(inChannels, MostWinogradChannels);
        while (inChannels % channels != 0)
        {
            channels -= WinogradPass.Lanes;
        }

        return channels;
    }

    private struct TransformFiltersJob : IParallelJob
    {
        public int InChannels, OutChannels;
        public bool Turned;
        public float* Panels, Transformed;

        public readonly void Run(int index, int worker)
        {
            nint start = (nint)index * RegisterTile.Columns * InChannels;
            WinogradPass.TransformFilters(Panels + (9 * start), InChannels, OutChannels, Turned, Transformed + start);
        }
    }

    /// <summary>A group of images.</summary>
    private struct WinogradJob : IParallelJob
    {
        public WinogradPass Pass;
        public int Batch, Group;
        public float* Source, Target, Scratch;
        public nint PaddedLength, ScratchLength;

        public readonly void Run(int index, int worker)
        {
            int first = index * Group, images = Math.Min(Group, Batch - first), side = Pass.Side;
            float* padded = Scratch + (worker * ScratchLength);
            for (int i = 0; i < images; i++)
            {
                ConvolutionPass.Pad(Source + ((nint)(first + i) * side * side * Pass.InChannels), Pass.InChannels, side, side, Pass.InChannels, 1,
                    padded + (i * PaddedLength));
            }

            nint targetLength = (nint)side * side * Pass.OutChannels;
            Pass.Run(images, padded, PaddedLength, Target + (first * targetLength), targetLength, padded + (Group * PaddedLength));
        }
    }

    /// <summary>A part of the batch and a range of input channels: the part's sums of that range, [36][panels][in][channels of a panel].</summary>
    private struct WinogradGradientJob : IParallelJob
    {
        public WinogradGradient Pass;
        public int Batch, InChannels, Parts, Ranges, Group;
        public float* X, Dy, Sums, Scratch;
        public nint PartLength, PackedLength, ScratchLength;

        public readonly void Run(int index, int worker)
        {
            int part = index / Ranges, channels = Pass.Channels, first = index % Ranges * channels, side = Pass.Side;
            float* sums = Sums + (part * PartLength) + ((nint)first * RegisterTile.Columns);
            for (nint row = 0; row < PartLength; row += Pass.PanelStride)
            {
                new Span<float>(sums + row, channels * RegisterTile.Columns).Clear();
            }

            float* packed = Scratch + (worker * ScratchLength);
            nint pixels = (nint)side * side;
            int end = (int)((long)Batch * (part + 1) / Parts);
            for (int n = (int)((long)Batch * part / Parts); n < end; n += Group)
            {
                int images = Math.Min(Group, end - n);
                for (int i = 0; i < images; i++)
                {
                    ConvolutionPass.Pad(X + ((n + i) * pixels * InChannels) + first, InChannels, side, side, channels, 1, packed + (i * PackedLength));
                }

                Pass.Add(images, packed, Dy + (n * pixels * Pass.OutChannels), sums, packed + (Group * PackedLength));
            }
        }
    }

    /// <summary>One input channel's gradient of all parts' sums.</summary>
    private struct FinishWinogradGradientJob : IParallelJob
    {
        public WinogradGradient Pass;
        public int Parts;
        public nint PartLength;
        public float* Sums, Gradient;

        public readonly void Run(int index, int worker)
        {
            for (int o = 0; o < Pass.OutChannels; o += RegisterTile.Columns)
            {
                float* from = Sums + (o / RegisterTile.Columns * Pass.PanelStride) + ((nint)index * RegisterTile.Columns);
                Pass.Finish(from, Parts, PartLength, Gradient + ((nint)index * Pass.OutChannels) + o, Pass.PointStride);
            }
        }
    }
}
