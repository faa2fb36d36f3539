using CudaL2Net.Evaluation.Protocols;
using CudaL2Net.Evaluation.Results;
using CudaL2Net.Imaging;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Imaging.Geometry;
using CudaL2Net.Imaging.Regions;
using CudaL2Net.Imaging.Sequences;
using CudaL2Net.Matching;
using CudaL2Net.Tests.Imaging;
using CudaL2Net.Tests.Imaging.Geometry;
using OpenCvSharp;

namespace CudaL2Net.Tests.Evaluation.Protocols;

public sealed class OxfordEvaluationTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void MakeFolder() => folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    // The whole protocol once more, plainly: areas by clipped polygons, all pairs sorted.
    [Test]
    public void EqualsASlowSecondImplementation()
    {
        TestSequences.WriteSequence(folder["discs"]);
        IReadOnlyList<ImageSequence> sequences = ImageSequence.LoadAll([folder.Path]);
        var detector = RegionDetector.Open("sift", 70);
        EvaluationRun run = OxfordEvaluation.Evaluate("x", sequences, [new SiftDescriber(), new RawDescriber()], detector, images: [2]);

        using Mat first = ImageFile.LoadGrey(sequences[0].Reference), second = ImageFile.LoadGrey(sequences[0].Others[0].Path);
        OrientedRegion[] a = detector.Detect("", first), b = detector.Detect("", second);
        float[] da = new SiftDescriber().Describe(RegionPatches.Cut(first, a, 3, 65), 65).Values!;
        float[] db = new SiftDescriber().Describe(RegionPatches.Cut(second, b, 3, 65), 65).Values!;
        Homography back = sequences[0].Others[0].FromReference.Inverse();
        var overlaps = new Dictionary<(int I, int J), double>();
        var distances = new Dictionary<(int I, int J), double>();
        for (int i = 0; i < a.Length; i++)
        {
            for (int j = 0; j < b.Length; j++)
            {
                Ellipse p = a[i].Shape.Scaled(3), q = b[j].Shape.Scaled(3).Warped(back);
                bool near = Math.Sqrt(Math.Pow(p.X - q.X, 2) + Math.Pow(p.Y - q.Y, 2)) < 4 * Math.Sqrt(p.Area / Math.PI) && Math.Min(p.Area / q.Area, q.Area / p.Area) > 0.5;
                overlaps[(i, j)] = near ? EllipseOverlapTests.PolygonOverlap(p, q, 240) : 0;
                distances[(i, j)] = Enumerable.Range(0, 128).Sum(k => Math.Pow(da[(i * 128) + k] - db[(j * 128) + k], 2));
            }
        }

        Assert.That(overlaps.Values.Min(overlap => Math.Abs(overlap - 0.5)), Is.GreaterThan(2e-4), "the slow way cannot decide a pair: take another limit");
        (int I, int J)[] truth = Greedy(overlaps.Where(pair => pair.Value > 0.5).OrderByDescending(pair => pair.Value).Select(pair => pair.Key));
        (int I, int J)[] answers = Greedy(distances.OrderBy(pair => pair.Value).ThenBy(pair => pair.Key).Select(pair => pair.Key));
        double Ratio((int I, int J) pair) => distances[pair] / Enumerable.Range(0, b.Length).Where(j => j != pair.J).Min(j => distances[(pair.I, j)]);
        var expected = new Dictionary<string, double>
        {
            ["nn, mAP"] = Precision(answers, truth.Length),
            ["ratio, mAP"] = Precision(answers.OrderBy(Ratio).ThenBy(pair => pair), truth.Length),
            ["threshold, mAP"] = Precision(distances.OrderBy(pair => pair.Value).ThenBy(pair => pair.Key).Select(pair => pair.Key), overlaps.Values.Count(overlap => overlap > 0.5)),
        };
        foreach ((string table, double value) in expected)
        {
            Assert.That(Value(run, table, "SIFT", "discs"), Is.EqualTo(value).Within(1e-9), table);
            Assert.That(value, Is.InRange(0.05, 0.99), table);
        }

        Assert.That(Value(run, "nn, P by pair", "SIFT", "discs 1-2"), Is.EqualTo(truth.Length));
        Assert.That(Value(run, "nn, P by pair", "raw", "discs 1-2"), Is.EqualTo(truth.Length), "the same regions for every method");

        double Precision(IEnumerable<(int I, int J)> ranked, int positives)
        {
            double sum = 0;
            int found = 0, rank = 0;
            foreach ((int I, int J) pair in ranked)
            {
                rank++;
                if (overlaps[pair] > 0.5)
                {
                    sum += ++found / (double)rank;
                }
            }

            return sum / positives;
        }
    }

    [Test]
    public void RegionsFromFilesMatchThroughAWarpThatDiscsDoNotSurvive()
    {
        // 4 : 1 in one direction: the area of a disc's intersection with it is below half of the union's.
        var squeeze = new Homography(1, 0, 0, 0, 0.25, 80, 0, 0, 1);
        Directory.CreateDirectory(folder["squeezed"]);
        using Mat first = TestSequences.Discs(320, 240, 3), second = TestSequences.Warped(first, squeeze);
        Cv2.ImWrite(Path.Combine(folder["squeezed"], "img1.pgm"), first);
        Cv2.ImWrite(Path.Combine(folder["squeezed"], "img2.pgm"), second);
        squeeze.Write(Path.Combine(folder["squeezed"], "H1to2p"));
        Ellipse[] regions = [.. Enumerable.Range(0, 25).Select(i => EllipseTests.Turned(60 + (45 * (i % 5)), 50 + (35 * (i / 5)), 6, 5, 10 * i))];
        EllipseFile.Write(Path.Combine(folder["squeezed"], "img1.pgm.hesaff"), regions);
        EllipseFile.Write(Path.Combine(folder["squeezed"], "img2.pgm.hesaff"), [.. regions.Reverse().Select(region => region.Warped(squeeze))]);
        EvaluationRun run = OxfordEvaluation.Evaluate(
            "x", ImageSequence.LoadAll([folder.Path]), [new RawDescriber(), new Constant()], RegionDetector.Open("hesaff"), images: [2]);
        Assert.That(Value(run, "nn, P by pair", "raw", "squeezed 1-2"), Is.EqualTo(25));
        Assert.That(Value(run, "nn, mAP", "raw", "squeezed"), Is.GreaterThan(0.6));
        Assert.That(Value(run, "nn, mAP", "constant", "squeezed"), Is.LessThan(0.1), "by index only the middle one is right");
        Assert.That(run.Settings["detector"], Does.StartWith("hesaff"));
    }

    [Test]
    public void MeansAreOverPairsThenOverSequences()
    {
        TestSequences.WriteSequence(folder["a"], 1, images: 3);
        TestSequences.WriteSequence(folder["b"], 2, images: 3);
        var reports = new List<string>();
        EvaluationRun run = OxfordEvaluation.Evaluate(
            "x", ImageSequence.LoadAll([folder.Path]), [new RawDescriber()], RegionDetector.Open("sift", 100), 3, [2, 3], (_, what) => reports.Add(what));
        Assert.That(reports, Is.EqualTo(new[] { "a 1-2", "a 1-3", "b 1-2", "b 1-3" }));
        foreach (string strategy in new[] { "nn", "threshold", "ratio" })
        {
            double a = (Value(run, $"{strategy}, AP by pair", "raw", "a 1-2")!.Value + Value(run, $"{strategy}, AP by pair", "raw", "a 1-3")!.Value) / 2;
            Assert.That(Value(run, $"{strategy}, mAP", "raw", "a"), Is.EqualTo(a).Within(1e-12));
            Assert.That(
                Value(run, $"{strategy}, mAP", "raw", "mean"), Is.EqualTo((a + Value(run, $"{strategy}, mAP", "raw", "b")!.Value) / 2).Within(1e-12));
        }
    }

    [Test]
    public void WhatIsMissingOrDamagedIsNamed()
    {
        TestSequences.WriteSequence(folder["discs"]);
        IReadOnlyList<ImageSequence> sequences = ImageSequence.LoadAll([folder.Path]);
        IPatchDescriber[] methods = [new RawDescriber()];
        var sift = RegionDetector.Open("sift", 50);
        Assert.That(
            () => OxfordEvaluation.Evaluate("x", sequences, methods, sift),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("discs has no image 3").And.Message.Contains("1-6"));
        Assert.That(
            () => OxfordEvaluation.Evaluate("x", sequences, methods, RegionDetector.Open("haraff"), images: [2]),
            Throws.TypeOf<FileNotFoundException>().With.Message.Contains("img1.png.haraff"));
        File.WriteAllText(Path.Combine(folder["discs"], "img1.png.haraff"), "1.0\n2\n50 50 0.1 0 0.1\n");
        Assert.That(
            () => OxfordEvaluation.Evaluate("x", sequences, methods, RegionDetector.Open("haraff"), images: [2]),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("img1.png.haraff, line 4"));
        File.WriteAllText(Path.Combine(folder["discs"], "img1.png.haraff"), "1.0\n0\n");
        Assert.That(
            () => OxfordEvaluation.Evaluate("x", sequences, methods, RegionDetector.Open("haraff"), images: [2]),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("img1.png has no regions"));
        File.WriteAllText(Path.Combine(folder["discs"], "img2.png"), "no image");
        Assert.That(
            () => OxfordEvaluation.Evaluate("x", sequences, methods, sift, images: [2]), Throws.TypeOf<InvalidDataException>().With.Message.Contains("img2.png"));
        new Homography(1, 0, 5000, 0, 1, 0, 0, 0, 1).Write(Path.Combine(folder["discs"], "H1to2p"));
        File.Copy(Path.Combine(folder["discs"], "img1.png"), Path.Combine(folder["discs"], "img2.png"), overwrite: true);
        Assert.That(
            () => OxfordEvaluation.Evaluate("x", ImageSequence.LoadAll([folder.Path]), methods, sift, images: [2]),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("no regions correspond"));
        Assert.That(() => OxfordEvaluation.Evaluate("x", sequences, [], sift), Throws.ArgumentException);
        Assert.That(() => OxfordEvaluation.Evaluate("x", sequences, methods, sift, images: [2, 2]), Throws.ArgumentException);
    }

    private static (int I, int J)[] Greedy(IEnumerable<(int I, int J)> pairs)
    {
        var taken = new List<(int I, int J)>();
        foreach ((int I, int J) pair in pairs)
        {
            if (taken.All(other => other.I != pair.I && other.J != pair.J))
            {
                taken.Add(pair);
            }
        }

        return [.. taken];
    }

    private static double? Value(EvaluationRun run, string table, string method, string column)
    {
        ScoreTable found = run.Tables.Single(one => one.Title == table);
        return found.Rows.Single(row => row.Method == method).Values[found.Columns.ToList().IndexOf(column)];
    }

    private sealed class Constant : IPatchDescriber
    {
        public string Name => "constant";

        public int Dimension => 8;

        public bool IsBinary => true;

        public int PatchSide => 32;

        public double PatchScale => 6;

        public DescriptorSet Describe(ReadOnlySpan<byte> patches, int side) => DescriptorSet.FromBits(new byte[patches.Length / (side * side)], 8);
    }
}
