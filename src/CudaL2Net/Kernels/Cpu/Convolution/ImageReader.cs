using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace CudaL2Net.Kernels.Cpu;

/// <summary>
/// How a convolution reads its images into a thread's own memory: as they are, normalized on the way, or, where they are the gradient behind a normalization,
/// as the gradient before it. So neither is ever written to memory for its own sake.
/// </summary>
[SkipLocalsInit]
internal unsafe struct ImageReader
{
    /// <summary>Coefficients of a side and channel: y = max(0, d factor + shift) with d = x - mean; and dx = factor m + slope d + offset, with m = g where y is
    /// positive.</summary>
    public const int Mean = 0, Factor = 1, Shift = 2, Slope = 3, Offset = 4, Kinds = 5;

    private const int Lanes = 16;

    /// <summary>[images][rows][columns][channels].</summary>
    public float* X;

    /// <summary>Of what X is normalized to, in the same order; null to read X itself.</summary>
    public float* Gradient;

    /// <summary>[sides][<see cref="Kinds"/>][channels], or null to read X as it is.</summary>
    public float* Coefficients;

    /// <summary>Sizes of an image, images, and images of each side of the batch.</summary>
    public int Rows, Columns, Channels, Count, ImagesPerSide;

    /// <summary>Whether ReLU follows the normalization.</summary>
    public bool Relu;

    /// <summary>Sides of the batch.</summary>
    public readonly int Sides => Count / ImagesPerSide;

    /// <summary>Every pixel as an image of its own.</summary>
    public readonly ImageReader Pixels =>
        this with { Rows = 1, Columns = 1, Count = Count * Rows * Columns, ImagesPerSide = ImagesPerSide * Rows * Columns };

    /// <summary>Groups of so many images that each side makes, the last one of what is left.</summary>
    public readonly int GroupsOfSide(int size) => (ImagesPerSide + size - 1) / size;

    /// <summary>The images of a group; those of the first side come first.</summary>
    public readonly (int Side, int First, int Count) Group(int index, int size)
    {
        int side = index / GroupsOfSide(size), start = index % GroupsOfSide(size) * size;
        return (side, (side * ImagesPerSide) + start, Math.Min(size, ImagesPerSide - start));
    }

    /// <summary>Floats of an image.</summary>
    public readonly nint ImageLength => (nint)Rows * Columns * Channels;

    /// <summary>Channels of an image with a margin of zeros.</summary>
    /// <param name="image">Which.</param>
    /// <param name="first">The first channel.</param>
    /// <param name="channels">How many.</param>
    /// <param name="margin">Rows and columns of zeros above and to the left.</param>
    /// <param name="paddedRows">Rows with the margins.</param>
    /// <param name="paddedColumns">Columns with the margins.</param>
    /// <param name="padded">[paddedRows][paddedColumns][channels].</param>
    public readonly void Read(int image, int first, int channels, int margin, int paddedRows, int paddedColumns, float* padded)
    {
        int before = margin * channels, rowLength = Columns * channels, after = (paddedColumns * channels) - before - rowLength;
        new Span<float>(padded, margin * paddedColumns * channels).Clear();
        float* to = padded + ((nint)margin * paddedColumns * channels);
        for (int row = 0; row < Rows; row++)
        {
            new Span<float>(to, before).Clear();
            ReadPixels(image / ImagesPerSide, (((nint)image * Rows) + row) * Columns, Columns, first, channels, to + before);
            new Span<float>(to + before + rowLength, after).Clear();
            to += (nint)paddedColumns * channels;
        }

        new Span<float>(to, (paddedRows - margin - Rows) * paddedColumns * channels).Clear();
    }

    /// <summary>Neighbouring images without margins: where they lie, or else <paramref name="to"/>, to which they are then written.</summary>
    public readonly float* Whole(int image, int count, float* to)
    {
        if (Coefficients == null)
        {
            return X + (image * ImageLength);
        }

        for (int i = 0; i < count; i++)
        {
            ReadPixels((image + i) / ImagesPerSide, (nint)(image + i) * Rows * Columns, Rows * Columns, 0, Channels, to + (i * ImageLength));
        }

        return to;
    }

    /// <summary>Channels of neighbouring pixels of one side, [count][channels].</summary>
    public readonly void ReadPixels(int side, nint pixel, int count, int first, int channels, float* to)
    {
        float* x = X + (pixel * Channels) + first;
        if (Coefficients == null)
        {
            Copy(x, count, channels, to);
            return;
        }

        float* gradient = Gradient == null ? null : Gradient + (pixel * Channels) + first;
        float* coefficients = Coefficients + ((nint)side * Kinds * Channels) + first;
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
