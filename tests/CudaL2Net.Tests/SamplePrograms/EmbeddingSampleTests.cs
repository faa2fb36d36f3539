using CudaL2Net.Tests.Native;

namespace CudaL2Net.Tests.SamplePrograms;

/// <summary>The samples in C, C++ and Python, built as docs/embedding.md says.</summary>
public sealed class EmbeddingSampleTests
{
    private static string Samples => Path.Combine(Repository.Folder, "samples");

    [Test]
    public void InC()
    {
        const int Width = 128, Height = 96;
        using var folder = new TemporaryFolder();
        string program = NativeLibrary.Compile(folder["match_tiles"], Path.Combine("samples", "c", "match_tiles.c"));
        byte[] pixels = new byte[Width * Height];
        new Random(1).NextBytes(pixels);
        string first = Write(folder["first.pgm"], pixels, 0), second = Write(folder["second.pgm"], pixels, 32);
        (int code, string output) = NativeLibrary.Run(program, [first, second]);
        Assert.That(code, Is.Zero, output);
        Assert.That(output, Does.StartWith("0,0 -> 3,0  distance 0.000\n1,0 -> 0,0").And.EndsWith("12 of 12 tiles match\n"));
        (code, output) = NativeLibrary.Run(program, [first, program]);
        Assert.That(code, Is.EqualTo(1));
        Assert.That(output, Does.StartWith($"error: {program} is no PGM file"));

        // Columns move to the left, around the edge.
        static string Write(string path, byte[] pixels, int shift)
        {
            byte[] moved = [.. pixels.Select((_, i) => pixels[(i / Width * Width) + (((i % Width) + shift) % Width)])];
            File.WriteAllBytes(path, [.. "P5 128 96 255\n"u8, .. moved]);
            return path;
        }
    }

    [Test]
    public void InCpp()
    {
        using var folder = new TemporaryFolder();
        string build = folder["build"], library = NativeLibrary.Folder;
        (int code, string output) = NativeLibrary.Run("cmake", ["-S", Path.Combine(Samples, "cpp"), "-B", build, $"-DCMAKE_PREFIX_PATH={library}"]);
        Assert.That(code, Is.Zero, output);
        (code, output) = NativeLibrary.Run("cmake", ["--build", build]);
        Assert.That(code, Is.Zero, output);
        (code, output) = NativeLibrary.Run(Path.Combine(build, "match_patches"), []);
        Assert.That(code, Is.Zero, output);
        Assert.That(output, Does.Contain("200 of 200 patches find their own\n200 of 200 patches find their own\n").And.Contain("of 60 keypoints of a turned image find their own\nas it should be: "));
    }

    [Test]
    public void InPython()
    {
        _ = NativeLibrary.Folder;
        string? python = Array.Find(["python3", "/usr/bin/python3"], one => NativeLibrary.Run(one, ["-c", "import numpy"]).Code == 0);
        if (python is null)
        {
            Assert.Ignore("this system has no python3 with NumPy (Debian: python3-numpy)");
        }

        (int code, string output) = NativeLibrary.Run(python, [Path.Combine(Samples, "python", "match_patches.py")], ("PYTHONDONTWRITEBYTECODE", "1"));
        Assert.That(code, Is.Zero, output);
        Assert.That(output, Does.Contain("200 of 200 patches find their own by floats, 200 by bits").And.Contain("50 of 50 keypoints").And.Contain("as it should be, error 1: "));
        TestContext.Out.WriteLine(output);
    }
}
