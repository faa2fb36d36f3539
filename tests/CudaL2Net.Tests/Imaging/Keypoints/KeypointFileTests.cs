using CudaL2Net.Formats;
using CudaL2Net.Imaging.Keypoints;

namespace CudaL2Net.Tests.Imaging.Keypoints;

public sealed class KeypointFileTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void MakeFolder() => folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    [TestCase("k.csv")]
    [TestCase("k.npy")]
    public void WhatIsWrittenIsReadBack(string name)
    {
        var random = new Random(1);
        Keypoint[] keypoints = [.. Enumerable.Range(0, 50).Select(_ => new Keypoint(
            random.NextSingle() * 1000, random.NextSingle() / 3, 0.1f + random.NextSingle(), random.NextSingle() * 360, random.NextSingle() * 1e-6f, 0))];
        KeypointFile.Write(folder[name], keypoints);
        Assert.That(KeypointFile.Read(folder[name], 8), Is.EqualTo(keypoints));
    }

    [TestCase("k.csv")]
    [TestCase("k.npy")]
    public void AffineShapesAreReadBack(string name)
    {
        Keypoint[] keypoints = [Keypoint.FromShape(10.25f, 3, new AffineShape(3, -1, 0.5f, 2), 0.75f), Keypoint.FromShape(7, 8, new AffineShape(0, 2, -3, 0))];
        KeypointFile.Write(folder[name], keypoints);
        Assert.That(KeypointFile.Read(folder[name], 8), Is.EqualTo(keypoints));
    }

    [Test]
    public void DiscsAmongAffineKeypointsAreWrittenAsShapes()
    {
        KeypointFile.Write(folder["k.csv"], [Keypoint.FromShape(10, 3, new AffineShape(3, -1, 0.5f, 2)), new Keypoint(5, 6, 8, 90, 0.5f, 0)]);
        Keypoint disc = KeypointFile.Read(folder["k.csv"], 1)[1];
        Assert.Multiple(() =>
        {
            Assert.That(disc.Shape.A11, Is.EqualTo(0).Within(1e-6));
            Assert.That((disc.Shape.A12, disc.Shape.A21, disc.Size, disc.Angle, disc.Response), Is.EqualTo((-4f, 4f, 8f, 90f, 0.5f)));
        });
    }

    [Test]
    public void ColumnsOfAffineKeypointsAreColmaps()
    {
        File.WriteAllText(folder["k.csv"], "# x y a11 a12 a21 a22\n5,6,0,-4,4,0\n");
        Keypoint keypoint = KeypointFile.Read(folder["k.csv"], 1).Single();
        Assert.That((keypoint.X, keypoint.Y, keypoint.Size, keypoint.Angle), Is.EqualTo((5f, 6f, 8f, 90f)), "size 2 sigma, clockwise");
    }

    [TestCase("1.5,2\n3,4\n", 8, 0, 0)]
    [TestCase("x,y\n1.5,2\n3,4\n", 8, 0, 0)]
    [TestCase("X,Y,Size\r\n1.5,2,5\r\n3,4,6\r\n\r\n", 5, 0, 0)]
    [TestCase("# x y size angle\n1.5,2,5,-1\n3,4,6,0\n", 5, 0, 0)]
    [TestCase("\"x\",\"y\",\"size\",\"angle\",\"response\"\n1.5,2,5,90,0.25\n3,4,6,0,1", 5, 90, 0.25f)]
    [TestCase("1.500000000000000000e+00,2.0e+00,5,90,0.25\n3,4,6,0,1", 5, 90, 0.25f)]
    public void ColumnsMayBeLeftOutFromTheEndAndAHeaderToo(string text, float size, float angle, float response)
    {
        File.WriteAllText(folder["k.csv"], text);
        Keypoint[] keypoints = KeypointFile.Read(folder["k.csv"], 8);
        Assert.That(keypoints, Has.Length.EqualTo(2));
        Assert.That(keypoints[0], Is.EqualTo(new Keypoint(1.5f, 2, size, angle, response, 0)));
    }

    [TestCase(1, "1,")]
    [TestCase(1, "1,2,3,4,5,6,7,8")]
    [TestCase(1, "1,2,3,4,6,8")]
    [TestCase(1, "x,y,a11,a12,a22,a21\n1,2,3,4,5,6")]
    [TestCase(2, "x,y,a11,a12,a21,a22\n1,2,3,4,NaN,6")]
    [TestCase(1, "x,y,scale,orientation\n1,2,3,4")]
    [TestCase(1, "y,x\n1,2")]
    [TestCase(2, "1,2\n1,2,3")]
    [TestCase(2, "1,2\nx,y")]
    [TestCase(2, "1,2,3\n1,,3")]
    [TestCase(2, "1,2,3\n1, 2.5,3")]
    [TestCase(2, "1,2,3\n1,2.5x,3")]
    [TestCase(2, "x,y,size\n1,NaN,3")]
    [TestCase(2, "x,y,size\n1,infinity,3")]
    [TestCase(2, "x,y,size\n1e999,1,3")]
    [TestCase(3, "x,y,size\n1,1,3\n1,1,0")]
    [TestCase(1, "1,1,-3")]
    [TestCase(1, "1;2;3;4")]
    [TestCase(1, "1\t2\t3\t4")]
    [TestCase(1, "1 2 3 4")]
    [TestCase(2, "1,2\n\n3,4")]
    public void ABadLineIsNamed(int line, string text)
    {
        File.WriteAllText(folder["k.csv"], text);
        Assert.That(() => KeypointFile.Read(folder["k.csv"], 8), Throws.TypeOf<InvalidDataException>().With.Message.StartsWith($"{folder["k.csv"]}, line {line}: "));
    }

    [TestCase("")]
    [TestCase("x,y,size,angle\n")]
    [TestCase("# nothing\n")]
    public void AFileWithoutKeypointsIsRefused(string text)
    {
        File.WriteAllText(folder["k.csv"], text);
        Assert.That(() => KeypointFile.Read(folder["k.csv"], 8), Throws.TypeOf<InvalidDataException>().With.Message.Contains("no keypoints"));
    }

    [Test]
    public void ArraysOfTwoToFiveColumnsAreRead([Values(1, 2, 3, 4, 5, 8)] int columns)
    {
        NpyFile.Write<float>(folder["k.npy"], [.. Enumerable.Range(1, 2 * columns).Select(value => (float)value)], 2, columns);
        if (columns is 1 or 8)
        {
            Assert.That(() => KeypointFile.Read(folder["k.npy"], 8), Throws.TypeOf<InvalidDataException>().With.Message.Contains($"[2, {columns}]"));
            return;
        }

        Keypoint last = KeypointFile.Read(folder["k.npy"], 8)[1];
        Assert.That((last.X, last.Y, last.Size), Is.EqualTo((columns + 1f, columns + 2f, columns > 2 ? columns + 3f : 8f)));
    }

    [TestCase(float.NaN)]
    [TestCase(float.PositiveInfinity)]
    [TestCase(-1f)]
    public void ABadRowIsNamed(float value)
    {
        NpyFile.Write<float>(folder["k.npy"], [1, 2, 3, 1, 2, value], 2, 3);
        Assert.That(() => KeypointFile.Read(folder["k.npy"], 8), Throws.TypeOf<InvalidDataException>().With.Message.StartsWith($"{folder["k.npy"]}, row 1: size"));
    }

    [Test]
    public void PointsOutsideTheImageAreNamedAndCounted()
    {
        Keypoint[] keypoints = [.. new[] { (-1f, -1f), (100f, 50f), (101.5f, 3f), (3f, -2f) }.Select(at => new Keypoint(at.Item1, at.Item2, 5, 0, 0, 0))];
        Assert.That(() => KeypointFile.RequireInside("k.csv", keypoints.AsSpan(0, 2), "a.png", 100, 50), Throws.Nothing);
        Assert.That(
            () => KeypointFile.RequireInside("k.csv", keypoints, "a.png", 100, 50),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("keypoint 3").And.Message.Contains("101.5").And.Message.Contains("2 of 4").And.Message.Contains("a.png"));
    }
}
