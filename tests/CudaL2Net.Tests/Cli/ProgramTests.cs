namespace CudaL2Net.Tests.Cli;

public sealed class ProgramTests
{
    [TestCase("demo")]
    [TestCase("describe")]
    [TestCase("evaluate sequences")]
    [TestCase("evaluate brown")]
    [TestCase("evaluate")]
    [TestCase("export")]
    [TestCase("info")]
    [TestCase("match")]
    [TestCase("train")]
    public void HelpEndsWithExamples(string command)
    {
        CommandLine help = CommandLine.MustRun([.. command.Split(' '), "--help"]);
        int examples = help.Output.IndexOf("Examples:", StringComparison.Ordinal);
        Assert.Multiple(() =>
        {
            Assert.That(examples, Is.Positive);
            Assert.That(help.Output[Math.Max(examples, 0)..], Does.Contain($"cudal2net {command}"));
            Assert.That(help.Error, Is.Empty);
        });
    }

    [Test]
    public void WithoutACommandTheHelpIsShownAsAnError()
    {
        CommandLine run = CommandLine.Run();
        Assert.Multiple(() =>
        {
            Assert.That(run.Code, Is.EqualTo(2));
            Assert.That(run.Output, Is.Empty);
            Assert.That(run.Error, Does.Contain("Commands:"));
        });
    }

    [Test]
    public void VersionIsThatOfTheAssembly() => Assert.That(CommandLine.MustRun("--version").Output, Does.StartWith("0."));

    [Test]
    public void MistypedCommandIsExplained() =>
        CommandLine.Run("descibe").Explains(2, "unknown command 'descibe'", "did you mean 'describe'?", "cudal2net --help");

    [Test]
    public void MistypedOptionIsExplained() => CommandLine.Run("info", "--jsno").Explains(2, "unknown option '--jsno'", "did you mean '--json'?");

    [Test]
    public void MissingOptionIsExplained() => CommandLine.Run("describe", "a.png").Explains(2, "--out");

    [Test]
    public void UnknownDeviceIsExplained() =>
        CommandLine.Run("describe", Path.GetTempPath(), "--out", "a.npy", "--device", "tpu").Explains(1, "unknown device 'tpu'");
}
