using CudaL2Net.Tests.Imaging;

namespace CudaL2Net.Tests.Cli;

/// <summary>The same command on the same files gives the same bytes, with any number of threads (docs/reliability.md).</summary>
public sealed class RepeatedCommandTests : ModelCommandTests
{
    [SetUp]
    public void WriteImages() => TestSequences.WriteSequence(folder["discs"]);

    [Test]
    public void Describe() => GivesTheSameBytes(name => ["describe", folder["discs/img1.png"], "--model", model, "--limit", "200", "--out", folder[$"{name}.npy"]], "{0}.npy");

    [Test]
    public void Match() => GivesTheSameBytes(
        name => ["match", folder["discs/img1.png"], folder["discs/img2.png"], "--model", model, "--limit", "200", "--out", folder[$"{name}.png"]], "{0}.png");

    [Test]
    public void Train() => GivesTheSameBytes(
        name => ["train", "--data", "synthetic", "--validation", "none", "--points", "60", "--batch", "8", "--steps", "3", "--out", folder[name]], "{0}/model.safetensors");

    [Test]
    public void EvaluateSequences() => GivesTheSameBytes(
        name => ["evaluate", "sequences", folder["discs"], "--model", model, "--keypoints", "200", "--csv", folder[$"{name}.csv"]], "{0}.csv");

    private void GivesTheSameBytes(Func<string, string[]> command, string file)
    {
        byte[]? first = null;
        foreach ((string name, string threads) in new[] { ("once", "1"), ("two", "2") })
        {
            CommandLine.MustRun([.. command(name), "--threads", threads]);
            byte[] written = File.ReadAllBytes(folder[string.Format(file, name)]);
            first ??= written;
            Assert.That(written, Is.Not.Empty);
            Assert.That(written.AsSpan().SequenceEqual(first), $"{name}: {threads} threads");
        }
    }
}
