using System.Buffers;
using System.Buffers.Binary;

namespace CudaL2Net.Formats;

/// <summary>Uncompressed Windows bitmaps of 8 bits with a palette or of 24 bits, stored from the bottom or from the top.</summary>
internal static class BmpFile
{
    private const int FileHeaderBytes = 14;

    /// <summary>Reads a bitmap as grey levels: colours become 0.299 R + 0.587 G + 0.114 B, rounded.</summary>
    /// <param name="path">The file.</param>
    /// <returns>Width, height and [height][width] bytes from the top.</returns>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">The file is no such bitmap; the text names the file and what is wrong.</exception>
    public static (int Width, int Height, byte[] Pixels) ReadGrey(string path)
    {
        byte[] pixels = [];
        (int width, int height) = ReadGrey(path, ref pixels);
        return (width, height, pixels);
    }

    /// <summary>Reads a bitmap into memory that was used for another one.</summary>
    /// <param name="path">The file.</param>
    /// <param name="pixels">[height][width] from the top: overwritten where it is as long, else a new array.</param>
    /// <inheritdoc cref="ReadGrey(string)"/>
    public static (int Width, int Height) ReadGrey(string path, ref byte[] pixels)
    {
        using FileStream stream = InputFile.Open(path);
        if (stream.Length > Array.MaxLength)
        {
            throw Damaged(path, "it is over 2 GB");
        }

        byte[] rented = ArrayPool<byte>.Shared.Rent((int)stream.Length);
        try
        {
            Span<byte> file = rented.AsSpan(0, (int)stream.Length);
            stream.ReadExactly(file);
            return Decode(path, file, ref pixels);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    private static (int Width, int Height) Decode(string path, ReadOnlySpan<byte> file, ref byte[] pixels)
    {
        if (file.Length < FileHeaderBytes + 40 || file[0] != 'B' || file[1] != 'M')
        {
            throw Damaged(path, "it has no bitmap header");
        }

        uint pixelOffset = UInt32(file, 10), headerBytes = UInt32(file, 14), compression = UInt32(file, 30), usedColours = UInt32(file, 46);
        int width = (int)UInt32(file, 18), storedHeight = (int)UInt32(file, 22), bits = UInt16(file, 28);
        if (headerBytes is not (40 or 52 or 56 or 108 or 124) || FileHeaderBytes + headerBytes > (uint)file.Length)
        {
            throw Damaged(path, $"its header of {headerBytes} bytes is not known");
        }

        if (bits is not (8 or 24) || compression != 0 || UInt16(file, 26) != 1)
        {
            throw Damaged(path, $"it has {bits} bits per pixel and compression {compression}; 8 or 24 bits without compression are taken");
        }

        if (width <= 0 || storedHeight is 0 or int.MinValue)
        {
            throw Damaged(path, $"its size is {width} x {storedHeight}");
        }

        int height = Math.Abs(storedHeight);
        long rowBytes = (((long)width * bits) + 31) / 32 * 4;
        if (pixelOffset < FileHeaderBytes + headerBytes || pixelOffset + (rowBytes * height) > file.Length)
        {
            throw Damaged(path, $"{width} x {height} pixels of {bits} bits from byte {pixelOffset} on do not fit into its {file.Length} bytes");
        }

        if (pixels.LongLength != (long)width * height)
        {
            pixels = new byte[(long)width * height];
        }

        byte[] palette = bits == 8 ? ReadPalette(path, file, usedColours == 0 ? 256 : usedColours, FileHeaderBytes + headerBytes, pixelOffset) : [];
        for (int row = 0; row < height; row++)
        {
            int storedRow = storedHeight > 0 ? height - 1 - row : row;
            ReadOnlySpan<byte> source = file.Slice((int)(pixelOffset + (storedRow * rowBytes)), (int)rowBytes);
            Span<byte> target = pixels.AsSpan(row * width, width);
            for (int column = 0; column < width; column++)
            {
                target[column] = bits == 24
                    ? Grey(source[(3 * column) + 2], source[(3 * column) + 1], source[3 * column])
                    : source[column] < palette.Length
                        ? palette[source[column]]
                        : throw Damaged(path, $"a pixel has colour {source[column]} of a palette of {palette.Length}");
            }
        }

        return (width, height);
    }

    private static ushort UInt16(ReadOnlySpan<byte> file, int offset) => BinaryPrimitives.ReadUInt16LittleEndian(file[offset..]);

    private static uint UInt32(ReadOnlySpan<byte> file, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(file[offset..]);

    private static byte[] ReadPalette(string path, ReadOnlySpan<byte> file, uint colours, uint start, uint end)
    {
        if (colours > 256 || start + (4 * colours) > end)
        {
            throw Damaged(path, $"its palette of {colours} colours does not fit before the pixels");
        }

        byte[] grey = new byte[colours];
        for (int i = 0; i < grey.Length; i++)
        {
            ReadOnlySpan<byte> entry = file.Slice((int)start + (4 * i), 3);
            grey[i] = Grey(entry[2], entry[1], entry[0]);
        }

        return grey;
    }

    /// <summary>Writes grey levels as a bitmap of 8 bits with a grey palette, stored from the bottom.</summary>
    /// <param name="path">The file.</param>
    /// <param name="width">Columns.</param>
    /// <param name="pixels">[height][width] from the top.</param>
    /// <exception cref="ArgumentException">The pixels are no whole number of rows.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void WriteGrey(string path, int width, ReadOnlySpan<byte> pixels)
    {
        if (width < 1 || pixels.IsEmpty || pixels.Length % width != 0)
        {
            throw new ArgumentException($"{pixels.Length} pixels are no image of {width} columns");
        }

        const int Colours = 256, InfoHeaderBytes = 40;
        int height = pixels.Length / width, rowBytes = (width + 3) / 4 * 4, offset = FileHeaderBytes + InfoHeaderBytes + (4 * Colours);
        byte[] file = new byte[offset + (rowBytes * height)];
        "BM"u8.CopyTo(file);
        Put(2, file.Length);
        Put(10, offset);
        Put(14, InfoHeaderBytes);
        Put(18, width);
        Put(22, height);
        Put(26, 1 | (8 << 16));
        Put(34, rowBytes * height);
        for (int grey = 0; grey < Colours; grey++)
        {
            file.AsSpan(FileHeaderBytes + InfoHeaderBytes + (4 * grey), 3).Fill((byte)grey);
        }

        for (int row = 0; row < height; row++)
        {
            pixels.Slice(row * width, width).CopyTo(file.AsSpan(offset + ((height - 1 - row) * rowBytes)));
        }

        AtomicFile.Write(path, stream => stream.Write(file));

        void Put(int at, int value) => BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(at), value);
    }

    private static byte Grey(byte red, byte green, byte blue) => (byte)(((red * 299) + (green * 587) + (blue * 114) + 500) / 1000);

    private static InvalidDataException Damaged(string path, string reason) => new($"{path} is not a readable bitmap: {reason}. Copy or download it again.");
}
