namespace CudaL2Net.Kernels;

/// <summary>How grey patches of a caller's program lie in memory: bytes or floats, of any strides.</summary>
/// <param name="Side">32, 64 or 65 pixels.</param>
/// <param name="Floats">Whether pixels are floats (float32); else they are bytes.</param>
/// <param name="PatchStride">Bytes from one patch to the next, of any sign; for floats a multiple of 4, like the other strides.</param>
/// <param name="RowStride">Bytes from one row to the next.</param>
/// <param name="PixelStride">Bytes from one pixel to the next.</param>
/// <param name="White">Of floats: the value of white, above 0, such as 1 or 255. Floats are scaled to bytes, rounded to the nearest, and bounded by 0 and 255.</param>
public readonly record struct PatchLayout(int Side, bool Floats, long PatchStride, long RowStride, long PixelStride, double White = 255)
{
    /// <summary>Patches one behind the other, without gaps.</summary>
    /// <param name="side">32, 64 or 65 pixels.</param>
    /// <param name="floats">Whether pixels are floats.</param>
    /// <param name="white">Of floats: the value of white.</param>
    public static PatchLayout Dense(int side, bool floats = false, double white = 255)
    {
        int size = floats ? sizeof(float) : 1;
        return new PatchLayout(side, floats, (long)side * side * size, (long)side * size, size, white);
    }

    /// <summary>What floats are multiplied by.</summary>
    internal float Factor => (float)(255 / White);

    /// <summary>Bytes of a pixel.</summary>
    internal int ElementSize => Floats ? sizeof(float) : 1;

    /// <summary>Whether the patches are bytes without gaps.</summary>
    internal bool IsDenseBytes => this with { White = 255 } == Dense(Side);

    /// <summary>Throws unless pixels can be read so. Which sides are taken says the network.</summary>
    /// <param name="address">Of the first pixel.</param>
    /// <exception cref="ArgumentException">Address or strides are no multiples of the pixels' size, or white is not above 0.</exception>
    internal void Require(nint address)
    {
        int size = ElementSize;
        if (address % size != 0 || PatchStride % size != 0 || RowStride % size != 0 || PixelStride % size != 0)
        {
            throw new ArgumentException($"pixels of {size} bytes at 0x{address:x} with strides of {PatchStride}, {RowStride} and {PixelStride} bytes are misaligned: "
                + $"expected multiples of {size}");
        }

        if (Floats && (!(White > 0) || !double.IsFinite(White)))
        {
            throw new ArgumentException($"white is {White}: expected a number above 0");
        }
    }
}
