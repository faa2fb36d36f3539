namespace CudaL2Net.Kernels;

/// <summary>How grey patches of a caller's program lie in memory: bytes or floats, of any strides.</summary>
/// <param name="Side">32, 64 or 65 pixels.</param>
/// <param name="Floats">Whether pixels are floats (float32); else they are bytes.</param>
/// <param name="PatchStride">Bytes from one patch to the next, of any sign; for floats a multiple of 4, like the other strides.</param>
/// <param name="RowStride">Bytes from one row to the next.</param>
/// <param name="PixelStride">Bytes from one pixel to the next.</param>
/// <param name="White">Of floats: the value of white, above 0, such as 1 or 255. Floats are scaled to bytes, rounded to the nearest, and bounded by 0 and 255.</param>
public readonly record struct PatchLayout(int Side, bool Floats, long PatchStride, long RowStride, long PixelStride, float White = 255)
{
    /// <summary>Patches one behind the other, without gaps.</summary>
    /// <param name="side">32, 64 or 65 pixels.</param>
    /// <param name="floats">Whether pixels are floats.</param>
    /// <param name="white">Of floats: the value of white.</param>
    public static PatchLayout Dense(int side, bool floats = false, float white = 255)
    {
        int size = floats ? sizeof(float) : 1;
        return new PatchLayout(side, floats, (long)side * side * size, (long)side * size, size, white);
    }

    /// <summary>What floats are multiplied by.</summary>
    internal float Factor => White is 255 ? 1 : (float)(255.0 / White);

    /// <summary>Whether the patches are bytes without gaps.</summary>
    internal bool IsDenseBytes => this with { White = 255 } == Dense(Side);

    /// <summary>Throws unless it describes patches that can be read.</summary>
    /// <param name="address">Of the first pixel.</param>
    /// <exception cref="ArgumentException">It does not, or the address is no multiple of the pixels' size.</exception>
    internal void Require(nint address)
    {
        if (Side is not (32 or 64 or 65))
        {
            throw new ArgumentException($"patches of {Side} x {Side} pixels: expected 32 x 32, 64 x 64 or 65 x 65");
        }

        if (!Floats)
        {
            return;
        }

        if (address % sizeof(float) != 0 || PatchStride % sizeof(float) != 0 || RowStride % sizeof(float) != 0 || PixelStride % sizeof(float) != 0)
        {
            throw new ArgumentException(
                $"floats at 0x{address:x} with strides of {PatchStride}, {RowStride} and {PixelStride} bytes are misaligned: expected multiples of {sizeof(float)}");
        }

        if (!(White > 0) || !float.IsFinite(White))
        {
            throw new ArgumentException($"white is {White}: expected a number above 0");
        }
    }
}
