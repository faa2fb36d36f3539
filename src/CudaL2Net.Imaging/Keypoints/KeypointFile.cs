using System.Globalization;
using CudaL2Net.Formats;

namespace CudaL2Net.Imaging.Keypoints;

/// <summary>
/// Keypoints in files, in OpenCV's terms: x and y in pixels, the centre of the top left pixel is (0, 0); size is a diameter in pixels; angle in degrees,
/// clockwise as seen in the image. CSV has a line for each, NumPy's .npy a row.
/// </summary>
public static class KeypointFile
{
    // What OpenCV writes where a detector gives no orientation.
    private const float NoAngle = -1;

    private const string Expected = "expected x,y,size,angle,response in pixels and degrees, the last three may be left out";

    private static readonly string[] Columns = ["x", "y", "size", "angle", "response"];

    /// <summary>Reads keypoints: the columns x, y, size, angle, response, of which the last three may be left out from the end.</summary>
    /// <param name="path">An .npy of floats or integers, [n][2 to 5]; any other name is CSV, with or without a header. Lines that start with # are comments.</param>
    /// <param name="usualSize">The size of keypoints whose file has none, in pixels; above 0. Without an angle, or with -1, a keypoint is upright: angle 0.</param>
    /// <returns>n keypoints in the file's order, at least one; those of a file that <see cref="Write"/> made are the same but for their octave, which is 0.</returns>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">A line or row is no keypoint: the message names the file, the line (from 1) or row (from 0), and the reason.</exception>
    public static Keypoint[] Read(string path, float usualSize)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        if (!(usualSize > 0) || !float.IsFinite(usualSize))
        {
            throw new ArgumentException($"the usual size of keypoints must be above 0, not {usualSize}", nameof(usualSize));
        }

        Keypoint[] keypoints = [.. IsArray(path) ? ReadArray(path, usualSize) : ReadLines(path, usualSize)];
        return keypoints.Length > 0 ? keypoints : throw new InvalidDataException($"{path} has no keypoints; {Expected}");
    }

    /// <summary>Writes keypoints: .npy as float32 [n][5], any other name as CSV with a header.</summary>
    /// <param name="path">The file.</param>
    /// <param name="keypoints">n keypoints.</param>
    /// <exception cref="IOException">The file cannot be written; an older one is untouched.</exception>
    public static void Write(string path, IReadOnlyList<Keypoint> keypoints)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        ArgumentNullException.ThrowIfNull(keypoints);
        if (IsArray(path))
        {
            float[] table = [.. keypoints.SelectMany(k => new[] { k.X, k.Y, k.Size, k.Angle, k.Response })];
            NpyFile.Write<float>(path, table, keypoints.Count, Columns.Length);
            return;
        }

        AtomicFile.Write(path, stream =>
        {
            using var writer = new StreamWriter(stream, leaveOpen: true) { NewLine = "\n" };
            writer.WriteLine(string.Join(',', Columns));
            foreach (Keypoint k in keypoints)
            {
                writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{k.X},{k.Y},{k.Size},{k.Angle},{k.Response}"));
            }
        });
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

    private static IEnumerable<Keypoint> ReadArray(string path, float usualSize)
    {
        NpyArray array = NpyFile.Read(path);
        if (array.Shape.Length != 2 || array.Shape[1] is < 2 or > 5 || array.ElementType == typeof(bool))
        {
            throw new InvalidDataException(
                $"{path}: the array is [{string.Join(", ", array.Shape.ToArray())}] of {array.ElementType.Name}; keypoints are numbers, [n, 2 to 5]: {Expected}");
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
            if (fields.Length != columns || columns is < 2 or > 5)
            {
                throw Wrong(number, columns is < 2 or > 5 ? $"it has {fields.Length} fields; {Expected}" : $"it has {fields.Length} fields, the lines before {columns}");
            }

            var values = new float[columns];
            for (int i = 0; i < columns; i++)
            {
                try
                {
                    values[i] = NumberText.Parse<float>(Columns[i], fields[i]);
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
            return names.Length is >= 2 and <= 5 && names.SequenceEqual(Columns.Take(names.Length))
                ? names.Length
                : throw Wrong(at, $"the columns are {string.Join(",", fields)}; {Expected}, in this order and by these names");
        }

        InvalidDataException Wrong(int at, string reason) => new($"{path}, line {at}: {reason}");
    }

    private static Keypoint Make(ReadOnlySpan<float> values, float usualSize, Func<string, Exception> wrong)
    {
        for (int i = 0; i < values.Length; i++)
        {
            if (!float.IsFinite(values[i]))
            {
                throw wrong($"{Columns[i]} is {values[i]}");
            }
        }

        float size = values.Length > 2 ? values[2] : usualSize, angle = values.Length > 3 ? values[3] : 0, response = values.Length > 4 ? values[4] : 0;
        return size > 0
            ? new Keypoint(values[0], values[1], size, angle == NoAngle ? 0 : angle, response, 0)
            : throw wrong(string.Create(CultureInfo.InvariantCulture, $"size is {size}; it is a diameter in pixels, above 0"));
    }
}
