using System.Buffers.Binary;

namespace CudaL2Net.Tests.Formats;

/// <summary>Writes grey images as Windows bitmaps.</summary>
internal static class Bmp
{
    public static byte[] Encode(int width, int height, byte[] pixels, int bits, bool topDown)
    {
        int palette = bits == 8 ? 1024 : 0, rowBytes = ((width * bits) + 31) / 32 * 4, offset = 54 + palette;
        byte[] file = new byte[offset + (rowBytes * height)];
        (file[0], file[1]) = ((byte)'B', (byte)'M');
        Write(2, file.Length);
        Write(10, offset);
        Write(14, 40);
        Write(18, width);
        Write(22, topDown ? -height : height);
        Write(26, 1 | (bits << 16));
        Write(34, rowBytes * height);
        for (int i = 0; i < palette / 4; i++)
        {
            file.AsSpan(54 + (4 * i), 3).Fill((byte)i);
        }

        int bytes = bits / 8;
        for (int row = 0; row < height; row++)
        {
            int start = offset + ((topDown ? row : height - 1 - row) * rowBytes);
            for (int column = 0; column < width; column++)
            {
                file.AsSpan(start + (column * bytes), bytes).Fill(pixels[(row * width) + column]);
            }
        }

        return file;

        void Write(int at, int value) => BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(at), value);
    }
}
