using System.Text.Json;
using CudaL2Net.Data;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Matching;
using CudaL2Net.Pipelines.Colmap;
using CudaL2Net.Tests.Cli;

namespace CudaL2Net.Tests.Pipelines;

/// <summary>Reconstructions of COLMAP: read, cut into patches, and made to compare methods.</summary>
public sealed class SparseModelTests
{
    private TemporaryFolder folder = null!;

    // A reconstruction of a scene whose geometry is known, made once.
    [OneTimeSetUp]
    public void Reconstruct()
    {
        folder = new TemporaryFolder();
        PlaneScene.Write(folder["images"], 5);
        CommandLine.MustRun("colmap", "extract", "--images", folder["images"], "--database", folder["a.db"], "--limit", "700", "--device", "cpu");
        CommandLine.MustRun("colmap", "match", "--database", folder["a.db"], "--verify", "--device", "cpu");
        Directory.CreateDirectory(folder["sparse"]);
        ColmapProgram.Run("mapper", "--database_path", folder["a.db"], "--image_path", folder["images"], "--output_path", folder["sparse"]);
    }

    [OneTimeTearDown]
    public void Remove() => folder.Dispose();

    [Test]
    public void BothFormsAreRead()
    {
        Directory.CreateDirectory(folder["text"]);
        ColmapProgram.Run("model_converter", "--input_path", folder["sparse/0"], "--output_path", folder["text"], "--output_type", "TXT");
        SparseModel binary = SparseModel.Read(folder["sparse/0"]), text = SparseModel.Read(folder["text"]);
        Assert.Multiple(() =>
        {
            Assert.That(binary.Images, Has.Count.EqualTo(5));
            Assert.That(text.Cameras.Keys, Is.EquivalentTo(binary.Cameras.Keys));
            Assert.That(text.Images.Values.Select(image => image.Name), Is.EquivalentTo(binary.Images.Values.Select(image => image.Name)));
            Assert.That(text.Points.Sum(point => point.X + point.Error), Is.EqualTo(binary.Points.Sum(point => point.X + point.Error)).Within(1e-6));
            Assert.That(text.Points.Sum(point => point.Track.Sum(view => view.Image * view.Index)), Is.EqualTo(binary.Points.Sum(point => point.Track.Sum(view => view.Image * view.Index))));
        });
    }

    // Poses and frames are understood if points fall where they are seen.
    [Test]
    public void PointsFallWhereTheyAreSeen()
    {
        SparseModel model = SparseModel.Read(folder["sparse/0"]);
        double[] errors =
        [
            .. from point in model.Points
               from view in point.Track
               let image = model.Images[view.Image]
               let at = image.ToCamera(point.X, point.Y, point.Z)
               let camera = model.Cameras[image.Camera].Parameters
               let radius = ((at.X * at.X) + (at.Y * at.Y)) / (at.Z * at.Z)
               let factor = camera[0] * (1 + (camera[3] * radius)) / at.Z
               select Math.Sqrt(Math.Pow((factor * at.X) + camera[1] - image.Places[2 * view.Index], 2) + Math.Pow((factor * at.Y) + camera[2] - image.Places[(2 * view.Index) + 1], 2)),
        ];
        SparseImage any = model.Images.Values.First();
        (double x, double y, double z) = any.Centre();
        (double X, double Y, double Z) origin = any.ToCamera(x, y, z);
        Assert.Multiple(() =>
        {
            Assert.That(errors.Average(), Is.EqualTo(model.Points.Sum(point => point.Error * point.Track.Length) / errors.Length).Within(0.05));
            Assert.That(Math.Abs(origin.X) + Math.Abs(origin.Y) + Math.Abs(origin.Z), Is.LessThan(1e-9), "the camera's centre is its frame's origin");
        });
    }

    [TestCase("points3D.bin", 200)]
    [TestCase("images.bin", 90)]
    [TestCase("cameras.bin", 12)]
    public void CutFilesAreRefused(string file, int length)
    {
        using var cut = new TemporaryFolder();
        foreach (string path in Directory.EnumerateFiles(folder["sparse/0"], "*.bin"))
        {
            byte[] bytes = File.ReadAllBytes(path);
            File.WriteAllBytes(cut[Path.GetFileName(path)], Path.GetFileName(path) == file ? bytes[..length] : bytes);
        }

        Assert.That(() => SparseModel.Read(cut.Path), Throws.InstanceOf<InvalidDataException>().With.Message.Contains(file));
        Assert.That(() => SparseModel.Read(folder["sparse"]), Throws.InstanceOf<FileNotFoundException>().With.Message.Contains(Path.Combine(folder["sparse"], "0")));
    }

    // A set of true points: patches of one point are alike, and those of two points are not.
    [Test]
    public void PatchesOfOnePointAreAlike()
    {
        JsonElement made = JsonDocument.Parse(CommandLine.MustRun(
            "data", "make-brown", "--colmap", folder["sparse/0"], "--images", folder["images"], "--out", folder["set"], "--pairs", "400", "--json").Output).RootElement;
        var set = BrownDataset.Open(folder["set"]);
        int[] points = set.PointIds.ToArray();
        PatchPair[] pairs = set.ReadPairs(made.GetProperty("pairList").GetString()!);
        DescriptorSet described = new SiftDescriber().Describe(set.Load(PatchParts.Large).Large!, 64);
        RocCurve roc = RocCurve.FromDistances(
            [.. pairs.Select(pair => described.Distance(pair.First, described, pair.Second))], [.. pairs.Select(pair => pair.IsMatch)]);
        Assert.Multiple(() =>
        {
            Assert.That(points.Distinct().Count(), Is.EqualTo(made.GetProperty("points").GetInt32()).And.GreaterThan(60));
            Assert.That(points.GroupBy(id => id).Select(group => group.Count()), Is.All.InRange(2, 3));
            Assert.That(roc.Auc, Is.GreaterThan(0.97));
        });
    }

    [Test]
    public void MethodsAreComparedEndToEnd()
    {
        JsonElement run = JsonDocument.Parse(CommandLine.MustRun(
            "evaluate", "sfm", folder["images"], "--method", "sift,rootsift", "--ratio", "0.7", "0.85", "--keypoints", "500", "--device", "cpu", "--json").Output).RootElement;
        JsonElement images = run.GetProperty("tables").EnumerateArray().Single(table => table.GetProperty("title").GetString() == "registered images");
        JsonElement observations = run.GetProperty("tables").EnumerateArray().Single(table => table.GetProperty("title").GetString() == "observations");
        Assert.Multiple(() =>
        {
            Assert.That(images.GetProperty("rows").EnumerateArray().SelectMany(row => row.GetProperty("values").EnumerateArray()).Select(value => value.GetDouble()), Is.All.EqualTo(5));
            Assert.That(observations.GetProperty("rows").EnumerateArray().Select(row => row.GetProperty("method").GetString()), Is.EqualTo(new[] { "SIFT", "RootSIFT" }));
            foreach (JsonElement row in observations.GetProperty("rows").EnumerateArray())
            {
                double[] values = [.. row.GetProperty("values").EnumerateArray().Select(value => value.GetDouble())];
                Assert.That(values[0], Is.InRange(100, values[1]), "a wider ratio gives more");
            }
        });
    }
}
