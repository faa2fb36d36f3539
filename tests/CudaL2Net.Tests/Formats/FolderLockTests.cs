using System.Diagnostics;
using CudaL2Net.Formats;

namespace CudaL2Net.Tests.Formats;

public sealed class FolderLockTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void MakeFolder() => folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    [Test]
    public void ASecondOneIsToldWhoHasTheFolderUntilTheFirstLetsGo()
    {
        using (FolderLock first = FolderLock.Take(folder["run"]))
        {
            Assert.That(
                () => FolderLock.Take(folder["run"]),
                Throws.InstanceOf<IOException>().With.Message.Contains($"process {Environment.ProcessId} on {Environment.MachineName}").And.Message.Contains(folder["run"]));
        }

        Assert.That(folder["run"], Does.Not.Exist, "nothing was written into it");
        FolderLock.Take(folder["run"]).Dispose();
    }

    [Test]
    public void FoldersThatWereMadeForItAndStayEmptyGoWithIt()
    {
        FolderLock.Take(folder["new/deep/run"]).Dispose();
        FolderLock.TakeBeside(folder["new/deep/set"]).Dispose();
        Assert.That(folder["new"], Does.Not.Exist);
        Directory.CreateDirectory(folder["old"]);
        using (FolderLock held = FolderLock.Take(folder["old/deep/run"]))
        {
            File.WriteAllText(folder["old/deep/mine"], "");
        }

        Assert.That(folder["old/deep/run"], Does.Not.Exist);
        Assert.That(folder["old/deep/mine"], Does.Exist);
        FolderLock.Take(folder["old"]).Dispose();
        Assert.That(folder["old"], Does.Exist, "it was there before");
    }

    [Test]
    public void ALockBesideAFolderDoesNotMakeIt()
    {
        using (FolderLock first = FolderLock.TakeBeside(folder["set/"]))
        {
            Assert.That(() => FolderLock.TakeBeside(folder["set"]), Throws.InstanceOf<IOException>());
            Assert.That(folder["set"], Does.Not.Exist);
        }

        Assert.That(Directory.GetFileSystemEntries(folder.Path), Is.Empty);
    }

    [Test]
    [Platform("Linux")]
    public void AKilledProcessHindersNobody()
    {
        string file = folder[".lock"];
        File.WriteAllText(file, "process 1 on elsewhere\n");
        using Process holder = Process.Start("flock", ["--no-fork", file, "sleep", "60"]);
        try
        {
            Assert.That(() => Refused(), Is.True.After(5000, 10), "another process holds it");
        }
        finally
        {
            holder.Kill();
            holder.WaitForExit();
        }

        Assert.That(file, Does.Exist, "it was left");
        FolderLock.Take(folder.Path).Dispose();

        bool Refused()
        {
            try
            {
                FolderLock.Take(folder.Path).Dispose();
                File.WriteAllText(file, "process 1 on elsewhere\n");
                return false;
            }
            catch (IOException error)
            {
                return error.Message.Contains("process 1 on elsewhere");
            }
        }
    }

    [Test]
    public void ALinkIsNotFollowed()
    {
        File.WriteAllText(folder["victim"], "untouched");
        File.CreateSymbolicLink(folder[".lock"], "victim");
        Assert.That(() => FolderLock.Take(folder.Path), Throws.InstanceOf<IOException>().With.Message.Contains("link"));
        Assert.That(File.ReadAllText(folder["victim"]), Is.EqualTo("untouched"));
    }
}
