using CudaL2Net.Imaging.Geometry;

namespace CudaL2Net.Tests.Imaging.Geometry;

public sealed class EllipseFileTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void MakeFolder() => folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    [Test]
    public void WhatIsWrittenIsRead()
    {
        Ellipse[] regions = [new(1.25, -3, 0.01, -0.002, 0.5), new(1.0 / 3, 2e5, 1e-7, 0, 1e-5)];
        EllipseFile.Write(folder["img1.ppm.haraff"], regions);
        Assert.That(File.ReadAllText(folder["img1.ppm.haraff"]), Does.StartWith("1.0\n2\n1.25 -3 0.01 -0.002 0.5\n"));
        Assert.That(EllipseFile.Read(folder["img1.ppm.haraff"]), Is.EqualTo(regions));
        EllipseFile.Write(folder["none"], []);
        Assert.That(EllipseFile.Read(folder["none"]), Is.Empty);
    }

    [Test]
    public void OxfordsOwnSpacingIsRead()
    {
        // As the published files have it: blanks at line ends, Windows' line ends, an empty last line.
        File.WriteAllText(folder["a"], "1.0\r\n 2 \r\n10 20 0.0025 -1e-4  0.0036 \r\n3.5\t4 1 0 1\r\n\r\n");
        Assert.That(EllipseFile.Read(folder["a"]), Is.EqualTo(new[] { new Ellipse(10, 20, 0.0025, -1e-4, 0.0036), new Ellipse(3.5, 4, 1, 0, 1) }));
    }

    [TestCase("", "line 1", "cut short")]
    [TestCase("1.0\n", "line 2", "cut short")]
    [TestCase("1.0\n2\n1 2 1 0 1\n", "line 4", "region 2 of 2")]
    [TestCase("1.0\n1\n1 2 1 0 1\n1 2 1 0 1\n", "line 4", "one more")]
    [TestCase("1.0\n1\n1 2 1 0\n", "line 3", "found 4")]
    [TestCase("1.0\n1\n1 2 1 x 1\n", "line 3", "'x'")]
    [TestCase("1.0\n1\n1 2 1 NaN 1\n", "line 3", "finite")]
    [TestCase("1.0\n1\n1 2 1 2 1\n", "line 3", "no ellipse")]
    [TestCase("1.0\n1\n1 2 -1 0 -1\n", "line 3", "no ellipse")]
    [TestCase("1.0\n-1\n", "line 2", "number of regions")]
    [TestCase("1.0\n1.5\n", "line 2", "number of regions")]
    [TestCase("128\n1\n", "line 1", "descriptors of 128")]
    [TestCase("P6\n640 480\n", "line 1", "'P6'")]
    public void DamageIsNamedWithItsLine(string text, string line, string reason)
    {
        File.WriteAllText(folder["img2.ppm.hesaff"], text);
        Assert.That(
            () => EllipseFile.Read(folder["img2.ppm.hesaff"]),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("img2.ppm.hesaff").And.Message.Contains(line).And.Message.Contains(reason));
    }

    [Test]
    public void MissingFilesAreNamed() =>
        Assert.That(() => EllipseFile.Read(folder["absent.haraff"]), Throws.TypeOf<FileNotFoundException>().With.Message.Contains("absent.haraff"));
}
