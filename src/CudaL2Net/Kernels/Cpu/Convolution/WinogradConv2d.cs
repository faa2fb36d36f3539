namespace CudaL2Net.Kernels.Cpu;

/// <summary>Convolutions of a batch by <see cref="WinogradPass"/>: the forward pass, and the gradient of the input, which is a forward pass with turned filters.</summary>
internal sealed unsafe partial class CpuDevice
{
    // A filter gradient is cut into this many pieces, ranges of input channels and parts of the batch, each with 36 sums per pair of channels.
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

    private void Winograd(in ActivationReader images, int outChannels, float* panels, float* bias, bool turned, float* target, in BlockSums sums)
    {
        int side = images.Rows, inChannels = images.Channels;
        float* filters = Scratch(WinogradFilterScratch, WinogradPass.FilterLength(inChannels, outChannels));
        TransformFilters(panels, inChannels, outChannels, turned, filters);
        var pass = new WinogradPass
        {
            Side = side,
            InChannels = inChannels,
            OutChannels = outChannels,
            TargetRowStride = (nint)side * outChannels,
            Filters = filters,
            Bias = bias,
        };
        int group = Math.Min(WinogradPass.ImagesAtOnce(side), images.ItemsPerHalf);
        nint paddedLength = (nint)(side + 2) * (side + 2) * inChannels;
        nuint scratchLength = ((nuint)(group * paddedLength) + pass.ScratchLength(group) + 15) & ~(nuint)15;
        pool.For(images.Halves * images.GroupsOfHalf(group), new WinogradJob
        {
            Pass = pass,
            Images = images,
            Sums = sums,
            Group = group,
            PaddedLength = paddedLength,
            Target = target,
            Scratch = Scratch(WinogradScratch, scratchLength * (nuint)pool.Threads),
            ScratchLength = (nint)scratchLength,
        });
    }

    /// <summary>The filter gradient as [tap][in][out].</summary>
    private void WinogradFilterGradient(in ActivationReader images, in ActivationReader gradients, float* gradient)
    {
        int side = images.Rows, inChannels = images.Channels, channels = WinogradChannels(inChannels), ranges = inChannels / channels;
        int parts = Math.Clamp(WinogradPieces / ranges, 1, images.Count);
        var pass = new WinogradGradient
        {
            Side = side,
            Channels = channels,
            OutChannels = gradients.Channels,
            PointStride = (nint)inChannels * gradients.Channels,
            PanelStride = (nint)inChannels * RegisterTile.Columns,
        };
        int group = Math.Clamp(WinogradGradient.TilesAtOnce / pass.TilesOfImage, 1, images.Count);
        nint partLength = WinogradPass.Points * pass.PointStride, packedLength = (nint)(side + 2) * (side + 2) * channels;
        nuint scratchLength = ((nuint)(group * (packedLength + gradients.ItemLength)) + pass.ScratchLength + 15) & ~(nuint)15;
        float* sums = Scratch(WinogradFilterScratch, (nuint)partLength * (nuint)parts);
        pool.For(parts * ranges, new WinogradGradientJob
        {
            Pass = pass,
            Images = images,
            Gradients = gradients,
            Parts = parts,
            Ranges = ranges,
            Group = group,
            Sums = sums,
            PartLength = partLength,
            PackedLength = packedLength,
            Scratch = Scratch(WinogradScratch, scratchLength * (nuint)pool.Threads),
            ScratchLength = (nint)scratchLength,
        });
        pool.For(inChannels, new FinishWinogradGradientJob { Pass = pass, Parts = parts, PartLength = partLength, Sums = sums, Gradient = gradient });
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

    /// <summary>A group of images of one half.</summary>
    private struct WinogradJob : IParallelJob
    {
        public WinogradPass Pass;
        public ActivationReader Images;
        public BlockSums Sums;
        public int Group;
        public float* Target, Scratch;
        public nint PaddedLength, ScratchLength;

        public readonly void Run(int index, int worker)
        {
            (int half, int first, int count) = Images.Group(index, Group);
            int length = Pass.Side, pixels = length * length;
            float* padded = Scratch + (worker * ScratchLength);
            for (int i = 0; i < count; i++)
            {
                Images.Read(first + i, 0, Pass.InChannels, 1, length + 2, length + 2, padded + (i * PaddedLength));
            }

            nint firstPixel = (nint)first * pixels;
            Pass.Run(count, padded, PaddedLength, Target + (firstPixel * Pass.OutChannels), (nint)pixels * Pass.OutChannels, padded + (Group * PaddedLength));
            Sums.Gather(index, half, Target, firstPixel, count * pixels);
        }
    }

    /// <summary>A part of the batch and a range of input channels: the part's sums of that range, [36][panels][in][channels of a panel].</summary>
    private struct WinogradGradientJob : IParallelJob
    {
        public WinogradGradient Pass;
        public ActivationReader Images, Gradients;
        public int Parts, Ranges, Group;
        public float* Sums, Scratch;
        public nint PartLength, PackedLength, ScratchLength;

        public readonly void Run(int index, int worker)
        {
            int part = index / Ranges, channels = Pass.Channels, first = index % Ranges * channels, padded = Pass.Side + 2, pixels = Pass.Side * Pass.Side;
            float* sums = Sums + (part * PartLength) + ((nint)first * RegisterTile.Columns);
            for (nint row = 0; row < PartLength; row += Pass.PanelStride)
            {
                new Span<float>(sums + row, channels * RegisterTile.Columns).Clear();
            }

            float* packed = Scratch + (worker * ScratchLength), finished = packed + (Group * PackedLength);
            int end = (int)((long)Images.Count * (part + 1) / Parts);
            for (int n = (int)((long)Images.Count * part / Parts); n < end; n += Group)
            {
                int count = Math.Min(Group, end - n);
                for (int i = 0; i < count; i++)
                {
                    Images.Read(n + i, first, channels, 1, padded, padded, packed + (i * PackedLength));
                }

                Pass.Add(count, packed, Gradients.Whole(n, count, finished), sums, finished + (Group * Gradients.ItemLength));
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
