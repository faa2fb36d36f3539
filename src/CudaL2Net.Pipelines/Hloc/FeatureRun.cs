using CudaL2Net.Formats;
using CudaL2Net.Imaging;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Matching;
using CudaL2Net.Pipelines.Images;
using OpenCvSharp;
using PureHDF;

namespace CudaL2Net.Pipelines.Hloc;

/// <summary>How the images of a file of features are described.</summary>
/// <param name="Find">Finds the keypoints of an image; many threads call it at once. It throws InvalidDataException or IOException where an image is to be left out.</param>
/// <param name="Form">What the descriptors are in the file.</param>
/// <param name="Force">Whether what a stopped run left is thrown away.</param>
/// <param name="Settings">All that decides what is written, in words.</param>
internal sealed record FeatureOptions(Func<ImageEntry, Mat, Keypoint[]> Find, DescriptorForm Form, bool Force, string Settings);

/// <summary>What was done.</summary>
/// <param name="Images">Images described now.</param>
/// <param name="Before">Images that a stopped run described.</param>
/// <param name="Keypoints">Keypoints of all images in the file.</param>
/// <param name="Faults">A sentence about each image that could not be described.</param>
internal sealed record FeatureReport(int Images, int Before, long Keypoints, IReadOnlyList<string> Faults);

/// <summary>Describes many images, and writes a file of features (<see cref="FeatureFile"/>). Memory does not grow with the number of images.</summary>
/// <param name="method">The descriptor.</param>
/// <param name="threads">The most threads that work at once; 0 is one per core.</param>
internal sealed class FeatureRun(IPatchDescriber method, int threads)
{
    // Images that are decoded and searched while one is described.
    private const int Ahead = 2;

    // hloc's usual uncertainty of a keypoint's place, in pixels.
    private const float Uncertainty = 1;

    /// <summary>Describes images.</summary>
    /// <param name="images">The images.</param>
    /// <param name="output">The file to write; an older one stays until it is whole.</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Is told how many images are done, of how many.</param>
    /// <param name="cancellation">Ends it between two images; the next run goes on.</param>
    /// <exception cref="OtherSettingsException">A stopped run left parts of other settings.</exception>
    /// <exception cref="InvalidDataException">No image could be described.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public FeatureReport Run(
        IReadOnlyList<ImageEntry> images, string output, FeatureOptions options, IProgress<(int Done, int Total)> progress, CancellationToken cancellation)
    {
        using var parts = new Parts(output, options.Settings, options.Force);
        var counts = new Dictionary<string, int>();
        foreach (ImageEntry image in images)
        {
            if (parts.Find(image.Name) is { } part)
            {
                counts[image.Name] = part.Tensors["scores"].Count;
            }
        }

        int before = counts.Count, done = before;
        var faults = new List<string>();
        foreach (Prepared prepared in LookAhead.Run(images.Where(image => !counts.ContainsKey(image.Name)).ToArray(), Ahead, image => Prepare(image, options), cancellation))
        {
            using (prepared)
            {
                if (prepared.Fault is { } fault)
                {
                    faults.Add(fault);
                }
                else
                {
                    parts.Write(prepared.Entry.Name, Describe(prepared, options.Form));
                    counts[prepared.Entry.Name] = prepared.Keypoints.Length;
                }
            }

            progress.Report((++done, images.Count));
        }

        if (counts.Count == 0)
        {
            throw new InvalidDataException($"none of the {images.Count} images could be described; {faults.FirstOrDefault()}");
        }

        Join(output, [.. images.Select(image => image.Name).Where(counts.ContainsKey)], counts, parts, options.Form);
        parts.Remove();
        return new FeatureReport(counts.Count - before, before, counts.Values.Sum(count => (long)count), faults);
    }

    private static Prepared Prepare(ImageEntry entry, FeatureOptions options)
    {
        StoredImage? image = null;
        try
        {
            image = ImageFile.LoadStored(entry.Path);
            return new Prepared(entry, image, options.Find(entry, image.Grey), null);
        }
        catch (Exception error) when (error is IOException or InvalidDataException)
        {
            image?.Dispose();
            return new Prepared(entry, null, [], error.Message);
        }
    }

    private Dictionary<string, SafetensorsTensor> Describe(Prepared prepared, DescriptorForm form)
    {
        Keypoint[] keypoints = prepared.Keypoints;
        DescriptorSet descriptors = CutPatchDescriber.For(method, threads).Describe(prepared.Image!.Grey, keypoints);
        int n = keypoints.Length;
        return new Dictionary<string, SafetensorsTensor>
        {
            ["keypoints"] = SafetensorsTensor.From<float>([.. keypoints.SelectMany(keypoint => new[] { keypoint.X, keypoint.Y })], n, 2),
            ["descriptors"] = DescriptorColumns.Of(descriptors, form),
            ["scores"] = SafetensorsTensor.From<float>(Array.ConvertAll(keypoints, keypoint => keypoint.Response), n),
            ["scales"] = SafetensorsTensor.From<float>(Array.ConvertAll(keypoints, keypoint => keypoint.Size / 2), n),
            ["oris"] = SafetensorsTensor.From<float>(Array.ConvertAll(keypoints, keypoint => keypoint.Angle), n),
            ["image_size"] = SafetensorsTensor.From<int>([prepared.Image.Grey.Width, prepared.Image.Grey.Height], 2),
        };
    }

    private void Join(string output, string[] names, Dictionary<string, int> counts, Parts parts, DescriptorForm form)
    {
        var file = new HdfWriter();
        int rows = form == DescriptorForm.Bits ? method.Dimension / 8 : method.Dimension;
        Action<H5NativeWriter>[] writes = [.. names.Select(name =>
        {
            int n = counts[name];
            H5Dataset<float[]> keypoints = file.Add<float[]>($"{name}/keypoints", n, 2);
            keypoints.Attributes["uncertainty"] = Uncertainty;
            Action<H5NativeWriter, SafetensorsFile> descriptors = AddDescriptors(file, $"{name}/descriptors", form, rows, n, method.Dimension);
            H5Dataset<float[]>[] floats = [.. new[] { "scores", "scales", "oris" }.Select(kind => file.Add<float[]>($"{name}/{kind}", n))];
            H5Dataset<int[]> size = file.Add<int[]>($"{name}/image_size", 2);
            return (Action<H5NativeWriter>)(writer =>
            {
                SafetensorsFile part = parts.Find(name) ?? throw new IOException($"the part of {name} was changed or removed while this ran; run it again");
                writer.Write(keypoints, part.ReadArray<float>("keypoints", n, 2));
                descriptors(writer, part);
                writer.Write(floats[0], part.ReadArray<float>("scores", n));
                writer.Write(floats[1], part.ReadArray<float>("scales", n));
                writer.Write(floats[2], part.ReadArray<float>("oris", n));
                writer.Write(size, part.ReadArray<int>("image_size", 2));
            });
        })];
        file.Write(output, writes);
    }

    private static Action<H5NativeWriter, SafetensorsFile> AddDescriptors(HdfWriter file, string path, DescriptorForm form, int rows, int n, int dimension)
    {
        switch (form)
        {
            case DescriptorForm.Float32:
                H5Dataset<float[]> floats = file.Add<float[]>(path, rows, n);
                return (writer, part) => writer.Write(floats, part.ReadArray<float>("descriptors", rows, n));
            case DescriptorForm.Float16:
                H5Dataset<Half[]> halves = file.Add<Half[]>(path, rows, n);
                return (writer, part) => writer.Write(halves, part.ReadArray<Half>("descriptors", rows, n));
            default:
                H5Dataset<byte[]> bytes = file.Add<byte[]>(path, rows, n);
                if (form == DescriptorForm.Bits)
                {
                    bytes.Attributes["bits"] = dimension;
                }
                else
                {
                    bytes.Attributes["scale"] = DescriptorColumns.Scale;
                    bytes.Attributes["offset"] = DescriptorColumns.Offset;
                }

                return (writer, part) => writer.Write(bytes, part.ReadArray<byte>("descriptors", rows, n));
        }
    }

    private sealed record Prepared(ImageEntry Entry, StoredImage? Image, Keypoint[] Keypoints, string? Fault) : IDisposable
    {
        public void Dispose() => Image?.Dispose();
    }
}
