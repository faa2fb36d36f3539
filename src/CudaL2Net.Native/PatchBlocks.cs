using System.Buffers;
using CudaL2Net.Kernels;

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

    /// <summary>Does something with all patches, block by block, in order.</summary>
    /// <exception cref="ArgumentException">A value is not finite.</exception>
    public static void For(PatchMemory patches, PatchWork work)
    {
        PatchLayout layout = patches.Layout;
        int side = layout.Side, area = side * side;
        bool asItIs = layout.IsDenseBytes;
        int most = (asItIs ? DenseBytes : GatheredBytes) / area;
        if (asItIs)
        {
            for (long first = 0; first < patches.Count; first += most)
            {
                int count = (int)Math.Min(most, patches.Count - first);
                work(new ReadOnlySpan<byte>(patches.Data + (first * area), count * area), first, count);
            }

            return;
        }

        byte[] gathered = ArrayPool<byte>.Shared.Rent((int)Math.Min(most, patches.Count) * area);
        try
        {
            for (long first = 0; first < patches.Count; first += most)
            {
                int count = (int)Math.Min(most, patches.Count - first);
                for (int i = 0; i < count; i++)
                {
                    byte* source = patches.Data + ((first + i) * layout.PatchStride);
                    Span<byte> target = gathered.AsSpan(i * area, area);
                    for (int y = 0; y < side; y++)
                    {
                        Row(source + (y * layout.RowStride), layout, target.Slice(y * side, side), first + i);
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

    private static void Row(byte* source, in PatchLayout layout, Span<byte> target, long patch)
    {
        long stride = layout.PixelStride;
        if (!layout.Floats)
        {
            for (int x = 0; x < target.Length; x++)
            {
                target[x] = source[x * stride];
            }

            return;
        }

        float factor = layout.Factor;
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
