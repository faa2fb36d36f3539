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
    public void ATemporaryFileLeftByAKilledProcessIsNoHindrance()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["a.tmp"], "left by a killed process");
        AtomicFile.Write(folder["a"], stream => stream.Write("new"u8));
        Assert.That(File.ReadAllText(folder["a"]), Is.EqualTo("new"));
        Assert.That(Directory.GetFileSystemEntries(folder.Path), Has.Length.EqualTo(1));
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
