using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Native;

/// <summary>The C library as programs in C have it: tests/native/client.c calls what version 1 has, images.c what version 2 added.</summary>
public sealed class NativeClientTests
{
    private static readonly string Source = Path.Combine("tests", "native", "client.c");

    private TemporaryFolder folder = null!;
    private string client = "";

    [OneTimeSetUp]
    public void Compile()
    {
        folder = new TemporaryFolder();
        client = NativeLibrary.Compile(folder["client"], Source);
    }

    [OneTimeTearDown]
    public void Remove() => folder.Dispose();

    [Test]
    public void AllFaultsAreAnswered() => Succeed("faults");

    [Test]
    public void PatchesOfImagesAreCutAndDescribed()
    {
        string program = NativeLibrary.Compile(folder["images"], Path.Combine("tests", "native", "images.c"));
        (int code, string output) = NativeLibrary.Run(program, ["faults"]);
        Assert.That(code, Is.Zero, output);
    }

    [Test]
    [Category("Cuda")]
    public void ACallersContextStreamAndMemoryAreUsed()
    {
        CudaDriver.Require();
        string program = NativeLibrary.Compile(folder["on_device"], Path.Combine("tests", "native", "on_device.c"), null, "-ldl");
        (int code, string output) = NativeLibrary.Run(program, [Environment.GetEnvironmentVariable("CUDAL2NET_DRIVER")!]);
        Assert.That((code, output), Is.EqualTo((0, "all on the caller's stream\n")));
    }

    /// <summary>The header of version 1 never changes; a program that was compiled with it runs with every later library.</summary>
    [Test]
    public void AProgramOfVersion1Runs()
    {
        string headers = Path.Combine(Repository.Folder, "tests", "native", "version-1"), program = NativeLibrary.Compile(folder["old"], Source, headers);
        (int code, string output) = NativeLibrary.Run(program, ["faults"]);
        Assert.That(code, Is.Zero, output);
    }

    [Test]
    public void AMillionCallsDoNotGrow() => Assert.That(long.Parse(Succeed("many", "1000000"), CultureInfo.InvariantCulture), Is.LessThan(4096), "KiB");

    [Test]
    public void ACallersHandlerOfFaultsIsKept()
    {
        (int code, string output) = NativeLibrary.Run(client, ["signals"]);
        Assert.That((code, output), Is.EqualTo((42, "the caller's handler\n")));
    }

    /// <summary>A caller that makes mistakes at random, under a detector of reads and writes outside of its arrays. The detector does not know the runtime's
    /// memory, so that it cannot look for leaks.</summary>
    [TestCase(1, "client.c")]
    [TestCase(2, "client.c")]
    [TestCase(3, "images.c")]
    public void NoMistakeOfACallerHarms(int seed, string file)
    {
        string program = NativeLibrary.Compile(folder[$"checked-{seed}"], Path.Combine("tests", "native", file), null, "-fsanitize=address");
        (int code, string output) = NativeLibrary.Run(
            program, ["fuzz", seed.ToString(CultureInfo.InvariantCulture), "4000"], ("ASAN_OPTIONS", "detect_leaks=0"));
        Assert.That(code, Is.Zero, output);
        Assert.That(output, Does.EndWith("of 4000 calls refused\n"));
    }

    [TestCase("", 32, true)]
    [TestCase("", 65, true)]
    [TestCase("x86-64-v3", 32, false)]
    public void DescribesLikeTheLibrary(string level, int side, bool bits)
    {
        const int Count = 100;
        byte[] patches = new byte[Count * side * side];
        new Random(1).NextBytes(patches);
        string input = Path.Combine(folder.Path, "patches"), floats = Path.Combine(folder.Path, "floats"), signs = Path.Combine(folder.Path, "bits");
        File.WriteAllBytes(input, patches);
        if (level == "x86-64-v3" && !Vector256.IsHardwareAccelerated)
        {
            Assert.Ignore("this processor has no AVX2");
        }

        (int code, string output) = NativeLibrary.Run(
            client, ["describe", input, side.ToString(CultureInfo.InvariantCulture), floats, signs], ("CUDAL2NET_LEVEL", level));
        Assert.That(code, Is.Zero, output);
        using Device device = Device.Open("cpu");
        using PatchModel model = PatchModel.LoadDefault(device);
        float[] expected = model.Describe(patches, side), found = MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(floats)).ToArray();
        if (bits)
        {
            Assert.That(found.AsSpan().SequenceEqual(expected), "equal to the bit");
            Assert.That(File.ReadAllBytes(signs), Is.EqualTo(model.DescribeBinary(patches, side)));
        }
        else
        {
            Assert.That(found, Is.EqualTo(expected).Within(1e-5));
        }
    }

    [Test]
    public void ExportsOneFunctionAndIsSmall()
    {
        string lib = Path.Combine(NativeLibrary.Folder, "lib");
        (int code, string names) = NativeLibrary.Run("nm", ["-D", "--defined-only", Path.Combine(lib, "libcudal2net.so")]);
        Assert.That(code, Is.Zero, names);
        Assert.That(names.Trim().Split(' ')[^1], Is.EqualTo("cl2_get_api"));
        Assert.That(names.Trim().Split('\n'), Has.Length.EqualTo(1), names);
        Assert.That(Directory.GetFiles(Path.Combine(lib, "cudal2net")).Max(file => new FileInfo(file).Length), Is.LessThan(20_000_000));
    }

    [Test]
    public void PkgConfigAndCMakeFindIt()
    {
        string lib = Path.Combine(NativeLibrary.Folder, "lib");
        (int code, string flags) = NativeLibrary.Run("pkg-config", ["--cflags", "--libs", "cudal2net"], ("PKG_CONFIG_PATH", Path.Combine(lib, "pkgconfig")));
        Assert.That(code, Is.Zero, flags);
        Assert.That(flags, Does.Contain("-lcudal2net").And.Contain("-I"));
        string project = Path.Combine(folder.Path, "cmake");
        Directory.CreateDirectory(project);
        File.WriteAllText(Path.Combine(project, "CMakeLists.txt"), $$"""
            cmake_minimum_required(VERSION 3.16)
            project(client C)
            find_package(CudaL2Net 0.1 REQUIRED)
            add_executable(client "{{Path.Combine(Repository.Folder, Source)}}")
            target_link_libraries(client CudaL2Net::CudaL2Net m)
            """);
        string build = Path.Combine(project, "build");
        (code, string output) = NativeLibrary.Run("cmake", ["-S", project, "-B", build, $"-DCMAKE_PREFIX_PATH={NativeLibrary.Folder}"]);
        Assert.That(code, Is.Zero, output);
        (code, output) = NativeLibrary.Run("cmake", ["--build", build]);
        Assert.That(code, Is.Zero, output);
        (code, output) = NativeLibrary.Run(Path.Combine(build, "client"), ["faults"]);
        Assert.That(code, Is.Zero, output);
    }

    private string Succeed(params string[] arguments)
    {
        (int code, string output) = NativeLibrary.Run(client, arguments);
        Assert.That(code, Is.Zero, output);
        return output;
    }
}
