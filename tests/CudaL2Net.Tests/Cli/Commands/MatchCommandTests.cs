using System.Text.Json.Nodes;
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
        JsonNode all = JsonNode.Parse(CommandLine.MustRun("match", a, b, "--model", model, "--limit", "300", "--out", folder["matches.png"], "--json").Output)!;
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
        CommandLine.Run("match", "a.png", "b.png", "--out", "matches.jpg").Explains(2, "--out matches.jpg", "--out matches.png");

    [Test]
    public void ImageWithoutKeypointsIsNamed()
    {
        using var grey = new Mat(60, 80, MatType.CV_8UC1, Scalar.All(128));
        grey.SaveImage(folder["flat.png"]);
        CommandLine run = CommandLine.MustRun("match", folder["discs/img1.png"], folder["flat.png"], "--model", model);
        Assert.That(run.Error, Does.Contain($"no keypoints were found in {folder["flat.png"]}"));
    }

    [Test]
    public void TextNamedPngIsExplained()
    {
        File.WriteAllText(folder["text.png"], "This is no image.");
        CommandLine.Run("match", folder["discs/img1.png"], folder["text.png"], "--model", model).Explains(1, folder["text.png"], "not an image");
    }
}
