using System.Globalization;
using CudaL2Net.Formats;
using CudaL2Net.Imaging.Data;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Matching;

namespace CudaL2Net.Evaluation.Protocols;

/// <summary>
/// Descriptors of HPatches' strips that another program made, in the benchmark's form: a folder per sequence, in it <c>ref.csv</c>, <c>e1.csv</c> to
/// <c>t5.csv</c>, a line of numbers per patch. They are compared by Euclidean distance, and take part in <see cref="HPatchesEvaluation"/>.
/// </summary>
public sealed class HPatchesDescriptors : IPatchMethod
{
    private const string Expected = "It should hold folders as i_ajuntament and v_abstract, with ref.csv, e1.csv and so on";

    private readonly string folder;

    /// <summary>Finds the descriptors, and reads the first one.</summary>
    /// <param name="name">The name in tables and plots.</param>
    /// <param name="folder">The folder of the sequences.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException">No folder in it has a <c>ref.csv</c>.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="InvalidDataException">The first line is no descriptor.</exception>
    public HPatchesDescriptors(string name, string folder)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        if (!Directory.Exists(folder))
        {
            throw new DirectoryNotFoundException($"{folder} does not exist. {Expected}.");
        }

        (Name, this.folder) = (name, folder);
        string first = FolderWalk.Folders(folder, _ => true).Select(sequence => Path.Combine(sequence, "ref.csv")).FirstOrDefault(File.Exists)
            ?? throw new FileNotFoundException($"{folder} has no descriptors of HPatches. {Expected}.");
        using var reader = new StreamReader(InputFile.Open(first));
        var values = new List<float>();
        AddLine(first, 1, reader.ReadLine() ?? "", values);
        Dimension = values.Count;
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <summary>Numbers of a descriptor.</summary>
    public int Dimension { get; }

    /// <summary>Refuses a folder that lacks a strip of these sequences.</summary>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    internal void RequireAll(IEnumerable<string> sequences)
    {
        string? missing = sequences.SelectMany(sequence => HPatchesDataset.StripNames.Select(strip => PathOf(sequence, strip))).FirstOrDefault(path => !File.Exists(path));
        if (missing is not null)
        {
            throw new FileNotFoundException($"{missing} is missing: {Name} needs all 16 strips of the test sequences.", missing);
        }
    }

    /// <summary>Reads the descriptors of a strip.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="strip">One of <see cref="HPatchesDataset.StripNames"/>.</param>
    /// <param name="rows">The patches of the strip.</param>
    /// <returns>A descriptor per patch.</returns>
    /// <exception cref="IOException">The file is missing or cannot be read.</exception>
    /// <exception cref="InvalidDataException">The file has other lines than the strip has patches, or one that is no descriptor.</exception>
    internal DescriptorSet Read(string sequence, string strip, int rows)
    {
        string path = PathOf(sequence, strip);
        using var reader = new StreamReader(InputFile.Open(path));
        var values = new List<float>();
        int line = 0;
        while (reader.ReadLine() is { } text)
        {
            line++;
            if (line > rows && !string.IsNullOrWhiteSpace(text))
            {
                throw new InvalidDataException($"{path} has more lines than the strip has patches ({rows})");
            }

            if (line <= rows)
            {
                AddLine(path, line, text, values);
            }

            if (values.Count != (long)Math.Min(line, rows) * Dimension)
            {
                throw new InvalidDataException(
                    $"{path}, line {line}: it has {values.Count - ((long)(line - 1) * Dimension)} numbers, and the first descriptor of the folder has {Dimension}");
            }
        }

        return line >= rows
            ? DescriptorSet.FromValues([.. values], Dimension)
            : throw new InvalidDataException($"{path} has {line} lines, and the strip has {rows} patches. It may be cut short.");
    }

    private static void AddLine(string path, int line, string text, List<float> values)
    {
        ReadOnlySpan<char> rest = text.AsSpan().Trim();
        char separator = rest.Contains(';') ? ';' : rest.Contains(',') ? ',' : rest.Contains('\t') ? '\t' : ' ';
        foreach (Range field in rest.Split(separator))
        {
            ReadOnlySpan<char> number = rest[field].Trim();
            if (!float.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out float value) || !float.IsFinite(value))
            {
                string shown = number.Length > 20 ? $"{number[..20]}..." : number.ToString();
                throw new InvalidDataException($"{path}, line {line}: '{shown}' is no number; a line is a descriptor, numbers with a comma, semicolon, tab or space between them");
            }

            values.Add(value);
        }
    }

    private string PathOf(string sequence, string strip) => Path.Combine(folder, sequence, strip + ".csv");
}
