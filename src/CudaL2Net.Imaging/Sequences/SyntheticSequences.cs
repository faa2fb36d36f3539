using CudaL2Net.Formats;
using CudaL2Net.Imaging.Geometry;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Imaging.Sources.Scenes;
using CudaL2Net.Numerics;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Sequences;

/// <summary>
/// Image sequences with known homographies made from procedural scenes, so that an evaluation needs no data: viewpoint, scale and rotation, light, blur and
/// JPEG compression, each growing from image 2 to image 6, always with a little noise and a small change of view.
/// </summary>
public static class SyntheticSequences
{
    /// <summary>
    /// The seed of the scenes, spelled "evaluate" in ASCII. Trainings that are to be judged on these sequences must use another one.
    /// </summary>
    public const ulong SceneSeed = 0x6576616c75617465;

    // The scene is larger than the images, which show its middle, so that a changed view has something to show at its borders.
    private const int Width = 640, Height = 480, SceneWidth = 2 * Width, SceneHeight = 2 * Height, Left = Width / 2, Top = Height / 2, Images = 6;

    private const int SceneAttempts = 8, EnoughKeypoints = 1000;

    private static readonly (string Name, Change Change)[] Kinds =
    [
        ("blur", Change.Blur), ("jpeg", Change.Jpeg), ("light", Change.Light), ("viewpoint", Change.Viewpoint), ("zoom-rotation", Change.ZoomRotation),
    ];

    private enum Change
    {
        Blur,
        Jpeg,
        Light,
        Viewpoint,
        ZoomRotation,
    }

    /// <summary>Writes the five sequences in Oxford's names, PNG, and opens them.</summary>
    /// <param name="folder">Gets one folder for each sequence.</param>
    /// <param name="set">Another number gives other scenes.</param>
    /// <param name="threads">The most threads that prepare the scenes; 0 is one per core.</param>
    /// <exception cref="IOException">A file cannot be written.</exception>
    public static IReadOnlyList<ImageSequence> Write(string folder, int set = 0, int threads = 0)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        ArgumentOutOfRangeException.ThrowIfNegative(set);
        SceneRenderer renderer = NewRenderer(threads);
        return [.. Enumerable.Range(0, Kinds.Length).Select(kind => WriteOne(renderer, folder, kind, set))];
    }

    /// <summary>Writes one of the five sequences.</summary>
    internal static ImageSequence WriteOne(SceneRenderer renderer, string folder, int kind, int set)
    {
        (string name, Change change) = Kinds[kind];
        string target = Path.Combine(folder, name);
        Directory.CreateDirectory(target);
        uint scene = (uint)((set * Kinds.Length) + kind) * SceneAttempts;
        using Mat whole = RenderRichScene(renderer, scene);
        using var reference = new Mat(whole, new Rect(Left, Top, Width, Height));
        WriteImage(Path.Combine(target, "img1.png"), reference);
        var draws = new PhiloxStream(SceneSeed, DrawPurpose.Evaluation, scene);
        for (int k = 2; k <= Images; k++)
        {
            double strength = (k - 1.0) / (Images - 1);
            Homography homography = View(change, strength, ref draws);
            using Mat image = Changed(Warped(whole, homography), change, strength, ref draws);
            WriteImage(Path.Combine(target, $"img{k}.png"), image);
            homography.Write(Path.Combine(target, $"H1to{k}p"));
        }

        return ImageSequence.Load(target);
    }

    internal static SceneRenderer NewRenderer(int threads = 0) => new(SceneSeed, SceneWidth, SceneHeight, threads);

    // Some scenes are nearly empty; the first of a few with enough keypoints in its middle is taken, or else the last.
    private static Mat RenderRichScene(SceneRenderer renderer, uint first)
    {
        for (uint attempt = 0; ; attempt++)
        {
            Mat scene = renderer.Render(first + attempt);
            using var middle = new Mat(scene, new Rect(Left, Top, Width, Height));
            if (attempt == SceneAttempts - 1 || KeypointDetector.Detect(middle).Length >= EnoughKeypoints)
            {
                return scene;
            }

            scene.Dispose();
        }
    }

    // Centre to the origin, rotation and scale, tilt towards one side, back to the centre with a shift of a few pixels.
    private static Homography View(Change change, double strength, ref PhiloxStream draws)
    {
        double side = draws.Next(2) == 0 ? -1 : 1, angle = draws.Next(-0.04f, 0.04f), scale = 1, tilt = 0.05;
        if (change == Change.ZoomRotation)
        {
            angle = side * (0.3 + (2.2 * strength * draws.Next(0.7f, 1f)));
            scale = Math.Pow(0.55, strength);
        }
        else if (change == Change.Viewpoint)
        {
            tilt = 0.2 + (0.7 * strength);
        }

        const double CentreX = (Width - 1) / 2.0, CentreY = (Height - 1) / 2.0, Distance = 1.6 * Width;
        double cos = Math.Cos(angle) * scale, sin = Math.Sin(angle) * scale;
        double narrow = Math.Cos(tilt), depth = side * Math.Sin(tilt) / Distance;
        return new Homography(1, 0, -CentreX, 0, 1, -CentreY, 0, 0, 1)
            .Then(new Homography(cos, -sin, 0, sin, cos, 0, 0, 0, 1))
            .Then(new Homography(narrow, 0, 0, 0, 1, 0, depth, 0, 1))
            .Then(new Homography(1, 0, CentreX + draws.Next(-6f, 6f), 0, 1, CentreY + draws.Next(-6f, 6f), 0, 0, 1));
    }

    private static Mat Warped(Mat whole, Homography homography)
    {
        Homography fromScene = new Homography(1, 0, -Left, 0, 1, -Top, 0, 0, 1).Then(homography);
        double scale = homography.Scale((Width - 1) / 2.0, (Height - 1) / 2.0);
        using Mat smooth = new(), matrix = Mat.FromPixelData(3, 3, MatType.CV_64FC1, fromScene.Elements.ToArray());
        if (scale < 0.9)
        {
            // What a smaller image cannot show is smoothed away first.
            Cv2.GaussianBlur(whole, smooth, new Size(0, 0), 0.45 * Math.Sqrt((1 / (scale * scale)) - 1));
        }
        else
        {
            whole.CopyTo(smooth);
        }

        var warped = new Mat();
        Cv2.WarpPerspective(smooth, warped, matrix, new Size(Width, Height), InterpolationFlags.Cubic, BorderTypes.Reflect101);
        return warped;
    }

    private static Mat Changed(Mat image, Change change, double strength, ref PhiloxStream draws)
    {
        switch (change)
        {
            case Change.Blur:
                Cv2.GaussianBlur(image, image, new Size(0, 0), 0.6 + (2.4 * strength));
                break;
            case Change.Light:
                Relight(image, strength, draws.Next(0, MathF.Tau));
                break;
        }

        AddNoise(image, draws.NextUInt());
        if (change != Change.Jpeg)
        {
            return image;
        }

        Cv2.ImEncode(".jpg", image, out byte[] file, new ImageEncodingParam(ImwriteFlags.JpegQuality, (int)(40 * Math.Pow(0.12, strength))));
        image.Dispose();
        return Cv2.ImDecode(file, ImreadModes.Grayscale);
    }

    // Darker, with less contrast, and more so from one side of the image to the other; a shadow's edge in the strong half.
    private static unsafe void Relight(Mat image, double strength, double direction)
    {
        double gamma = 1 + (0.8 * strength), cos = Math.Cos(direction), sin = Math.Sin(direction);
        for (int y = 0; y < Height; y++)
        {
            byte* row = (byte*)image.Ptr(y);
            for (int x = 0; x < Width; x++)
            {
                double along = (((x - (Width / 2.0)) * cos) + ((y - (Height / 2.0)) * sin)) / Width;
                double light = (1 - (0.3 * strength)) * Math.Exp(strength * along);
                double shadow = strength > 0.5 ? 1 - (0.4 / (1 + Math.Exp(-200 * along))) : 1;
                row[x] = (byte)Math.Clamp((255 * Math.Pow(row[x] / 255.0, gamma) * light * shadow) + 0.5, 0, 255);
            }
        }
    }

    private static unsafe void AddNoise(Mat image, ulong seed)
    {
        const float Deviation = 1.5f;
        var draws = new PhiloxStream(seed, DrawPurpose.Evaluation, 1);
        for (int y = 0; y < Height; y++)
        {
            byte* row = (byte*)image.Ptr(y);
            for (int x = 0; x < Width; x++)
            {
                row[x] = (byte)Math.Clamp(row[x] + (Deviation * draws.NextGaussian()) + 0.5f, 0, 255);
            }
        }
    }

    private static void WriteImage(string path, Mat image)
    {
        Cv2.ImEncode(".png", image, out byte[] file);
        AtomicFile.Write(path, stream => stream.Write(file));
    }
}
