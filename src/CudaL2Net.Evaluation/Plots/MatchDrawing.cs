using CudaL2Net.Formats;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Imaging.Matching;
using CudaL2Net.Matching;
using OpenCvSharp;
using SkiaSharp;

namespace CudaL2Net.Evaluation.Plots;

/// <summary>
/// Two images side by side with their matches: verified ones as coloured lines between rings as large as the keypoints, the colour from place to place;
/// the others as thin grey lines beneath.
/// </summary>
public static class MatchDrawing
{
    private const int Gap = 12, Header = 44;
    private const float LargestSide = 900;

    /// <summary>Draws the image.</summary>
    /// <param name="first">The first image, 8 bits, one or three channels (blue, green, red).</param>
    /// <param name="second">The second image, likewise.</param>
    /// <param name="matches">Their matches.</param>
    /// <param name="caption">The text above the first image; null for none. Counts are added.</param>
    /// <returns>A PNG file's bytes. Images larger than 900 pixels are shown reduced.</returns>
    public static byte[] Draw(Mat first, Mat second, ImageMatches matches, string? caption = null)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        ArgumentNullException.ThrowIfNull(matches);
        float scale = Math.Min(1, LargestSide / Math.Max(Math.Max(first.Width, first.Height), Math.Max(second.Width, second.Height)));
        var left = SKRect.Create(Gap, Header, first.Width * scale, first.Height * scale);
        var right = SKRect.Create(left.Right + Gap, Header, second.Width * scale, second.Height * scale);

        int width = (int)MathF.Ceiling(right.Right) + Gap, height = (int)MathF.Ceiling(Math.Max(left.Bottom, right.Bottom)) + Gap;
        using SKSurface surface = SKSurface.Create(new SKImageInfo(width, height));
        SKCanvas canvas = surface.Canvas;
        canvas.Clear(new SKColor(0x16, 0x1a, 0x20));
        DrawPhotograph(canvas, first, left);
        DrawPhotograph(canvas, second, right);
        DrawMatches(canvas, matches, left, right, scale, verified: false);
        DrawMatches(canvas, matches, left, right, scale, verified: true);
        DrawHeader(canvas, matches, caption, width);
        using SKImage image = surface.Snapshot();
        using SKData png = image.Encode(SKEncodedImageFormat.Png, 100);
        return png.ToArray();
    }

    /// <summary>Draws the image into a PNG file.</summary>
    /// <param name="path">The file, written as a whole or not at all.</param>
    /// <param name="first">The first image, 8 bits, one or three channels (blue, green, red).</param>
    /// <param name="second">The second image, likewise.</param>
    /// <param name="matches">Their matches.</param>
    /// <param name="caption">The text above the first image; null for none. Counts are added.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Write(string path, Mat first, Mat second, ImageMatches matches, string? caption = null)
    {
        byte[] png = Draw(first, second, matches, caption);
        AtomicFile.Write(path, stream => stream.Write(png));
    }

    private static void DrawPhotograph(SKCanvas canvas, Mat image, SKRect place)
    {
        using var colour = new Mat();
        Cv2.CvtColor(image, colour, image.Channels() == 1 ? ColorConversionCodes.GRAY2BGRA : ColorConversionCodes.BGR2BGRA);
        using var bitmap = new SKBitmap();
        bitmap.InstallPixels(new SKImageInfo(colour.Width, colour.Height, SKColorType.Bgra8888, SKAlphaType.Opaque), colour.Data, (int)colour.Step());
        using SKImage drawn = SKImage.FromBitmap(bitmap);
        canvas.DrawImage(drawn, place, new SKSamplingOptions(SKFilterMode.Linear, SKMipmapMode.Linear));

        // A little darker, so that the lines stand out.
        using var shade = new SKPaint { Color = new SKColor(0, 0, 0, 60) };
        canvas.DrawRect(place, shade);
    }

    private static void DrawMatches(SKCanvas canvas, ImageMatches matches, SKRect left, SKRect right, float scale, bool verified)
    {
        using var line = new SKPaint { IsAntialias = true, Style = SKPaintStyle.Stroke, StrokeWidth = verified ? 1.2f : 0.7f };

        // Many lines are drawn fainter, so that the images beneath them can still be seen; the rings' colours tell what belongs together.
        var faint = (byte)(110 * Math.Min(1f, 150f / Math.Max(1, matches.VerifiedCount)));
        for (int i = 0; i < matches.Matches.Length; i++)
        {
            if (matches.Verified[i] != verified)
            {
                continue;
            }

            DescriptorMatch match = matches.Matches[i];
            Keypoint a = matches.FirstKeypoints[match.Query], b = matches.SecondKeypoints[match.Target];
            var from = new SKPoint(left.Left + ((a.X + 0.5f) * scale), left.Top + ((a.Y + 0.5f) * scale));
            var to = new SKPoint(right.Left + ((b.X + 0.5f) * scale), right.Top + ((b.Y + 0.5f) * scale));
            line.Color = verified ? PlaceColour(from, left).WithAlpha(faint) : new SKColor(0xd0, 0xd6, 0xdc, 70);
            canvas.DrawLine(from, to, line);
            if (verified)
            {
                line.Color = line.Color.WithAlpha(255);
                canvas.DrawCircle(from, Math.Max(2, a.Size * scale / 2), line);
                canvas.DrawCircle(to, Math.Max(2, b.Size * scale / 2), line);
            }
        }
    }

    // Neighbours have like colours, so that a line that goes astray is seen: hue from left to right, lightness from top to bottom.
    private static SKColor PlaceColour(SKPoint point, SKRect image) =>
        SKColor.FromHsl(40 + (250 * (point.X - image.Left) / image.Width), 95, 68 - (16 * (point.Y - image.Top) / image.Height));

    /// <summary>How many matches there are, and how many are verified by what.</summary>
    internal static string Found(ImageMatches matches)
    {
        string verified = matches.Geometry switch
        {
            MatchGeometry.Homography => $"{matches.VerifiedCount} verified by one homography",
            MatchGeometry.Fundamental => $"{matches.VerifiedCount} verified by epipolar geometry",
            _ => "no geometry found",
        };
        return $"{matches.Matches.Length} matches, {verified}";
    }

    private static void DrawHeader(SKCanvas canvas, ImageMatches matches, string? caption, int width)
    {
        string text = $"{(caption is null ? string.Empty : caption + ":  ")}{Found(matches)}";
        using var font = new SKFont(SKTypeface.FromFamilyName(PlotFont.Family), 17) { Edging = SKFontEdging.Antialias };
        using var paint = new SKPaint { Color = new SKColor(0xee, 0xf1, 0xf4), IsAntialias = true };
        canvas.DrawText(PlotLayout.Fit(text, font.Size, width - (2 * Gap)), Gap, 28, font, paint);
    }
}
