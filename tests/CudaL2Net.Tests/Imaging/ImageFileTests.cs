using CudaL2Net.Imaging;
using OpenCvSharp;

namespace CudaL2Net.Tests.Imaging;

public sealed class ImageFileTests
{
    private string folder = "";

    [SetUp]
    public void MakeFolder() => folder = Directory.CreateTempSubdirectory("cudal2net-").FullName;

    [TearDown]
    public void DeleteFolder() => Directory.Delete(folder, true);

    [TestCase("a.png")]
    [TestCase("a.pgm")]
    [TestCase("a.bmp")]
    [TestCase("a.jpg")]
    public void ReadsWhatWasWritten(string name)
    {
        using Mat image = TestImages.Render(60, 40, TestImages.Waves);
        string path = Path.Combine(folder, name);
        Cv2.ImWrite(path, image);
        using Mat read = ImageFile.LoadGrey(path);
        Assert.That((read.Width, read.Height, read.Channels()), Is.EqualTo((60, 40, 1)));
        Assert.That(Cv2.Norm(image, read, NormTypes.INF), Is.LessThan(name == "a.jpg" ? 8 : 1));
        using Mat colour = ImageFile.LoadColour(path);
        Assert.That(colour.Channels(), Is.EqualTo(3));
        Assert.That(ImageFile.HasImageName(path.ToUpperInvariant()), Is.True);
    }

    [TestCase(".png")]
    [TestCase(".jpg")]
    [TestCase(".pgm")]
    [TestCase(".bmp")]
    public void ACutImageIsNamed(string ending)
    {
        using Mat image = TestImages.Speckle(120, 100, 1);
        string path = Path.Combine(folder, "cut" + ending);
        Cv2.ImWrite(path, image);
        byte[] bytes = File.ReadAllBytes(path);
        File.WriteAllBytes(path, bytes[..(bytes.Length / 2)]);
        Assert.That(() => ImageFile.LoadGrey(path), Throws.TypeOf<InvalidDataException>().With.Message.Contains(path));
    }

    [Test]
    public void TextAndEmptyAndMissingAndFolderAreNamed()
    {
        string text = Path.Combine(folder, "text.png");
        File.WriteAllText(text, "this is no image\n");
        Assert.That(() => ImageFile.LoadGrey(text), Throws.TypeOf<InvalidDataException>().With.Message.Contains("text.png is not an image"));
        string empty = Path.Combine(folder, "empty.jpg");
        File.WriteAllBytes(empty, []);
        Assert.That(() => ImageFile.LoadGrey(empty), Throws.TypeOf<InvalidDataException>().With.Message.Contains("empty"));
        Assert.That(() => ImageFile.LoadGrey(Path.Combine(folder, "none.png")), Throws.TypeOf<FileNotFoundException>().With.Message.Contains("does not exist"));
        Assert.That(() => ImageFile.LoadGrey(folder), Throws.InstanceOf<IOException>().With.Message.Contains("folder"));
    }

    [Test]
    public void AFileWithoutRightsIsNamed()
    {
        if (OperatingSystem.IsWindows() || Environment.IsPrivilegedProcess)
        {
            Assert.Ignore("an administrator may read every file");
            return;
        }

        string path = Path.Combine(folder, "secret.png");
        File.WriteAllText(path, "x");
        File.SetUnixFileMode(path, UnixFileMode.None);
        Assert.That(() => ImageFile.LoadGrey(path), Throws.InstanceOf<IOException>().With.Message.Contains("right"));
    }
}
