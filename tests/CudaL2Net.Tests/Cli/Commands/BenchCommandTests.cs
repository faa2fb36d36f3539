using System.Text.Json.Nodes;
using CudaL2Net.Bench.Operations;
using CudaL2Net.Bench.Reports;
using CudaL2Net.Kernels;
using CudaL2Net.Tests.Bench;
using CudaL2Net.Tests.Reference;
using OpenCvSharp;

namespace CudaL2Net.Tests.Cli;

public sealed class BenchCommandTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void MakeFolder() => folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    // The tests of the operations assert what each of them gives: here a few stand for all.
    [Test]
    public void OperationsOfTheCpuAreMeasuredAndRight()
    {
        CommandLine run = CommandLine.MustRun(
            "bench", "kernels", "--device", "cpu", "--batch", "4", "--rounds", "1", "--filter", "layer 3", "--json", "--out", folder["k.json"],
            "--plot", folder["k.png"]);
        JsonNode report = JsonNode.Parse(run.Output)!;
        JsonArray rows = report["rows"]!.AsArray();
        using Mat image = Cv2.ImRead(folder["k.png"]);
        Assert.Multiple(() =>
        {
            Assert.That((string)report["kind"]!, Is.EqualTo("kernels"));
            Assert.That((string)report["machine"]!["device"]!, Is.EqualTo("cpu"));
            Assert.That(rows.Select(row => (string)row!["operation"]!), Is.EquivalentTo(new[]
            {
                "conv2d forward", "conv2d backward data", "conv2d backward filter", "conv2d forward fused", "conv2d backward data fused",
                "conv2d backward filter fused",
            }));
            foreach (JsonNode? row in rows)
            {
                Assert.That((double)row!["error"]!, Is.LessThan(1e-5), (string)row["name"]!);
                Assert.That((double)row["bandwidthShare"]!, Is.Positive, (string)row["name"]!);
            }

            Assert.That(BenchReport.Read(folder["k.json"]).Rows, Has.Count.EqualTo(rows.Count));
            Assert.That(image.Width, Is.GreaterThan(1000));
        });
    }

    [Test]
    public void EveryOperationOfTheCpuIsInTheList()
    {
        using Device device = Device.Open("cpu");
        string[] operations = [.. KernelOperations.Of(device).Select(operation => operation.Operation)];
        Assert.That(operations.Count(operation => operation.StartsWith("conv2d", StringComparison.Ordinal)), Is.EqualTo(40), "7 + 6 + 7 passes, alone and fused");
        Assert.That(operations, Is.SupersetOf(new[]
        {
            "batch norm forward", "gather and augment", "unit vector backward", "distance softmax (E1)", "correlation (E2)", "hardest negative", "triplet",
            "adam", "nearest (Euclidean)", "nearest (Hamming)", "describe tower",
        }));
    }

    [Test]
    [Category("Cuda")]
    public void EveryOperationOfTheGpuIsInTheList()
    {
        CudaDriver.Require();
        using Device device = Device.Open("cuda", precision: Precision.Bf16);
        Assert.That(KernelOperations.Of(device).Where(operation => operation.ByPrecision).Select(operation => operation.Operation), Is.SupersetOf(new[]
        {
            "conv2d forward fused", "conv2d backward data fused", "conv2d backward filter fused", "normalization sums", "describe tower",
        }));
    }

    [Test]
    [Category("Cuda")]
    public void OperationsOfTheGpuAreMeasuredAndRight()
    {
        CudaDriver.Require();
        JsonNode report = Json("bench", "kernels", "--device", "cuda", "--batch", "4", "--rounds", "1", "--precision", "bf16", "--filter", "layer 3");
        JsonArray rows = report["rows"]!.AsArray();
        Assert.Multiple(() =>
        {
            Assert.That((bool)report["machine"]!["emulated"]!, Is.EqualTo(CudaDriver.Emulated));
            Assert.That(report["peaks"]!.AsArray(), Has.Count.EqualTo(6));
            string[] operations = ["conv2d forward fused", "conv2d backward data fused", "conv2d backward filter fused"];
            Assert.That(rows.Where(row => (string)row!["precision"]! == "bf16").Select(row => (string)row!["operation"]!), Is.SupersetOf(operations));
            foreach (JsonNode? row in rows)
            {
                Assert.That((double)row!["error"]!, Is.LessThan((string)row["precision"]! == "bf16" ? 2e-2 : 1e-5), (string)row["name"]!);
            }
        });
    }

    [Test]
    [Category("Cuda")]
    public void AnOperationIsMeasuredInEachPrecision()
    {
        CudaDriver.Require();
        JsonNode report = Json("bench", "kernels", "--device", "cuda", "--batch", "4", "--rounds", "1", "--filter", "conv2d forward fused, layer 3");
        Assert.That(report["rows"]!.AsArray().Select(row => (string)row!["precision"]!), Is.EqualTo(new[] { "float32", "tf32", "bf16" }));
        double[] errors = [.. report["rows"]!.AsArray().Select(row => (double)row!["error"]!)];
        Assert.That(errors, Is.Ordered.Ascending);
        Assert.That(errors[0], Is.LessThan(1e-6));
        Assert.That(errors[2], Is.LessThan(1e-2));
    }

    [TestCase("conv2d backward filter", "layer 3", new[] { "float32", "tf32", "bf16" }, "cuDNN")]
    [TestCase("conv2d forward fused", "layer 5", new[] { "float32", "tf32", "bf16" }, "cuDNN")]
    [TestCase("batch norm backward", "128 channels", new[] { "float32" }, "cuDNN")]
    [TestCase("hardest negative", "128 values", new[] { "float32" }, "cuBLAS")]
    [TestCase("distance softmax (E1)", "128 values", new[] { "float32" }, "cuBLAS")]
    [Category("Cuda")]
    public void TheVendorIsMeasuredBeside(string operation, string shape, string[] precisions, string vendor)
    {
        CudaDriver.Require();
        string[] arguments = ["bench", "kernels", "--device", "cuda", "--batch", "4", "--rounds", "2", "--vendor", "--filter", $"{operation}, {shape}"];
        JsonArray rows = Json(arguments)["rows"]!.AsArray();
        Assert.Multiple(() =>
        {
            Assert.That(rows.Select(row => (string)row!["precision"]!), Is.EqualTo(precisions));
            Assert.That(rows.Select(row => (string)row!["peer"]!["name"]!), Is.All.StartsWith(vendor));
            Assert.That(rows.Select(row => row!["peer"]!["seconds"]!.AsArray().Count), Is.All.EqualTo(2));
            Assert.That(rows.Select(row => (double)row!["peerRatio"]!), Is.All.Positive);
        });
    }

    [Test]
    [Category("Cuda")]
    public void TheVendorTrainsUnderTheSameNames()
    {
        CudaDriver.Require();
        string[] arguments = ["bench", "train", "--device", "cuda", "--batch", "4", "--rounds", "1", "--precision", "bf16"];
        JsonNode own = Json([.. arguments, "--kernels", "own"])["rows"]![0]!, vendor = Json([.. arguments, "--kernels", "vendor"])["rows"]![0]!;
        Assert.That((string)vendor["name"]!, Is.EqualTo((string)own["name"]!));
        Assert.That((string)vendor["operation"]!, Does.Contain("cuDNN"));
    }

    [Test]
    public void AFilterChoosesOperationsAndATableIsWrittenForPeople()
    {
        CommandLine run = CommandLine.MustRun(
            "bench", "kernels", "--device", "cpu", "--batch", "4", "6", "--rounds", "3", "--filter", "UNIT VECTOR", "--out", folder["k.json"]);
        JsonArray rows = JsonNode.Parse(File.ReadAllText(folder["k.json"]))!["rows"]!.AsArray();
        Assert.That(rows.Select(row => (string)row!["name"]!), Is.EqualTo(new[]
        {
            "unit vector forward, 128 channels on 1x1, 4 patches, float32", "unit vector forward, 128 channels on 1x1, 6 patches, float32",
            "unit vector backward, 128 channels on 1x1, 4 patches, float32", "unit vector backward, 128 channels on 1x1, 6 patches, float32",
        }));
        Assert.That(rows.Select(row => row!["seconds"]!.AsArray().Count), Is.All.EqualTo(3));
        Assert.That(run.Output, Does.Contain("unit vector forward, 128 channels on 1x1").And.Contain("of arithmetic")
            .And.Contain("peak, float32 multiply-adds").And.Contain("commit"));
    }

    [Test]
    public void TrainingIsMeasuredForEachBatchAndNumberOfThreads()
    {
        JsonNode report = Json("bench", "train", "--device", "cpu", "--batch", "4", "8", "--threads", "1", "2", "--rounds", "1", "--preset", "l2net");
        JsonArray rows = report["rows"]!.AsArray();
        Assert.Multiple(() =>
        {
            Assert.That(rows.Select(row => (string)row!["name"]!), Is.EqualTo(new[]
            {
                "train l2net, 4 patches, 1 thread", "train l2net, 8 patches, 1 thread", "train l2net, 4 patches, 2 threads", "train l2net, 8 patches, 2 threads",
            }));
            Assert.That(rows.Select(row => (double)row!["patchesPerSecond"]!), Is.All.Positive);
            Assert.That(rows.Select(row => (long)row!["operations"]!), Is.EqualTo(new[] { 4, 8, 4, 8 }.Select(patches => patches * 233_963_520L)));
        });
    }

    [Test]
    public void TheSplitOfAStepAddsUp()
    {
        JsonNode report = Json("bench", "train", "--device", "cpu", "--batch", "4", "--threads", "1", "--rounds", "1", "--split");
        double[] shares = [.. report["rows"]!.AsArray().Select(row => (double?)row!["stepShare"]).OfType<double>()];
        Assert.That(shares, Has.Length.GreaterThan(20));
        Assert.That(shares.Sum(), Is.EqualTo(1).Within(1e-9));
    }

    [Test]
    [Category("Cuda")]
    public void TrainingOnAGpuTellsOfItsMemoryAndTheHostsPart()
    {
        CudaDriver.Require();
        JsonNode report = Json("bench", "train", "--device", "cuda", "--batch", "4", "--rounds", "1", "--precision", "float32", "--split");
        JsonNode row = report["rows"]![0]!;
        Assert.Multiple(() =>
        {
            Assert.That((string)row["name"]!, Is.EqualTo("train hardnet-200k, 4 patches, float32"));
            Assert.That((long)row["deviceBytes"]!, Is.GreaterThan(4 * 224 * 1024), "the activations of four patches");
            Assert.That((double)row["hostMicroseconds"]!, Is.Positive);
            Assert.That(report["rows"]!.AsArray().Select(part => (string)part!["operation"]!), Has.Some.StartsWith("Conv2dBackwardFilter, 3x3 32-32"));
        });
    }

    [Test]
    public void DescribingIsMeasuredBesideOnnxRuntime()
    {
        JsonNode report = Json("bench", "describe", "--device", "cpu", "--batch", "6", "--threads", "1", "--rounds", "1");
        JsonNode row = report["rows"]!.AsArray().Single()!;
        Assert.Multiple(() =>
        {
            Assert.That((double)row["peer"]!["difference"]!, Is.LessThan(1e-5));
            Assert.That((string)row["peer"]!["name"]!, Does.StartWith("ONNX Runtime"));
            Assert.That((double)row["patchesPerSecond"]!, Is.EqualTo(6 / (double)row["seconds"]![0]!).Within(1e-6).Percent);
        });
    }

    [TestCase("bf16", 2e-2)]
    [TestCase("int8", 6e-2)]
    [Category("Cuda")]
    public void DescribingOnAGpuIsMeasuredFromBothMemories(string precision, double tolerance)
    {
        CudaDriver.Require();
        JsonNode report = Json("bench", "describe", "--device", "cuda", "--batch", "3", "--rounds", "1", "--precision", precision);
        Assert.Multiple(() =>
        {
            Assert.That(report["rows"]!.AsArray().Select(row => (string)row!["shape"]!), Is.EqualTo(new[] { "from host memory", "from device memory" }));
            Assert.That(report["rows"]!.AsArray().Select(row => (double)row!["error"]!), Is.All.LessThan(tolerance));
        });
    }

    [TestCase("cpu")]
    [TestCase("cuda", Category = "Cuda")]
    public void MatchingIsMeasuredAndRight(string device)
    {
        if (device != "cpu")
        {
            CudaDriver.Require();
        }

        foreach (string[] kind in new string[][] { [], ["--bits"] })
        {
            JsonNode row = Json(["bench", "match", "--device", device, "--count", "200", "--rounds", "1", .. kind])["rows"]!.AsArray().Single()!;
            Assert.That((double)row["error"]!, Is.LessThan(1e-5));
            Assert.That((long)row["operations"]!, Is.EqualTo(kind.Length == 0 ? 2 * 200 * 200 * 128 : 200 * 200 * 8));
        }
    }

    [Test]
    public void ComparingFailsOnlyWhenAsked()
    {
        BenchReportTests.Report("kernels", ("a", [10e-6]), ("b", [10e-6])).Write(folder["a.json"]);
        BenchReportTests.Report("kernels", ("a", [10e-6]), ("b", [13e-6])).Write(folder["b.json"]);
        CommandLine shown = CommandLine.MustRun("bench", "compare", folder["a.json"], folder["b.json"]);
        CommandLine failed = CommandLine.Run("bench", "compare", folder["a.json"], folder["b.json"], "--fail-above", "20", "--json");
        Assert.Multiple(() =>
        {
            Assert.That(shown.Output, Does.Contain("SLOWER").And.Contain("1 same, 1 slower"));
            Assert.That((failed.Code, failed.Error), Is.EqualTo((1, $"1 slower by more than 20%, the first: b{Environment.NewLine}")));
            Assert.That((double)JsonNode.Parse(failed.Output)!["rows"]![1]!["ratio"]!, Is.EqualTo(1.3).Within(1e-9));
            Assert.That((string)JsonNode.Parse(failed.Output)!["rows"]![1]!["verdict"]!, Is.EqualTo("slower"));
        });
        CommandLine.MustRun("bench", "compare", folder["a.json"], folder["b.json"], "--fail-above", "40");
        CommandLine.MustRun("bench", "compare", folder["b.json"], folder["a.json"], "--fail-above", "0");
    }

    [Test]
    public void ComparingNothingIsAFailureAndWhatIsMissingIsCounted()
    {
        BenchReport a = BenchReportTests.Report("kernels", ("a", [10e-6]), ("b", [10e-6]), ("c", [10e-6]));
        BenchReport b = BenchReportTests.Report("kernels", ("c", [10e-6]), ("d", [10e-6]));
        a.Write(folder["a.json"]);
        b.Write(folder["b.json"]);
        (b with { Rows = [.. b.Rows.Skip(1).Select(row => row with { Threads = 7, Precision = "tf32" })] }).Write(folder["other.json"]);

        CommandLine nothing = CommandLine.Run("bench", "compare", folder["a.json"], folder["other.json"]);
        nothing.Explains(1, "nothing was compared", "B 7", "B tf32");
        Assert.That(nothing.Output, Does.Contain("3 missing, 1 new").And.Contain("not the same: threads"));
        CommandLine part = CommandLine.MustRun("bench", "compare", folder["a.json"], folder["b.json"]);
        Assert.That(part.Error, Does.Contain("rows compared: 1; rows of A that are missing in B: 2; rows of B that A does not have: 1"));
        CommandLine gate = CommandLine.Run("bench", "compare", folder["a.json"], folder["b.json"], "--fail-above", "5");
        Assert.That((gate.Code, gate.Error), Is.EqualTo((1, part.Error)), "what is not measured is not known to be as quick");
        CommandLine.MustRun("bench", "compare", folder["b.json"], folder["b.json"], "--fail-above", "5");
        JsonNode json = JsonNode.Parse(CommandLine.MustRun("bench", "compare", folder["a.json"], folder["b.json"], "--json").Output)!;
        Assert.That(((int)json["compared"]!, (int)json["missing"]!, (int)json["new"]!), Is.EqualTo((1, 2, 1)));
    }

    [Test]
    public void OtherMachinesThreadsAndPrecisionsAreSaid()
    {
        BenchReport a = BenchReportTests.Report("kernels", ("a", [10e-6]), ("b", [10e-6]));
        a.Write(folder["a.json"]);
        (a with { Machine = a.Machine with { Processor = "Another CPU", Cores = 64 }, Rounds = 99 }).Write(folder["b.json"]);
        CommandLine run = CommandLine.MustRun("bench", "compare", folder["a.json"], folder["b.json"]);
        Assert.That(run.Output, Does.Contain("not the same: processor").And.Contain("B Another CPU").And.Contain("B 64").And.Contain("not the same: rounds"));
        Assert.That(CommandLine.MustRun("bench", "compare", folder["a.json"], folder["a.json"]).Output, Does.Not.Contain("not the same"));
    }

    [TestCase(0)]
    [TestCase(-1e-6)]
    public void ATimeThatCannotBeIsNotCompared(double seconds)
    {
        BenchReportTests.Report("kernels", ("a", [seconds])).Write(folder["a.json"]);
        CommandLine.Run("bench", "compare", folder["a.json"], folder["a.json"]).Explains(1, folder["a.json"]);
    }

    [Test]
    public void ReportsThatCannotBeComparedAreExplained()
    {
        BenchReportTests.Report("kernels", ("a", [1e-6])).Write(folder["a.json"]);
        BenchReportTests.Report("train", ("a", [1e-6])).Write(folder["b.json"]);
        CommandLine.Run("bench", "compare", folder["a.json"], folder["b.json"]).Explains(1, "kernels", "train");
        CommandLine.Run("bench", "compare", folder["a.json"], folder["c.json"]).Explains(1, folder["c.json"], "--out");
        CommandLine.Run("bench", "compare", folder["a.json"], folder["a.json"], "--fail-above", "-1").Explains(2, "--fail-above -1");
    }

    [TestCase("--batch 3", "--batch 3", "even")]
    [TestCase("--batch 0", "--batch 0")]
    [TestCase("--rounds 0", "--rounds 0")]
    [TestCase("--threads -1", "--threads -1")]
    [TestCase("--threads 1 2", "one number")]
    [TestCase("--precision bf16", "float32", "GPU")]
    [TestCase("--vendor", "--vendor", "GPU")]
    [TestCase("--filter nothing", "--filter nothing")]
    [TestCase("--out k.txt", "--out k.txt", "--out k.json")]
    [TestCase("--plot k.jpg", "--plot k.jpg", "--plot k.png")]
    public void BadArgumentsAreExplained(string arguments, params string[] words) =>
        CommandLine.Run(["bench", "kernels", "--device", "cpu", .. arguments.Split(' ')]).Explains(2, words);

    [Test]
    public void OtherBadArgumentsAreExplained()
    {
        CommandLine.Run("bench", "train", "--device", "cpu", "--preset", "hardnet").Explains(2, "unknown preset 'hardnet'");
        CommandLine.Run("bench", "train", "--device", "cpu", "--preset", "cs-l2net").Explains(2, "cs-l2net", "one tower");
        CommandLine.Run("bench", "train", "--device", "cpu", "--kernels", "vendor").Explains(2, "--kernels vendor", "GPU");
        CommandLine.Run("bench", "train", "--device", "cuda", "--precision", "int8").Explains(2, "--precision int8", "bench describe");
        CommandLine.Run("bench", "kernels", "--device", "cuda", "--precision", "int8").Explains(2, "--precision int8", "bench describe");
        CommandLine.Run("bench", "match", "--device", "cpu", "--count", "1").Explains(2, "--count 1");
        CommandLine.Run("bench", "describe", "--device", "abacus").Explains(1, "abacus");
    }

    private static JsonNode Json(params string[] arguments) => JsonNode.Parse(CommandLine.MustRun([.. arguments, "--json"]).Output)!;
}
