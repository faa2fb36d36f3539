using CudaL2Net.Formats;
using CudaL2Net.Tests.Imaging;
using OpenCvSharp;

namespace CudaL2Net.Tests.Cli;

/// <summary><c>describe</c> with keypoints from elsewhere, and where found ones go.</summary>
public sealed class OwnKeypointTests : ModelCommandTests
{
    [SetUp]
    public void WriteImage()
    {
        using Mat image = TestImages.Speckle(160, 120, 3);
        Cv2.ImWrite(folder["photo.png"], image);
    }

    [TestCase("k.csv")]
    [TestCase("k.npy")]
    public void FoundKeypointsGivenBackHaveTheSameDescriptors(string name)
    {
        Describe("found.npy", "--keypoints-out", folder[name], "--limit", "20");
        byte[] keypoints = File.ReadAllBytes(folder[name]);
        CommandLine run = Describe("given.npy", "--keypoints", folder[name]);
        Assert.Multiple(() =>
        {
            Assert.That(File.ReadAllBytes(folder["given.npy"]), Same.As(File.ReadAllBytes(folder["found.npy"])));
            Assert.That(File.ReadAllBytes(folder[name]), Is.EqualTo(keypoints), "an input is left as it is");
            Assert.That(folder["given.keypoints.csv"], Does.Not.Exist);
            Assert.That(run.Output, Does.Contain(folder[name]));
        });
    }

    [Test]
    public void DescriptorsFollowTheFilesOrder()
    {
        File.WriteAllText(folder["k.csv"], "30,40,9,45\n80,60,12,0\n");
        File.WriteAllText(folder["turned.csv"], "80,60,12,0\n30,40,9,45\n");
        Describe("a.npy", "--keypoints", folder["k.csv"]);
        Describe("b.npy", "--keypoints", folder["turned.csv"]);
        float[] a = NpyFile.Read(folder["a.npy"]).ToFloats(), b = NpyFile.Read(folder["b.npy"]).ToFloats();
        Assert.That(a.Concat(a).Skip(a.Length / 2).Take(a.Length), Is.EqualTo(b));
        Assert.That(a[..(a.Length / 2)], Is.Not.EqualTo(b[..(a.Length / 2)]));
    }

    [Test]
    public void FoundKeypointsAreNotWrittenOverOthersWithoutForce()
    {
        File.WriteAllText(folder["mine.csv"], "x,y,size,angle\n1,2,3,4\n");
        Run("out.npy", "--keypoints-out", folder["mine.csv"]).Explains(2, folder["mine.csv"], "--force", "nothing was changed");
        Assert.That(File.ReadAllText(folder["mine.csv"]), Does.Contain("1,2,3,4"));
        Assert.That(folder["out.npy"], Does.Not.Exist);

        File.WriteAllText(folder["out.keypoints.csv"], "somebody's notes");
        Run("out.npy").Explains(2, folder["out.keypoints.csv"], "--force");
        Assert.That(File.ReadAllText(folder["out.keypoints.csv"]), Is.EqualTo("somebody's notes"));

        Describe("out.npy", "--force", "--limit", "5");
        byte[] first = File.ReadAllBytes(folder["out.keypoints.csv"]);
        Describe("out.npy", "--limit", "5");
        Assert.That(File.ReadAllBytes(folder["out.keypoints.csv"]), Is.EqualTo(first), "the same command again loses nothing");
    }

    [Test]
    public void EveryKindOfFileIsDescribed()
    {
        File.WriteAllText(folder["disc.csv"], "30,40,9,0\n80,60,12,0\n");
        File.WriteAllText(folder["affine.csv"], "30,40,4.5,0,0,4.5\n80,60,6,0,0,6\n");
        File.WriteAllText(folder["colmap.txt"], "2 2\n30.5 40.5 4.5 0 1 2\n80.5 60.5 6 0 3 4\n");
        File.WriteAllText(folder["img.haraff"], FormattableString.Invariant($"1.0\n2\n30 40 {1 / 81.0:R} 0 {1 / 81.0:R}\n80 60 {1 / 144.0:R} 0 {1 / 144.0:R}\n"));
        float[] disc = Values("disc.csv"), affine = Values("affine.csv"), colmap = Values("colmap.txt");
        Assert.Multiple(() =>
        {
            Assert.That(colmap, Is.EqualTo(disc));
            Assert.That(affine, Is.EqualTo(disc).Within(0.02));
            Assert.That(Values("img.haraff", "--upright"), Is.EqualTo(disc).Within(0.02));
            Assert.That(Values("img.haraff"), Is.Not.EqualTo(disc).Within(0.02), "turned by the gradient");
            Assert.That(Values("disc.csv", "--patch-scale", "9"), Is.Not.EqualTo(disc));
        });

        float[] Values(string file, params string[] more)
        {
            Describe("values.npy", ["--keypoints", folder[file], .. more]);
            return NpyFile.Read(folder["values.npy"]).ToFloats();
        }
    }

    [Test]
    public void PatchesAreCutAtTheScaleAsked()
    {
        File.WriteAllText(folder["small.csv"], "80,60,8,30\n");
        File.WriteAllText(folder["large.csv"], "80,60,16,30\n");
        Describe("a.npy", "--keypoints", folder["small.csv"], "--patch-scale", "8");
        Describe("b.npy", "--keypoints", folder["large.csv"], "--patch-scale", "4");
        Assert.That(File.ReadAllBytes(folder["a.npy"]), Same.As(File.ReadAllBytes(folder["b.npy"])));
    }

    [Test]
    public void UprightLeavesTheAnglesOfAFileAway()
    {
        File.WriteAllText(folder["turned.csv"], "80,60,8,70\n");
        File.WriteAllText(folder["upright.csv"], "80,60,8,0\n");
        Describe("a.npy", "--keypoints", folder["turned.csv"], "--upright");
        Describe("b.npy", "--keypoints", folder["upright.csv"]);
        Assert.That(File.ReadAllBytes(folder["a.npy"]), Same.As(File.ReadAllBytes(folder["b.npy"])));
    }

    [TestCase("sift")]
    [TestCase("akaze")]
    [TestCase("orb")]
    [TestCase("brisk")]
    [TestCase("mser")]
    [TestCase("harris")]
    [TestCase("grid")]
    public void WhatADetectorFoundIsDescribedTheSameFromItsFile(string detector)
    {
        Describe("found.npy", "--detector", detector, "--limit", "30");
        Describe("given.npy", "--keypoints", folder["found.keypoints.csv"]);
        Assert.That(File.ReadAllBytes(folder["given.npy"]), Same.As(File.ReadAllBytes(folder["found.npy"])));
        Describe("found.npy", "--detector", detector, "--limit", "30");
    }

    [Test]
    public void NoKeypointsAreFoundWhereTheMaskIsBlack()
    {
        using Mat mask = TestImages.Render(160, 120, (x, _) => x < 80 ? 0 : 255);
        Cv2.ImWrite(folder["mask.png"], mask);
        Directory.CreateDirectory(folder["masks"]);
        Cv2.ImWrite(folder["masks/photo.png.png"], mask);
        Describe("file.npy", "--mask", folder["mask.png"], "--keypoints-out", folder["file.csv"]);
        Describe("folder.npy", "--mask", folder["masks"], "--keypoints-out", folder["folder.csv"]);
        Assert.That(File.ReadAllLines(folder["file.csv"]).Skip(1).All(line => float.Parse(line.Split(',')[0], System.Globalization.CultureInfo.InvariantCulture) > 79), Is.True);
        Assert.That(File.ReadAllText(folder["folder.csv"]), Is.EqualTo(File.ReadAllText(folder["file.csv"])));
    }

    [Test]
    public void BadMasksAreExplained()
    {
        using Mat small = TestImages.Render(80, 60, (_, _) => 255), black = TestImages.Render(160, 120, (_, _) => 0);
        Cv2.ImWrite(folder["small.png"], small);
        Cv2.ImWrite(folder["black.png"], black);
        File.WriteAllText(folder["text.png"], "no image");
        Directory.CreateDirectory(folder["masks"]);
        Run("o.npy", "--mask", folder["small.png"]).Explains(1, folder["small.png"], "80 x 60", folder["photo.png"], "160 x 120");
        Run("o.npy", "--mask", folder["black.png"]).Explains(1, "no keypoints were found by sift", folder["photo.png"], folder["black.png"]);
        Run("o.npy", "--mask", folder["text.png"]).Explains(1, folder["text.png"], "not an image");
        Run("o.npy", "--mask", folder["masks"]).Explains(1, folder["photo.png"], folder["masks"], "photo.png.png");
        Run("o.npy", "--mask", folder["none.png"]).Explains(1, folder["none.png"], "does not exist");
        Assert.That(folder["o.npy"], Does.Not.Exist);
    }

    [TestCase("akaze")]
    [TestCase("mser")]
    [TestCase("harris")]
    public void AnImageWithoutKeypointsIsNamedWithTheDetector(string detector)
    {
        using Mat flat = TestImages.Render(160, 120, (_, _) => 90);
        Cv2.ImWrite(folder["photo.png"], flat);
        Run("o.npy", "--detector", detector).Explains(1, folder["photo.png"], detector, "160 x 120");
    }

    [TestCase("--detector", "surf")]
    [TestCase("--limit", "0")]
    [TestCase("--patch-scale", "0")]
    [TestCase("--patch-scale", "-2")]
    [TestCase("--max-side", "3")]
    public void OptionsOutOfRangeAreExplained(string option, string value) => Run("o.npy", option, value).Explains(2, value);

    [TestCase("1,2,3,4\n1,2,x,4\n", "k.csv, line 2", "size x")]
    [TestCase("1,2,nan,4\n", "k.csv, line 1", "size nan")]
    [TestCase("1,2,0,0,0,0\n", "k.csv, line 1", "no area")]
    [TestCase("1,2,3,4,5,6,7,8\n", "k.csv, line 1", "8 fields")]
    [TestCase("2 128\n1 2 3 4\n", "k.csv, line 2", "4 numbers")]
    [TestCase("1.0\n1\n1000 2 1 0 1\n", "keypoint 1", "outside")]
    [TestCase("1000,2,3,4\n", "keypoint 1", "outside")]
    [TestCase("", "no keypoints", "x,y,size")]
    public void BadKeypointsAreExplained(string text, params string[] words)
    {
        File.WriteAllText(folder["k.csv"], text);
        Run("out.npy", "--keypoints", folder["k.csv"]).Explains(1, words);
        Assert.That(folder["out.npy"], Does.Not.Exist);
    }

    [TestCase("--keypoints-out", "found.csv")]
    [TestCase("--limit", "7")]
    [TestCase("--max-side", "100")]
    [TestCase("--detector", "orb")]
    [TestCase("--mask", "photo.png")]
    [TestCase("--as", "strip")]
    public void OptionsThatContradictAreExplained(string option, string value)
    {
        File.WriteAllText(folder["k.csv"], "1,2,3,4\n");
        Run("out.npy", "--keypoints", folder["k.csv"], option, option is "--keypoints-out" or "--mask" ? folder[value] : value).Explains(2, "--keypoints");
    }

    [Test]
    public void PatchesHaveNoKeypoints()
    {
        File.WriteAllText(folder["k.csv"], "1,2,3,4\n");
        NpyFile.Write<byte>(folder["p.npy"], new byte[32 * 32], 1, 32, 32);
        CommandLine.Run("describe", folder["p.npy"], "--model", model, "--out", folder["o.npy"], "--keypoints", folder["k.csv"]).Explains(2, "cut already");
        foreach (string[] option in new string[][] { ["--detector", "orb"], ["--limit", "5"], ["--upright"], ["--patch-scale", "5"], ["--keypoints-out", folder["k2.csv"]] })
        {
            CommandLine.Run(["describe", folder["p.npy"], "--model", model, "--out", folder["o.npy"], .. option]).Explains(2, option[0], "cut already");
        }
    }

    private CommandLine Run(string output, params string[] more) => CommandLine.Run(["describe", folder["photo.png"], "--model", model, "--out", folder[output], .. more]);

    private CommandLine Describe(string output, params string[] more)
    {
        CommandLine run = Run(output, more);
        Assert.That(run.Code, Is.Zero, run.Error);
        return run;
    }
}
