using System.Diagnostics;
using System.Text.Json;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Kernels;
using CudaL2Net.Matching;
using CudaL2Net.Networks;
using CudaL2Net.Numerics;
using CudaL2Net.Pipelines.Hloc;
using CudaL2Net.Pipelines.Images;
using CudaL2Net.Tests.Cli;
using CudaL2Net.Tests.Imaging;
using OpenCvSharp;

namespace CudaL2Net.Tests.Pipelines;

/// <summary>Files of features and matches in hloc's layout.</summary>
public sealed class HlocFilesTests
{
    private const string Layout = """
        import h5py, json, sys
        found = {}
        def visit(name, thing):
            if hasattr(thing, "shape"):
                found[name] = [str(thing.dtype), list(thing.shape), {k: float(v) for k, v in thing.attrs.items()}]
        h5py.File(sys.argv[1], "r").visititems(visit)
        print(json.dumps(found))
        """;

    // What hloc does to read keypoints, descriptors and matches.
    private const string Read = """
        import h5py, json, sys
        import numpy as np
        f, m = h5py.File(sys.argv[1], "r"), h5py.File(sys.argv[2], "r")
        a, b = sys.argv[3], sys.argv[4]
        k, d = f[a]["keypoints"].__array__(), f[a]["descriptors"].__array__()
        pair = m[a.replace("/", "-") + "/" + b.replace("/", "-")]
        matches, scores = pair["matches0"].__array__(), pair["matching_scores0"].__array__()
        other = f[b]["descriptors"].__array__().astype(np.float64)
        distances = np.linalg.norm(d.astype(np.float64).T[:, None, :] - other.T[None, :, :], axis=2)
        i = np.where(matches != -1)[0]
        print(json.dumps({
            "keypoints": k.shape, "descriptors": d.shape, "matches": len(i),
            "nearest": bool((distances.argmin(1)[i] == matches[i]).all() and (distances.argmin(0)[matches[i]] == i).all()),
            "scores": bool(np.allclose(scores[i], 1 - distances[i, matches[i]] ** 2 / 4, atol=1e-4)), "rest": float(abs(scores[matches == -1]).max(initial=0))}))
        """;

    // A file as h5py writes it: older structures, half floats, matches of 16 bits.
    private const string Write = """
        import h5py, sys
        import numpy as np
        with h5py.File(sys.argv[1], "w") as f:
            for name, n in (("db/a.jpg", 3), ("query.jpg", 2)):
                g = f.create_group(name)
                g.create_dataset("keypoints", data=np.arange(2 * n, dtype=np.float16).reshape(n, 2))
                g.create_dataset("descriptors", data=np.eye(4, n, dtype=np.float16))
                g.create_dataset("scores", data=np.ones(n, np.float16))
                g.create_dataset("image_size", data=np.array([640, 480]))
        with h5py.File(sys.argv[2], "w") as f:
            g = f.create_group("query.jpg").create_group("db-a.jpg")
            g.create_dataset("matches0", data=np.array([2, -1], np.int16))
            g.create_dataset("matching_scores0", data=np.array([0.5, 0], np.float16))
        """;

    [Test]
    public void TheLayoutIsHlocs()
    {
        using var folder = new TemporaryFolder();
        Describe(folder, "f.h5");
        JsonElement layout = JsonDocument.Parse(Python(Layout, folder["f.h5"])).RootElement;
        string[] found = [.. layout.EnumerateObject().Select(row => $"{row.Name} {row.Value.GetRawText()}")];
        Assert.That(found.Order(StringComparer.Ordinal), Is.EqualTo(new[] { "dir/view1.png", "view0.png" }.SelectMany(name => new[]
        {
            $"{name}/descriptors [\"float32\", [128, 100], {{}}]",
            $"{name}/image_size [\"int32\", [2], {{}}]",
            $"{name}/keypoints [\"float32\", [100, 2], {{\"uncertainty\": 1.0}}]",
            $"{name}/oris [\"float32\", [100], {{}}]",
            $"{name}/scales [\"float32\", [100], {{}}]",
            $"{name}/scores [\"float32\", [100], {{}}]",
        })));
    }

    [Test]
    public void HlocReadsKeypointsDescriptorsAndMatches()
    {
        using var folder = new TemporaryFolder();
        Describe(folder, "f.h5");
        JsonElement result = Match(folder, "f.h5", "m.h5");
        JsonElement read = JsonDocument.Parse(Python(Read, folder["f.h5"], folder["m.h5"], "dir/view1.png", "view0.png")).RootElement;
        Assert.Multiple(() =>
        {
            Assert.That(read.GetProperty("matches").GetInt32(), Is.EqualTo(result.GetProperty("matches").GetInt32()).And.GreaterThan(20));
            Assert.That(read.GetProperty("nearest").GetBoolean(), Is.True, "every match is mutually nearest");
            Assert.That(read.GetProperty("scores").GetBoolean(), Is.True);
            Assert.That(read.GetProperty("rest").GetDouble(), Is.Zero);
        });
    }

    [Test]
    public void HlocsOwnFilesAreRead()
    {
        using var folder = new TemporaryFolder();
        Python(Write, folder["f.h5"], folder["m.h5"]);
        using FeatureFile features = FeatureFile.Open(folder["f.h5"]);
        using MatchFile matches = MatchFile.Open(folder["m.h5"]);
        DescriptorSet stored = features.Read("db/a.jpg");
        Assert.Multiple(() =>
        {
            Assert.That(features.Names, Is.EqualTo(new[] { "db/a.jpg", "query.jpg" }));
            Assert.That(features.Points("db/a.jpg"), Is.EqualTo(new float[] { 0, 1, 2, 3, 4, 5 }));
            Assert.That((stored.Count, stored.Dimension), Is.EqualTo((3, 4)));
            Assert.That(stored.Values, Is.EqualTo(new float[] { 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0 }), "rows of the file are values of one descriptor");
            Assert.That(features.Size("query.jpg"), Is.EqualTo((640, 480)));
            Assert.That(features.Frames("query.jpg"), Is.Null);
            Assert.That(matches.PairOf(matches.Groups[0], new Dictionary<string, long> { ["db-a.jpg"] = 1, ["query.jpg"] = 2 }), Is.EqualTo((2L, 1L)));
            Assert.That(matches.Read(matches.Groups[0], 2, 3), Is.EqualTo(new uint[] { 0, 2 }));
            Assert.That(() => matches.Read(matches.Groups[0], 2, 2), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("other features"));
        });
    }

    [Test]
    public void AllFormsOfDescriptorsComeBack()
    {
        using var folder = new TemporaryFolder();
        Describe(folder, "float32.h5");
        using FeatureFile exact = FeatureFile.Open(folder["float32.h5"]);
        float[] expected = exact.Read("view0.png").Values!;
        foreach ((string form, double error) in new[] { ("float16", 3e-4), ("uint8", 2e-3) })
        {
            Describe(folder, $"{form}.h5", "--descriptors", form);
            using FeatureFile file = FeatureFile.Open(folder[$"{form}.h5"]);
            Assert.That(file.Read("view0.png").Values, Is.EqualTo(expected).Within(error), form);
        }

        Describe(folder, "bits.h5", "--binary");
        using FeatureFile bits = FeatureFile.Open(folder["bits.h5"]);
        DescriptorSet set = bits.Read("view0.png");
        Assert.That(set.Dimension, Is.EqualTo(128));
        Assert.That(set.Bits, Is.EqualTo(PatchModel.Binarize(expected)));
        Assert.That(Match(folder, "bits.h5", "m.h5", "--ratio", "0.95").GetProperty("matches").GetInt32(), Is.Positive);
    }

    [Test]
    public void AStoppedDescriptionGoesOn()
    {
        using var folder = new TemporaryFolder();
        IReadOnlyList<ImageEntry> images = WriteSmall(folder, 4);
        var whole = Run(folder["whole.h5"], default);
        using var stop = new CancellationTokenSource();
        Assert.That(() => Run(folder["stopped.h5"], stop.Token, at => stop.Cancel()), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(File.Exists(folder["stopped.h5"]), Is.False);
        Assert.That(() => Run(folder["stopped.h5"], default, settings: "others"), Throws.InstanceOf<OtherSettingsException>().With.Message.Contains("others"));
        FeatureReport rest = Run(folder["stopped.h5"], default);
        Assert.Multiple(() =>
        {
            Assert.That((whole.Images, whole.Before), Is.EqualTo((4, 0)));
            Assert.That((rest.Images, rest.Before), Is.EqualTo((3, 1)));
            Assert.That(rest.Keypoints, Is.EqualTo(whole.Keypoints));
            Assert.That(File.ReadAllBytes(folder["stopped.h5"]), Is.EqualTo(File.ReadAllBytes(folder["whole.h5"])));
            Assert.That(Directory.Exists(Parts.FolderOf(folder["stopped.h5"])), Is.False);
        });

        FeatureReport Run(string output, CancellationToken token, Action<(int, int)>? step = null, string settings = "these") => new FeatureRun(new SiftDescriber(), 1)
            .Run(images, output, new FeatureOptions((_, grey) => KeypointDetector.Detect(grey, 20), DescriptorForm.Float32, false, settings), new Told<(int, int)>(step ?? (_ => { })), token);
    }

    [Test]
    public void AStoppedMatchingGoesOn()
    {
        using var folder = new TemporaryFolder();
        using Device device = Device.Open("cpu");
        new FeatureRun(new SiftDescriber(), 0).Run(
            WriteSmall(folder, 18), folder["f.h5"], new FeatureOptions((_, grey) => KeypointDetector.Detect(grey, 12), DescriptorForm.Float32, false, string.Empty), new Told<(int, int)>(_ => { }), default);
        MatchReport whole = Run(folder["whole.h5"], default);
        using var stop = new CancellationTokenSource();
        Assert.That(() => Run(folder["stopped.h5"], stop.Token, at => stop.Cancel()), Throws.InstanceOf<OperationCanceledException>());
        MatchReport rest = Run(folder["stopped.h5"], default);
        Assert.Multiple(() =>
        {
            Assert.That((whole.Pairs, whole.Before, rest.Pairs, rest.Before), Is.EqualTo((153L, 0L, 153L, 128L)));
            Assert.That(rest.Matches, Is.EqualTo(whole.Matches).And.Positive);
            Assert.That(File.ReadAllBytes(folder["stopped.h5"]), Is.EqualTo(File.ReadAllBytes(folder["whole.h5"])));
        });

        MatchReport Run(string output, CancellationToken token, Action<(long, long)>? step = null) => new MatchRun(new DescriptorSearch(device)).Run(
            folder["f.h5"], "exhaustive", output, new MatchOptions(true, 1), false, new Told<(long, long)>(step ?? (_ => { })), token);
    }

    [Test]
    public void DamagedImagesAreNamedAndEmptyOnesKept()
    {
        using var folder = new TemporaryFolder();
        WriteSmall(folder, 1);
        File.WriteAllBytes(folder["images/broken.png"], File.ReadAllBytes(folder["images/0.png"])[..500]);
        using (var flat = new Mat(50, 60, MatType.CV_8UC1, Scalar.All(90)))
        {
            Cv2.ImWrite(folder["images/flat.png"], flat);
        }

        CommandLine run = CommandLine.MustRun("describe", folder["images"], "--out", folder["f.h5"], "--device", "cpu", "--json");
        JsonElement result = JsonDocument.Parse(run.Output).RootElement;
        using FeatureFile file = FeatureFile.Open(folder["f.h5"]);
        Assert.Multiple(() =>
        {
            Assert.That((result.GetProperty("images").GetInt32(), result.GetProperty("failedImages").GetInt32()), Is.EqualTo((2, 1)));
            Assert.That(run.Error, Does.Contain("left out: ").And.Contain("broken.png"));
            Assert.That(file.Names, Is.EqualTo(new[] { "0.png", "flat.png" }));
            Assert.That(file.Read("flat.png").Count, Is.Zero);
        });
    }

    [Test]
    public void ListsAndPatternsNameImages()
    {
        using var folder = new TemporaryFolder();
        WriteSmall(folder, 3);
        File.WriteAllText(folder["list.txt"], "# two of them\nimages/2.png\n\nimages/0.png\n");
        Assert.Multiple(() =>
        {
            Assert.That(ImageEntry.Find(folder["list.txt"]).Images.Select(image => image.Name), Is.EqualTo(new[] { "images/2.png", "images/0.png" }));
            Assert.That(ImageEntry.Find(folder["images/*.png"]).Images.Select(image => image.Name), Is.EqualTo(new[] { "0.png", "1.png", "2.png" }));
            Assert.That(ImageEntry.Find(folder["images/1.png"]).Images.Select(image => image.Name), Is.EqualTo(new[] { "1.png" }));
            Assert.That(() => ImageEntry.Find(folder["images/x*"]), Throws.InstanceOf<InvalidDataException>());
        });
        File.AppendAllText(folder["list.txt"], "images/2.png\n");
        Assert.That(() => ImageEntry.Find(folder["list.txt"]), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("line 5").And.Message.Contains("twice"));
    }

    // Bytes of a file are changed, one or a few at a time; what comes out is numbers or one sentence, within a minute and the file's size.
    [Test]
    public void DamagedFilesAreRefusedOrRead([Values(1, 2, 3)] int seed)
    {
        using var folder = new TemporaryFolder();
        new FeatureRun(new SiftDescriber(), 0).Run(
            WriteSmall(folder, 2), folder["f.h5"], new FeatureOptions((_, grey) => KeypointDetector.Detect(grey, 5), DescriptorForm.Float32, false, string.Empty), new Told<(int, int)>(_ => { }), default);
        byte[] good = File.ReadAllBytes(folder["f.h5"]);
        PhiloxStream draws = new((ulong)seed, DrawPurpose.Evaluation, 0);
        for (int trial = 0; trial < 40; trial++)
        {
            byte[] bytes = [.. good];
            for (int i = 0; i <= draws.Next(3); i++)
            {
                bytes[draws.Next(Math.Min(bytes.Length, 4000))] = (byte)draws.Next(256);
            }

            File.WriteAllBytes(folder["bad.h5"], trial % 8 == 0 ? bytes[..draws.Next(bytes.Length)] : bytes);
            try
            {
                using FeatureFile file = FeatureFile.Open(folder["bad.h5"]);
                foreach (string name in file.Names)
                {
                    file.Read(name);
                }
            }
            catch (Exception error) when (error is IOException or InvalidDataException)
            {
                Assert.That(error.Message, Does.Contain("bad.h5"));
            }
        }
    }

    [Test]
    public void HlocsFilesGoIntoColmapsDatabase()
    {
        using var folder = new TemporaryFolder();
        PlaneScene.Write(folder["images"], 5);
        CommandLine.MustRun("describe", folder["images"], "--out", folder["f.h5"], "--limit", "700", "--device", "cpu");
        Match(folder, "f.h5", "m.h5");
        CommandLine import = CommandLine.MustRun(
            "colmap", "import", "--features", folder["f.h5"], "--matches", folder["m.h5"], "--database", folder["a.db"], "--verify", "--json");
        JsonElement result = JsonDocument.Parse(import.Output).RootElement;
        CommandLine.MustRun("colmap", "extract", "--images", folder["images"], "--database", folder["b.db"], "--limit", "700", "--device", "cpu");
        CommandLine.MustRun("colmap", "match", "--database", folder["b.db"], "--verify", "--device", "cpu");
        const string Keypoints = "SELECT name, rows, cols, width, height FROM images JOIN keypoints USING (image_id) JOIN cameras USING (camera_id) ORDER BY name";
        const string Geometries = "SELECT pair_id, m.rows, hex(m.data), config, hex(t.data) FROM matches m JOIN two_view_geometries t USING (pair_id)";
        Assert.Multiple(() =>
        {
            Assert.That(result.GetProperty("verifiedMatches").GetInt32(), Is.GreaterThan(300));
            Assert.That(ColmapDatabaseTests.Rows(folder["a.db"], Keypoints), Is.EqualTo(ColmapDatabaseTests.Rows(folder["b.db"], Keypoints)));
            Assert.That(ColmapDatabaseTests.Rows(folder["a.db"], Geometries), Is.EqualTo(ColmapDatabaseTests.Rows(folder["b.db"], Geometries)), "both ways lead to the same matches");
        });
        CommandLine.Run("colmap", "import", "--features", folder["f.h5"], "--database", folder["a.db"]).Explains(2, "images already");
    }

    private static void Describe(TemporaryFolder folder, string output, params string[] more)
    {
        if (!Directory.Exists(folder["images"]))
        {
            PlaneScene.Write(folder["images"], 2);
            Directory.CreateDirectory(folder["images/dir"]);
            File.Move(folder["images/view1.png"], folder["images/dir/view1.png"]);
        }

        CommandLine.MustRun(["describe", folder["images"], "--out", folder[output], "--limit", "100", "--device", "cpu", .. more]);
    }

    private static JsonElement Match(TemporaryFolder folder, string features, string output, params string[] more) => JsonDocument.Parse(CommandLine.MustRun(
        ["match", "--features", folder[features], "--pairs", "exhaustive", "--out", folder[output], "--device", "cpu", "--json", .. more]).Output).RootElement;

    private static IReadOnlyList<ImageEntry> WriteSmall(TemporaryFolder folder, int images)
    {
        Directory.CreateDirectory(folder["images"]);
        for (int i = 0; i < images; i++)
        {
            using Mat image = TestImages.Speckle(90, 80, (ulong)(i / 2));
            Cv2.ImWrite(folder[$"images/{i}.png"], image);
        }

        return ImageEntry.InFolder(folder["images"]).Images;
    }

    private static string Python(string script, params string[] arguments)
    {
        var start = new ProcessStartInfo("/usr/bin/python3", ["-c", script, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process? python = File.Exists(start.FileName) ? Process.Start(start) : null;
        if (python is null)
        {
            Assert.Ignore("this system has no /usr/bin/python3 with h5py (Debian: python3-h5py)");
        }

        Task<string> error = python!.StandardError.ReadToEndAsync();
        string output = python.StandardOutput.ReadToEnd();
        python.WaitForExit();
        if (error.Result.Contains("No module named", StringComparison.Ordinal))
        {
            Assert.Ignore("this system has no python3 with h5py (Debian: python3-h5py)");
        }

        Assert.That(python.ExitCode, Is.Zero, error.Result);
        return output;
    }
}
