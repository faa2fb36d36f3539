using System.Text;
using System.Text.Json;
using CudaL2Net.Bench.Measuring;
using CudaL2Net.Bench.Reports;
using CudaL2Net.Cli.Commands.Reproduce;
using CudaL2Net.Cli.Runs;
using CudaL2Net.Data;
using CudaL2Net.Evaluation.Protocols;
using CudaL2Net.Imaging.Data;
using CudaL2Net.Imaging.Geometry;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Imaging.Sequences;
using CudaL2Net.Imaging.Sources;
using CudaL2Net.Training;

namespace CudaL2Net.Fuzz.Readers;

/// <summary>Texts and JSON.</summary>
internal static class TextReaders
{
    private const string Rows = "0.9 0.1 -6\n-0.05 1.1 2.5\n1e-4 2e-4 1\n";

    public static Reader Homography(string name) => new(name, "H1to2p",
        [new("rows", Text(Rows)), new("wide", Text("  1.0\t0 0 \r\n0 1 0\r\n\r\n0 0 1"))], (path, digest) =>
        digest.Add(Imaging.Geometry.Homography.Read(path).Elements))
    { Content = Content.Lines };

    public static Reader Sequence(string name) => new(name, "H1to2p", [new("rows", Text(Rows))], (path, digest) =>
        digest.Add(ImageSequence.Load(Path.GetDirectoryName(path)!).Others.Single().FromReference.Elements))
    {
        Content = Content.Lines,
        Share = 0.3,
        Surround = folder =>
        {
            File.WriteAllText(Path.Combine(folder, "img1.ppm"), "not read here");
            File.WriteAllText(Path.Combine(folder, "img2.ppm"), "not read here");
        },
    };

    public static Reader Regions(string name) => new(name, "img1.haraff",
        [
            new("three", Text("1.0\n3\n10.5 20 0.01 0.001 0.02\n30 40 0.02 0 0.02\n50 60 0.1 -0.01 0.05\n")),
            new("many", Text("1.0\n2000000000\n1 1 1 0 1\n"), IsValid: false),
        ],
        (path, digest) => digest.Add(EllipseFile.Read(path)))
    { Promise = Promise.NoCrash, Content = Content.Lines };

    public static Reader Keypoints(string name) => new(name, "keypoints.csv",
        [
            new("written", Written.By(path => KeypointFile.Write(path, [new(10.5f, 20, 9, 45, 0.1f, 0), new(80, 60.25f, 12, 359, 0.2f, 0)]))),
            new("places", Text("# x y\n10.5,20\n80,60\n")),
            new("three columns", Text("x,y,size\r\n10.5,20,3\r\n")),
            new("affine", Written.By(path => KeypointFile.Write(path, [Keypoint.FromShape(10.5f, 20, new AffineShape(4, -1, 0.5f, 3))]))),
        ],
        (path, digest) => digest.Add(KeypointFile.Read(path, 12)))
    { Content = Content.Lines };

    public static Reader ColmapKeypoints(string name) => new(name, "image.jpg.txt",
        [
            new("two", Text("2 3\n10.5 20.5 4 1.57 0 255 7\n1.25 2 0.5 -0.5 1 2 3\n")),
            new("without descriptors", Text("1 0\n10.5 20.5 4 1.57\n")),
            new("many", Text("2000000000 65536\n1 1 1 0 1\n"), IsValid: false),
        ],
        (path, digest) => digest.Add(KeypointFile.Read(path, 12)))
    { Content = Content.Lines };

    public static Reader KeypointRegions(string name) => new(name, "img1.haraff",
        [
            new("two", Text("1.0\n2\n10.5 20 0.01 0.001 0.02\n50 60 0.1 -0.01 0.05\n")),
            new("many", Text("1.0\n2000000000\n1 1 1 0 1\n"), IsValid: false),
        ],
        (path, digest) => digest.Add(KeypointFile.Read(path, 12)))
    { Promise = Promise.NoCrash, Content = Content.Lines };

    public static Reader BrownInfo(string name) => new(name, "info.txt", [new("five", Text("3 0\n3 0\n7 0\n8 0\n8 0\n"))], (path, digest) =>
        digest.Add(BrownDataset.Open(Path.GetDirectoryName(path)!).PointIds))
    { Content = Content.Lines, Surround = Mosaic };

    public static Reader BrownPairs(string name) => new(name, BrownDataset.DefaultPairs,
        [new("seven fields", Text("0 3 0 1 3 0 0\n2 7 0 4 8 0 0\n3 8 0 4 8 0 0\n")), new("six fields", Text("0 3 0 1 3 0\n2 7 0 4 8 0\n"))],
        (path, digest) =>
        {
            foreach (PatchPair pair in BrownDataset.Open(Path.GetDirectoryName(path)!).ReadPairs())
            {
                digest.Add([pair.First, pair.Second, pair.IsMatch ? 1 : 0]);
            }
        })
    {
        Content = Content.Lines,
        Surround = folder =>
        {
            Mosaic(folder);
            File.WriteAllText(Path.Combine(folder, "info.txt"), "3 0\n3 0\n7 0\n8 0\n8 0\n");
        },
    };

    public static Reader HPatchesSplits(string name) => new(name, "splits.json",
        [new("two", Text("""{"a": {"name": "a", "train": ["v_two"], "test": ["v_one"]}, "view": {"test": ["v_one", "v_two"]}}"""))],
        (path, digest) =>
        {
            var data = HPatchesDataset.Open(Path.GetDirectoryName(path)!);
            digest.Add(string.Join(' ', data.ReadTrainingSequences("a")));
            digest.Add(string.Join(' ', data.ReadTestSequences("a")));
        })
    { Content = Content.Json, Surround = Sequences };

    public static Reader HPatchesPairs(string name) => new(name, "verif_pos_split-a.csv",
        [new("three", Text("s1,t1,idx1,s2,t2,idx2\nv_one,0,1,v_one,3,1\nv_two,2,0,v_two,5,0\nv_two,1,2,v_two,0,2\n"))],
        (path, digest) => digest.Add<HPatchesPair>(Tasks(path).Verification(100).Matches))
    {
        Content = Content.Lines,
        Surround = folder => Task(folder, "verif_neg_intra", "verif_neg_inter", "s1,t1,idx1,s2,t2,idx2\nv_one,0,1,v_one,3,1\n"),
    };

    public static Reader HPatchesQueries(string name) => new(name, "retr_queries_split-a.csv",
        [new("three", Text("s,idx\nv_one,0\nv_one,2\nv_two,1\n"))], (path, digest) =>
        digest.Add<HPatchesPatch>(Tasks(path).Retrieval(10, 10).Queries))
    {
        Content = Content.Lines,
        Surround = folder => Task(folder, "retr_distractors", "retr_distractors", "s,idx\nv_one,1\n"),
    };

    public static Reader HPatchesDescriptors(string name) => new(name, "ref.csv",
        [new("commas", Text("1,2.5\n-3e-2,4\n0,0\n")), new("semicolons", Text("1;2\r\n3;4\r\n5;6\r\n\r\n"))],
        (path, digest) =>
        {
            string folder = Path.GetDirectoryName(path)!;
            digest.Add(new HPatchesDescriptors(name, Path.GetDirectoryName(folder)!).Read(Path.GetFileName(folder), "ref", 3).Values!);
        })
    { Content = Content.Lines };

    public static Reader Run(string name) => new(name, "run.json",
        [
            new("of a training", Written.By(path => new TrainingRun(
                "synthetic", "none", 60, 1.5, new PairOptions(), Presets.Find("hardnet-200k")).Write(Path.GetDirectoryName(path)!), "run.json")),
        ],
        (path, digest) => digest.Add(TrainingRun.Read(Path.GetDirectoryName(path)!)!.Options.ToJson()))
    { Content = Content.Json };

    public static Reader Cell(string name) => new(name, "cell.json",
        [
            new("of a table", Written.By(path => new GridCell(
                "l2net", "liberty", 40, 12.5, new Dictionary<string, string> { ["liberty"] = "abc" },
                [new CellScore("notredame", false, 0.1, 0.9, 0.8), new CellScore("notredame", true, 0.2, 0.8, 0.7)],
                null).Write(Path.GetDirectoryName(path)!), "cell.json")),
        ],
        (path, digest) => digest.Add(JsonSerializer.Serialize(GridCell.Read(Path.GetDirectoryName(path)!))))
    {
        Promise = Promise.NoticesAll,
        Content = Content.Json
    };

    public static Reader Bench(string name) => new(name, "bench.json",
        [
            new("one row", Written.By(path => new BenchReport(
                "kernels", new Machine("cpu", "a CPU", false, "a processor", 2, 256, "a system", "2026-01-01 00:00 UTC", "abc", 0), 3,
                [new Peak("reading", 1e9)],
                [new BenchRow { Name = "add", Operation = "add", Batch = 4, Precision = "float32", Seconds = [0.1, 0.2, 0.3] }]).Write(path))),
        ],
        (path, digest) => digest.Add(BenchReport.Read(path).Rows.Count))
    { Content = Content.Json };

    // A damaged line and those behind it are dropped: the run does these steps again.
    public static Reader Metrics(string name) => new(name, "metrics.jsonl",
        [new("three steps", Text("""{"step":1,"loss":1.5}""" + "\n" + """{"step":2,"loss":1.25}""" + "\n" + """{"step":3,"loss":1}""" + "\n"))],
        (path, digest) =>
        {
            new RunFiles(Path.GetDirectoryName(path)!).OpenMetrics(2).Dispose();
            digest.Add(File.ReadAllBytes(path));
        })
    { Content = Content.Json };

    private static byte[] Text(string text) => Encoding.UTF8.GetBytes(text);

    // Only that it is there is asked for.
    private static void Mosaic(string folder) => File.WriteAllText(Path.Combine(folder, "patches0000.bmp"), "not read here");

    private static HPatchesTasks Tasks(string path) => new(HPatchesDataset.Open(Path.GetDirectoryName(path)!), "a");

    private static void Task(string folder, string first, string second, string lines)
    {
        Sequences(folder);
        File.WriteAllText(Path.Combine(folder, "splits.json"), """{"a": {"train": ["v_two"], "test": ["v_one", "v_two"]}}""");
        File.WriteAllText(Path.Combine(folder, $"{first}_split-a.csv"), lines);
        File.WriteAllText(Path.Combine(folder, $"{second}_split-a.csv"), lines);
    }

    // Of the strips, the head of ref.png is read: 65 x 195 pixels.
    private static void Sequences(string folder)
    {
        byte[] head = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13, .. "IHDR"u8, 0, 0, 0, 65, 0, 0, 0, 195];
        foreach (string sequence in new[] { "v_one", "v_two" })
        {
            Directory.CreateDirectory(Path.Combine(folder, sequence));
            foreach (string strip in HPatchesDataset.StripNames)
            {
                File.WriteAllBytes(Path.Combine(folder, sequence, strip + ".png"), head);
            }
        }
    }
}
