using System.Runtime.Intrinsics;

namespace CudaL2Net.Devices.Cpu;

/// <summary>
/// One sweep of a filter bank over one image: every output pixel is a sum over taps at fixed offsets from its source pixel. A forward convolution is
/// one pass; the backward pass to the data is one for each residue of the input's coordinates modulo the stride.
/// </summary>
[System.Runtime.CompilerServices.SkipLocalsInit]
internal unsafe struct ConvolutionPass
{
    // Channels of all taps whose panel (18 KB) stays in the first cache while all pixels of an image pass over it.
    private const int NarrowDepth = 288;

    /// <summary>Output rows and columns.</summary>
    public int Rows, Columns;

    /// <summary>Floats between source pixels of neighbouring output rows and columns.</summary>
    public nint SourceRowStride, SourcePixelStride;

    /// <summary>Floats between neighbouring output rows and columns.</summary>
    public nint TargetRowStride, TargetPixelStride;

    /// <summary>Taps, and the floats from a source pixel to each.</summary>
    public int Taps;
    public int* Offsets;

    /// <summary>Channels of a tap, and of the output.</summary>
    public int Channels, OutChannels;

    /// <summary>Packed filters: [panels of <see cref="RegisterTile.Columns"/> channels][Taps][Channels][channels of a panel].</summary>
    public float* Panels;

    /// <summary>[OutChannels rounded up to whole panels], or null.</summary>
    public float* Bias;

    /// <summary>Whether ReLU follows.</summary>
    public bool Relu;

    /// <summary>Floats of the packed filters for these sizes.</summary>
    public static nuint PanelLength(int taps, int channels, int outChannels) =>
        (nuint)taps * (nuint)channels * (nuint)PaddedColumns(outChannels);

    /// <summary>Channels rounded up to whole panels.</summary>
    public static int PaddedColumns(int channels) => (channels + RegisterTile.Columns - 1) / RegisterTile.Columns * RegisterTile.Columns;

    /// <summary>Sweeps one image. <paramref name="source"/> must hold a margin of zeros wherever a tap reaches beyond the image.</summary>
    public readonly void Run(float* source, float* target)
    {
        int first = 0;
        if (!Vector512.IsHardwareAccelerated)
        {
            for (; first + RegisterTile.Columns <= OutChannels; first += RegisterTile.Columns)
            {
                RunNarrow(source, target, first);
            }
        }

        for (int n = first; n < OutChannels; n += RegisterTile.Columns)
        {
            float* panel = Panels + ((nint)n * Taps * Channels);
            float* bias = Bias == null ? null : Bias + n;
            int columns = Math.Min(RegisterTile.Columns, OutChannels - n);
            for (int row = 0; row < Rows; row++)
            {
                float* from = source + (row * SourceRowStride);
                float* to = target + (row * TargetRowStride) + n;
                for (int pixel = 0; pixel < Columns; pixel += RegisterTile.Rows)
                {
                    int pixels = Math.Min(RegisterTile.Rows, Columns - pixel);
                    RegisterTile.Multiply(from + (pixel * SourcePixelStride), SourcePixelStride, Offsets, Taps, Channels, panel, bias, false, Relu,
                        to + (pixel * TargetPixelStride), TargetPixelStride, pixels, columns);
                }
            }
        }
    }

    /// <summary>A panel by tiles of six pixels, some taps after the other.</summary>
    private readonly void RunNarrow(float* source, float* target, int n)
    {
        float** from = stackalloc float*[RegisterTile.NarrowRows], to = stackalloc float*[RegisterTile.NarrowRows];
        float* panel = Panels + ((nint)n * Taps * Channels);
        float* bias = Bias == null ? null : Bias + n;
        int pieces = ((Taps * Channels) + NarrowDepth - 1) / NarrowDepth, piece = (Taps + pieces - 1) / pieces;
        for (int tap = 0; tap < Taps; tap += piece)
        {
            int taps = Math.Min(piece, Taps - tap), pixels = Rows * Columns, y = 0, x = 0;
            for (int pixel = 0; pixel < pixels; pixel += RegisterTile.NarrowRows)
            {
                for (int m = 0; m < RegisterTile.NarrowRows; m++)
                {
                    from[m] = source + (y * SourceRowStride) + (x * SourcePixelStride);
                    to[m] = target + (y * TargetRowStride) + (x * TargetPixelStride);
                    if (pixel + m + 1 < pixels && ++x == Columns)
                    {
                        (x, y) = (0, y + 1);
                    }
                }

                RegisterTile.Multiply6x16(from, Offsets + tap, taps, Channels, panel + ((nint)tap * Channels * RegisterTile.Columns), tap == 0 ? bias : null,
                    tap > 0, Relu && tap + taps == Taps, to, n);
            }
        }
    }
}
