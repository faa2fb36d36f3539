using System.Globalization;
using System.Text;
using CudaL2Net.Formats;

namespace CudaL2Net.Imaging.Geometry;

/// <summary>
/// Oxford's files of elliptical regions (<c>.haraff</c>, <c>.hesaff</c> and so on): text, the first line 1.0 (there are no descriptors), the second one
/// the number of regions, then a line a region with x y a b c, the ellipse a dx^2 + 2 b dx dy + c dy^2 = 1.
/// </summary>
public static class EllipseFile
{
    private const int Fields = 5;

    /// <summary>Reads a file.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="InvalidDataException">It is no such file or is damaged; the message names the file, the line and the reason.</exception>
    public static Ellipse[] Read(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        using var reader = new StreamReader(InputFile.Open(path), Encoding.ASCII);
        int number = 0;
        double descriptor = Numbers(NextLine("the size of a descriptor, 1.0"), 1)[0];
        if (descriptor is not (0 or 1))
        {
            throw Damaged($"it has descriptors of {descriptor} values; a file of regions alone starts with 1.0");
        }

        double count = Numbers(NextLine("the number of regions"), 1)[0];
        if (count < 0 || count != Math.Floor(count) || count > Array.MaxLength)
        {
            throw Damaged($"'{count}' is no number of regions");
        }

        var regions = new List<Ellipse>();
        while (regions.Count < count)
        {
            double[] values = Numbers(NextLine($"region {regions.Count + 1} of {count}"), Fields);
            var region = new Ellipse(values[0], values[1], values[2], values[3], values[4]);
            if (!region.IsValid)
            {
                throw Damaged("a dx^2 + 2 b dx dy + c dy^2 = 1 is no ellipse: a, c and a c - b^2 must be above 0");
            }

            regions.Add(region);
        }

        while (reader.ReadLine() is { } rest)
        {
            number++;
            if (!string.IsNullOrWhiteSpace(rest))
            {
                throw Damaged($"the second line says {count} regions, but here is one more");
            }
        }

        return [.. regions];

        string NextLine(string expected)
        {
            number++;
            return reader.ReadLine() ?? throw Damaged($"the file ends where {expected} should be; it is cut short");
        }

        double[] Numbers(string line, int expected)
        {
            string[] fields = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length != expected)
            {
                throw Damaged($"expected {expected} {(expected == 1 ? "number" : "numbers")}, found {fields.Length}");
            }

            return Array.ConvertAll(fields, field => double.TryParse(field, NumberStyles.Float, CultureInfo.InvariantCulture, out double value)
                && double.IsFinite(value) ? value : throw Damaged($"'{(field.Length > 40 ? field[..40] + "..." : field)}' is not a finite number"));
        }

        InvalidDataException Damaged(string reason) => new($"{path}, line {number}: {reason}");
    }

    /// <summary>Writes the file that <see cref="Read"/> reads, every number with all its digits.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Write(string path, IReadOnlyList<Ellipse> regions)
    {
        ArgumentNullException.ThrowIfNull(regions);
        var text = new StringBuilder($"1.0\n{regions.Count}\n");
        foreach (Ellipse region in regions)
        {
            text.Append(CultureInfo.InvariantCulture, $"{region.X:R} {region.Y:R} {region.A:R} {region.B:R} {region.C:R}\n");
        }

        AtomicFile.Write(path, stream => stream.Write(Encoding.ASCII.GetBytes(text.ToString())));
    }
}
