using System.Diagnostics;
using CudaL2Net.Formats;

namespace CudaL2Net.Tests.Formats;

[Platform("Linux")]
public sealed class RealPathTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void MakeFiles()
    {
        folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["a/b"]);
        File.WriteAllText(folder["a/b/file"], "x");
        File.CreateSymbolicLink(folder["link"], "a/b/file");
        Directory.CreateSymbolicLink(folder["folder"], folder["a"]);
        File.CreateSymbolicLink(folder["a/back"], "../link");
        Directory.CreateSymbolicLink(folder["loop"], "loop");
    }

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    [TestCase("a/b/file")]
    [TestCase("./a/./b//file")]
    [TestCase("a/../a/b/file")]
    [TestCase("link")]
    [TestCase("folder/b/file")]
    [TestCase("folder/back")]
    [TestCase("a/back")]
    public void AllPathsToAFileAreTheSame(string path)
    {
        Assert.That(RealPath.AreSame(folder["a/b/file"], folder[path]));
        Assert.That(RealPath.Of(folder[path]), Is.EqualTo(RealPath.Of(folder["a/b/file"])));
        Assert.That(RealPath.IsWithin(folder[path], folder["folder/b/"]));
    }

    [TestCase("a/b")]
    [TestCase("a/b/file2")]
    [TestCase("loop")]
    [TestCase("nowhere")]
    public void OtherPathsAreNot(string path) => Assert.That(RealPath.AreSame(folder["a/b/file"], folder[path]), Is.False);

    [Test]
    public void WhatDoesNotExistYetIsTheSameByItsFolder()
    {
        Assert.That(RealPath.AreSame(folder["a/new"], folder["folder/new"]));
        Assert.That(RealPath.AreSame(folder["a/new/"], folder["folder/./new"]));
        Assert.That(RealPath.AreSame(folder["a/new"], folder["a/New"]), Is.False);
    }

    [Test]
    public void AHardLinkIsTheSameFile()
    {
        using Process link = Process.Start("ln", [folder["a/b/file"], folder["hard"]]);
        link.WaitForExit();
        Assert.That(RealPath.AreSame(folder["a/b/file"], folder["hard"]));
    }
}
