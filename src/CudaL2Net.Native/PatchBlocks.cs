using System.Buffers;
using CudaL2Net.Data;

namespace CudaL2Net.Native;

/// <summary>Takes some of the patches of a call.</summary>
/// <param name="patches">[n][side][side].</param>
/// <param name="first">The number of the first one in the call.</param>
/// <param name="count">n.</param>
internal delegate void PatchWork(ReadOnlySpan<byte> patches, long first, int count);

/// <summary>The caller's patches, of any element type and stride, as the bytes that the library takes, a block at a time: dense bytes where they lie.</summary>
internal static unsafe class PatchBlocks
{
    // Addresses of 32 bits, as spans have, hold this many.
    private const int DenseBytes = 1 << 28;
    private const int GatheredBytes = 1 << 22;

    /// <summary>Checks all that can be told without the pixels.</summary>
    /// <exception cref="ArgumentException">Something is wrong; the text says what.</exception>
    public static void Check(in PatchArray patches)
    {
        Argument.Count(patches.Count, "the number of patches");
        if (!PatchResize.Supports(patches.Side))
        {
            throw new ArgumentException($"patches of {patches.Side} x {patches.Side} pixels: expected 32 x 32, 64 x 64 or 65 x 65");
        }

        int size = (ElementType)patches.Type switch
        {
            ElementType.Byte => 1,
            ElementType.Float => sizeof(float),
            _ => throw new ArgumentException($"the type of patches is {patches.Type}, expected CL2_U8 or CL2_F32"),
        };
        if (patches.Count > 0)
        {
            Argument.Aligned(patches.Data, size, "the memory of the patches");
        }

        if (patches.PatchStride % size != 0 || patches.RowStride % size != 0 || patches.PixelStride % size != 0)
        {
            throw new ArgumentException(
                $"strides of {patches.PatchStride}, {patches.RowStride} and {patches.PixelStride} bytes are misaligned: expected multiples of {size}");
        }

        if ((ElementType)patches.Type == ElementType.Float && (!double.IsFinite(patches.White) || patches.White < 0))
        {
            throw new ArgumentException($"white is {patches.White}: expected a number above 0, or 0 for 255");
        }
    }

    /// <summary>Does something with all patches, block by block, in order.</summary>
    /// <exception cref="ArgumentException">A value is not finite.</exception>
    public static void For(in PatchArray patches, PatchWork work)
    {
        int side = patches.Side, area = side * side, size = patches.ElementSize;
        (long patchStride, long rowStride, long pixelStride) = patches.Strides();
        bool asItIs = size == 1 && pixelStride == 1 && rowStride == side && patchStride == area;
        int most = (asItIs ? DenseBytes : GatheredBytes) / area;
        if (asItIs)
        {
            for (long first = 0; first < patches.Count; first += most)
            {
                int count = (int)Math.Min(most, patches.Count - first);
                work(new ReadOnlySpan<byte>((byte*)patches.Data + (first * area), count * area), first, count);
            }

            return;
        }

        byte[] gathered = ArrayPool<byte>.Shared.Rent((int)Math.Min(most, patches.Count) * area);
        try
        {
            float factor = patches.White is 0 ? 1 : (float)(255 / patches.White);
            for (long first = 0; first < patches.Count; first += most)
            {
                int count = (int)Math.Min(most, patches.Count - first);
                for (int i = 0; i < count; i++)
                {
                    byte* source = (byte*)patches.Data + ((first + i) * patchStride);
                    Span<byte> target = gathered.AsSpan(i * area, area);
                    for (int y = 0; y < side; y++)
                    {
                        Row(source + (y * rowStride), pixelStride, size, factor, target.Slice(y * side, side), first + i);
                    }
                }

                work(gathered.AsSpan(0, count * area), first, count);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(gathered);
        }
    }

    private static void Row(byte* source, long stride, int size, float factor, Span<byte> target, long patch)
    {
        if (size == 1)
        {
            for (int x = 0; x < target.Length; x++)
            {
                target[x] = source[x * stride];
            }

            return;
        }

        for (int x = 0; x < target.Length; x++)
        {
            float value = *(float*)(source + (x * stride)) * factor;
            if (!float.IsFinite(value))
            {
                throw new ArgumentException($"patch {patch} (counted from 0) has a pixel that is not finite");
            }

            // As the tool rounds floats of an array.
            target[x] = (byte)Math.Clamp(MathF.Round(value), 0, 255);
        }
    }
}
