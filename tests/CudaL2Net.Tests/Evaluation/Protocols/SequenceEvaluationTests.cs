using System.Text.Json;
using CudaL2Net.Evaluation.Protocols;
using CudaL2Net.Evaluation.Results;
using CudaL2Net.Imaging;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Imaging.Geometry;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Imaging.Sequences;
using CudaL2Net.Kernels;
using CudaL2Net.Matching;
using CudaL2Net.Tests.Imaging;
using OpenCvSharp;

namespace CudaL2Net.Tests.Evaluation.Protocols;

public sealed class SequenceEvaluationTests
{
    private Device device = null!;
    private string folder = string.Empty;

    [SetUp]
    public void Prepare()
    {
        device = Device.Open("cpu");
        folder = Directory.CreateTempSubdirectory("sequences").FullName;
    }

    [TearDown]
    public void CleanUp()
    {
        device.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    [Test]
    public void KnowingThePlaceGivesAverageNearOneAndConstantDescriptorsNearZero()
    {
        TestSequences.WriteSequence(Path.Combine(folder, "discs"));
        IKeypointDescriber[] methods = [new Place(TestSequences.Warp), new Constant(), new SiftDescriber()];
        SequenceResults results = new SequenceEvaluation(device).Evaluate(ImageSequence.LoadAll([folder]), methods);
        MethodResult place = results.Methods[0], constant = results.Methods[1], sift = results.Methods[2];
        PairResult pair = place.Pairs.Single();
        Assert.That(pair.Correspondences, Is.GreaterThan(50));
        Assert.That(place.Mean, Is.GreaterThan(0.99));
        Assert.That(pair.Right, Is.GreaterThan(0.97 * pair.Correspondences));
        Assert.That((place.Fpr95, place.Auc), Is.EqualTo((0.0, 1.0)));
        Assert.That(constant.Mean, Is.LessThan(0.05));
        Assert.That(constant.Auc, Is.EqualTo(0.5));
        Assert.That(sift.Mean, Is.InRange(0.5, 0.999));
        Assert.That(results.Methods.Select(method => method.Pairs[0].Correspondences).Distinct().Count(), Is.EqualTo(1), "the same keypoints for every method");
    }

    [Test]
    public void EqualsAPlainSecondImplementation([Values] AveragePrecision definition)
    {
        TestSequences.WriteSequence(Path.Combine(folder, "discs"));
        ImageSequence sequence = ImageSequence.LoadAll([folder]).Single();
        var describer = new SiftDescriber();
        double found = new SequenceEvaluation(device, 150, definition).Evaluate([sequence], [describer]).Methods[0].Mean;

        using Mat first = ImageFile.LoadGrey(sequence.Reference), second = ImageFile.LoadGrey(sequence.Others[0].Path);
        Keypoint[] a = KeypointDetector.Detect(first, 150), b = KeypointDetector.Detect(second, 150);
        float[] da = describer.Describe(first, a).Values!, db = describer.Describe(second, b).Values!;
        Homography h = sequence.Others[0].FromReference;
        (double Distance, bool Right)[] answers = [.. Enumerable.Range(0, a.Length).Select(Answer).OrderBy(answer => answer.Distance)];
        int positives = Enumerable.Range(0, a.Length).Count(i => Enumerable.Range(0, b.Length).Any(j => Correspond(i, j)));
        double expected = 0, before = 1;
        for (int k = 1; k <= answers.Length; k++)
        {
            double precision = answers.Take(k).Count(answer => answer.Right) / (double)k;
            expected += !answers[k - 1].Right ? 0 : definition == AveragePrecision.Step ? precision / positives : (before + precision) / 2 / positives;
            before = precision;
        }

        Assert.That(found, Is.EqualTo(expected).Within(1e-9));
        Assert.That(found, Is.InRange(0.3, 0.999));

        (double Distance, bool Right) Answer(int i)
        {
            double[] distances =
                [.. Enumerable.Range(0, b.Length).Select(j => Enumerable.Range(0, 128).Sum(k => Math.Pow(da[(i * 128) + k] - db[(j * 128) + k], 2)))];
            int nearest = Array.IndexOf(distances, distances.Min());
            return (distances[nearest], Correspond(i, nearest));
        }

        bool Correspond(int i, int j)
        {
            (double x, double y) = h.Map(a[i].X, a[i].Y);
            double size = a[i].Size * h.Scale(a[i].X, a[i].Y);
            return Math.Sqrt(Math.Pow(b[j].X - x, 2) + Math.Pow(b[j].Y - y, 2)) <= 3 && Math.Max(b[j].Size / size, size / b[j].Size) <= 1.5;
        }
    }

    [Test]
    public void MeansAreOverPairsAndTheJsonSaysSo()
    {
        TestSequences.WriteSequence(Path.Combine(folder, "a"), 1, images: 3);
        TestSequences.WriteSequence(Path.Combine(folder, "b"), 2);
        var done = new List<int>();
        SequenceResults results = new SequenceEvaluation(device, 200)
            .Evaluate(ImageSequence.LoadAll([folder]), [new SiftDescriber(), new RootSiftDescriber()], new Recorder(done));
        Assert.That(done, Is.EqualTo(new[] { 1, 2, 3 }));
        MethodResult sift = results.Methods[0];
        Assert.That(sift.Sequences["a"], Is.EqualTo(sift.Pairs.Take(2).Average(pair => pair.AveragePrecision)).Within(1e-12));
        Assert.That(sift.Mean, Is.EqualTo(sift.Pairs.Average(pair => pair.AveragePrecision)).Within(1e-12));

        JsonElement method = JsonDocument.Parse(results.ToJson()).RootElement.GetProperty("methods")[1];
        Assert.That(method.GetProperty("name").GetString(), Is.EqualTo("RootSIFT"));
        Assert.That(method.GetProperty("mean").GetDouble(), Is.EqualTo(results.Methods[1].Mean));
        Assert.That(method.GetProperty("sequences").GetProperty("b").GetDouble(), Is.EqualTo(results.Methods[1].Sequences["b"]));
        Assert.That(method.GetProperty("pairs").GetArrayLength(), Is.EqualTo(3));
        Assert.That(method.GetProperty("pairs")[1].GetProperty("image").GetInt32(), Is.EqualTo(3));
    }

    [Test]
    public void DamagedImageIsNamed()
    {
        string sequence = Path.Combine(folder, "discs");
        TestSequences.WriteSequence(sequence);
        File.WriteAllText(Path.Combine(sequence, "img2.png"), "no image");
        Assert.That(
            () => new SequenceEvaluation(device).Evaluate(ImageSequence.LoadAll([folder]), [new SiftDescriber()]),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("img2.png"));
    }

    [Test]
    public void WrongHomographyIsExplained()
    {
        string sequence = Path.Combine(folder, "discs");
        TestSequences.WriteSequence(sequence);
        new Homography(1, 0, 5000, 0, 1, 0, 0, 0, 1).Write(Path.Combine(sequence, "H1to2p"));
        Assert.That(
            () => new SequenceEvaluation(device).Evaluate(ImageSequence.LoadAll([folder]), [new SiftDescriber()]),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("correspondence"));
    }

    [Test]
    public void NamesMustDiffer()
    {
        TestSequences.WriteSequence(Path.Combine(folder, "discs"));
        IReadOnlyList<ImageSequence> sequences = ImageSequence.LoadAll([folder]);
        Assert.That(
            () => new SequenceEvaluation(device).Evaluate(sequences, [new SiftDescriber(), new SiftDescriber()]),
            Throws.ArgumentException.With.Message.Contains("SIFT"));
        Assert.That(() => new SequenceEvaluation(device).Evaluate([], [new SiftDescriber()]), Throws.ArgumentException);
    }

    // Measured with another program (Python) on pairs 1-2, 1-4 and 1-6. It measures the 3 pixels in the first image, which matters on bark, whose scale
    // changes up to fourfold: .43 there, .72 here, .42 here if measured there. So bark is left out.
    [Test]
    [Category("Data")]
    public void SiftOnOxfordIsAsOthersMeasured()
    {
        string? data = Environment.GetEnvironmentVariable("CUDAL2NET_DATA");
        if (data is null || !Directory.Exists(Path.Combine(data, "oxford")))
        {
            Assert.Ignore("CUDAL2NET_DATA names no folder with the Oxford sequences");
        }

        IReadOnlyList<ImageSequence> sequences = ImageSequence.LoadAll([Path.Combine(data!, "oxford")]);
        SequenceResults results = new SequenceEvaluation(device).Evaluate(sequences, [new SiftDescriber(), new RootSiftDescriber()]);
        var measured = new Dictionary<string, double[]>
        {
            ["graf"] = [0.258, 0.304],
            ["wall"] = [0.473, 0.496],
            ["bikes"] = [0.634, 0.710],
            ["ubc"] = [0.639, 0.690],
        };
        foreach ((string sequence, double[] expected) in measured)
        {
            double[] found = [.. results.Methods.Select(method => method.Pairs
                .Where(pair => pair.Sequence == sequence && pair.Image % 2 == 0)
                .Average(pair => pair.AveragePrecision!.Value))];
            Assert.That(found, Is.EqualTo(expected).Within(0.012), sequence);
        }
    }

    /// <summary>Describes a keypoint by where it is in the second image and how large: the right answer.</summary>
    private sealed class Place(Homography toSecond) : IKeypointDescriber
    {
        private bool first = true;

        public string Name => "place";

        public int Dimension => 3;

        public DescriptorSet Describe(Mat grey, Keypoint[] keypoints)
        {
            Homography map = first ? toSecond : Homography.Identity;
            first = false;
            return DescriptorSet.FromValues(
                [.. keypoints.SelectMany(k =>
                {
                    (double x, double y) = map.Map(k.X, k.Y);
                    return new[] { (float)x, (float)y, 7.4f * (float)Math.Log(k.Size * map.Scale(k.X, k.Y)) };
                })],
                3);
        }
    }

    private sealed class Constant : IKeypointDescriber
    {
        public string Name => "constant";

        public int Dimension => 8;

        public DescriptorSet Describe(Mat grey, Keypoint[] keypoints) => DescriptorSet.FromBits(new byte[keypoints.Length], 8);
    }

    private sealed class Recorder(List<int> done) : IProgress<int>
    {
        public void Report(int value) => done.Add(value);
    }
}
