using System.Runtime.Intrinsics;

namespace CudaL2Net.Kernels.Cpu;

/// <summary>
/// One sweep of a filter bank over images: every output pixel is a sum over taps at fixed offsets from its source pixel. A forward convolution is
/// one pass; the backward pass to the data is one for each residue of the input's coordinates modulo the stride.
/// </summary>
[System.Runtime.CompilerServices.SkipLocalsInit]
internal unsafe struct ConvolutionPass
{
    // Channels of all taps whose panel (18 KB) stays in the first cache while all pixels of an image pass over it.
    private const int NarrowDepth = 288;

    // Pixels that are swept together: whole tiles.
    private const int NarrowPixels = 1026;

    // Floats of images, and of their outputs, that are swept together.
    private const int GroupLength = 60_000;

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

    /// <summary>Images to sweep together, of so many floats with their outputs: they stay in the second cache while each panel passes over them.</summary>
    public static int ImagesAtOnce(nint length) => (int)Math.Max(GroupLength / length, 1);

    /// <summary>Sweeps images. Sources must hold a margin of zeros wherever a tap reaches beyond the image.</summary>
    /// <param name="images">How many.</param>
    /// <param name="source">The first source pixel of the first output pixel.</param>
    /// <param name="sourceStride">Floats from image to image.</param>
    /// <param name="target">The first output pixel.</param>
    /// <param name="targetStride">Floats from image to image.</param>
    public readonly void Run(int images, float* source, nint sourceStride, float* target, nint targetStride)
    {
        int first = 0;
        if (!Vector512.IsHardwareAccelerated)
        {
            first = OutChannels / RegisterTile.Columns * RegisterTile.Columns;
            for (int pixel = 0; pixel < images * Rows * Columns && first > 0; pixel += NarrowPixels)
            {
                RunNarrow(pixel, Math.Min(NarrowPixels, (images * Rows * Columns) - pixel), first, source, sourceStride, target, targetStride);
            }
        }

        for (int n = first; n < OutChannels; n += RegisterTile.Columns)
        {
            float* panel = Panels + ((nint)n * Taps * Channels);
            float* bias = Bias == null ? null : Bias + n;
            int columns = Math.Min(RegisterTile.Columns, OutChannels - n);
            for (int row = 0; row < images * Rows; row++)
            {
                float* from = source + (row / Rows * sourceStride) + (row % Rows * SourceRowStride);
                float* to = target + (row / Rows * targetStride) + (row % Rows * TargetRowStride) + n;
                for (int pixel = 0; pixel < Columns; pixel += RegisterTile.Rows)
                {
                    int pixels = Math.Min(RegisterTile.Rows, Columns - pixel);
                    RegisterTile.Multiply(from + (pixel * SourcePixelStride), SourcePixelStride, Offsets, Taps, Channels, panel, bias, false, Relu,
                        to + (pixel * TargetPixelStride), TargetPixelStride, pixels, columns);
                }
            }
        }
    }

    /// <summary>Whole panels, one after the other, by tiles of six pixels, some taps at a time. Where the pixels lie is found once, for all panels.</summary>
    private readonly void RunNarrow(int first, int pixels, int outChannels, float* source, nint sourceStride, float* target, nint targetStride)
    {
        int tiles = (pixels + RegisterTile.NarrowRows - 1) / RegisterTile.NarrowRows;
        float** from = stackalloc float*[tiles * RegisterTile.NarrowRows], to = stackalloc float*[tiles * RegisterTile.NarrowRows];
        for (int pixel = first; pixel < first + pixels;)
        {
            int row = pixel / Columns, column = pixel % Columns, end = Math.Min(Columns, column + first + pixels - pixel);
            float* sourceRow = source + (row / Rows * sourceStride) + (row % Rows * SourceRowStride);
            float* targetRow = target + (row / Rows * targetStride) + (row % Rows * TargetRowStride);
            for (; column < end; column++, pixel++)
            {
                from[pixel - first] = sourceRow + (column * SourcePixelStride);
                to[pixel - first] = targetRow + (column * TargetPixelStride);
            }
        }

        // Missing pixels of the last tile are computed as the last one once more.
        for (int i = pixels; i < tiles * RegisterTile.NarrowRows; i++)
        {
            from[i] = from[pixels - 1];
            to[i] = to[pixels - 1];
        }

        int pieces = ((Taps * Channels) + NarrowDepth - 1) / NarrowDepth, piece = (Taps + pieces - 1) / pieces;
        for (int n = 0; n < outChannels; n += RegisterTile.Columns)
        {
            float* bias = Bias == null ? null : Bias + n;
            for (int tap = 0; tap < Taps; tap += piece)
            {
                int taps = Math.Min(piece, Taps - tap);
                float* panel = Panels + ((((nint)n * Taps) + ((nint)tap * RegisterTile.Columns)) * Channels);
                for (int tile = 0; tile < tiles; tile++)
                {
                    RegisterTile.Multiply6x16(from + (tile * RegisterTile.NarrowRows), Offsets + tap, taps, Channels, panel, tap == 0 ? bias : null, tap > 0,
                        Relu && tap + taps == Taps, to + (tile * RegisterTile.NarrowRows), n);
                }
            }
        }
    }
}
