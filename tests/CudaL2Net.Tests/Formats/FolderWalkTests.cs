using CudaL2Net.Formats;

namespace CudaL2Net.Tests.Formats;

[Platform("Unix")]
public sealed class FolderWalkTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void MakeFiles()
    {
        folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["photos/b/c"]);
        foreach (string name in new[] { "photos/z.png", "photos/b/a.png", "photos/b/c/a.png", "photos/notes.txt" })
        {
            File.WriteAllText(folder[name], name);
        }
    }

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    [Test]
    public void AllFoldersAreWalkedInTheOrderOfPaths() => Assert.That(Tree(), Is.EqualTo(new[] { "b/a.png", "b/c/a.png", "z.png" }));

    [Test]
    public void LinksToParentsLoopsAndSecondLinksAddNothing()
    {
        Directory.CreateSymbolicLink(folder["photos/b/parent"], "..");
        Directory.CreateSymbolicLink(folder["photos/a-self"], ".");
        Directory.CreateSymbolicLink(folder["photos/b/c/top"], folder["photos"]);
        Directory.CreateSymbolicLink(folder["photos/first"], "second");
        Directory.CreateSymbolicLink(folder["photos/second"], "first");
        Directory.CreateSymbolicLink(folder["photos/a-link-to-b"], "b");
        File.CreateSymbolicLink(folder["photos/a-link-to-z.png"], "z.png");
        Assert.That(Tree(), Is.EqualTo(new[] { "b/a.png", "b/c/a.png", "z.png" }));
        Assert.That(Tree(folder["photos/b/parent"]), Has.Length.EqualTo(3));
    }

    [Test]
    public void AFolderElsewhereWithTwoLinksIsWalkedOnce()
    {
        Directory.CreateDirectory(folder["elsewhere"]);
        File.WriteAllText(folder["elsewhere/e.png"], "e");
        Directory.CreateSymbolicLink(folder["photos/one"], folder["elsewhere"]);
        Directory.CreateSymbolicLink(folder["photos/two"], folder["elsewhere"]);
        Assert.That(Tree(), Is.EqualTo(new[] { "b/a.png", "b/c/a.png", "one/e.png", "z.png" }));
        Assert.That(FolderWalk.Folders(folder["photos"], _ => true).Select(Path.GetFileName), Is.EqualTo(new[] { "b", "one" }));
    }

    [Test]
    public void DanglingLinksAreTold()
    {
        File.CreateSymbolicLink(folder["photos/lost.png"], "nowhere.png");
        File.CreateSymbolicLink(folder["photos/lost.txt"], "nowhere.txt");
        (IReadOnlyList<string> files, IReadOnlyList<string> notes) = FolderWalk.Tree(folder["photos"], IsPng);
        Assert.That(files, Has.Count.EqualTo(3));
        Assert.That(notes.Single(), Does.Contain("lost.png").And.Contain("leads nowhere"));
        Assert.That(() => FolderWalk.Files(folder["photos"], IsPng), Throws.InstanceOf<IOException>().With.Message.Contains("lost.png"));
    }

    [Test]
    public void WhatSystemsLeaveBesideFilesIsPassedOver()
    {
        foreach (string name in new[] { "._z.png", ".DS_Store", "Thumbs.db", "desktop.ini", ".hidden.png", "b/._a.png" })
        {
            File.WriteAllText(folder["photos/" + name], "sidecar");
        }

        Directory.CreateDirectory(folder["photos/.thumbnails"]);
        Directory.CreateDirectory(folder["photos/__MACOSX"]);
        File.WriteAllText(folder["photos/.thumbnails/t.png"], "thumbnail");
        File.WriteAllText(folder["photos/__MACOSX/t.png"], "sidecar");
        Assert.That(Tree(), Has.Length.EqualTo(3));
        Assert.That(FolderWalk.Files(folder["photos"], IsPng).Select(Path.GetFileName), Is.EqualTo(new[] { "z.png" }));
        Assert.That(FolderWalk.Folders(folder["photos"], _ => true).Select(Path.GetFileName), Is.EqualTo(new[] { "b" }));
    }

    [Test]
    [Platform("Unix")]
    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    public void AFolderWithoutRightsIsTold()
    {
        File.SetUnixFileMode(folder["photos/b"], UnixFileMode.None);
        try
        {
            Assume.That(() => Directory.GetFiles(folder["photos/b"]), Throws.Exception, "the superuser may read all");
            Assert.That(FolderWalk.Tree(folder["photos"], IsPng).Notes.Single(), Does.Contain("photos/b").And.Contain("no right"));
            Assert.That(() => FolderWalk.Folders(folder["photos"], _ => true), Throws.InstanceOf<IOException>().With.Message.Contains("no right"));
        }
        finally
        {
            File.SetUnixFileMode(folder["photos/b"], UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    [Test]
    public void AMissingFolderIsTold() =>
        Assert.That(() => FolderWalk.Files(folder["missing"], IsPng), Throws.InstanceOf<IOException>().With.Message.Contains("missing").And.Message.Contains("does not exist"));

    private string[] Tree(string? start = null) =>
        [.. FolderWalk.Tree(start ?? folder["photos"], IsPng).Files.Select(file => Path.GetRelativePath(start ?? folder["photos"], file))];

    private static bool IsPng(string name) => name.EndsWith(".png", StringComparison.Ordinal);
}
