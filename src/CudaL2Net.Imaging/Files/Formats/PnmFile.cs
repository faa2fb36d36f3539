namespace CudaL2Net.Imaging.Files.Formats;

/// <summary>
/// Reads the PBM, PGM and PPM formats (P1 to P6), and writes them as bytes from 0 to 255 for the decoder, which takes samples of another range as they are.
/// </summary>
internal static class PnmFile
{
    private const int White16 = ushort.MaxValue;

    public static bool Matches(byte[] file) => file.Length > 2 && file[0] == 'P' && file[1] is >= (byte)'1' and <= (byte)'6' && IsSpaceOrComment(file[2]);

    public static ImageInfo Check(byte[] file)
    {
        int position = 2, kind = file[1] - '0';
        bool bitmap = kind is 1 or 4, colour = kind is 3 or 6, text = kind <= 3;
        var size = new ImageInfo(Number(file, ref position), Number(file, ref position));
        int white = bitmap ? 1 : Number(file, ref position);
        if (white is < 1 or > White16)
        {
            throw Damage.Because($"its white is {white}, not 1 to {White16}");
        }

        if (!text)
        {
            position = position < file.Length && IsSpace(file[position]) ? position + 1 : throw Damage.Because("there is no space before its pixels");
        }

        bool deep = white == White16;
        byte[] head = System.Text.Encoding.ASCII.GetBytes(
            FormattableString.Invariant($"P{(colour ? 6 : 5)}\n{size.Width} {size.Height}\n{(deep ? White16 : 255)}\n"));
        long samples = (long)size.Width * size.Height * (colour ? 3 : 1), left = file.Length - position;
        long needed = text ? samples : kind == 4 ? (size.Width + 7L) / 8 * size.Height : samples * (white > 255 ? 2 : 1);
        if (left < needed)
        {
            throw Damage.Cut($"{size.Width} x {size.Height} pixels do not fit into its {left} bytes of pixels");
        }

        byte[] bytes = new byte[head.Length + (samples * (deep ? 2 : 1))];
        head.CopyTo(bytes, 0);
        Span<byte> pixels = bytes.AsSpan(head.Length);
        ReadOnlySpan<byte> stored = file.AsSpan(position);
        if (kind == 1)
        {
            ReadDigits(stored, pixels);
        }
        else if (kind == 4)
        {
            ReadBits(stored, pixels, size.Width);
        }
        else if (text)
        {
            ReadNumbers(file, position, pixels, white);
        }
        else
        {
            ReadSamples(stored, pixels, white);
        }

        return new ImageInfo(size.Width, size.Height) { IsDeep = deep, Rewritten = bytes };
    }

    /// <summary>
    /// The byte of a sample. Samples of n bits keep their upper eight, as the decoders of other formats do; others are rounded.
    /// </summary>
    private static byte Scaled(int sample, int white)
    {
        int bits = 32 - System.Numerics.BitOperations.LeadingZeroCount((uint)white);
        return bits > 8 && white == (1 << bits) - 1 ? (byte)(sample >> (bits - 8)) : (byte)(((sample * 510) + white) / (2 * white));
    }

    private static void ReadDigits(ReadOnlySpan<byte> text, Span<byte> pixels)
    {
        int position = 0;
        for (int i = 0; i < pixels.Length; i++)
        {
            SkipSpace(text, ref position);
            if (position == text.Length)
            {
                throw Damage.Cut("pixels are missing");
            }

            byte digit = text[position++];
            pixels[i] = digit is (byte)'0' or (byte)'1' ? (byte)(digit == '0' ? 255 : 0) : throw Damage.Because("a pixel is neither 0 nor 1");
        }
    }

    private static void ReadBits(ReadOnlySpan<byte> stored, Span<byte> pixels, int width)
    {
        int stride = (width + 7) / 8;
        for (int i = 0; i < pixels.Length; i++)
        {
            int column = i % width;
            pixels[i] = (stored[(i / width * stride) + (column >> 3)] & (0x80 >> (column & 7))) == 0 ? (byte)255 : (byte)0;
        }
    }

    private static void ReadNumbers(ReadOnlySpan<byte> file, int position, Span<byte> pixels, int white)
    {
        for (int i = 0; i < pixels.Length; i++)
        {
            int sample = Sample(Number(file, ref position), white);
            if (white == White16)
            {
                pixels[i++] = (byte)(sample >> 8);
                pixels[i] = (byte)sample;
            }
            else
            {
                pixels[i] = Scaled(sample, white);
            }
        }
    }

    private static void ReadSamples(ReadOnlySpan<byte> stored, Span<byte> pixels, int white)
    {
        if (white is 255 or White16)
        {
            stored[..pixels.Length].CopyTo(pixels);
            return;
        }

        for (int i = 0; i < pixels.Length; i++)
        {
            pixels[i] = Scaled(Sample(white > 255 ? (stored[2 * i] << 8) | stored[(2 * i) + 1] : stored[i], white), white);
        }
    }

    private static int Sample(int value, int white) => value <= white ? value : throw Damage.Because($"a pixel of {value} is brighter than its white, {white}");

    private static int Number(ReadOnlySpan<byte> file, ref int position)
    {
        SkipSpace(file, ref position);
        int start = position, value = 0;
        for (; position < file.Length && file[position] is >= (byte)'0' and <= (byte)'9'; position++)
        {
            value = Math.Min((value * 10) + (file[position] - '0'), 100_000_000);
        }

        return position > start ? value
            : position == file.Length ? throw Damage.Cut("numbers are missing")
            : throw Damage.Because($"there is no number at byte {position}");
    }

    private static void SkipSpace(ReadOnlySpan<byte> file, ref int position)
    {
        for (; position < file.Length && IsSpaceOrComment(file[position]); position++)
        {
            if (file[position] == '#')
            {
                int end = file[position..].IndexOfAny((byte)'\n', (byte)'\r');
                position = end < 0 ? file.Length - 1 : position + end;
            }
        }
    }

    private static bool IsSpace(byte value) => value is (byte)' ' or (>= 9 and <= 13);

    private static bool IsSpaceOrComment(byte value) => IsSpace(value) || value == '#';
}
