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

    [TestCase("1,2,3,4\n1,2,x,4\n", "k.csv, line 2", "size x")]
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
    [TestCase("--as", "strip")]
    public void OptionsThatContradictAreExplained(string option, string value)
    {
        File.WriteAllText(folder["k.csv"], "1,2,3,4\n");
        Run("out.npy", "--keypoints", folder["k.csv"], option, option == "--keypoints-out" ? folder[value] : value).Explains(2, "--keypoints");
    }

    [Test]
    public void PatchesHaveNoKeypoints()
    {
        File.WriteAllText(folder["k.csv"], "1,2,3,4\n");
        NpyFile.Write<byte>(folder["p.npy"], new byte[32 * 32], 1, 32, 32);
        CommandLine.Run("describe", folder["p.npy"], "--model", model, "--out", folder["o.npy"], "--keypoints", folder["k.csv"]).Explains(2, "cut already");
    }

    private CommandLine Run(string output, params string[] more) => CommandLine.Run(["describe", folder["photo.png"], "--model", model, "--out", folder[output], .. more]);

    private CommandLine Describe(string output, params string[] more)
    {
        CommandLine run = Run(output, more);
        Assert.That(run.Code, Is.Zero, run.Error);
        return run;
    }
}
