using CudaL2Net.Data;

namespace CudaL2Net.Networks;

// Streams of images.
public sealed partial class PatchModel
{
    /// <summary>Describes a stream of images of any length, in bounded memory, with all the device's threads: while some are described, others are cut.</summary>
    /// <remarks>
    /// Results come in the order of the images and are those of <see cref="ImagePatches"/> and <see cref="Describe(ReadOnlySpan{byte}, int)"/> to the bit.
    /// Patches of several small images are described together. The stream ends with the first image that fails, after the results of those before it, and with
    /// an exception of <paramref name="images"/> likewise. When the enumeration has ended, by itself, by an exception, by cancellation or by leaving the loop,
    /// nothing is left running and <paramref name="images"/> has been disposed of. A list is a stream by <c>ToAsyncEnumerable()</c>.
    /// </remarks>
    /// <param name="images">The images. They are read from another thread, one at a time, with a token that ends waiting when the enumeration ends.</param>
    /// <param name="held">The most images that are held at once, at least 1: from when one is read until the one after it is asked for. 0 is eight per thread of
    /// the device.</param>
    /// <param name="cancellationToken">Ends the enumeration with <see cref="OperationCanceledException"/>.</param>
    /// <returns>The images with their descriptors, [patches][<see cref="Dimension"/>]. Enumerating throws <see cref="ImageDescriptionException"/>, with the
    /// image's index, where one cannot be cut or described; <see cref="ObjectDisposedException"/> where the network or its device is disposed of.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="held"/> is negative.</exception>
    /// <exception cref="ObjectDisposedException">The network has been disposed of.</exception>
    /// <exception cref="InvalidOperationException">The network scores pairs.</exception>
    public IAsyncEnumerable<DescribedImage<float>> DescribeAsync(
        IAsyncEnumerable<ImageToDescribe> images, int held = 0, CancellationToken cancellationToken = default)
    {
        RequireDescriptors();
        return Stream(images, patches => Describe(patches, PatchSide), Dimension, held, cancellationToken);
    }

    /// <summary>Describes a stream of images by the signs of the float descriptors, otherwise as <see cref="DescribeAsync"/>.</summary>
    /// <param name="images">The images.</param>
    /// <param name="held">The most images that are held at once; 0 is eight per thread of the device.</param>
    /// <param name="cancellationToken">Ends the enumeration with <see cref="OperationCanceledException"/>.</param>
    /// <returns>The images with their descriptors, [patches][<see cref="Dimension"/> / 8], as from <see cref="DescribeBinary(ReadOnlySpan{byte}, int)"/>.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="held"/> is negative.</exception>
    /// <exception cref="ObjectDisposedException">The network has been disposed of.</exception>
    /// <exception cref="InvalidOperationException">The network scores pairs, or has a tower whose values do not fill whole bytes.</exception>
    public IAsyncEnumerable<DescribedImage<byte>> DescribeBinaryAsync(
        IAsyncEnumerable<ImageToDescribe> images, int held = 0, CancellationToken cancellationToken = default)
    {
        RequireSigns();
        return Stream(images, patches => DescribeBinary(patches, PatchSide), Dimension / 8, held, cancellationToken);
    }

    private IAsyncEnumerable<DescribedImage<T>> Stream<T>(
        IAsyncEnumerable<ImageToDescribe> images, DescribePatches<T> describe, int width, int held, CancellationToken cancellationToken)
    {
        const int HeldPerThread = 8;
        ArgumentNullException.ThrowIfNull(images);
        ArgumentOutOfRangeException.ThrowIfNegative(held);
        int most = held > 0 ? held : HeldPerThread * parallel.Threads, block = towers.Max(tower => tower.Block);
        return ImageStream<T>.Start(() => new ImageStream<T>(describe, PatchSide, PatchScale, width, block, parallel.Threads, most), images, cancellationToken);
    }
}
