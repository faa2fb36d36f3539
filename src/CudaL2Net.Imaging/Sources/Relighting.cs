using CudaL2Net.Numerics;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Sources;

/// <summary>Changes an image as another hour, camera and file would: local light, blur, tone, noise, compression.</summary>
internal sealed class Relighting
{
    private const int TableSize = 1 << 18;
    private const int FieldCells = 6;

    private readonly PairOptions options;
    private readonly float[] normal = new float[TableSize];

    public Relighting(PairOptions options)
    {
        this.options = options;

        // Noise is read from one table at drawn places: drawing it anew for every pixel would take longer than all else.
        PhiloxStream draws = new(0, DrawPurpose.Pair, uint.MaxValue);
        for (int i = 0; i < normal.Length; i++)
        {
            normal[i] = draws.NextGaussian();
        }
    }

    /// <summary>Returns the changed image; <paramref name="image"/> may be overwritten or returned.</summary>
    public Mat Apply(Mat image, ref PhiloxStream draws)
    {
        if (draws.NextSingle() < options.LocalLightProbability)
        {
            ApplyLocalLight(image, ref draws);
        }

        if (draws.NextSingle() < options.BlurProbability)
        {
            double sigma = draws.Next(0.3f, (float)options.BlurSigma);
            Cv2.GaussianBlur(image, image, new Size(0, 0), sigma);
        }

        ApplyToneAndNoise(image, ref draws);
        if (draws.NextSingle() >= options.JpegProbability)
        {
            return image;
        }

        int quality = 15 + draws.Next(76);
        Cv2.ImEncode(".jpg", image, out byte[] file, new ImageEncodingParam(ImwriteFlags.JpegQuality, quality));
        return Cv2.ImDecode(file, ImreadModes.Grayscale);
    }

    private static unsafe void ApplyLocalLight(Mat image, ref PhiloxStream draws)
    {
        int width = image.Width, height = image.Height;

        // A smooth field of factors: a slope and soft patches of light.
        float slope = draws.Next(0f, 0.9f), patches = draws.Next(0f, 0.35f), angle = draws.Next(0, MathF.Tau);
        float[] cells = new float[FieldCells * FieldCells];
        for (int i = 0; i < cells.Length; i++)
        {
            float x = ((i % FieldCells) / (FieldCells - 1f)) - 0.5f, y = ((i / FieldCells) / (FieldCells - 1f)) - 0.5f;
            cells[i] = MathF.Exp((slope * ((x * MathF.Cos(angle)) + (y * MathF.Sin(angle)))) + (patches * draws.NextGaussian()));
        }

        using Mat coarse = Mat.FromPixelData(FieldCells, FieldCells, MatType.CV_32FC1, cells);
        using Mat field = new();
        Cv2.Resize(coarse, field, new Size(width, height), 0, 0, InterpolationFlags.Cubic);

        // Cast shadows: half planes and strips.
        using Mat shadow = new(height, width, MatType.CV_8UC1, Scalar.White);
        int shadows = draws.Next(4);
        for (int i = 0; i < shadows; i++)
        {
            float x = draws.Next(0f, width), y = draws.Next(0f, height), turn = draws.Next(0, MathF.Tau), depth = draws.Next(0.25f, 0.8f);
            float reach = draws.NextSingle() < 0.5f ? width + height : draws.Next(10f, 0.4f * width);
            float ux = MathF.Cos(turn), uy = MathF.Sin(turn), length = width + height;
            Point Corner(float along, float across) => new(x + (along * ux) - (across * uy), y + (along * uy) + (across * ux));
            Cv2.FillConvexPoly(shadow, [Corner(-length, 0), Corner(length, 0), Corner(length, reach), Corner(-length, reach)], new Scalar(255 * depth));
        }

        if (shadows > 0)
        {
            int soft = (2 * draws.Next(6)) + 1;
            Cv2.BoxFilter(shadow, shadow, MatType.CV_8UC1, new Size(soft, soft));
        }

        for (int y = 0; y < height; y++)
        {
            byte* row = (byte*)image.Ptr(y), shade = (byte*)shadow.Ptr(y);
            float* light = (float*)field.Ptr(y);
            for (int x = 0; x < width; x++)
            {
                row[x] = (byte)Math.Clamp((row[x] * light[x] * shade[x] * (1 / 255f)) + 0.5f, 0, 255);
            }
        }
    }

    private unsafe void ApplyToneAndNoise(Mat image, ref PhiloxStream draws)
    {
        double gamma = Math.Pow(options.Gamma, draws.Next(-1f, 1f));
        double contrast = draws.Next((float)options.LeastContrast, (float)options.GreatestContrast), middle = draws.Next(0.35f, 0.65f);
        double bend = draws.NextSingle() < options.ToneCurveProbability ? draws.Next(-0.7f, 0.9f) : 0;
        float deviation = (float)options.Noise * draws.NextSingle() * draws.NextSingle();
        float[] tone = new float[256];
        for (int i = 0; i < tone.Length; i++)
        {
            double value = Math.Pow(i / 255.0, gamma);
            value += bend * ((value * value * (3 - (2 * value))) - value);
            tone[i] = (float)(255 * (middle + (contrast * (value - 0.5)))) + 0.5f;
        }

        int width = image.Width, height = image.Height;
        for (int y = 0; y < height; y++)
        {
            byte* row = (byte*)image.Ptr(y);
            int place = draws.Next(TableSize);
            for (int x = 0; x < width; x++)
            {
                row[x] = (byte)Math.Clamp(tone[row[x]] + (deviation * normal[(place + x) & (TableSize - 1)]), 0, 255);
            }
        }
    }
}
