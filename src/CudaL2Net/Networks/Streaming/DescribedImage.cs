namespace CudaL2Net.Networks;

/// <summary>An image of a stream with its descriptors.</summary>
/// <typeparam name="T"><see cref="float"/> for values, <see cref="byte"/> for packed bits.</typeparam>
public sealed class DescribedImage<T>
{
    internal DescribedImage(long index, ImageToDescribe image, T[] descriptors) => (Index, Image, Descriptors) = (index, image, descriptors);

    /// <summary>The image's place in the stream, from 0 on.</summary>
    public long Index { get; }

    /// <summary>The image that was given.</summary>
    public ImageToDescribe Image { get; }

    /// <summary>[patches][<see cref="PatchModel.Dimension"/>], or an eighth of it for packed bits, in the order of the image's keypoints or frames.</summary>
    public T[] Descriptors { get; }
}

/// <summary>An image of a stream that could not be described; the inner exception says why.</summary>
public sealed class ImageDescriptionException : Exception
{
    internal ImageDescriptionException(long index, Exception reason)
        : base($"image {index} of the stream (counted from 0): {reason.Message}", reason) => Index = index;

    /// <summary>The image's place in the stream, from 0 on.</summary>
    public long Index { get; }
}
