namespace CudaL2Net.Devices.Cpu;

/// <summary>
/// One sweep of a filter bank over one image: every output pixel is a sum over taps at fixed offsets from its source pixel. A forward convolution is
/// one pass; the backward pass to the data is one for each residue of the input's coordinates modulo the stride.
/// </summary>
internal unsafe struct ConvolutionPass
{
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

    /// <summary>Packed filters: [ceil(OutChannels / 32)][Taps][Channels][32].</summary>
    public float* Panels;

    /// <summary>[OutChannels rounded up to 32], or null.</summary>
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
        for (int n = 0; n < OutChannels; n += RegisterTile.Columns)
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

    /// <summary>Copies an image of rows x columns x channels into the middle of a zeroed margin.</summary>
    public static void Pad(float* image, int rows, int columns, int channels, int top, int left, int paddedRows, int paddedColumns, float* padded)
    {
        nint rowLength = (nint)columns * channels, paddedLength = (nint)paddedColumns * channels;
        nint before = (nint)left * channels, after = paddedLength - rowLength - before;
        new Span<float>(padded, (int)(top * paddedLength)).Clear();
        float* to = padded + (top * paddedLength);
        for (int row = 0; row < rows; row++, to += paddedLength)
        {
            new Span<float>(to, (int)before).Clear();
            new ReadOnlySpan<float>(image + (row * rowLength), (int)rowLength).CopyTo(new Span<float>(to + before, (int)rowLength));
            new Span<float>(to + before + rowLength, (int)after).Clear();
        }

        new Span<float>(to, (int)((paddedRows - top - rows) * paddedLength)).Clear();
    }
}
