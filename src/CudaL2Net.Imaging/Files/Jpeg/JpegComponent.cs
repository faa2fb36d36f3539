namespace CudaL2Net.Imaging.Files.Jpeg;

/// <summary>A colour component of a JPEG: its geometry, and what is known of its coefficients so far.</summary>
internal sealed class JpegComponent(byte id, int horizontal, int vertical, int quantization)
{
    private const int Coefficients = 64;

    // Pixels of 8 bits give coefficients of at most 1024; encoders that smooth the edges of clipped areas go a quarter beyond.
    private const int LargestValue = 1536;

    private ushort[]? steps;

    public byte Id => id;

    /// <summary>Blocks of an MCU side by side.</summary>
    public int Horizontal => horizontal;

    /// <summary>Blocks of an MCU one below another.</summary>
    public int Vertical => vertical;

    public int Quantization => quantization;

    /// <summary>Blocks that hold pixels.</summary>
    public int Columns { get; private set; }

    /// <summary>Blocks that hold pixels.</summary>
    public int Rows { get; private set; }

    /// <summary>Blocks in a row of MCUs.</summary>
    public int Stride { get; private set; }

    /// <summary>Bit k of a block: its coefficient k is not 0. Only for progressive images.</summary>
    public ulong[] NonZero { get; private set; } = [];

    /// <summary>For each coefficient the lowest bit that was sent; -1 before the first.</summary>
    public sbyte[] Sent { get; } = [.. Enumerable.Repeat((sbyte)-1, Coefficients)];

    /// <summary>For each coefficient the most bits that its value may have; 0 behind the last, so that a run that leaves the block is seen.</summary>
    public byte[] MostBits { get; } = new byte[2 * Coefficients];

    public HuffmanTable? Dc { get; set; }

    public HuffmanTable? Ac { get; set; }

    public int Predicted { get; set; }

    public void Lay(int width, int height, int mostHorizontal, int mostVertical, bool progressive)
    {
        Columns = Blocks(width, horizontal, mostHorizontal);
        Rows = Blocks(height, vertical, mostVertical);
        Stride = JpegFile.Over(width, 8 * mostHorizontal) * horizontal;
        NonZero = progressive ? new ulong[(long)Stride * JpegFile.Over(height, 8 * mostVertical) * vertical] : [];
    }

    /// <summary>Takes the table of the first scan, as decoders do.</summary>
    public void Quantize(ushort[]? table)
    {
        if (steps is not null)
        {
            return;
        }

        steps = table ?? throw Damage.Because("a table of quantization is missing");
        for (int k = 0; k < Coefficients; k++)
        {
            byte bits = 0;
            while (bits < 15 && (1 << bits) * steps[k] <= LargestValue + steps[k])
            {
                bits++;
            }

            MostBits[k] = bits;
        }
    }

    /// <summary>Adds a difference to the prediction of the mean.</summary>
    public void Predict(int difference, int low)
    {
        Predicted += difference;
        if (Math.Abs((long)Predicted << low) * steps![0] > LargestValue + ((long)steps[0] << low))
        {
            throw Damage.Because("a block is brighter or darker than an image can be");
        }
    }

    private static int Blocks(int pixels, int factor, int most) => JpegFile.Over(JpegFile.Over(pixels * factor, most), 8);
}
