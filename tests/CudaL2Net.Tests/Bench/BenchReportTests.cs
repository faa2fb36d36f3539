using System.Text.Json.Nodes;
using CudaL2Net.Bench;
using CudaL2Net.Bench.Measuring;
using CudaL2Net.Bench.Operations;
using CudaL2Net.Bench.Reports;
using CudaL2Net.Formats;
using CudaL2Net.Kernels;

namespace CudaL2Net.Tests.Bench;

public sealed class BenchReportTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void MakeFolder() => folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    [Test]
    public void TheFileBringsBackEverything()
    {
        BenchReport report = Report("kernels", ("a", [3e-6, 1e-6, 2e-6]), ("b", [double.PositiveInfinity]));
        report.Write(folder["report.json"]);
        BenchReport read = BenchReport.Read(folder["report.json"]);
        Assert.Multiple(() =>
        {
            Assert.That(JsonText.Of(read), Is.EqualTo(File.ReadAllText(folder["report.json"]).TrimEnd()));
            Assert.That(read.Machine, Is.EqualTo(report.Machine));
            Assert.That(read.Rows[0].Seconds, Is.EqualTo(report.Rows[0].Seconds));
            Assert.That(read.Rows[0].Peer!.Seconds, Is.EqualTo(report.Rows[0].Peer!.Seconds));
            Assert.That(Directory.GetFiles(folder[""]), Has.Length.EqualTo(1), "no temporary file is left");
        });
    }

    [Test]
    public void FiguresFollowFromTheSamples()
    {
        BenchRow row = Report("kernels", ("a", [3e-6, 1e-6, 2e-6])).Rows[0];
        Assert.Multiple(() =>
        {
            Assert.That(row.Microseconds, Is.EqualTo(2).Within(1e-12));
            Assert.That(row.GigabytesPerSecond, Is.EqualTo(500).Within(1e-9), "1e6 bytes in 2 µs");
            Assert.That(row.TeraflopsPerSecond, Is.EqualTo(1).Within(1e-9), "2e6 operations in 2 µs");
            Assert.That(row.BandwidthShare, Is.EqualTo(0.25).Within(1e-9));
            Assert.That(row.ArithmeticShare, Is.EqualTo(0.1).Within(1e-9));
            Assert.That(row.Bound, Is.EqualTo("memory"), "at their peaks the bytes take 0.5 µs, the operations 0.2 µs");
            Assert.That(row.PeerRatio, Is.EqualTo(0.5).Within(1e-9));
        });
    }

    [Test]
    public void WhatIsNotCountedHasNoShare()
    {
        BenchRow row = new() { Name = "a", Operation = "a", Batch = 1, Precision = "float32", Seconds = [1] };
        Assert.That((row.GigabytesPerSecond, row.TeraflopsPerSecond, row.BandwidthShare, row.ArithmeticShare, row.Bound, row.PeerRatio),
            Is.EqualTo(((double?)null, (double?)null, (double?)null, (double?)null, (string?)null, (double?)null)));
    }

    [Test]
    public void AnErrorIsAShareOfTheLargestValue()
    {
        Assert.Multiple(() =>
        {
            Assert.That(PreparedOperation.LargestError([[1, 2.5], [7]], [[1, 2], [7]]), Is.EqualTo(0.25));
            Assert.That(PreparedOperation.LargestError([[double.PositiveInfinity, 1]], [[double.PositiveInfinity, 1]]), Is.Zero);
            Assert.That(PreparedOperation.LargestError([[double.NaN]], [[1]]), Is.EqualTo(double.PositiveInfinity));
        });
    }

    [Test]
    public void QuartilesTellTheSpread()
    {
        Assert.Multiple(() =>
        {
            Assert.That(Timing.Median([4, 1, 3, 2]), Is.EqualTo(2.5));
            Assert.That(Timing.Spread([10, 8, 9, 11, 12]), Is.EqualTo(0.2).Within(1e-12), "from 9 to 11, of 10");
            Assert.That(Timing.Spread([5]), Is.Zero);
        });
    }

    [TestCase("{}")]
    [TestCase("not json")]
    [TestCase("null")]
    [TestCase("[1, 2]")]
    public void AnotherFileIsRefused(string text)
    {
        File.WriteAllText(folder["other.json"], text);
        Assert.That(() => BenchReport.Read(folder["other.json"]), Throws.TypeOf<InvalidDataException>().With.Message.Contains(folder["other.json"]));
    }

    [Test]
    public void ADamagedReportIsRefused()
    {
        Report("kernels", ("a", [1e-6])).Write(folder["report.json"]);
        JsonNode whole = JsonNode.Parse(File.ReadAllText(folder["report.json"]))!;
        whole["rows"]![0]!["seconds"] = new JsonArray();
        File.WriteAllText(folder["report.json"], whole.ToJsonString());
        Assert.That(() => BenchReport.Read(folder["report.json"]), Throws.TypeOf<InvalidDataException>());
    }

    [Test]
    public void ABenchThatIsStoppedKeepsItsRows()
    {
        var devices = new BenchDevices("cpu", [Precision.Float32], [1]);
        var options = new KernelBenchOptions(devices, [4], "relu", 1, Vendor: false, _ => { });
        BenchReport whole = KernelBench.Run(options, (_, _) => { }, _ => { });
        Assert.That(whole.Rows, Has.Count.GreaterThan(1));
        Assert.That(whole.Finished);
        Assert.That(
            () => KernelBench.Run(options, (_, _) => { }, report =>
            {
                report.Write(folder["report.json"]);
                throw new OperationCanceledException();
            }),
            Throws.TypeOf<OperationCanceledException>());
        BenchReport kept = BenchReport.Read(folder["report.json"]);
        Assert.That(kept.Rows.Select(row => row.Name), Is.EqualTo(whole.Rows.Take(1).Select(row => row.Name)));
        Assert.That(kept.Rows[0].BandwidthShare, Is.Positive);
        Assert.That(kept.Finished, Is.False);
    }

    [Test]
    public void AComparisonTellsNoiseFromChange()
    {
        BenchReport before = Report("kernels", ("steady", [10e-6, 10e-6, 10e-6]), ("worse", [10e-6, 10.1e-6, 10.2e-6]), ("better", [10e-6]),
            ("noisy", [8e-6, 10e-6, 12e-6]), ("gone", [1e-6]));
        BenchReport after = Report(
            "kernels", ("steady", [10.05e-6]), ("worse", [12e-6, 12.1e-6, 12.2e-6]), ("better", [8e-6]), ("noisy", [11e-6]), ("new", [1e-6]));
        var comparison = Comparison.Of(before, after);
        Assert.Multiple(() =>
        {
            Assert.That(comparison.Rows.Select(row => (row.Name, row.Verdict)), Is.EqualTo(new[]
            {
                ("steady", Verdict.Same), ("worse", Verdict.Slower), ("better", Verdict.Faster), ("noisy", Verdict.Same), ("gone", Verdict.OnlyFirst),
                ("new", Verdict.OnlySecond),
            }));
            Assert.That(comparison.Rows[1].Ratio, Is.EqualTo(12.1 / 10.1).Within(1e-9));
            Assert.That(comparison.Rows[3].Noise, Is.EqualTo(0.2).Within(1e-9), "half of the samples lie from 9 to 11");
            Assert.That(comparison.SlowerBy(10).Select(row => row.Name), Is.EqualTo(new[] { "worse" }));
            Assert.That(comparison.SlowerBy(25), Is.Empty);
        });
    }

    [Test]
    public void ReportsOfOtherKindsAreNotCompared() => Assert.That(
        () => Comparison.Of(Report("kernels", ("a", [1])), Report("train", ("a", [1]))),
        Throws.ArgumentException.With.Message.Contains("kernels").And.Message.Contains("train"));

    /// <summary>A report whose rows move 1e6 bytes and do 2e6 operations, at peaks of 2e12 bytes and 1e13 operations per second, and take half of another's
    /// time.</summary>
    internal static BenchReport Report(string kind, params (string Name, double[] Seconds)[] rows) => new(
        kind,
        new Machine("cpu", "a CPU", false, "a processor", 2, 256, "a system", "a date", "a commit", 0.5),
        3,
        [new Peak("memory", 2e12)],
        [
            .. rows.Select(row => new BenchRow
            {
                Name = row.Name,
                Operation = row.Name,
                Batch = 4,
                Precision = "float32",
                Seconds = row.Seconds,
                Bytes = 1_000_000,
                Operations = 2_000_000,
                BandwidthPeak = 2e12,
                ArithmeticPeak = 1e13,
                Peer = new BenchPeer("another", [.. row.Seconds.Select(value => 2 * value)]),
            }),
        ]);
}
