namespace CudaL2Net.Tests.Cli;

public sealed class ProgramTests
{
    [TestCase("colmap")]
    [TestCase("colmap extract")]
    [TestCase("data")]
    [TestCase("demo")]
    [TestCase("describe")]
    [TestCase("evaluate sequences")]
    [TestCase("evaluate brown")]
    [TestCase("evaluate")]
    [TestCase("export")]
    [TestCase("info")]
    [TestCase("match")]
    [TestCase("reproduce")]
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

    [TestCase("--minutes", "soon", "--minutes soon: expected a number")]
    [TestCase("--batch", "1.5", "--batch 1.5: expected a whole number")]
    [TestCase("--seed", "-1", "--seed -1: expected a whole number")]
    [TestCase("--checkpoint-seconds", "-1", "--checkpoint-seconds -1")]
    [TestCase("--threads", "100000", "--threads 100000")]
    [TestCase("--threads", "-1", "--threads -1")]
    [TestCase("--bogus", "1", "unknown option '--bogus'\n")]
    public void WrongValueIsExplained(string option, string value, string expected) =>
        CommandLine.Run("train", "--data", "synthetic", "--out", Path.Combine(Path.GetTempPath(), "never-made"), option, value).Explains(2, expected);

    [Test]
    public void UnknownFormatIsExplainedInOneLine() =>
        CommandLine.Run("export", "--format", "tflite", "--out", "a").Explains(2, "'tflite' not recognized. Must be one of: 'onnx' 'safetensors'");

    [Test]
    public void MissingOptionIsExplained() => CommandLine.Run("describe", "a.png").Explains(2, "--out");

    [Test]
    public void UnknownDeviceIsExplained() =>
        CommandLine.Run("describe", Path.GetTempPath(), "--out", "a.npy", "--device", "tpu").Explains(1, "unknown device 'tpu'");
}
