using System.Globalization;
using System.Text.Json.Nodes;
using CudaL2Net.Formats;
using CudaL2Net.Imaging;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Imaging.Matching;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using CudaL2Net.Tests.Imaging;
using OpenCvSharp;

namespace CudaL2Net.Tests.Cli;

public sealed class MatchCommandTests : ModelCommandTests
{
    [SetUp]
    public void WriteImages()
    {
        TestSequences.WriteSequence(folder["discs"]);
    }

    [Test]
    public void TurnedImageIsMatchedVerifiedAndDrawn()
    {
        string a = folder["discs/img1.png"], b = folder["discs/img2.png"];
        JsonNode all = JsonNode.Parse(CommandLine.MustRun("match", a, b, "--model", model, "--limit", "300", "--mutual", "false", "--ratio", "1",
            "--out", folder["matches.png"], "--json").Output)!;
        CommandLine choosy = CommandLine.MustRun("match", a, b, "--model", model, "--limit", "300", "--mutual", "--ratio", "0.95", "--json");
        JsonNode strict = JsonNode.Parse(choosy.Output)!;
        using Mat image = Cv2.ImRead(folder["matches.png"]);
        Assert.Multiple(() =>
        {
            Assert.That((int)all["matches"]!, Is.EqualTo((int)all["keypointsOfA"]!), "every keypoint has a nearest one");
            Assert.That((int)all["verified"]!, Is.GreaterThan(20));
            Assert.That((string)all["geometry"]!, Is.EqualTo("homography"));
            Assert.That(all["pairs"]!.AsArray().Count(pair => (bool)pair!["verified"]!), Is.EqualTo((int)all["verified"]!));
            Assert.That((int)strict["matches"]!, Is.LessThan((int)all["matches"]!));
            Assert.That(image.Width, Is.GreaterThan(640));
        });
    }

    [Test]
    public void RatioOutOfRangeIsExplained() => CommandLine.Run("match", "a.png", "b.png", "--ratio", "1.5").Explains(2, "--ratio 1.5");

    [Test]
    public void ImageOfAnotherKindIsNotWritten() =>
        CommandLine.Run("match", "a.png", "b.png", "--out", "matches.jpg").Explains(2, "--out matches.jpg", "--out matches.csv", "--out matches.png");

    [Test]
    public void MatchesOfStoredDescriptorsAreThoseOfTheImages()
    {
        string a = folder["discs/img1.png"], b = folder["discs/img2.png"];
        string[] options = ["--ratio", "0.95", "--fginn", "10"];
        CommandLine.MustRun(["match", a, b, "--model", model, "--limit", "200", .. options, "--out", folder["images.csv"], "--keypoints-out", folder["a.csv"], folder["b.csv"]]);
        foreach (string image in new[] { "a", "b" })
        {
            CommandLine.MustRun("describe", image == "a" ? a : b, "--model", model, "--keypoints", folder[$"{image}.csv"], "--out", folder[$"{image}.npy"]);
        }

        string[] keypoints = ["--keypoints", folder["a.csv"], folder["b.csv"]];
        CommandLine.MustRun(["match", folder["a.npy"], folder["b.npy"], .. options, .. keypoints, "--out", folder["stored.csv"]]);
        CommandLine.MustRun(["match", a, b, "--model", model, .. options, .. keypoints, "--out", folder["given.csv"], "--out", folder["given.png"]]);
        string[] rows = File.ReadAllLines(folder["images.csv"]);
        Assert.Multiple(() =>
        {
            Assert.That(rows[0], Is.EqualTo("a,b,distance,ratio,xa,ya,xb,yb,verified"));
            Assert.That(rows, Has.Length.GreaterThan(20));
            Assert.That(rows.Skip(1).Select(row => double.Parse(row.Split(',')[3], CultureInfo.InvariantCulture)), Is.All.LessThan(0.95));
            Assert.That(rows.Count(row => row.EndsWith(",1", StringComparison.Ordinal)), Is.GreaterThan(10));
            Assert.That(File.ReadAllLines(folder["stored.csv"]), Is.EqualTo(rows));
            Assert.That(File.ReadAllLines(folder["given.csv"]), Is.EqualTo(rows));
            Assert.That(folder["given.png"], Does.Exist);
        });
    }

    [Test]
    public void DescriptorsAloneAreMatchedByTheirIndices()
    {
        NpyFile.Write<float>(folder["a.npy"], [0, 0, 1, 1, 5, 5], 3, 2);
        NpyFile.Write<float>(folder["b.npy"], [1, 1.1f, 0, 0.2f, 9, 9, 5, 6], 4, 2);
        CommandLine.MustRun("match", folder["a.npy"], folder["b.npy"], "--out", folder["m.csv"]);
        Assert.That(File.ReadAllLines(folder["m.csv"]).Select(row => string.Join(',', row.Split(',').Take(2))), Is.EqualTo(new[] { "a,b", "0,1", "1,0", "2,3" }));
        JsonNode two = JsonNode.Parse(CommandLine.MustRun("match", folder["a.npy"], folder["b.npy"], "--knn", "2", "--ratio", "1", "--mutual", "false", "--json").Output)!;
        Assert.That(two["pairs"]!.AsArray().Select(pair => ((int)pair!["indexOfA"]!, (int)pair["indexOfB"]!)), Is.EqualTo(new[] { (0, 1), (0, 0), (1, 0), (1, 1), (2, 3), (2, 0) }));

        NpyFile.Write<byte>(folder["a.npy"], [0b1111, 0b110000], 2, 1);
        NpyFile.Write<byte>(folder["b.npy"], [0b0111, 0xff], 2, 1);
        CommandLine.MustRun("match", folder["a.npy"], folder["b.npy"], "--ratio", "1", "--out", folder["m.csv"]);
        Assert.That(File.ReadAllLines(folder["m.csv"]), Is.EqualTo(new[] { "a,b,distance,ratio", "0,0,1,0.25" }), "bits by Hamming distance");
    }

    [TestCase("--fginn", "10", 2, "--keypoints")]
    [TestCase("--detector", "orb", 2, "descriptors already")]
    [TestCase("--model", "x.safetensors", 2, "descriptors already")]
    [TestCase("--out", "m.png", 2, "needs images")]
    [TestCase("--knn", "0", 2, "--knn 0")]
    [TestCase("--fginn", "0", 2, "--fginn 0")]
    [TestCase("--tolerance", "-1", 2, "--tolerance -1")]
    public void OptionsThatStoredDescriptorsHaveNoUseForAreExplained(string option, string value, int code, string words)
    {
        NpyFile.Write<float>(folder["a.npy"], [0, 1], 1, 2);
        CommandLine.Run("match", folder["a.npy"], folder["a.npy"], option, option == "--out" ? folder[value] : value).Explains(code, option, words);
    }

    [Test]
    public void ArraysThatCannotBeComparedAreExplained()
    {
        NpyFile.Write<float>(folder["a.npy"], [0, 1, 2, 3], 2, 2);
        NpyFile.Write<float>(folder["wide.npy"], [0, 1, 2, 3], 1, 4);
        NpyFile.Write<byte>(folder["bits.npy"], [0, 1], 1, 2);
        NpyFile.Write<float>(folder["nan.npy"], [0, 1, 2, float.NaN], 2, 2);
        NpyFile.Write<float>(folder["flat.npy"], [0, 1, 2, 3], 4);
        NpyFile.Write<float>(folder["none.npy"], [], 0, 2);
        File.WriteAllText(folder["one.csv"], "1,2\n");
        File.WriteAllText(folder["two.csv"], "1,2\n3,4\n");
        Match("wide.npy").Explains(1, folder["a.npy"], "2 values", folder["wide.npy"], "4 values");
        Match("bits.npy").Explains(1, "16 bits", folder["bits.npy"]);
        Match("nan.npy").Explains(1, folder["nan.npy"], "row 1", "value 1");
        Match("flat.npy").Explains(1, folder["flat.npy"], "[4]", "[n, d]");
        Match("none.npy").Explains(1, folder["none.npy"], "no descriptors");
        Match("discs/img1.png").Explains(2, folder["a.npy"], "an image", "an array");
        Match("a.npy", "--keypoints", folder["two.csv"], folder["one.csv"]).Explains(1, folder["one.csv"], "1 keypoints", folder["a.npy"], "2 descriptors");

        CommandLine Match(string second, params string[] more) => CommandLine.Run(["match", folder["a.npy"], folder[second], .. more]);
    }

    [Test]
    public void FoundKeypointsAreNotWrittenOverOthersWithoutForce()
    {
        string a = folder["discs/img1.png"];
        File.WriteAllText(folder["mine.csv"], "x,y\n1,2\n");
        string[] line = ["match", a, a, "--model", model, "--limit", "20", "--keypoints-out", folder["new.csv"], folder["mine.csv"]];
        CommandLine.Run(line).Explains(2, folder["mine.csv"], "--force");
        Assert.That(File.ReadAllText(folder["mine.csv"]), Is.EqualTo("x,y\n1,2\n"));
        Assert.That(folder["new.csv"], Does.Not.Exist);
        CommandLine.MustRun([.. line, "--force"]);
        Assert.That(File.ReadAllText(folder["mine.csv"]), Is.EqualTo(File.ReadAllText(folder["new.csv"])));
        CommandLine.Run("match", a, a, "--model", model, "--keypoints-out", folder["same.csv"], folder["same.csv"]).Explains(2, "same file");
    }

    [Test]
    public void KeypointsOfAnImageAreCheckedAgainstIt()
    {
        string a = folder["discs/img1.png"];
        File.WriteAllText(folder["k.csv"], "5,6,7,8\n");
        File.WriteAllText(folder["far.csv"], "5000,6,7,8\n");
        CommandLine.Run("match", a, a, "--model", model, "--keypoints", folder["k.csv"], folder["far.csv"]).Explains(1, folder["far.csv"], "outside", a);
        CommandLine.Run("match", a, a, "--model", model, "--keypoints", folder["k.csv"]).Explains(2, "--keypoints", "two files");
        CommandLine.Run("match", a, a, "--model", model, "--keypoints", folder["k.csv"], folder["k.csv"], "--detector", "orb").Explains(2, "--detector");
    }

    [Test]
    public void TheDefaultsAreTheLibrarys()
    {
        string a = folder["discs/img1.png"], b = folder["discs/img2.png"];
        JsonNode tool = JsonNode.Parse(CommandLine.MustRun("match", a, b, "--device", "cpu", "--json").Output)!;
        using Device device = Device.Open("cpu");
        using PatchModel own = PatchModel.LoadDefault(device);
        using Mat first = ImageFile.LoadGrey(a), second = ImageFile.LoadGrey(b);
        ImageMatches library = new ImageMatcher(device, new CutPatchDescriber(new ModelDescriber("model", own))).Match(first, second, ImageMatchOptions.Default);
        Assert.That(
            tool["pairs"]!.AsArray().Select(pair => ((int)pair!["indexOfA"]!, (int)pair["indexOfB"]!, (bool)pair["verified"]!)),
            Is.EqualTo(library.Matches.Zip(library.Verified, (match, verified) => (match.Query, match.Target, verified))));
    }

    [Test]
    public void ImageWithoutKeypointsIsNamed()
    {
        using var grey = new Mat(60, 80, MatType.CV_8UC1, Scalar.All(128));
        grey.SaveImage(folder["flat.png"]);
        CommandLine.Run("match", folder["discs/img1.png"], folder["flat.png"], "--model", model).Explains(1, folder["flat.png"], "no keypoints were found by sift", "80 x 60");
    }

    [Test]
    public void TextNamedPngIsExplained()
    {
        File.WriteAllText(folder["text.png"], "This is no image.");
        CommandLine.Run("match", folder["discs/img1.png"], folder["text.png"], "--model", model).Explains(1, folder["text.png"], "not an image");
    }
}
