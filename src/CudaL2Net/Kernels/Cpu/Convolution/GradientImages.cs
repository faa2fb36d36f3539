using System.Runtime.Intrinsics;

namespace CudaL2Net.Kernels.Cpu;

/// <summary>Where the pixels of a filter gradient's images lie.</summary>
internal readonly struct GradientImages
{
    /// <summary>Images, and output rows and columns of each.</summary>
    public required int Count { get; init; }

    public required int Rows { get; init; }

    public required int Columns { get; init; }

    /// <summary>Floats from image to image, row to row and pixel to pixel of the input.</summary>
    public required nint ImageStride { get; init; }

    public required nint RowStride { get; init; }

    public required nint PixelStride { get; init; }

    /// <summary>The same of the output's gradient.</summary>
    public required nint GradientImageStride { get; init; }

    public required nint GradientRowStride { get; init; }

    public required nint GradientPixelStride { get; init; }

    /// <summary>Two matrices whose rows take the place of pixels.</summary>
    public static GradientImages Matrices(int rows, nint stride, nint gradientStride) => new()
    {
        Count = 1,
        Rows = 1,
        Columns = rows,
        ImageStride = 0,
        RowStride = 0,
        PixelStride = stride,
        GradientImageStride = 0,
        GradientRowStride = 0,
        GradientPixelStride = gradientStride,
    };

    /// <summary>Copies 16 channels of the gradient side by side, and returns their layout.</summary>
    public unsafe GradientImages PackGradients(float* from, float* panel)
    {
        for (int image = 0; image < Count; image++)
        {
            for (int row = 0; row < Rows; row++)
            {
                float* pixel = from + (image * GradientImageStride) + (row * GradientRowStride);
                for (int column = 0; column < Columns; column++, pixel += GradientPixelStride, panel += 16)
                {
                    Vector256.Load(pixel).Store(panel);
                    Vector256.Load(pixel + 8).Store(panel + 8);
                }
            }
        }

        return this with { GradientImageStride = (nint)Rows * Columns * 16, GradientRowStride = (nint)Columns * 16, GradientPixelStride = 16 };
    }
}
