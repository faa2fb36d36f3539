using CudaL2Net.Imaging.Geometry;
using CudaL2Net.Imaging.Sequences;

namespace CudaL2Net.Tests.Imaging.Sequences;

public sealed class ImageSequenceTests
{
    private string folder = string.Empty;

    [SetUp]
    public void MakeFolder() => folder = Directory.CreateTempSubdirectory("sequence").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(folder, recursive: true);

    [Test]
    public void OpensOxfordsNames()
    {
        Touch("img1.ppm", "img2.PPM", "img3.ppm", "notes.txt");
        new Homography(2, 0, 0, 0, 2, 0, 0, 0, 1).Write(Path.Combine(folder, "H1to2p"));
        Homography.Identity.Write(Path.Combine(folder, "H1to3p"));
        ImageSequence sequence = ImageSequence.Load(folder + Path.DirectorySeparatorChar);
        Assert.That(sequence.Name, Is.EqualTo(Path.GetFileName(folder)));
        Assert.That(Path.GetFileName(sequence.Reference), Is.EqualTo("img1.ppm"));
        (int, string, double)[] others = [.. sequence.Others.Select(image => (image.Number, Path.GetFileName(image.Path), image.FromReference[0, 0]))];
        Assert.That(others, Is.EqualTo(new[] { (2, "img2.PPM", 2.0), (3, "img3.ppm", 1.0) }));
    }

    [Test]
    public void OpensHPatchesNames()
    {
        Touch("1.ppm", "2.ppm");
        Homography.Identity.Write(Path.Combine(folder, "H_1_2"));
        Assert.That(ImageSequence.Load(folder).Others.Single().Number, Is.EqualTo(2));
    }

    [Test]
    public void OpensAFolderOfSequencesByName()
    {
        foreach (string name in new[] { "wall", "graf", "no sequence" })
        {
            Directory.CreateDirectory(Path.Combine(folder, name));
        }

        foreach (string name in new[] { "wall", "graf" })
        {
            Touch($"{name}/1.png", $"{name}/2.png");
            Homography.Identity.Write(Path.Combine(folder, name, "H_1_2"));
        }

        Assert.That(ImageSequence.LoadAll([folder]).Select(sequence => sequence.Name), Is.EqualTo(new[] { "graf", "wall" }));
        Assert.That(ImageSequence.LoadAll([Path.Combine(folder, "wall")]).Select(sequence => sequence.Name), Is.EqualTo(new[] { "wall" }));
    }

    [Test]
    public void SaysWhatIsMissing()
    {
        Refuses("it is empty");
        Touch("holiday.jpg");
        Refuses("none of its files");
        Touch("img2.png");
        Refuses("no image 1");
        File.Delete(Path.Combine(folder, "img2.png"));
        Touch("img1.png");
        Refuses("one image only");
        Touch("img2.png");
        Refuses("H1to2p");
        File.WriteAllText(Path.Combine(folder, "H1to2p"), "1 0 0\n0 1\n0 0 1\n");
        Refuses("line 2");
        Homography.Identity.Write(Path.Combine(folder, "H1to2p"));
        Touch("img2.jpg");
        Refuses("same number");
        Assert.That(() => ImageSequence.LoadAll([Path.Combine(folder, "nowhere")]), Throws.InstanceOf<IOException>().With.Message.Contains("nowhere"));
    }

    private void Refuses(string reason) =>
        Assert.That(() => ImageSequence.LoadAll([folder]), Throws.TypeOf<InvalidDataException>().With.Message.Contains(folder).And.Message.Contains(reason));

    private void Touch(params string[] names)
    {
        foreach (string name in names)
        {
            File.WriteAllBytes(Path.Combine(folder, name), [1]);
        }
    }
}
