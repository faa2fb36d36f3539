using CudaL2Net.Matching;

namespace CudaL2Net.Pipelines.Hloc;

/// <summary>
/// A file of features as hloc writes and reads them: a group per image, named as the image; in it <c>keypoints</c> [n][2], <c>descriptors</c> [d][n],
/// <c>scores</c> [n], <c>image_size</c> (width, height), and <c>scales</c> (sigma) and <c>oris</c> (degrees) [n].
/// </summary>
internal sealed class FeatureFile : IDisposable
{
    private readonly string path;
    private readonly HdfReader reader;

    private FeatureFile(string path, HdfReader reader, IReadOnlyList<string> names)
    {
        this.path = path;
        this.reader = reader;
        Names = names;
    }

    /// <summary>The images' names, in order.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>Opens a file.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="InvalidDataException">It is damaged, or has no images.</exception>
    public static FeatureFile Open(string path)
    {
        HdfReader reader = HdfReader.Open(path);
        try
        {
            string[] names = [.. reader.GroupsWith("keypoints").Where(name => name.Length > 0).Order(StringComparer.Ordinal)];
            return names.Length > 0
                ? new FeatureFile(path, reader, names)
                : throw new InvalidDataException($"{path} has no images with keypoints; `cudal2net describe FOLDER --out {Path.GetFileName(path)}` makes such a file");
        }
        catch
        {
            reader.Dispose();
            throw;
        }
    }

    /// <summary>The keypoints of an image: [n][2], x and y in pixels, the centre of the top left pixel at (0, 0).</summary>
    /// <exception cref="InvalidDataException">They are damaged.</exception>
    public float[] Points(string name)
    {
        (float[] values, int[] shape, _) = reader.Read($"{name}/keypoints");
        return shape is [_, >= 2] && values.All(float.IsFinite)
            ? [.. values.Where((_, i) => i % shape[1] < 2)]
            : throw Wrong(name, $"keypoints of the shape [{string.Join(", ", shape)}], or not finite; expected [n, 2]");
    }

    /// <summary>The scales (sigma) and orientations (degrees) of an image's keypoints; null where the file has none.</summary>
    public (float[] Scales, float[] Orientations)? Frames(string name)
    {
        if (!reader.Has($"{name}/scales") || !reader.Has($"{name}/oris"))
        {
            return null;
        }

        (float[] scales, float[] orientations) = (reader.Read($"{name}/scales").Values, reader.Read($"{name}/oris").Values);
        return scales.Length == orientations.Length && scales.All(scale => scale > 0 && float.IsFinite(scale)) && orientations.All(float.IsFinite)
            ? (scales, orientations)
            : throw Wrong(name, "scales or oris that are no scales or orientations");
    }

    /// <summary>The width and height of an image; null where the file does not tell them.</summary>
    public (int Width, int Height)? Size(string name) =>
        reader.Has($"{name}/image_size") && reader.ReadIntegers($"{name}/image_size") is [> 0 and var width, > 0 and var height] ? (width, height) : null;

    /// <summary>The descriptors of an image, one per keypoint.</summary>
    /// <exception cref="InvalidDataException">They are damaged, or there are no descriptors.</exception>
    public DescriptorSet Read(string name)
    {
        int n = Points(name).Length / 2;
        string descriptors = $"{name}/descriptors";
        if (!reader.Has(descriptors))
        {
            throw Wrong(name, "no descriptors");
        }

        (float[] columns, int[] shape, bool areBytes) = reader.Read(descriptors);
        if (shape.Length != 2 || shape[1] != n || shape[0] < 1)
        {
            throw Wrong(name, $"descriptors of the shape [{string.Join(", ", shape)}] for {n} keypoints; expected [d, {n}]");
        }

        float[] rows = DescriptorColumns.Turned<float>(columns, shape[0]);
        if (areBytes && reader.Attribute(descriptors, "bits") is not null)
        {
            return DescriptorSet.FromBits(Array.ConvertAll(rows, value => (byte)value), shape[0] * 8);
        }

        if (areBytes && reader.Attribute(descriptors, "scale") is { } scale && reader.Attribute(descriptors, "offset") is { } offset)
        {
            rows = Array.ConvertAll(rows, value => (value - offset) * scale);
        }

        return rows.All(float.IsFinite)
            ? DescriptorSet.FromValues(rows, shape[0])
            : throw Wrong(name, "descriptors that are not finite");
    }

    /// <inheritdoc/>
    public void Dispose() => reader.Dispose();

    private InvalidDataException Wrong(string name, string what) => new($"{path}: image {name} has {what}");
}
