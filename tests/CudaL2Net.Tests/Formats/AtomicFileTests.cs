using CudaL2Net.Formats;

namespace CudaL2Net.Tests.Formats;

public sealed class AtomicFileTests
{
    [Test]
    public void ReplacesAnOlderFileAndLeavesNothingElse()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["a"], "old and longer");
        AtomicFile.Write(folder["a"], stream => stream.Write("new"u8));
        Assert.That(File.ReadAllText(folder["a"]), Is.EqualTo("new"));
        Assert.That(Directory.GetFileSystemEntries(folder.Path), Has.Length.EqualTo(1));
    }

    [TestCase(28, "disk is full")]
    [TestCase(30, "read-only")]
    [TestCase(5, "something else")]
    public void AFailureInTheMiddleKeepsTheOldFileAndNamesFileAndReason(int hresult, string reason)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["a"], "old");
        IOException error = Assert.Throws<IOException>(() => AtomicFile.Write(folder["a"], stream =>
        {
            stream.Write(new byte[1 << 20]);
            throw new IOException("something else", hresult);
        }))!;
        Assert.That(error.Message, Does.Contain(folder["a"]).And.Contain(reason));
        Assert.That(error.HResult, Is.EqualTo(hresult), "the tool's hint for a full disk goes by it");
        Assert.That(File.ReadAllText(folder["a"]), Is.EqualTo("old"));
        Assert.That(Directory.GetFileSystemEntries(folder.Path), Has.Length.EqualTo(1));
    }

    [Test]
    public void AnotherExceptionOfTheWriterPassesThroughAndKeepsTheOldFile()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["a"], "old");
        Assert.Throws<InvalidOperationException>(() => AtomicFile.Write(folder["a"], _ => throw new InvalidOperationException()));
        Assert.That(File.ReadAllText(folder["a"]), Is.EqualTo("old"));
        Assert.That(Directory.GetFileSystemEntries(folder.Path), Has.Length.EqualTo(1));
    }

    [Test]
    public void WithoutCommitThereIsNoFile()
    {
        using var folder = new TemporaryFolder();
        using (AtomicFile file = AtomicFile.Create(folder["a"]))
        {
            file.Stream.Write("half"u8);
        }

        Assert.That(Directory.GetFileSystemEntries(folder.Path), Is.Empty);
    }

    [Test]
    public void ATemporaryFileLeftByAKilledProcessIsRemovedAndOneInUseIsNot()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["a.0123456789a.tmp"], "left by a killed process");
        string[] others = ["a.tmp", "b.0123456789a.tmp", "a.0123456789a.tmp.bak", "a.my-own-work.tmp"];
        Array.ForEach(others, name => File.WriteAllText(folder[name], "somebody else's"));
        using (AtomicFile first = AtomicFile.Create(folder["a"]))
        {
            AtomicFile.Write(folder["a"], stream => stream.Write("second"u8));
            first.Stream.Write("first"u8);
            first.Commit();
        }

        Assert.That(File.ReadAllText(folder["a"]), Is.EqualTo("first"));
        Assert.That(Directory.GetFileSystemEntries(folder.Path).Select(Path.GetFileName), Is.EquivalentTo(others.Append("a")));
    }

    [Test]
    public void TheTemporaryFileHasARandomNameInTheSameFolderAndIsGoneAfterAFailure()
    {
        using var folder = new TemporaryFolder();
        string first = NameWhileWriting(), second = NameWhileWriting();
        Assert.That(first, Is.Not.EqualTo(second));
        Assert.That(Directory.GetFileSystemEntries(folder.Path), Is.Empty);

        string NameWhileWriting()
        {
            using AtomicFile file = AtomicFile.Create(folder["a"]);
            return Directory.GetFileSystemEntries(folder.Path).Single();
        }
    }

    [Test]
    public void LinksUnderOldTemporaryNamesAreNotFollowed()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["victim"], "untouched");
        File.CreateSymbolicLink(folder["a.tmp"], folder["victim"]);
        File.CreateSymbolicLink(folder["a.0123456789a.tmp"], folder["victim"]);
        AtomicFile.Write(folder["a"], stream => stream.Write("new"u8));
        Assert.That(File.ReadAllText(folder["victim"]), Is.EqualTo("untouched"));
    }

    [TestCase(true, TestName = "AnOutputThatIsALinkToAFileIsWrittenThereAndStaysALink")]
    [TestCase(false, TestName = "AnOutputThatIsALinkToNothingYetIsWrittenThereAndStaysALink")]
    public void AnOutputThatIsALink(bool exists)
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["disk"]);
        if (exists)
        {
            File.WriteAllText(folder["disk/real"], "old");
        }

        File.CreateSymbolicLink(folder["link"], "disk/real");
        AtomicFile.Write(folder["link"], stream => stream.Write("new"u8));
        Assert.That(new FileInfo(folder["link"]).LinkTarget, Is.EqualTo("disk/real"));
        Assert.That(File.ReadAllText(folder["disk/real"]), Is.EqualTo("new"));
        Assert.That(Directory.GetFileSystemEntries(folder["disk"]), Has.Length.EqualTo(1));
    }

    [Test]
    [Platform("Unix")]
    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    public void AReplacedFileLeavesItsPermissionsAndAReadOnlyOneIsRefused()
    {
        using var folder = new TemporaryFolder();
        const UnixFileMode Shared = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;
        File.WriteAllText(folder["a"], "old");
        File.SetUnixFileMode(folder["a"], Shared);
        AtomicFile.Write(folder["a"], stream => stream.Write("new"u8));
        Assert.That(File.GetUnixFileMode(folder["a"]), Is.EqualTo(Shared));

        File.SetUnixFileMode(folder["a"], UnixFileMode.UserRead);
        IOException error = Assert.Throws<IOException>(() => AtomicFile.Write(folder["a"], stream => stream.Write("newer"u8)))!;
        Assert.That(error.Message, Does.Contain("read-only"));
        Assert.That(File.ReadAllText(folder["a"]), Is.EqualTo("new"));
    }

    [TestCase("/dev/null")]
    [TestCase("/dev/full")]
    [Platform("Linux")]
    public void ADeviceIsNotReplaced(string device)
    {
        Assert.That(() => AtomicFile.Create(device), Throws.InstanceOf<IOException>().With.Message.Contains("device"));
        Assert.That(FileStatus.Of(device), Is.Not.Null.And.Property("IsRegular").False);
    }

    [Test]
    public void ANameAsLongAsTheSystemTakesCanBeWritten()
    {
        using var folder = new TemporaryFolder();
        string name = new('x', 255);
        AtomicFile.Write(folder[name], stream => stream.Write("new"u8));
        Assert.That(File.ReadAllText(folder[name]), Is.EqualTo("new"));
    }

    [Test]
    public void AskingWhetherAFileCanBeWrittenLeavesNothing()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["a"], "old");
        AtomicFile.RequireWritable(folder["a"]);
        AtomicFile.RequireWritable(folder["b"]);
        Assert.That(File.ReadAllText(folder["a"]), Is.EqualTo("old"));
        Assert.That(Directory.GetFileSystemEntries(folder.Path), Has.Length.EqualTo(1));
    }

    [Test]
    public void AFolderIsWritableWhateverIsInIt()
    {
        using var folder = new TemporaryFolder();
        foreach (string name in new[] { "cudal2net", "run", "test" })
        {
            Directory.CreateDirectory(folder[name]);
        }

        WritableFolder.Require(folder.Path);
        WritableFolder.Require(folder["new/run"]);
        Assert.That(Directory.GetFileSystemEntries(folder.Path), Has.Length.EqualTo(3));
    }

    [Test]
    public void AMissingFolderAFileAsFolderAndAFolderAsFileAreExplained()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["file"], "");
        Assert.That(
            () => AtomicFile.Create(folder["missing/a"]),
            Throws.InstanceOf<IOException>().With.Message.Contains("missing/a").And.Message.Contains("Create the folder"));
        Assert.That(() => AtomicFile.Create(folder["file/a"]), Throws.InstanceOf<IOException>().With.Message.Contains("file/a"));
        Assert.That(() => AtomicFile.Create(folder.Path), Throws.InstanceOf<IOException>().With.Message.Contains("it is a folder"));
    }
}
