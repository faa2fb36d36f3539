using CudaL2Net.Cli;

namespace CudaL2Net.Tests.Cli;

/// <summary>Runs <c>cudal2net</c> inside the test.</summary>
internal sealed record CommandLine(int Code, string Output, string Error)
{
    public static CommandLine Run(params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        int code = Program.Run(args, output, error);
        return new CommandLine(code, output.ToString(), error.ToString());
    }

    /// <summary>Runs a command that must succeed.</summary>
    public static CommandLine MustRun(params string[] args)
    {
        CommandLine run = Run(args);
        Assert.That(run.Code, Is.Zero, $"cudal2net {string.Join(' ', args)}\n{run.Error}");
        return run;
    }

    /// <summary>Checks that the command failed with one error line, that it says all of these words, and that no stack trace leaked.</summary>
    public void Explains(int code, params string[] words)
    {
        string[] errors = [.. Error.Split('\n').Where(line => line.StartsWith("error: ", StringComparison.Ordinal))];
        Assert.Multiple(() =>
        {
            Assert.That(Code, Is.EqualTo(code), Error);
            Assert.That(errors, Has.Length.EqualTo(1), Error);
            Assert.That(Error, Does.Not.Contain("   at "));
            Assert.That(Error, Does.Not.Contain("unexpected"));
            Assert.That(Error, Does.Not.Match(@"\b(hint|error|warning): \1"));
            foreach (string word in words)
            {
                Assert.That(Error, Does.Contain(word));
            }
        });
    }
}
