using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Bench;

/// <summary>bench/gpu/replay.py: recorded launches run again, each kernel is judged, and a fault or a hang ends one kernel only.</summary>
[Category("Cuda")]
public sealed class ReplayTests
{
    private static readonly string Script = Path.Combine(Repository.Folder, "bench", "gpu", "replay.py"), Kernels = Path.Combine(Repository.Folder, "artifacts", "kernels");

    private TemporaryFolder folder = null!;
    private string driver = "", launches = "";

    [OneTimeSetUp]
    public void Record()
    {
        CudaDriver.Require();
        if (!CudaDriver.Emulated)
        {
            Assert.Ignore("only the emulated driver records launches");
        }

        driver = Environment.GetEnvironmentVariable("CUDAL2NET_DRIVER")!;
        folder = new TemporaryFolder();
        launches = folder["launches.bin"];
        string tool = Path.Combine(AppContext.BaseDirectory, "CudaL2Net.Cli");
        (int code, string output) = Native.NativeLibrary.Run(
            tool, ["bench", "kernels", "--device", "cuda", "--precision", "float32", "--batch", "4", "--filter", "relu", "--rounds", "1"],
            ("CUDAL2NET_EMULATOR_RECORD", launches), ("CUDAL2NET_EMULATOR_PTX", "1"));
        Assert.That(code, Is.Zero, output);
        (code, output) = Python("trim", launches, launches);
        Assert.That(code, Is.Zero, output);
    }

    [OneTimeTearDown]
    public void Remove() => folder?.Dispose();

    [Test]
    public void TheSameKernelsMakeTheSame()
    {
        (int code, string output) = Replay(Copy("relu.ptx", "bench_peak.ptx"));
        Assert.That(code, Is.Zero, output);
        Assert.That(output, Does.Match(@"relu_forward +1 same").And.Match(@"relu_backward +1 same").And.Contain("7 kernels: 7 same"));
    }

    [Test]
    public void OtherResultsFaultsAndHangsAreTheirKernelsAlone()
    {
        string wrong = Copy("relu.ptx", "bench_peak.ptx");
        Change(Path.Combine(wrong, "relu.ptx"), "relu_forward", "max.f32", "min.f32");
        Change(Path.Combine(wrong, "relu.ptx"), "relu_backward", "st.global.f32 \t[%rd12]", "st.global.f32 \t[%rd12+1048576]");
        Change(Path.Combine(wrong, "bench_peak.ptx"), "bench_fma", "ld.param", "$FOREVER: bra.uni $FOREVER;\n\tld.param");
        (int code, string output) = Replay(wrong);
        Assert.That(code, Is.EqualTo(1), output);
        Assert.That(output, Does.Match(@"relu_forward +1 differs").And.Match(@"relu_backward +1 faults .*illegal memory access").And.Match(@"bench_fma +1 hangs")
            .And.Contain("7 kernels: 4 same, 1 differs, 1 hangs, 1 faults"));
    }

    [Test]
    public void AKernelThatIsNotThereOrNotLaunchedIsMissing()
    {
        (int code, string output) = Replay(Copy("tanh.ptx"));
        Assert.That(code, Is.EqualTo(1), output);
        Assert.That(output, Does.Match("relu_forward +1 missing .*no such kernel").And.Match("tanh_forward +0 missing .*no recorded launch"));
    }

    [Test]
    public void ADamagedRecordingIsRefused()
    {
        string damaged = folder["damaged.bin"];
        File.WriteAllBytes(damaged, File.ReadAllBytes(launches)[..^100]);
        (int code, string output) = Python("run", damaged, Kernels, "--driver", driver);
        Assert.That(code, Is.EqualTo(1), output);
        Assert.That(output, Does.StartWith("error: the file ends in the middle of a launch"));
    }

    private string Copy(params string[] files)
    {
        string to = folder[Path.GetRandomFileName()];
        Directory.CreateDirectory(to);
        Array.ForEach(files, name => File.Copy(Path.Combine(Kernels, name), Path.Combine(to, name)));
        return to;
    }

    private (int Code, string Output) Replay(string kernels) => Python("run", launches, kernels, "--driver", driver, "--patience", "3");

    private static (int Code, string Output) Python(params string[] arguments) =>
        Native.NativeLibrary.Run("python3", [Script, .. arguments], ("CUDAL2NET_EMULATOR_PTX", "1"), ("PYTHONDONTWRITEBYTECODE", "1"));

    // Changes the first such text of a kernel.
    private static void Change(string file, string kernel, string from, string to)
    {
        string ptx = File.ReadAllText(file);
        int entry = ptx.IndexOf($".entry {kernel}(", StringComparison.Ordinal), at = ptx.IndexOf(from, entry, StringComparison.Ordinal);
        Assert.That(Math.Min(entry, at), Is.Positive, $"{kernel} has no {from}");
        File.WriteAllText(file, ptx[..at] + to + ptx[(at + from.Length)..]);
    }
}
