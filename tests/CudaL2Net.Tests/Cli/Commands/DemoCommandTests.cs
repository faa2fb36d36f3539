namespace CudaL2Net.Tests.Cli;

public sealed class DemoCommandTests
{
    [Test]
    public void FolderWithOtherFilesIsLeftAlone()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["thesis.txt"], "precious");
        CommandLine.Run("demo", "--out", folder.Path).Explains(2, folder.Path, "not empty");
        Assert.That(Directory.GetFileSystemEntries(folder.Path), Has.Length.EqualTo(1));
    }

    [Test]
    public void MinutesAndStepsTogetherAreExplained() => CommandLine.Run("demo", "--minutes", "1", "--steps", "5").Explains(2, "--minutes", "--steps");
}
