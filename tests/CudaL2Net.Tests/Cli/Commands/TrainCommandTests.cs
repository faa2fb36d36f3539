using System.Diagnostics;
using System.Text.Json.Nodes;
using CudaL2Net.Formats;
using CudaL2Net.Networks;
using CudaL2Net.Tests.Cli.Faults;

namespace CudaL2Net.Tests.Cli;

public sealed class TrainCommandTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void MakeFolder() => folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    [Test]
    public void TrainedModelDescribesAndCarriesItsHistory()
    {
        CommandLine run = CommandLine.MustRun([.. Short("run"), "--steps", "3", "--json"]);
        JsonNode result = JsonNode.Parse(run.Output)!;
        ModelFile model = ModelFile.Read(folder["run/model.safetensors"]);
        JsonNode last = JsonNode.Parse(File.ReadLines(folder["run/metrics.jsonl"]).Last())!;
        Assert.Multiple(() =>
        {
            Assert.That((bool)result["completed"]!, Is.True);
            Assert.That((int)result["steps"]!, Is.EqualTo(3));
            Assert.That((float)result["loss"]!, Is.EqualTo((float)last["loss"]!));
            Assert.That(model.Metadata["preset"], Is.EqualTo("quick"));
            Assert.That(model.Metadata["training_data"], Does.Contain("synthetic"));
            Assert.That(run.Error, Does.Contain("3 steps of 8 pairs"));
        });

        NpyFile.Write<byte>(folder["patches.npy"], new byte[2 * 32 * 32], 2, 32, 32);
        CommandLine.MustRun("describe", folder["patches.npy"], "--model", folder["run"], "--out", folder["out.npy"]);
        Assert.That(NpyFile.Read(folder["out.npy"]).Shape.ToArray(), Is.EqualTo(new[] { 2, 128 }));
    }

    [Test]
    public void CentreSurroundStartsFromATrainedModel()
    {
        string model = UntrainedModel.WriteTo(folder);
        CommandLine.MustRun([.. Short("cs"), "--preset", "cs-l2net", "--steps", "1", "--init", model]);
        Assert.That(ModelFile.Read(folder["cs/model.safetensors"]).Network.Towers, Has.Count.EqualTo(2));
    }

    [Test]
    public void TheVendorsKernelsNeedAGpu()
    {
        CommandLine.Run([.. Short("run"), "--steps", "1", "--kernels", "vendor", "--device", "cpu"]).Explains(1, "cuBLAS and cuDNN", "--device cuda");
        CommandLine.Run([.. Short("run"), "--steps", "1", "--kernels", "theirs"]).Explains(2, "theirs", "own", "vendor");
    }

    [Test]
    public void Int8IsForDescribing()
    {
        CommandLine.Run([.. Short("run"), "--steps", "1", "--device", "cuda", "--precision", "int8"]).Explains(2, "--precision int8", "--precision bf16");
        Assert.That(folder["run"], Does.Not.Exist);
    }

    [Test]
    public void SettingsReachTheRun()
    {
        CommandLine.MustRun([.. Tiny("run"), "--steps", "1", "--lr", "0.001", "--seed", "7", "--set", "loss.margin=0.5", "--set", "patches.copies=1"]);
        JsonNode run = JsonNode.Parse(File.ReadAllText(folder["run/run.json"]))!;
        Assert.Multiple(() =>
        {
            Assert.That((float)run["options"]!["optimizer"]!["learningRate"]!, Is.EqualTo(0.001f));
            Assert.That((int)run["options"]!["seed"]!, Is.EqualTo(7));
            Assert.That((float)run["options"]!["loss"]!["margin"]!, Is.EqualTo(0.5f));
            Assert.That((int)run["patches"]!["copies"]!, Is.EqualTo(1));
        });
    }

    [Test]
    public void KilledAtRandomMomentsAndResumedItEndsWithTheSameBytes()
    {
        int kills = FaultyRuns.Long ? 200 : 20;
        File.WriteAllText(folder["tiny.json"], FaultyRuns.TinyNetwork);
        string[] settings = ["--network", folder["tiny.json"], "--preset", "quick", "--steps", $"{kills * 15}", "--checkpoint-seconds", "0"];
        string checkpoint = folder["killed/checkpoint.safetensors"];
        CommandLine.MustRun([.. Short("undisturbed"), .. settings]);

        var random = new Random(5);
        int kill = 0;
        for (bool finished = false; kill < kills && !finished;)
        {
            using Process process = Start([.. Short("killed"), .. settings, "--resume"]);

            // Every other time after it has saved something, so that it gets on; else at any moment, loading and starting included.
            DateTime saved = File.GetLastWriteTimeUtc(checkpoint);
            while (kill % 2 == 0 && !process.HasExited && File.GetLastWriteTimeUtc(checkpoint) == saved)
            {
                Thread.Sleep(1);
            }

            finished = process.WaitForExit(random.Next(kill % 2 == 0 ? 30 : 400));
            if (!finished)
            {
                process.Kill(entireProcessTree: true);
                process.WaitForExit();
                kill++;
            }
            else
            {
                Assert.That(process.ExitCode, Is.Zero, process.StandardError.ReadToEnd());
            }
        }

        CommandLine.MustRun([.. Short("killed"), .. settings, "--resume"]);
        Assert.Multiple(() =>
        {
            Assert.That(kill, Is.GreaterThan(kills / 2), "a fast machine may be done before the last kills");
            Assert.That(File.ReadAllBytes(folder["killed/model.safetensors"]), Same.As(File.ReadAllBytes(folder["undisturbed/model.safetensors"])));
            Assert.That(File.ReadAllBytes(checkpoint), Same.As(File.ReadAllBytes(folder["undisturbed/checkpoint.safetensors"])));
            Assert.That(StepsOf("killed"), Is.EqualTo(StepsOf("undisturbed")));
        });

        int[] StepsOf(string run) => [.. File.ReadLines(folder[$"{run}/metrics.jsonl"]).Select(line => (int)JsonNode.Parse(line)!["step"]!)];
    }

    [Test]
    public void InterruptSavesAndTellsHowToGoOn()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Ignore("sends a Unix signal");
        }

        using Process process = Start([.. Short("run"), "--steps", "100000"]);
        while (!process.HasExited && !File.Exists(folder["run/checkpoint.safetensors"]))
        {
            Thread.Sleep(5);
        }

        Process.Start("kill", ["-INT", $"{process.Id}"]).WaitForExit();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.Multiple(() =>
        {
            Assert.That(process.ExitCode, Is.EqualTo(130));
            Assert.That(output, Does.Contain("saved at step").And.Contain("--resume"));
            Assert.That(File.Exists(folder["run/model.safetensors"]), Is.False);
        });
    }

    [Test]
    public void ASecondTrainingInTheFolderIsRefusedBeforeItWrites()
    {
        CommandLine.MustRun([.. Tiny("run"), "--steps", "1"]);
        Dictionary<string, byte[]> before = Contents("run");
        using (FolderLock first = FolderLock.Take(folder["run"]))
        {
            foreach (string[] line in new string[][] { [.. Tiny("run"), "--steps", "7"], ["train", "--out", folder["run"], "--resume"], [.. Tiny("run"), "--resume", "--steps", "1"] })
            {
                CommandLine.Run(line).Explains(1, folder["run"], $"process {Environment.ProcessId} on {Environment.MachineName}");
            }
        }

        Assert.That(Contents("run"), Is.EqualTo(before));
        CommandLine.MustRun("train", "--out", folder["run"], "--resume");
    }

    [Test]
    public void ARunIsWrittenDownAfterItWasChecked()
    {
        CommandLine.MustRun([.. Tiny("run"), "--steps", "1"]);
        File.Delete(folder["run/run.json"]);
        CommandLine.Run([.. Tiny("run"), "--steps", "2", "--resume"]).Explains(1, "other settings");
        Assert.That(folder["run/run.json"], Does.Not.Exist, "that of other settings would make the first training's be refused");
        CommandLine.MustRun([.. Tiny("run"), "--steps", "1", "--resume"]);
    }

    [TestCase("libm.so.6", "no cuInit")]
    [TestCase("no/such/library", "cannot be loaded")]
    [Platform("Linux")]
    public void ADriverThatIsNoneLeavesTheCpuAndOneLineThatSaysWhy(string library, string why)
    {
        NpyFile.Write<byte>(folder["p.npy"], new byte[32 * 32], 1, 32, 32);
        using Process process = Start(["describe", folder["p.npy"], "--out", folder["d.npy"]], ("CUDAL2NET_DRIVER", library));
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        string[] lines = [.. error.Split('\n').Where(line => line.Contains("running on the CPU: "))];
        Assert.That(lines, Has.Length.EqualTo(1), error);
        Assert.That(lines[0], Does.Contain(why));
    }

    [Test]
    public void TruncatedCheckpointIsExplained()
    {
        CommandLine.MustRun([.. Tiny("run"), "--steps", "1"]);
        byte[] whole = File.ReadAllBytes(folder["run/checkpoint.safetensors"]);
        File.WriteAllBytes(folder["run/checkpoint.safetensors"], whole[..(whole.Length / 3)]);
        CommandLine.Run("train", "--out", folder["run"], "--resume").Explains(1, folder["run/checkpoint.safetensors"]);
    }

    [Test]
    public void OtherSettingsAreNotResumed()
    {
        CommandLine.MustRun([.. Tiny("run"), "--steps", "1"]);
        CommandLine.Run("train", "--out", folder["run"], "--resume", "--batch", "16").Explains(2, folder["run"], "other settings");
        CommandLine.Run(Tiny("run")).Explains(2, folder["run"], "--resume");
    }

    [Test]
    public void BatchOfOneIsExplained() =>
        CommandLine.Run("train", "--data", "synthetic", "--batch", "1", "--out", folder["run"]).Explains(1, "a batch of 1", "at least 2");

    [Test]
    public void CentreSurroundWithoutATrainedModelIsExplained()
    {
        CommandLine run = CommandLine.Run([.. Short("run"), "--preset", "cs-l2net"]);
        run.Explains(2, "trained L2-Net", "--init");
        Assert.That(folder["run"], Does.Not.Exist);
    }

    [Test]
    public void UnknownPresetIsExplained() =>
        CommandLine.Run([.. Short("run"), "--preset", "hardnet200k"]).Explains(2, "unknown preset 'hardnet200k'", "did you mean 'hardnet-200k'?");

    [Test]
    public void UnknownSourceIsExplained() => CommandLine.Run("train", "--data", "image", "--out", folder["run"]).Explains(1, "'image'", "images:DIR");

    [Test]
    public void EmptyImageFolderIsExplained()
    {
        Directory.CreateDirectory(folder["empty"]);
        CommandLine.Run("train", "--data", $"images:{folder["empty"]}", "--out", folder["run"]).Explains(1, folder["empty"], "no images");
        Assert.That(folder["run"], Does.Not.Exist, "a refused training leaves nothing");
    }

    [Test]
    public void UnknownSettingIsExplained() => CommandLine.Run([.. Short("run"), "--set", "loss.margn=1"]).Explains(2, "loss.margn", "loss.margin");

    [Test]
    public void NothingToResumeIsExplained() =>
        CommandLine.Run("train", "--out", folder["run"], "--resume").Explains(2, folder["run"], "no training to resume");

    [Test]
    public void MissingDataIsExplained() => CommandLine.Run("train", "--out", folder["run"]).Explains(2, "--data");

    [Test]
    public void FolderWithoutRightsIsExplained()
    {
        if (OperatingSystem.IsWindows() || Environment.UserName == "root")
        {
            Assert.Ignore("needs a Unix user without all rights");
            return;
        }

        string locked = Directory.CreateDirectory(folder["locked"]).FullName;
        File.SetUnixFileMode(locked, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        CommandLine.Run(Short("locked/run")).Explains(1, "locked");
    }

    // The tool as it was built beside the tests: its native libraries lie where it looks for them.
    private static Process Start(string[] args, params (string Name, string Value)[] variables)
    {
        string folder = AppContext.BaseDirectory.Replace(Path.Combine("tests", "CudaL2Net.Tests"), Path.Combine("src", "CudaL2Net.Cli"));
        string program = Path.Combine(folder, OperatingSystem.IsWindows() ? "CudaL2Net.Cli.exe" : "CudaL2Net.Cli");
        if (!File.Exists(program))
        {
            Assert.Ignore($"{program} is not there");
        }

        var start = new ProcessStartInfo(program, args) { RedirectStandardError = true, RedirectStandardOutput = true };
        foreach ((string name, string value) in variables)
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }

    private Dictionary<string, byte[]> Contents(string name) =>
        Directory.GetFiles(folder[name]).Where(file => Path.GetFileName(file) != ".lock").ToDictionary(file => Path.GetFileName(file), File.ReadAllBytes);

    private string[] Short(string name) => ["train", "--data", "synthetic", "--validation", "none", "--points", "60", "--batch", "8", "--out", folder[name]];

    // For what is not about the network.
    private string[] Tiny(string name)
    {
        File.WriteAllText(folder["tiny.json"], FaultyRuns.TinyNetwork);
        return [.. Short(name), "--network", folder["tiny.json"]];
    }
}
