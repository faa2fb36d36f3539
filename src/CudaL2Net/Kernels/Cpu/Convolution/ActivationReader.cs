using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace CudaL2Net.Kernels.Cpu;

/// <summary>
/// How a convolution reads an activation into a thread's own memory: as they are, normalized on the way, or, where they are the gradient behind a normalization,
/// as the gradient before it. So neither is ever written to memory for its own sake.
/// </summary>
[SkipLocalsInit]
internal unsafe struct ActivationReader
{
    /// <summary>Coefficients of a half and channel: y = max(0, d factor + shift) with d = x - mean; and dx = factor m + slope d + offset, with m = g where y is
    /// positive.</summary>
    public const int Mean = 0, Factor = 1, Shift = 2, Slope = 3, Offset = 4, Kinds = 5;

    private const int Lanes = 16;

    /// <summary>[items][rows][columns][channels].</summary>
    public float* X;

    /// <summary>Of what X is normalized to, in the same order; null to read X itself.</summary>
    public float* Gradient;

    /// <summary>[halves][<see cref="Kinds"/>][channels], or null to read X as it is.</summary>
    public float* Coefficients;

    /// <summary>Sizes of a batch item, items, and items of each half of the batch.</summary>
    public int Rows, Columns, Channels, Count, ItemsPerHalf;

    /// <summary>Whether ReLU follows the normalization.</summary>
    public bool Relu;

    /// <summary>Halves of the batch.</summary>
    public readonly int Halves => Count / ItemsPerHalf;

    /// <summary>Every pixel as an item of its own.</summary>
    public readonly ActivationReader Pixels =>
        this with { Rows = 1, Columns = 1, Count = Count * Rows * Columns, ItemsPerHalf = ItemsPerHalf * Rows * Columns };

    /// <summary>Groups of so many items that each half makes, the last one of what is left.</summary>
    public readonly int GroupsOfHalf(int size) => (ItemsPerHalf + size - 1) / size;

    /// <summary>The items of a group; those of the first half come first.</summary>
    public readonly (int Half, int First, int Count) Group(int index, int size)
    {
        int half = index / GroupsOfHalf(size), start = index % GroupsOfHalf(size) * size;
        return (half, (half * ItemsPerHalf) + start, Math.Min(size, ItemsPerHalf - start));
    }

    /// <summary>Floats of an item.</summary>
    public readonly nint ItemLength => (nint)Rows * Columns * Channels;

    /// <summary>Channels of an item with a margin of zeros.</summary>
    /// <param name="item">Which.</param>
    /// <param name="first">The first channel.</param>
    /// <param name="channels">How many.</param>
    /// <param name="margin">Rows and columns of zeros above and to the left.</param>
    /// <param name="paddedRows">Rows with the margins.</param>
    /// <param name="paddedColumns">Columns with the margins.</param>
    /// <param name="padded">[paddedRows][paddedColumns][channels].</param>
    public readonly void Read(int item, int first, int channels, int margin, int paddedRows, int paddedColumns, float* padded)
    {
        int before = margin * channels, rowLength = Columns * channels, after = (paddedColumns * channels) - before - rowLength;
        new Span<float>(padded, margin * paddedColumns * channels).Clear();
        float* to = padded + ((nint)margin * paddedColumns * channels);
        for (int row = 0; row < Rows; row++)
        {
            new Span<float>(to, before).Clear();
            ReadPixels(item / ItemsPerHalf, (((nint)item * Rows) + row) * Columns, Columns, first, channels, to + before);
            new Span<float>(to + before + rowLength, after).Clear();
            to += (nint)paddedColumns * channels;
        }

        new Span<float>(to, (paddedRows - margin - Rows) * paddedColumns * channels).Clear();
    }

    /// <summary>Neighbouring items without margins: where they lie, or else <paramref name="to"/>, to which they are then written.</summary>
    public readonly float* Whole(int item, int count, float* to)
    {
        if (Coefficients == null)
        {
            return X + (item * ItemLength);
        }

        for (int i = 0; i < count; i++)
        {
            ReadPixels((item + i) / ItemsPerHalf, (nint)(item + i) * Rows * Columns, Rows * Columns, 0, Channels, to + (i * ItemLength));
        }

        return to;
    }

    /// <summary>Channels of neighbouring pixels of one half, [count][channels].</summary>
    public readonly void ReadPixels(int half, nint pixel, int count, int first, int channels, float* to)
    {
        float* x = X + (pixel * Channels) + first;
        if (Coefficients == null)
        {
            Copy(x, count, channels, to);
            return;
        }

        float* gradient = Gradient == null ? null : Gradient + (pixel * Channels) + first;
        float* coefficients = Coefficients + ((nint)half * Kinds * Channels) + first;
        int c = 0;
        for (; c + Lanes <= channels; c += Lanes)
        {
            if (gradient == null)
            {
                Normalize(x + c, coefficients + c, count, to + c, channels);
            }
            else
            {
                Finish(x + c, gradient + c, coefficients + c, count, to + c, channels);
            }
        }

        for (; c < channels; c++)
        {
            float mean = coefficients[c], factor = coefficients[c + Channels], shift = coefficients[c + (2 * Channels)];
            for (int i = 0; i < count; i++)
            {
                nint at = ((nint)i * Channels) + c;
                float d = x[at] - mean, y = MathF.FusedMultiplyAdd(d, factor, shift), value = Relu ? MathF.Max(y, 0) : y;
                if (gradient != null)
                {
                    float m = Relu && y <= 0 ? 0 : gradient[at];
                    value = MathF.FusedMultiplyAdd(d, coefficients[c + (Slope * Channels)],
                        MathF.FusedMultiplyAdd(factor, m, coefficients[c + (Offset * Channels)]));
                }

                to[(i * channels) + c] = value;
            }
        }
    }

    private readonly void Copy(float* x, int count, int channels, float* to)
    {
        if (channels == Channels)
        {
            new ReadOnlySpan<float>(x, count * channels).CopyTo(new Span<float>(to, count * channels));
            return;
        }

        for (int i = 0; i < count; i++, x += Channels, to += channels)
        {
            new ReadOnlySpan<float>(x, channels).CopyTo(new Span<float>(to, channels));
        }
    }

    private readonly void Normalize(float* x, float* coefficients, int count, float* to, nint stride)
    {
        Vector512<float> mean = Vector512.Load(coefficients), factor = Vector512.Load(coefficients + Channels);
        Vector512<float> shift = Vector512.Load(coefficients + (Shift * Channels));
        Vector512<float> least = Relu ? Vector512<float>.Zero : Vector512.Create(float.NegativeInfinity);
        for (int i = 0; i < count; i++, x += Channels, to += stride)
        {
            Vector512.Max(Vector512.FusedMultiplyAdd(Vector512.Load(x) - mean, factor, shift), least).Store(to);
        }
    }

    private readonly void Finish(float* x, float* gradient, float* coefficients, int count, float* to, nint stride)
    {
        Vector512<float> mean = Vector512.Load(coefficients), factor = Vector512.Load(coefficients + Channels);
        Vector512<float> shift = Vector512.Load(coefficients + (Shift * Channels)), slope = Vector512.Load(coefficients + (Slope * Channels));
        Vector512<float> offset = Vector512.Load(coefficients + (Offset * Channels));
        if (!Relu)
        {
            shift = Vector512.Create(float.PositiveInfinity);
        }

        for (int i = 0; i < count; i++, x += Channels, gradient += Channels, to += stride)
        {
            Vector512<float> d = Vector512.Load(x) - mean;
            Vector512<float> m = Vector512.Load(gradient) & Vector512.GreaterThan(Vector512.FusedMultiplyAdd(d, factor, shift), Vector512<float>.Zero);
            Vector512.FusedMultiplyAdd(d, slope, Vector512.FusedMultiplyAdd(factor, m, offset)).Store(to);
        }
    }
}
