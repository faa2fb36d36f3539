using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using CudaL2Net.Autograd;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.SamplePrograms;

/// <summary>The sample program as a user runs it.</summary>
public sealed partial class OwnNetworkAndLossTests
{
    [TestCase("cpu")]
    [TestCase("cuda", Category = "Cuda")]
    public void TrainsAndDescribes(string device)
    {
        if (device == "cuda")
        {
            CudaDriver.Require();
        }

        string program = Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "OwnNetworkAndLoss.exe" : "OwnNetworkAndLoss");
        using Process process = Process.Start(new ProcessStartInfo(program, [device]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.Zero, output + errors.Result);
        Assert.That(Number(GradientError().Match(output)), Is.GreaterThan(0).And.LessThan(0.01), output);
        double[] losses = [.. Loss().Matches(output).Select(Number)];
        Assert.That(losses, Has.Length.EqualTo(6), output);
        Assert.That(losses[^1], Is.LessThan(losses[0] / 2), output);
        Assert.That(Number(Right().Match(output)), Is.GreaterThanOrEqualTo(12), output);
    }

    [Test]
    public void AnUnknownDeviceEndsWithAnError()
    {
        string program = Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "OwnNetworkAndLoss.exe" : "OwnNetworkAndLoss");
        using Process process = Process.Start(new ProcessStartInfo(program, ["gpu"]) { RedirectStandardError = true })!;
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.Not.Zero);
        Assert.That(errors, Does.Contain("unknown device 'gpu'"));
    }

    [Test]
    public void TheSampleSeesThePublicApiOnly()
    {
        string[] friends = [.. typeof(Tape).Assembly.GetCustomAttributesData()
            .Where(attribute => attribute.AttributeType.Name == "InternalsVisibleToAttribute")
            .Select(attribute => (string)attribute.ConstructorArguments[0].Value!)];
        Assert.That(friends, Is.Not.Empty.And.Not.Member("OwnNetworkAndLoss"));
    }

    private static double Number(Match match) => double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture);

    [GeneratedRegex("largest relative error of the gradients: ([0-9.]+)")]
    private static partial Regex GradientError();

    [GeneratedRegex("step [0-9]+: loss ([0-9.]+)")]
    private static partial Regex Loss();

    [GeneratedRegex("nearest is the right one: ([0-9]+) of 16")]
    private static partial Regex Right();
}
