using OpenCvSharp;

namespace CudaL2Net.Imaging;

/// <summary>An image as its file stores it, not turned by its EXIF orientation.</summary>
/// <param name="Grey">8 bits, one channel.</param>
/// <param name="RelativeFocal">The focal length that EXIF tells, over the longer side; null where it tells none.</param>
internal sealed record StoredImage(Mat Grey, double? RelativeFocal) : IDisposable
{
    /// <inheritdoc/>
    public void Dispose() => Grey.Dispose();
}
