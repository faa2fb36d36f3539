using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using CudaL2Net.Tests.Imaging.Files;
using CudaL2Net.Tests.Pipelines;
using OpenCvSharp;

namespace CudaL2Net.Tests.Cli;

/// <summary><c>cudal2net colmap</c>, and COLMAP itself behind it.</summary>
public sealed class ColmapCommandTests
{
    private const string Dump = "SELECT i.name, c.width, c.height, hex(c.params), k.rows, k.cols, hex(k.data), hex(d.data) FROM images i JOIN cameras c USING (camera_id) "
        + "JOIN keypoints k USING (image_id) JOIN cudal2net_descriptors d USING (image_id) ORDER BY i.name";

    [Test]
    public void ColmapReconstructsAScene()
    {
        using var folder = new TemporaryFolder();
        PlaneScene.Write(folder["images"], 5);
        Extract(folder, "a.db", "--limit", "700");
        JsonElement matched = Json("colmap", "match", "--database", folder["a.db"], "--verify", "--device", "cpu", "--json");
        Assert.That(matched.GetProperty("verifiedPairs").GetInt32(), Is.EqualTo(10));
        Directory.CreateDirectory(folder["sparse"]);
        ColmapProgram.Run("mapper", "--database_path", folder["a.db"], "--image_path", folder["images"], "--output_path", folder["sparse"]);
        string model = ColmapProgram.Run("model_analyzer", "--path", Path.Combine(folder["sparse"], "0"));
        Assert.Multiple(() =>
        {
            Assert.That(Number(model, "Registered images"), Is.EqualTo(5), model);
            Assert.That(Number(model, "Points"), Is.GreaterThan(150), model);
            Assert.That(Number(model, "Mean reprojection error"), Is.LessThan(0.8), model);
        });
    }

    [Test]
    public void AStoppedRunGoesOn()
    {
        using var folder = new TemporaryFolder();
        PlaneScene.Write(folder["images"], 3);
        Extract(folder, "whole.db", "--limit", "200");

        // What a killed run leaves: some of the images.
        Directory.CreateDirectory(folder["some"]);
        File.Copy(Path.Combine(folder["images"], "view0.png"), Path.Combine(folder["some"], "view0.png"));
        Json("colmap", "extract", "--images", folder["some"], "--database", folder["stopped.db"], "--limit", "200", "--device", "cpu", "--json");
        JsonElement rest = Extract(folder, "stopped.db", "--limit", "200");
        Assert.Multiple(() =>
        {
            Assert.That((rest.GetProperty("images").GetInt32(), rest.GetProperty("doneBefore").GetInt32()), Is.EqualTo((2, 1)));
            Assert.That(ColmapDatabaseTests.Rows(folder["stopped.db"], Dump), Is.EqualTo(ColmapDatabaseTests.Rows(folder["whole.db"], Dump)));
        });

        File.WriteAllText(folder["pairs.txt"], "view0.png view1.png\n");
        Match(folder, "stopped.db", "--pairs", folder["pairs.txt"]);
        JsonElement matched = Match(folder, "stopped.db", "--verify");
        Match(folder, "whole.db", "--verify");
        const string Pairs = "SELECT m.pair_id, m.rows, hex(m.data), g.config, g.rows, hex(g.data), hex(F) FROM matches m JOIN two_view_geometries g USING (pair_id)";
        Assert.Multiple(() =>
        {
            Assert.That(matched.GetProperty("pairs").GetInt32(), Is.EqualTo(3), "the one that was matched is verified");
            Assert.That(ColmapDatabaseTests.Rows(folder["stopped.db"], Pairs), Has.Length.EqualTo(3).And.EqualTo(ColmapDatabaseTests.Rows(folder["whole.db"], Pairs)));
            Assert.That(Match(folder, "whole.db", "--verify").GetProperty("doneBefore").GetInt32(), Is.EqualTo(3));
        });
    }

    [Test]
    public void OtherSettingsAreNotMixed()
    {
        using var folder = new TemporaryFolder();
        PlaneScene.Write(folder["images"], 2);
        Extract(folder, "a.db", "--limit", "100");
        CommandLine.Run("colmap", "extract", "--images", folder["images"], "--database", folder["a.db"], "--limit", "90", "--device", "cpu")
            .Explains(2, "at most 100", "at most 90", "--force");
        Match(folder, "a.db");
        CommandLine.Run("colmap", "match", "--database", folder["a.db"], "--ratio", "0.7", "--device", "cpu").Explains(2, "ratio 0.85", "ratio 0.7", "--force");
        Match(folder, "a.db", "--ratio", "0.7", "--force");
        JsonElement again = Extract(folder, "a.db", "--limit", "90", "--force");
        Assert.That(again.GetProperty("keypoints").GetInt32(), Is.EqualTo(180));
        Assert.That(ColmapDatabaseTests.Rows(folder["a.db"], "SELECT count(*) FROM matches"), Is.EqualTo(new[] { "0" }), "matches of other keypoints are gone");
    }

    // A turned photograph: COLMAP has its keypoints in the frame in which it is stored.
    [Test]
    public void ImagesAreNotTurned([Values(6, 3)] int orientation)
    {
        using var folder = new TemporaryFolder();
        PlaneScene.Write(folder["views"], 1);
        using Mat view = Cv2.ImRead(Path.Combine(folder["views"], "view0.png"), ImreadModes.Grayscale);
        byte[] jpeg = ImageBytes.Encode(".jpg", view, (ImwriteFlags.JpegQuality, 95));
        Directory.CreateDirectory(folder["images"]);
        File.WriteAllBytes(Path.Combine(folder["images"], "plain.jpg"), jpeg);
        File.WriteAllBytes(Path.Combine(folder["images"], "turned.jpg"), ImageBytes.JpegWithExif(jpeg, ImageBytes.Exif(orientation)));
        Extract(folder, "a.db", "--limit", "100");
        string[] rows = [.. ColmapDatabaseTests.Rows(folder["a.db"], Dump).Select(row => row.Split(' ', 2)[1])];
        Assert.That(rows, Has.Length.EqualTo(2));
        Assert.That(rows[1], Is.EqualTo(rows[0]));
    }

    [Test]
    public void KeypointsOfADatabaseAreDescribed()
    {
        using var folder = new TemporaryFolder();
        PlaneScene.Write(folder["images"], 2);
        ColmapProgram.Run("feature_extractor", "--database_path", folder["a.db"], "--image_path", folder["images"],
            "--SiftExtraction.use_gpu", "0", "--SiftExtraction.max_num_features", "300", "--SiftExtraction.num_threads", "1");
        const string Keypoints = "SELECT image_id, rows, cols, hex(data) FROM keypoints";
        string[] before = ColmapDatabaseTests.Rows(folder["a.db"], Keypoints);
        CommandLine.Run("colmap", "extract", "--images", folder["images"], "--database", folder["a.db"], "--device", "cpu")
            .Explains(2, "another program", "--keep-keypoints", "--force");
        Extract(folder, "a.db", "--keep-keypoints");
        JsonElement matched = Match(folder, "a.db", "--verify");
        Assert.Multiple(() =>
        {
            Assert.That(ColmapDatabaseTests.Rows(folder["a.db"], Keypoints), Is.EqualTo(before));
            Assert.That(matched.GetProperty("verifiedMatches").GetInt32(), Is.GreaterThan(80));
        });
    }

    [Test]
    public void DamagedImagesAreNamedAndTheOthersDone()
    {
        using var folder = new TemporaryFolder();
        PlaneScene.Write(folder["images"], 2);
        string path = Path.Combine(folder["images"], "view1.png");
        File.WriteAllBytes(path, File.ReadAllBytes(path)[..2000]);
        CommandLine run = CommandLine.MustRun("colmap", "extract", "--images", folder["images"], "--database", folder["a.db"], "--limit", "50", "--device", "cpu", "--json");
        JsonElement result = JsonDocument.Parse(run.Output).RootElement;
        Assert.Multiple(() =>
        {
            Assert.That(result.GetProperty("images").GetInt32(), Is.EqualTo(1));
            Assert.That(result.GetProperty("failedImages").GetInt32(), Is.EqualTo(1));
            Assert.That(run.Error, Does.Contain("left out: ").And.Contain(path));
        });
        File.Delete(Path.Combine(folder["images"], "view0.png"));
        CommandLine.Run("colmap", "extract", "--images", folder["images"], "--database", folder["b.db"], "--device", "cpu").Explains(1, path, "cut short");
    }

    [Test]
    public void CamerasAreAsAskedFor()
    {
        using var folder = new TemporaryFolder();
        PlaneScene.Write(folder["images"], 2);
        Extract(folder, "shared.db", "--limit", "10", "--single-camera", "--camera-model", "PINHOLE", "--camera-params", "500,510,240,180");
        Extract(folder, "each.db", "--limit", "10");
        const string Cameras = "SELECT camera_id, model, width, height, prior_focal_length, length(params) FROM cameras";
        Assert.Multiple(() =>
        {
            Assert.That(ColmapDatabaseTests.Rows(folder["shared.db"], Cameras), Is.EqualTo(new[] { "1 1 480 360 1 32" }));
            Assert.That(ColmapDatabaseTests.Rows(folder["each.db"], Cameras), Is.EqualTo(new[] { "1 2 480 360 0 32", "2 2 480 360 0 32" }));
        });
        CommandLine.Run("colmap", "extract", "--images", folder["images"], "--database", folder["c.db"], "--camera-params", "1,2,3").Explains(2, "SIMPLE_RADIAL", "4 numbers");
    }

    [Test]
    public void BinaryDescriptorsAreMatchedToo()
    {
        using var folder = new TemporaryFolder();
        PlaneScene.Write(folder["images"], 2);
        Extract(folder, "a.db", "--limit", "300", "--binary");
        JsonElement matched = Match(folder, "a.db", "--verify", "--ratio", "0.95");
        Assert.Multiple(() =>
        {
            Assert.That(matched.GetProperty("verifiedMatches").GetInt32(), Is.GreaterThan(60));
            Assert.That(ColmapDatabaseTests.Rows(folder["a.db"], "SELECT count(*) FROM descriptors"), Is.EqualTo(new[] { "0" }));
            Assert.That(ColmapDatabaseTests.Rows(folder["a.db"], "SELECT DISTINCT binary FROM cudal2net_descriptors"), Is.EqualTo(new[] { "1" }));
        });
    }

    private static JsonElement Extract(TemporaryFolder folder, string database, params string[] more) =>
        Json(["colmap", "extract", "--images", folder["images"], "--database", folder[database], "--device", "cpu", "--json", .. more]);

    private static JsonElement Match(TemporaryFolder folder, string database, params string[] more) =>
        Json(["colmap", "match", "--database", folder[database], "--device", "cpu", "--json", .. more]);

    private static JsonElement Json(params string[] words) => JsonDocument.Parse(CommandLine.MustRun(words).Output).RootElement;

    private static double Number(string text, string name) =>
        double.Parse(Regex.Match(text, $@"{name}: ([\d.]+)").Groups[1].Value, CultureInfo.InvariantCulture);
}
