using System.Globalization;
using CudaL2Net.Formats;
using CudaL2Net.Imaging.Geometry;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Keypoints;

/// <summary>
/// Keypoints in files. Those that are written are in OpenCV's terms: x and y in pixels, the centre of the top left pixel is (0, 0); size is a diameter in pixels; angle
/// in degrees, clockwise as seen in the image. Keypoints with affine shapes have COLMAP's a11, a12, a21, a22 (<see cref="AffineShape"/>) in place of size and angle.
/// </summary>
/// <remarks>
/// Four kinds are read, told apart by the name .npy and by the first line of others: CSV, NumPy's arrays, COLMAP's text of features, and Oxford's files of regions. What
/// COLMAP and Oxford count otherwise is turned: COLMAP's centre of the top left pixel is (0.5, 0.5), its scale is sigma, its orientation in radians; Oxford's ellipses
/// are twice as wide as a keypoint's neighbourhood, so that a patch at patch scale 6 covers three times the ellipse, as the benchmark's.
/// </remarks>
public static class KeypointFile
{
    private const string Expected = "expected keypoints as x,y,size,angle,response in pixels and degrees (the last three may be left out) or as x,y,a11,a12,a21,a22; "
        + "COLMAP's text of features (first line: N 128); or Oxford's regions (first line: 1.0)";

    private static readonly string[] DiscColumns = ["x", "y", "size", "angle", "response"], AffineColumns = ["x", "y", "a11", "a12", "a21", "a22", "response"];

    /// <summary>Reads keypoints of any kind.</summary>
    /// <param name="path">
    /// An .npy of floats or integers: [n][2 to 5] of x, y, size, angle, response, or [n][6 or 7] of x, y, a11, a12, a21, a22, response. CSV with the same columns, with or
    /// without a header; lines that start with # are comments. COLMAP's text: a line "n d", then x y scale orientation and d values a line. Oxford's regions
    /// (<see cref="EllipseFile"/>).
    /// </param>
    /// <param name="usualSize">The size of keypoints whose file has none, in pixels; above 0. Without an angle, or with -1, a keypoint is upright: angle 0.</param>
    /// <param name="image">Where Oxford's regions, which have no orientation, get that of the dominant gradient: their image, 8 bits, one channel. Null leaves them
    /// upright.</param>
    /// <returns>n keypoints in the file's order, at least one; those of a file that <see cref="Write"/> made are the same but for their octave, which is 0.</returns>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">A line or row is no keypoint: the message names the file, the line (from 1) or row (from 0), and the reason.</exception>
    public static Keypoint[] Read(string path, float usualSize, Mat? image = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        if (!(usualSize > 0) || !float.IsFinite(usualSize))
        {
            throw new ArgumentException($"the usual size of keypoints must be above 0, not {usualSize}", nameof(usualSize));
        }

        Keypoint[] keypoints = KindOf(path) switch
        {
            Kind.Array => [.. ReadArray(path, usualSize)],
            Kind.Colmap => [.. ColmapText.Read(path)],
            Kind.Regions => OfRegions(EllipseFile.Read(path), image),
            _ => [.. ReadLines(path, usualSize)],
        };
        return keypoints.Length > 0 ? keypoints : throw new InvalidDataException($"{path} has no keypoints; {Expected}");
    }

    /// <summary>Writes keypoints: .npy as float32, any other name as CSV with a header; five columns, or seven where a keypoint has an affine shape.</summary>
    /// <param name="path">The file.</param>
    /// <param name="keypoints">n keypoints.</param>
    /// <exception cref="IOException">The file cannot be written; an older one is untouched.</exception>
    public static void Write(string path, IReadOnlyList<Keypoint> keypoints)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        ArgumentNullException.ThrowIfNull(keypoints);
        bool affine = keypoints.Any(k => k.IsAffine);
        string[] columns = affine ? AffineColumns : DiscColumns;
        IEnumerable<float[]> rows = keypoints.Select(k => affine ? AffineRow(k) : [k.X, k.Y, k.Size, k.Angle, k.Response]);
        if (IsArray(path))
        {
            NpyFile.Write<float>(path, [.. rows.SelectMany(row => row)], keypoints.Count, columns.Length);
            return;
        }

        AtomicFile.Write(path, stream =>
        {
            using var writer = new StreamWriter(stream, leaveOpen: true) { NewLine = "\n" };
            writer.WriteLine(string.Join(',', columns));
            foreach (float[] row in rows)
            {
                writer.WriteLine(string.Join(',', row.Select(value => value.ToString(CultureInfo.InvariantCulture))));
            }
        });

        static float[] AffineRow(Keypoint k)
        {
            AffineShape s = k.IsAffine ? k.Shape : AffineShape.Disc(k.Size, k.Angle);
            return [k.X, k.Y, s.A11, s.A12, s.A21, s.A22, k.Response];
        }
    }

    /// <summary>Throws if keypoints lie outside their image, by more than the pixel by which conventions differ.</summary>
    /// <param name="path">The keypoints' file, for the message.</param>
    /// <param name="keypoints">n keypoints.</param>
    /// <param name="image">The image's file, for the message.</param>
    /// <param name="width">The image's width in pixels.</param>
    /// <param name="height">The image's height in pixels.</param>
    /// <exception cref="InvalidDataException">A keypoint lies outside.</exception>
    public static void RequireInside(string path, ReadOnlySpan<Keypoint> keypoints, string image, int width, int height)
    {
        int outside = 0, first = -1;
        for (int i = 0; i < keypoints.Length; i++)
        {
            if (!(keypoints[i].X >= -1 && keypoints[i].Y >= -1 && keypoints[i].X <= width && keypoints[i].Y <= height))
            {
                first = outside++ == 0 ? i : first;
            }
        }

        if (outside > 0)
        {
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture,
                $"{path}: keypoint {first + 1} is at ({keypoints[first].X}, {keypoints[first].Y}), outside {image} of {width} x {height} pixels ({outside} of "
                    + $"{keypoints.Length} are outside). Is it the file of this image, and of this size of it?"));
        }
    }

    private static bool IsArray(string path) => path.EndsWith(".npy", StringComparison.OrdinalIgnoreCase);

    // CSV has commas, and at least two columns; the first lines of the other kinds have one number and two.
    private static Kind KindOf(string path)
    {
        if (IsArray(path))
        {
            return Kind.Array;
        }

        using var reader = new StreamReader(InputFile.Open(path));
        string first = reader.ReadLine() ?? string.Empty;
        string[] fields = first.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        return fields.Length switch
        {
            1 when NumberText.TryParse(fields[0], out double _) => Kind.Regions,
            2 when fields.All(field => NumberText.TryParse(field, out long _)) => Kind.Colmap,
            _ => Kind.Csv,
        };
    }

    private static Keypoint[] OfRegions(Ellipse[] regions, Mat? image)
    {
        Keypoint[] upright = Array.ConvertAll(regions, OpenCvDetector.OfRegion);
        upright = Array.ConvertAll(upright, k => k with { Response = 0 });
        return image is null ? upright : KeypointOrientation.Turn(image, upright);
    }

    private static IEnumerable<Keypoint> ReadArray(string path, float usualSize)
    {
        NpyArray array = NpyFile.Read(path);
        if (array.Shape.Length != 2 || array.Shape[1] is < 2 or > 7 || array.ElementType == typeof(bool))
        {
            throw new InvalidDataException(
                $"{path}: the array is [{string.Join(", ", array.Shape.ToArray())}] of {array.ElementType.Name}; keypoints are numbers, [n, 2 to 7]: {Expected}");
        }

        float[] values = array.ToFloats();
        int columns = array.Shape[1];
        return Enumerable.Range(0, array.Shape[0]).Select(row =>
            Make(values.AsSpan(row * columns, columns), usualSize, reason => new InvalidDataException($"{path}, row {row}: {reason}")));
    }

    private static IEnumerable<Keypoint> ReadLines(string path, float usualSize)
    {
        using var reader = new StreamReader(InputFile.Open(path));
        int number = 0, columns = 0, empty = 0;
        bool mayBeHeader = true;
        while (reader.ReadLine() is { } line)
        {
            number++;
            if (line.Length == 0)
            {
                empty = empty == 0 ? number : empty;
                continue;
            }

            if (empty > 0)
            {
                throw Wrong(empty, "the line is empty, and others follow");
            }

            if (line[0] == '#')
            {
                continue;
            }

            string[] fields = line.Split(',');
            bool header = mayBeHeader && fields.Any(field => field.Any(char.IsLetter)) && fields.All(field => !NumberText.TryParse(field, out float _));
            mayBeHeader = false;
            if (header)
            {
                columns = CheckHeader(fields, number);
                continue;
            }

            columns = columns == 0 ? fields.Length : columns;
            if (fields.Length != columns || columns is < 2 or > 7)
            {
                throw Wrong(number, columns is < 2 or > 7 ? $"it has {fields.Length} fields; {Expected}" : $"it has {fields.Length} fields, the lines before {columns}");
            }

            var values = new float[columns];
            for (int i = 0; i < columns; i++)
            {
                try
                {
                    values[i] = NumberText.Parse<float>(ColumnsOf(columns)[i], fields[i]);
                }
                catch (FormatException error)
                {
                    throw Wrong(number, error.Message);
                }
            }

            yield return Make(values, usualSize, reason => Wrong(number, reason));
        }

        int CheckHeader(string[] fields, int at)
        {
            string[] names = [.. fields.Select(field => field.Trim().Trim('"').ToLowerInvariant())];
            return names.Length is >= 2 and <= 7 && names.SequenceEqual(ColumnsOf(names.Length).Take(names.Length))
                ? names.Length
                : throw Wrong(at, $"the columns are {string.Join(",", fields)}; {Expected}, in this order and by these names");
        }

        InvalidDataException Wrong(int at, string reason) => new($"{path}, line {at}: {reason}");
    }

    private static string[] ColumnsOf(int count) => count > DiscColumns.Length ? AffineColumns : DiscColumns;

    private static Keypoint Make(ReadOnlySpan<float> values, float usualSize, Func<string, Exception> wrong)
    {
        // What OpenCV writes where a detector gives no orientation.
        const float NoAngle = -1;
        for (int i = 0; i < values.Length; i++)
        {
            if (!float.IsFinite(values[i]))
            {
                throw wrong($"{ColumnsOf(values.Length)[i]} is {values[i]}");
            }
        }

        if (values.Length > DiscColumns.Length)
        {
            var shape = new AffineShape(values[2], values[3], values[4], values[5]);
            return shape.IsValid
                ? Keypoint.FromShape(values[0], values[1], shape, values.Length > 6 ? values[6] : 0)
                : throw wrong("a11 a22 - a12 a21 is 0: the shape has no area");
        }

        float size = values.Length > 2 ? values[2] : usualSize, angle = values.Length > 3 ? values[3] : 0, response = values.Length > 4 ? values[4] : 0;
        return size > 0
            ? new Keypoint(values[0], values[1], size, angle == NoAngle ? 0 : angle, response, 0)
            : throw wrong(string.Create(CultureInfo.InvariantCulture, $"size is {size}; it is a diameter in pixels, above 0"));
    }

    private enum Kind
    {
        Csv,
        Array,
        Colmap,
        Regions,
    }
}
