using CudaL2Net.Imaging.Geometry;

namespace CudaL2Net.Tests.Imaging.Geometry;

public sealed class HomographyTests
{
    private static readonly Homography Tilted = new(0.9, 0.3, -39, -0.2, 0.94, 153, 2e-4, -1.6e-5, 1);
    private string folder = string.Empty;

    [SetUp]
    public void MakeFolder() => folder = Directory.CreateTempSubdirectory("homography").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(folder, recursive: true);

    [Test]
    public void ScaleAndSignDoNotMatter()
    {
        var scaled = new Homography(-2, 0, -4, 0, -2, -6, 0, 0, -2);
        Assert.That(scaled.Elements.ToArray(), Is.EqualTo(new double[] { 1, 0, 2, 0, 1, 3, 0, 0, 1 }));
        Assert.That(scaled.Map(10, 20), Is.EqualTo((12.0, 23.0)));
    }

    [Test]
    public void InverseLeadsBack()
    {
        (double x, double y) = Tilted.Map(200, 310);
        (double backX, double backY) = Tilted.Inverse().Map(x, y);
        Assert.That(backX, Is.EqualTo(200).Within(1e-9));
        Assert.That(backY, Is.EqualTo(310).Within(1e-9));
    }

    [Test]
    public void ThenIsOneMapAfterTheOther()
    {
        var shift = new Homography(2, 0, 5, 0, 2, -7, 0, 0, 1);
        (double x, double y) = Tilted.Map(40, 50);
        (double wantedX, double wantedY) = shift.Map(x, y);
        (double foundX, double foundY) = Tilted.Then(shift).Map(40, 50);
        Assert.That(foundX, Is.EqualTo(wantedX).Within(1e-9));
        Assert.That(foundY, Is.EqualTo(wantedY).Within(1e-9));
    }

    [Test]
    public void JacobianIsTheDerivative()
    {
        const double Step = 1e-4, X = 120, Y = 80;
        (double xx, double xy, double yx, double yy) = Tilted.Jacobian(X, Y);
        (double right, double rightY) = Tilted.Map(X + Step, Y);
        (double left, double leftY) = Tilted.Map(X - Step, Y);
        (double belowX, double below) = Tilted.Map(X, Y + Step);
        (double aboveX, double above) = Tilted.Map(X, Y - Step);
        Assert.That(xx, Is.EqualTo((right - left) / (2 * Step)).Within(1e-7));
        Assert.That(yx, Is.EqualTo((rightY - leftY) / (2 * Step)).Within(1e-7));
        Assert.That(xy, Is.EqualTo((belowX - aboveX) / (2 * Step)).Within(1e-7));
        Assert.That(yy, Is.EqualTo((below - above) / (2 * Step)).Within(1e-7));
        Assert.That(new Homography(0, -3, 0, 3, 0, 0, 0, 0, 1).Scale(7, 9), Is.EqualTo(3).Within(1e-12));
    }

    [Test]
    public void WrittenFileIsReadBack()
    {
        string path = Path.Combine(folder, "H1to2p");
        Tilted.Write(path);
        Assert.That(Homography.Read(path).Elements.ToArray(), Is.EqualTo(Tilted.Elements.ToArray()));
        Assert.That(Directory.GetFiles(folder), Has.Length.EqualTo(1));
    }

    [Test]
    public void ReadsTheFormsThatArePublished()
    {
        string path = Path.Combine(folder, "H_1_2");
        File.WriteAllText(path, "   1.0107879e+00\t 8.2814684e-03   1.8576800e+01 \r\n  -4.9e-03   1.01E0  -2.88e+01\r\n\r\n  0 0   2\r\n\r\n");
        Homography read = Homography.Read(path);
        Assert.That(read[0, 0], Is.EqualTo(1.0107879 / 2).Within(1e-15));
        Assert.That(read[1, 2], Is.EqualTo(-14.4).Within(1e-12));
        Assert.That(read[2, 2], Is.EqualTo(1));
    }

    [TestCase("1 0.05 3\n-0.03 1 2\n0 0 1\n", TestName = "three lines")]
    [TestCase("1,0.05,3\n-0.03,1,2\n0,0,1", TestName = "commas")]
    [TestCase("1, 0.05, 3,\n-0.03, 1, 2,\n0, 0, 1,\n", TestName = "commas behind the rows, too")]
    [TestCase("1 0.05 3 -0.03 1 2 0 0 1", TestName = "one line")]
    [TestCase("1,0.05,3,-0.03,1,2,0,0,1\n", TestName = "one line with commas")]
    [TestCase("1\n0.05\n3\n-0.03\n1\n2\n0\n0\n1\n", TestName = "nine lines")]
    [TestCase("[[1 0.05 3]\n [-0.03 1 2]\n [0 0 1]]\n", TestName = "NumPy's print")]
    [TestCase("[[ 1.  ,  0.05,  3.  ],\n [-0.03,  1.  ,  2.  ],\n [ 0.  ,  0.  ,  1.  ]]", TestName = "NumPy's list")]
    [TestCase("[[1, 0.05, 3], [-0.03, 1, 2], [0, 0, 1]]", TestName = "JSON")]
    [TestCase("[\n  [\n 1,\n 0.05,\n 3\n ],\n [-0.03,\n 1,\n 2],\n [0,\n 0,\n 1]\n]", TestName = "JSON, a line for each number")]
    [TestCase("[1, 0.05, 3, -0.03, 1, 2, 0, 0, 1]", TestName = "a flat list")]
    [TestCase("[1, 0.05, 3;\n -0.03, 1, 2;\n 0, 0, 1]", TestName = "OpenCV's print")]
    [TestCase("[1 0.05 3; -0.03 1 2; 0 0 1];", TestName = "MATLAB")]
    [TestCase("{{1, 0.05, 3}, {-0.03, 1, 2}, {0, 0, 1}}", TestName = "C")]
    [TestCase("((1, 0.05, 3),\r\n (-0.03, 1, 2),\r\n (0, 0, 1))", TestName = "Python's tuples")]
    [TestCase("1;0.05;3\n-0.03;1;2\n0;0;1\n", TestName = "semicolons")]
    [TestCase("\uFEFF1\t0.05\t3\n\n-3e-2\t1\t2\n\n0\t0\t+1.0E0\n\n", TestName = "tabs, blank lines and a byte order mark")]
    public void NineNumbersAreReadInEveryFormThatPeopleWrite(string text)
    {
        string path = Path.Combine(folder, "H_1_2");
        File.WriteAllText(path, text);
        Assert.That(Homography.Read(path).Elements.ToArray(), Is.EqualTo(new[] { 1, 0.05, 3, -0.03, 1, 2, 0, 0, 1 }));
    }

    [TestCase("1,0 0,05 3,0\n-0,03 1,0 2,0\n0,0 0,0 1,0\n", "line 1", "decimal mark")]
    [TestCase("1, 0.05 3\n-0.03 1 2\n0 0 1\n", "line 1", "decimal mark")]
    [TestCase("1;0,05;3\n-0,03;1;2\n0;0;1\n", "line 1", "found 1")]
    [TestCase("1,,0.05\n-0.03,1,2\n0,0,1\n", "line 1", "before a comma")]
    [TestCase(",1,0.05\n-0.03,1,2\n0,0,1\n", "line 1", "before a comma")]
    [TestCase("[[1 0 0]\n[0 1 0]\n[0 0 1]\n", "line 3", "not closed")]
    [TestCase("[1 0 0\n0 1 0\n0 0 1)\n", "line 3", "closes no bracket")]
    [TestCase("1 0 0 0 1 0 0 0\n", "line 1", "found 8")]
    [TestCase("1 0 0 0 1 0 0 0 1 0\n", "line 1", "found 10")]
    [TestCase("1 0 0 0\n1 0 0\n0 1\n", "line 1", "found 4")]
    [TestCase("array([[1, 0, 0],\n [0, 1, 0],\n [0, 0, 1]])\n", "line 1", "'array'")]
    [TestCase("%YAML:1.0\n---\nH: !!opencv-matrix\n", "line 1", "'%YAML:1.0'")]
    public void WhatCouldBeReadInTwoWaysIsRefusedWithTheFormToWrite(string text, string where, string why) => SaysWhichLineIsWrong(text, where, why, "1 0.05 3");

    [Test]
    public void AFileOfAnotherKindIsNotReadToItsEnd()
    {
        string path = Path.Combine(folder, "H_1_2");
        File.WriteAllText(path, string.Concat(Enumerable.Repeat("1 0 0 ", 20_000)));
        Assert.That(() => Homography.Read(path), Throws.TypeOf<InvalidDataException>().With.Message.Contains("far more"));
    }

    [TestCase("1 0 0\n0 1\n0 0 1\n", "line 2", "found 2")]
    [TestCase("1 0 0\n0 1 0\n0 zero 1\n", "line 3", "'zero'")]
    [TestCase("1 0 0\n0 NaN 0\n0 0 1\n", "line 2", "NaN")]
    [TestCase("1 0 0\n0 1 0\n", "line 2", "2 of 3")]
    [TestCase("1 0 0\n0 1 0\n0 0 1\n0 0 1\n", "line 4", "fourth")]
    [TestCase("1 0 0\n0 1 0\n0 0 0\n", "H1to2p", "last element")]
    [TestCase("1 2 0\n2 4 0\n0 0 1\n", "H1to2p", "no inverse")]
    [TestCase("", "line 0", "0 of 3")]
    public void SaysWhichLineIsWrong(string text, string where, string why, string form = "")
    {
        string path = Path.Combine(folder, "H1to2p");
        File.WriteAllText(path, text);
        Assert.That(
            () => Homography.Read(path),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains(path).And.Message.Contains(where).And.Message.Contains(why).And.Message.Contains(form));
    }
}
