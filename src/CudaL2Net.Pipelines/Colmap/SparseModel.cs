using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using CudaL2Net.Formats;

namespace CudaL2Net.Pipelines.Colmap;

/// <summary>A reconstruction of COLMAP: cameras, images with their poses and points, points in space with their tracks.</summary>
/// <param name="Cameras">By number.</param>
/// <param name="Images">By number.</param>
/// <param name="Points">In the file's order.</param>
internal sealed record SparseModel(
    IReadOnlyDictionary<long, ColmapCamera> Cameras, IReadOnlyDictionary<long, SparseImage> Images, IReadOnlyList<SparsePoint> Points)
{
    private static readonly string[] Parts = ["cameras", "images", "points3D"];

    // COLMAP's models, by number.
    private static readonly (string Name, int Parameters)[] Models =
    [
        ("SIMPLE_PINHOLE", 3), ("PINHOLE", 4), ("SIMPLE_RADIAL", 4), ("RADIAL", 5), ("OPENCV", 8), ("OPENCV_FISHEYE", 8), ("FULL_OPENCV", 12), ("FOV", 5),
        ("SIMPLE_RADIAL_FISHEYE", 4), ("RADIAL_FISHEYE", 5), ("THIN_PRISM_FISHEYE", 12),
    ];

    /// <summary>Reads the model in a folder: cameras, images and points3D, .bin or else .txt.</summary>
    /// <exception cref="IOException">The folder has no model, or a file cannot be read.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or the three do not go together.</exception>
    public static SparseModel Read(string folder)
    {
        string ending = new[] { ".bin", ".txt" }.FirstOrDefault(ending => Parts.All(part => File.Exists(Path.Combine(folder, part + ending))))
            ?? throw new FileNotFoundException($"{folder} has no model of COLMAP: cameras, images and points3D, all .bin or all .txt"
                + (Directory.Exists(Path.Combine(folder, "0")) ? $"; name {Path.Combine(folder, "0")}" : string.Empty));
        string[] files = [.. Parts.Select(part => Path.Combine(folder, part + ending))];
        SparseModel model = ending == ".bin"
            ? new SparseModel(Binary(files[0], ReadCameras), Binary(files[1], ReadImages), Binary(files[2], ReadPoints))
            : new SparseModel(Text(files[0], ReadCameras), Text(files[1], ReadImages), Text(files[2], ReadPoints));
        model.Check(folder);
        return model;
    }

    private static T Binary<T>(string path, Func<Bytes, T> read)
    {
        var bytes = new Bytes(path, File.ReadAllBytes(path));
        T result = read(bytes);
        return bytes.Left == 0 ? result : throw bytes.Damaged($"{bytes.Left} bytes follow its last entry");
    }

    private static T Text<T>(string path, Func<Lines, T> read)
    {
        using var reader = new StreamReader(InputFile.Open(path));
        return read(new Lines(path, reader));
    }

    private static Dictionary<long, ColmapCamera> ReadCameras(Bytes bytes)
    {
        var cameras = new Dictionary<long, ColmapCamera>();
        for (long left = bytes.Count(24); left > 0; left--)
        {
            long id = bytes.UInt32();
            int model = (int)bytes.UInt32();
            (long width, long height) = (bytes.Int64(), bytes.Int64());
            int parameters = model >= 0 && model < Models.Length ? Models[model].Parameters : throw bytes.Damaged($"camera {id} is of model {model}, which is not known");
            cameras[id] = new ColmapCamera(model, Size(width), Size(height), [.. Enumerable.Range(0, parameters).Select(_ => bytes.Double())], true);
        }

        return cameras;

        int Size(long pixels) => pixels is > 0 and <= int.MaxValue ? (int)pixels : throw bytes.Damaged($"a camera's images have {pixels} columns or rows");
    }

    private static Dictionary<long, SparseImage> ReadImages(Bytes bytes)
    {
        var images = new Dictionary<long, SparseImage>();
        for (long left = bytes.Count(73); left > 0; left--)
        {
            long id = bytes.UInt32();
            double[] pose = [.. Enumerable.Range(0, 7).Select(_ => bytes.Double())];
            long camera = bytes.UInt32();
            string name = bytes.Text();
            float[] places = new float[2 * bytes.Count(24)];
            for (int i = 0; i < places.Length; i += 2)
            {
                (places[i], places[i + 1]) = ((float)bytes.Double(), (float)bytes.Double());
                bytes.Int64();
            }

            images[id] = new SparseImage(name, camera, pose, places);
        }

        return images;
    }

    private static List<SparsePoint> ReadPoints(Bytes bytes)
    {
        var points = new List<SparsePoint>();
        for (long left = bytes.Count(51); left > 0; left--)
        {
            bytes.Int64();
            (double x, double y, double z) = (bytes.Double(), bytes.Double(), bytes.Double());
            bytes.Skip(3);
            double error = bytes.Double();
            var track = new (long Image, int Index)[bytes.Count(8)];
            for (int i = 0; i < track.Length; i++)
            {
                track[i] = (bytes.UInt32(), (int)bytes.UInt32());
            }

            points.Add(new SparsePoint(x, y, z, error, track));
        }

        return points;
    }

    private static Dictionary<long, ColmapCamera> ReadCameras(Lines lines)
    {
        var cameras = new Dictionary<long, ColmapCamera>();
        while (lines.Next() is { } words)
        {
            int model = Array.FindIndex(Models, known => words.Length > 1 && known.Name == words[1]);
            if (model < 0 || words.Length != 4 + Models[model].Parameters)
            {
                throw lines.Damaged("expected a camera: number, model, width, height, parameters");
            }

            double[] parameters = [.. words.Skip(4).Select(lines.Double)];
            cameras[lines.Whole(words[0])] = new ColmapCamera(model, (int)lines.Whole(words[2]), (int)lines.Whole(words[3]), parameters, true);
        }

        return cameras;
    }

    private static Dictionary<long, SparseImage> ReadImages(Lines lines)
    {
        var images = new Dictionary<long, SparseImage>();
        while (lines.Next() is { } words)
        {
            if (words.Length < 10)
            {
                throw lines.Damaged("expected an image: number, four of the turn, three of the place, camera, name");
            }

            double[] pose = [.. words.Skip(1).Take(7).Select(lines.Double)];
            string[] points = lines.Next(mayBeEmpty: true) ?? throw lines.Damaged("the line of the image's points is missing");
            if (points.Length % 3 != 0)
            {
                throw lines.Damaged("expected three numbers per point");
            }

            images[lines.Whole(words[0])] = new SparseImage(string.Join(' ', words.Skip(9)), lines.Whole(words[8]), pose,
                [.. points.Where((_, i) => i % 3 < 2).Select(word => (float)lines.Double(word))]);
        }

        return images;
    }

    private static List<SparsePoint> ReadPoints(Lines lines)
    {
        var points = new List<SparsePoint>();
        while (lines.Next() is { } words)
        {
            if (words.Length < 8 || words.Length % 2 != 0)
            {
                throw lines.Damaged("expected a point: number, three of its place, three of its colour, error, track");
            }

            var track = new (long Image, int Index)[(words.Length - 8) / 2];
            for (int i = 0; i < track.Length; i++)
            {
                track[i] = (lines.Whole(words[8 + (2 * i)]), (int)lines.Whole(words[9 + (2 * i)]));
            }

            points.Add(new SparsePoint(lines.Double(words[1]), lines.Double(words[2]), lines.Double(words[3]), lines.Double(words[7]), track));
        }

        return points;
    }

    private void Check(string folder)
    {
        foreach ((long id, SparseImage image) in Images)
        {
            if (!Cameras.ContainsKey(image.Camera))
            {
                throw new InvalidDataException($"{folder}: image {id} is of camera {image.Camera}, which is missing");
            }
        }

        foreach ((long image, int index) in Points.SelectMany(point => point.Track))
        {
            if (!Images.TryGetValue(image, out SparseImage? seen) || index < 0 || index >= seen.Places.Length / 2)
            {
                throw new InvalidDataException($"{folder}: a point is seen as number {index} of image {image}, which is missing");
            }
        }
    }

    // Numbers of a binary file.
    private sealed class Bytes(string path, byte[] data)
    {
        private int at;

        public int Left => data.Length - at;

        public uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4));

        public long Int64() => BinaryPrimitives.ReadInt64LittleEndian(Take(8));

        public double Double() => BinaryPrimitives.ReadDoubleLittleEndian(Take(8));

        public void Skip(int count) => Take(count);

        /// <summary>A number of entries that fit into the rest of the file.</summary>
        public int Count(int leastBytes)
        {
            long count = Int64();
            return count >= 0 && count <= Left / leastBytes ? (int)count : throw Damaged($"{count} entries do not fit into its last {Left} bytes");
        }

        public string Text()
        {
            int length = data.AsSpan(at).IndexOf((byte)0);
            string text = length >= 0 ? Encoding.UTF8.GetString(Take(length)) : throw Damaged("a name has no end");
            Take(1);
            return text;
        }

        public InvalidDataException Damaged(string reason) => new($"{path} is damaged: {reason}");

        private ReadOnlySpan<byte> Take(int count)
        {
            if (count > Left)
            {
                throw Damaged("it is cut short");
            }

            at += count;
            return data.AsSpan(at - count, count);
        }
    }

    // Lines of a text file without comments.
    private sealed class Lines(string path, StreamReader reader)
    {
        private int number;

        public string[]? Next(bool mayBeEmpty = false)
        {
            while (reader.ReadLine() is { } line)
            {
                number++;
                if (!line.StartsWith('#') && (mayBeEmpty || !string.IsNullOrWhiteSpace(line)))
                {
                    return line.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
                }
            }

            return null;
        }

        public double Double(string word) => double.TryParse(word, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) ? value : throw Damaged($"'{word}' is no number");

        public long Whole(string word) => long.TryParse(word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value) ? value : throw Damaged($"'{word}' is no whole number");

        public InvalidDataException Damaged(string reason) => new($"{path}, line {number}: {reason}");
    }
}

/// <summary>An image of a reconstruction.</summary>
/// <param name="Name">Its file, relative to the images' folder.</param>
/// <param name="Camera">Its camera's number.</param>
/// <param name="Pose">The turn as a quaternion (w, x, y, z), and the shift, that take the world to the camera.</param>
/// <param name="Places">[n][2]: its keypoints in pixels, the centre of the top left pixel at (0.5, 0.5).</param>
internal sealed record SparseImage(string Name, long Camera, double[] Pose, float[] Places)
{
    /// <summary>A point of the world in the camera's frame: x to the right, y down, z ahead.</summary>
    public (double X, double Y, double Z) ToCamera(double x, double y, double z)
    {
        (double turnedX, double turnedY, double turnedZ) = Turn(x, y, z);
        return (turnedX + Pose[4], turnedY + Pose[5], turnedZ + Pose[6]);
    }

    /// <summary>A direction of the world in the camera's frame.</summary>
    public (double X, double Y, double Z) Turn(double x, double y, double z)
    {
        (double a, double b, double c, double d) = (Pose[0], Pose[1], Pose[2], Pose[3]);
        return (
            (((a * a) + (b * b) - (c * c) - (d * d)) * x) + (2 * ((b * c) - (a * d)) * y) + (2 * ((b * d) + (a * c)) * z),
            (2 * ((b * c) + (a * d)) * x) + (((a * a) - (b * b) + (c * c) - (d * d)) * y) + (2 * ((c * d) - (a * b)) * z),
            (2 * ((b * d) - (a * c)) * x) + (2 * ((c * d) + (a * b)) * y) + (((a * a) - (b * b) - (c * c) + (d * d)) * z));
    }

    /// <summary>The camera's place in the world.</summary>
    public (double X, double Y, double Z) Centre()
    {
        // The transposed turn is that of the conjugate.
        (double x, double y, double z) = (this with { Pose = [Pose[0], -Pose[1], -Pose[2], -Pose[3], 0, 0, 0] }).Turn(Pose[4], Pose[5], Pose[6]);
        return (-x, -y, -z);
    }
}

/// <summary>A point in space.</summary>
/// <param name="X">Its place.</param>
/// <param name="Y">Its place.</param>
/// <param name="Z">Its place.</param>
/// <param name="Error">Its mean reprojection error in pixels.</param>
/// <param name="Track">The images that see it, and which of their keypoints it is.</param>
internal sealed record SparsePoint(double X, double Y, double Z, double Error, (long Image, int Index)[] Track);
