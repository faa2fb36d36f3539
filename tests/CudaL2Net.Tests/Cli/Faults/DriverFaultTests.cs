using CudaL2Net.Formats;
using CudaL2Net.Networks;
using CudaL2Net.Tests.Imaging;
using CudaL2Net.Tests.Interop;

namespace CudaL2Net.Tests.Cli.Faults;

/// <summary>Each call of the CUDA driver fails once, allocations for want of memory: at a few places of each command, or at all (CUDAL2NET_LONG=1).</summary>
[Category("Cuda")]
public sealed class DriverFaultTests
{
    private static readonly string[] Kinds = ["contexts", "streams", "events", "modules", "graphs", "executables", "allocations", "pinned", "bytes"];

    private TemporaryFolder folder = null!;
    private EmulatedDevice emulated = null!;

    private string[] Train =>
    [
        "train", "--data", "synthetic", "--validation", "none", "--points", "40", "--network", folder["tiny.json"], "--preset", "quick", "--batch", "4",
        "--steps", "3", "--checkpoint-seconds", "0", "--device", "cuda",
    ];

    [SetUp]
    public void MakeInputs()
    {
        emulated = new EmulatedDevice();
        folder = new TemporaryFolder();
        File.WriteAllText(folder["tiny.json"], FaultyRuns.TinyNetwork);
        ModelFile.Untrained(NetworkFile.Read(folder["tiny.json"]), 3).Write(folder["tiny.safetensors"]);
        byte[] patches = new byte[5 * 32 * 32];
        new Random(1).NextBytes(patches);
        NpyFile.Write<byte>(folder["patches.npy"], patches, 5, 32, 32);
        TestSequences.WriteSequence(folder["discs"]);
    }

    [TearDown]
    public void PutBack()
    {
        emulated.Dispose();
        folder.Dispose();
    }

    [Test]
    public void AFailedCallEndsATrainingAndResumingGivesTheSameBytes()
    {
        CommandLine.MustRun([.. Train, "--out", folder["warm"]]);
        long calls = emulated["calls"];
        CommandLine.MustRun([.. Train, "--out", folder["undisturbed"]]);
        calls = emulated["calls"] - calls;
        foreach (long place in FaultyRuns.Places(calls, 10))
        {
            string run = folder[$"run{place}"];
            string[] before = Alive();
            emulated["failCall"] = place;
            var failed = CommandLine.Run([.. Train, "--out", run]);
            emulated["failCall"] = 0;
            Assert.That(Alive(), Is.EqualTo(before), $"call {place} of {calls}: something of the GPU is left; {failed.Error}");
            if (failed.Code != 0)
            {
                failed.Explains(1);
                Assert.That(Path.Combine(run, "model.safetensors"), Does.Not.Exist, $"call {place} of {calls}");
            }

            CommandLine.MustRun([.. Train, "--out", run, "--resume"]);
            foreach (string file in new[] { "model.safetensors", "checkpoint.safetensors" })
            {
                Assert.That(
                    File.ReadAllBytes(Path.Combine(run, file)), Same.As(File.ReadAllBytes(folder[$"undisturbed/{file}"])),
                    $"call {place} of {calls}: {file}");
            }
        }
    }

    [TestCase("describe")]
    [TestCase("match")]
    [TestCase("evaluate")]
    public void AFailedCallEndsACommandWithoutAFile(string name)
    {
        string[] command = name switch
        {
            "describe" => ["describe", folder["patches.npy"], "--model", folder["tiny.safetensors"], "--device", "cuda", "--out", "OUT.npy"],
            "match" =>
            [
                "match", folder["discs/img1.png"], folder["discs/img2.png"], "--limit", "20", "--model", folder["tiny.safetensors"], "--device", "cuda",
                "--out", "OUT.png",
            ],
            _ =>
            [
                "evaluate", "sequences", folder["discs"], "--keypoints", "20", "--method", $"model:{folder["tiny.safetensors"]}", "--device", "cuda", "--csv",
                "OUT.csv",
            ],
        };
        Directory.CreateDirectory(folder["out"]);
        string[] With(string output) => [.. command.Select(word => word.Replace("OUT", folder["out/" + output], StringComparison.Ordinal))];
        CommandLine.MustRun(With("warm"));
        long calls = emulated["calls"];
        CommandLine.MustRun(With("undisturbed"));
        calls = emulated["calls"] - calls;
        int files = Directory.GetFileSystemEntries(folder["out"]).Length;
        foreach (long place in FaultyRuns.Places(calls, 8))
        {
            string[] before = Alive();
            emulated["failCall"] = place;
            var failed = CommandLine.Run(With("failed"));
            emulated["failCall"] = 0;
            Assert.That(Alive(), Is.EqualTo(before), $"call {place} of {calls}: something of the GPU is left; {failed.Error}");
            if (failed.Code == 0)
            {
                // Some calls the result does not depend on, as the last ones.
                string output = Directory.GetFiles(folder["out"], "failed*").Single();
                Assert.That(
                    File.ReadAllBytes(output), Same.As(File.ReadAllBytes(output.Replace("failed", "undisturbed", StringComparison.Ordinal))),
                    $"call {place} of {calls}: another result");
                File.Delete(output);
            }
            else
            {
                failed.Explains(1);
            }

            Assert.That(Directory.GetFileSystemEntries(folder["out"]), Has.Length.EqualTo(files), $"call {place} of {calls}: a file is left");
        }
    }

    private string[] Alive()
    {
        for (int i = 0; i < 2; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        return [.. Kinds.Select(kind => $"{emulated[kind]} {kind}")];
    }
}
