using CudaL2Net.Formats;

namespace CudaL2Net.Pipelines.Colmap;

/// <summary>A camera as COLMAP stores it.</summary>
/// <param name="Model">The number of its model.</param>
/// <param name="Width">Columns of its images.</param>
/// <param name="Height">Rows of its images.</param>
/// <param name="Parameters">The model's parameters, in pixels; the centre of the top left pixel is (0.5, 0.5).</param>
/// <param name="KnowsFocalLength">Whether the focal length is more than a guess.</param>
internal sealed record ColmapCamera(int Model, int Width, int Height, double[] Parameters, bool KnowsFocalLength);

/// <summary>How cameras are made for images.</summary>
/// <param name="Model">The model's name.</param>
/// <param name="Shared">Whether all images are of one camera.</param>
/// <param name="Parameters">The parameters of every camera; null to take the focal length from EXIF, or to guess it.</param>
internal sealed record CameraChoice(string Model, bool Shared, double[]? Parameters)
{
    // COLMAP's own guess where EXIF has no focal length, over the longer side.
    private const double GuessedFocal = 1.2;

    // Number, focal lengths, and distortions that start at 0.
    private static readonly Dictionary<string, (int Number, int Focals, int Distortions)> Known = new()
    {
        ["SIMPLE_PINHOLE"] = (0, 1, 0),
        ["PINHOLE"] = (1, 2, 0),
        ["SIMPLE_RADIAL"] = (2, 1, 1),
        ["RADIAL"] = (3, 1, 2),
        ["OPENCV"] = (4, 2, 4),
        ["OPENCV_FISHEYE"] = (5, 2, 4),
        ["FULL_OPENCV"] = (6, 2, 8),
        ["SIMPLE_RADIAL_FISHEYE"] = (8, 1, 1),
        ["RADIAL_FISHEYE"] = (9, 1, 2),
    };

    /// <summary>The names of the models.</summary>
    public static IReadOnlyCollection<string> Models => Known.Keys;

    /// <summary>Reads the parameters of a model from text.</summary>
    /// <param name="model">The model's name.</param>
    /// <param name="text">Numbers with commas between them.</param>
    /// <exception cref="FormatException">They are no numbers, or not as many as the model has.</exception>
    public static double[] ReadParameters(string model, string text)
    {
        (_, int focals, int distortions) = Known[model];
        string[] words = text.Split(',');
        double[] values = [.. words.Select(word => NumberText.Parse<double>("--camera-params", word.Trim()))];
        string names = (focals == 1 ? "f" : "fx, fy") + ", cx, cy" + (distortions > 0 ? $" and {distortions} of distortion" : string.Empty);
        return values.Length == focals + 2 + distortions && values.All(double.IsFinite) && values[..focals].All(focal => focal > 0)
            ? values
            : throw new FormatException($"--camera-params {text}: a {model} camera has {focals + 2 + distortions} numbers ({names}), focal lengths above 0");
    }

    /// <summary>The camera of an image.</summary>
    /// <param name="width">The image's columns, as stored.</param>
    /// <param name="height">Its rows.</param>
    /// <param name="relativeFocal">What EXIF tells of the focal length, over the longer side.</param>
    public ColmapCamera Make(int width, int height, double? relativeFocal)
    {
        (int number, int focals, int distortions) = Known[Model];
        if (Parameters is not null)
        {
            return new ColmapCamera(number, width, height, Parameters, true);
        }

        double focal = (relativeFocal ?? GuessedFocal) * Math.Max(width, height);
        return new ColmapCamera(
            number, width, height, [.. Enumerable.Repeat(focal, focals), width / 2.0, height / 2.0, .. new double[distortions]], relativeFocal is not null);
    }
}
