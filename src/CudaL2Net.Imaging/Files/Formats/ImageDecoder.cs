using OpenCvSharp;

namespace CudaL2Net.Imaging.Files.Formats;

/// <summary>Decodes an image that was checked, to 8 bits.</summary>
/// <param name="info">What its file says; gets remarks.</param>
/// <param name="bytes">The bytes to decode.</param>
/// <param name="mode">Grey or colour.</param>
internal sealed class ImageDecoder(ImageInfo info, byte[] bytes, ImreadModes mode)
{
    private const int MostScaledBits = 14;

    /// <summary>Decodes the image and turns it.</summary>
    /// <param name="path">Its file, for remarks on its keypoints.</param>
    /// <exception cref="InvalidDataException">The decoder refuses it; the reason, to be put behind the file's name.</exception>
    /// <exception cref="OpenCVException">The decoder refuses it.</exception>
    public Mat Decode(string path)
    {
        Mat image = info.IsDeep ? DecodeDeep() : DecodeAs(mode);
        try
        {
            if (!IsOfItsSize(image) || image.Depth() != MatType.CV_8U)
            {
                throw Damage.Because($"{image.Width} x {image.Height} pixels were decoded, not {info.Width} x {info.Height}");
            }

            Turn(image);
            using Mat? hole = info.HasAlpha ? Transparent() : null;
            if (hole is null || Cv2.CountNonZero(hole) == 0)
            {
                return image;
            }

            Turn(hole);
            var cutOut = new CutOutImage(image, hole, path);
            image.Dispose();
            return cutOut;
        }
        catch
        {
            image.Dispose();
            throw;
        }
    }

    // A TIFF comes out turned already.
    private bool IsOfItsSize(Mat image) =>
        (image.Width == info.Width && image.Height == info.Height) || (image.Width == info.Height && image.Height == info.Width);

    private Mat DecodeAs(ImreadModes wanted) => Read(wanted) ?? throw Damage.Because("its decoder refuses it");

    private Mat? Read(ImreadModes wanted)
    {
        Mat image = Cv2.ImDecode(bytes, wanted == ImreadModes.Unchanged ? wanted : wanted | ImreadModes.IgnoreOrientation);
        if (!image.Empty())
        {
            return image;
        }

        image.Dispose();
        return null;
    }

    // 16 bits that are used keep their upper eight, as ever. Of fewer bits the upper eight that are used; numbers of other kinds are scaled.
    private Mat DecodeDeep()
    {
        using Mat stored = Read(ImreadModes.AnyDepth | ImreadModes.AnyColor) ?? Read(ImreadModes.Unchanged) ?? throw Damage.Because("its decoder refuses it");
        if (stored.Depth() == MatType.CV_8U)
        {
            return DecodeAs(mode);
        }

        using Mat flat = stored.Reshape(1);
        using Mat bytesOfColours = new();
        if (stored.Depth() == MatType.CV_16U)
        {
            Cv2.MinMaxLoc(flat, out _, out double most);
            int bits = Math.Max(8, 64 - System.Numerics.BitOperations.LeadingZeroCount((ulong)most));
            if (bits > MostScaledBits)
            {
                return DecodeAs(mode);
            }

            info.Remark($"uses {bits} of 16 bits; {(1 << bits) - 1} is taken as white");
            using Mat shifted = new();
            Cv2.BitwiseAnd(flat, new Scalar(~((1 << (bits - 8)) - 1) & ushort.MaxValue), shifted);
            shifted.ConvertTo(bytesOfColours, MatType.CV_8U, 1.0 / (1 << (bits - 8)));
        }
        else
        {
            Scale(flat, bytesOfColours, stored.Depth() >= MatType.CV_32F);
        }

        return InColours(bytesOfColours.Reshape(stored.Channels()));
    }

    private Mat InColours(Mat decoded)
    {
        bool grey = mode == ImreadModes.Grayscale;
        if (decoded.Channels() == (grey ? 1 : 3))
        {
            return decoded;
        }

        using (decoded)
        {
            var image = new Mat();
            Cv2.CvtColor(decoded, image, decoded.Channels() switch
            {
                1 => ColorConversionCodes.GRAY2BGR,
                3 => ColorConversionCodes.BGR2GRAY,
                4 => grey ? ColorConversionCodes.BGRA2GRAY : ColorConversionCodes.BGRA2BGR,
                int other => throw Damage.Because($"it has {other} channels"),
            });
            return image;
        }
    }

    // Floats from 0 to 1 have a white of their own. Others, and integers with signs, go from their least value to their greatest.
    private void Scale(Mat values, Mat scaled, bool floats)
    {
        using Mat numbers = new();
        values.ConvertTo(numbers, MatType.CV_64F);
        Cv2.MinMaxLoc(numbers, out double least, out double most);
        if (!double.IsFinite(least) || !double.IsFinite(most) || !Cv2.CheckRange(numbers))
        {
            throw new InvalidDataException("has values that are not finite numbers; replace them first");
        }

        bool unit = floats && least >= 0 && most <= 1;
        (double black, double white) = unit ? (0, 1) : (least, most);
        double factor = white > black ? 255 / (white - black) : 0;
        numbers.ConvertTo(scaled, MatType.CV_8U, factor, -black * factor);
        info.Remark(FormattableString.Invariant($"has {(floats ? "floats" : "integers with signs")}; {black:g6} is taken as black and {white:g6} as white"));
    }

    private Mat? Transparent()
    {
        using Mat? stored = Read(ImreadModes.Unchanged);
        if (stored is null || stored.Channels() != 4 || !IsOfItsSize(stored))
        {
            return null;
        }

        using Mat alpha = stored.ExtractChannel(3);
        var hole = new Mat();
        Cv2.Compare(alpha, new Scalar(0), hole, CmpTypes.EQ);
        return hole;
    }

    private void Turn(Mat image)
    {
        if (info.Orientation >= 5)
        {
            Cv2.Transpose(image, image);
        }

        FlipMode? flip = info.Orientation switch
        {
            2 or 6 => FlipMode.Y,
            4 or 8 => FlipMode.X,
            3 or 7 => FlipMode.XY,
            _ => null,
        };
        if (flip is { } mirror)
        {
            Cv2.Flip(image, image, mirror);
        }
    }
}
