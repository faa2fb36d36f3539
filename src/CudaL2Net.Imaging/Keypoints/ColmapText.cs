using CudaL2Net.Formats;

namespace CudaL2Net.Imaging.Keypoints;

/// <summary>
/// COLMAP's text of an image's features, as its <c>feature_importer</c> reads it: a line with the number of features n and the number of values of a descriptor d, then
/// n lines of x y scale orientation and d whole numbers from 0 to 255. Descriptors are checked and left alone.
/// </summary>
internal static class ColmapText
{
    // COLMAP counts from the corner of the top left pixel, and its scale is sigma.
    private const float Corner = 0.5f, DiametersPerScale = 2;
    private const int Places = 4;

    private static readonly string[] Names = ["x", "y", "scale", "orientation"];

    /// <summary>Reads a file.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="InvalidDataException">It is no such file or is damaged; the message names the file, the line and the reason.</exception>
    public static IEnumerable<Keypoint> Read(string path)
    {
        using var reader = new StreamReader(InputFile.Open(path));
        int number = 1;
        string[] head = Fields(reader.ReadLine());
        if (head.Length != 2 || !NumberText.TryParse(head[0], out int count) || !NumberText.TryParse(head[1], out int dimension) || count < 0 || dimension is < 0 or > 65536)
        {
            throw Wrong("the first line has the number of features and of values of a descriptor, as 1000 128");
        }

        for (int i = 0; i < count; i++)
        {
            number++;
            string line = reader.ReadLine() ?? throw Wrong($"the file ends here, and its first line says {count} features; it is cut short");
            string[] fields = Fields(line);
            if (fields.Length != Places + dimension)
            {
                throw Wrong($"it has {fields.Length} numbers, not x y scale orientation and the {dimension} of a descriptor, as the first line says");
            }

            yield return Make(fields);
        }

        while (reader.ReadLine() is { } rest)
        {
            number++;
            if (!string.IsNullOrWhiteSpace(rest))
            {
                throw Wrong($"the first line says {count} features, but here is one more");
            }
        }

        Keypoint Make(string[] fields)
        {
            Span<float> values = stackalloc float[Places];
            for (int i = 0; i < Places; i++)
            {
                values[i] = NumberText.TryParse(fields[i], out float value) ? value : throw Wrong($"{Names[i]} is '{Short(fields[i])}', which is not a finite number");
            }

            int bad = Array.FindIndex(fields, Places, field => !NumberText.TryParse(field, out byte _));
            if (bad >= 0)
            {
                throw Wrong($"value {bad - Places + 1} of the descriptor is '{Short(fields[bad])}'; they are whole numbers from 0 to 255");
            }

            float size = values[2] * DiametersPerScale, angle = Keypoint.InOneTurn(values[3] * (180 / Math.PI) % 360);
            return size > 0 && float.IsFinite(size)
                ? new Keypoint(values[0] - Corner, values[1] - Corner, size, angle, 0, 0)
                : throw Wrong($"scale is {fields[2]}; it is sigma in pixels, above 0");
        }

        InvalidDataException Wrong(string reason) => new($"{path}, line {number}: {reason}");
    }

    private static string[] Fields(string? line) => (line ?? string.Empty).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);

    private static string Short(string field) => field.Length > 40 ? field[..40] + "..." : field;
}
