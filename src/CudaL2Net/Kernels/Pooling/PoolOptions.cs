namespace CudaL2Net.Kernels;

/// <summary>What pooling keeps of the pixels of a window.</summary>
public enum PoolKind
{
    /// <summary>The largest value. Padding never wins; ties go to the first pixel in row order; a NaN wins over every number.</summary>
    Max,

    /// <summary>The average. Padding counts as zeros, as by default in PyTorch, Torch and Caffe. What the last window has beyond the padding, with
    /// <see cref="PoolOptions.RoundUp"/>, does not count.</summary>
    Average,

    /// <summary>The root of the sum of squares, sqrt(sum x^2), not divided by the number of pixels (DeepDesc). Its gradient is 0 where all pixels are 0.</summary>
    L2,
}

/// <summary>Options of pooling over square windows.</summary>
/// <param name="Kind">What a window gives.</param>
/// <param name="Kernel">Side of the window in pixels, 1 to <see cref="LargestKernel"/>.</param>
/// <param name="Stride">Pixels from one window to the next, at least 1.</param>
/// <param name="Padding">Pixels on each side of the image, 0 to half of the kernel, so that every window holds a pixel of the image.</param>
/// <param name="RoundUp">Whether a last window that only begins inside counts (Caffe; <c>ceil_mode</c> in PyTorch). It must begin inside the image or its
/// left padding. False drops it (Torch, PyTorch).</param>
public readonly record struct PoolOptions(PoolKind Kind, int Kernel, int Stride, int Padding = 0, bool RoundUp = false)
{
    /// <summary>The largest side of a window: a pixel's place in it is kept in 16 bits.</summary>
    public const int LargestKernel = 256;

    /// <summary>The number of windows along a side of the image; 0 or less where none fits.</summary>
    /// <param name="side">Pixels.</param>
    public int OutSide(int side)
    {
        int free = side + (2 * Padding) - Kernel + (RoundUp ? Stride - 1 : 0);
        int windows = free < 0 ? 0 : (free / Stride) + 1;
        return windows > 0 && RoundUp && (windows - 1) * Stride >= side + Padding ? windows - 1 : windows;
    }

    /// <summary>The sizes of the pooling of a batch.</summary>
    /// <exception cref="ArgumentException">An option is out of its range, or no window fits into the image; the message says which.</exception>
    internal PoolGeometry Over(int batch, int height, int width, int channels)
    {
        if (Kind is not (PoolKind.Max or PoolKind.Average or PoolKind.L2))
        {
            throw new ArgumentException($"unknown kind of pooling {(int)Kind}: it is {PoolKind.Max}, {PoolKind.Average} or {PoolKind.L2}");
        }

        if (Kernel is < 1 or > LargestKernel || Stride < 1 || Padding < 0 || 2 * Padding > Kernel)
        {
            throw new ArgumentException($"pooling with kernel {Kernel}, stride {Stride} and padding {Padding}: the kernel is 1 to {LargestKernel}, the stride at "
                + "least 1, and the padding 0 to half of the kernel");
        }

        return OutSide(height) >= 1 && OutSide(width) >= 1
            ? new PoolGeometry(batch, height, width, channels, this)
            : throw new ArgumentException($"a pooling window of {Kernel} x {Kernel} does not fit into images of {height} x {width} with padding {Padding}",
                nameof(height));
    }
}

/// <summary>Sizes of a pooling.</summary>
/// <param name="Batch">Images.</param>
/// <param name="Height">Input rows.</param>
/// <param name="Width">Input columns.</param>
/// <param name="Channels">Channels.</param>
/// <param name="Options">Window and rule.</param>
internal readonly record struct PoolGeometry(int Batch, int Height, int Width, int Channels, PoolOptions Options)
{
    /// <summary>Output rows.</summary>
    public int OutHeight => Options.OutSide(Height);

    /// <summary>Output columns.</summary>
    public int OutWidth => Options.OutSide(Width);
}
