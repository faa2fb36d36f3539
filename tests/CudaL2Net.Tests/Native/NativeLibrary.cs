using System.Diagnostics;

namespace CudaL2Net.Tests.Native;

/// <summary>The C library as <c>./build.sh native</c> leaves it, and programs that use it.</summary>
internal static class NativeLibrary
{
    /// <summary>Where it is. Where it was not built, the test that asks is skipped.</summary>
    public static string Folder
    {
        get
        {
            string folder = Path.Combine(Repository.Folder, "artifacts", "native");
            if (!File.Exists(Path.Combine(folder, "lib", "libcudal2net.so")))
            {
                Assert.Ignore("the C library was not built: ./build.sh native");
            }

            return folder;
        }
    }

    /// <summary>Compiles a program in C against the library's header, or another one.</summary>
    /// <param name="program">The program's file.</param>
    /// <param name="source">Its source, from the repository's folder on.</param>
    /// <param name="headers">Another folder of headers.</param>
    /// <param name="flags">The compiler's.</param>
    public static string Compile(string program, string source, string? headers = null, params string[] flags)
    {
        string library = Path.Combine(Folder, "lib");
        (int code, string output) = Run(
            "gcc",
            ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-g", .. flags, "-I", headers ?? Path.Combine(Folder, "include"),
                Path.Combine(Repository.Folder, source), "-o", program, $"-L{library}", "-lcudal2net", "-lm", $"-Wl,-rpath,{library}"]);
        Assert.That(code, Is.Zero, output);
        return program;
    }

    /// <summary>Runs a program; gives its exit code and all that it said. Where there is no such program, the test is skipped.</summary>
    public static (int Code, string Output) Run(string program, string[] arguments, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        try
        {
            using Process process = Process.Start(start)!;
            Task<string> errors = process.StandardError.ReadToEndAsync();
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return (process.ExitCode, output + errors.Result);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Ignore($"this system has no {program}");
            throw;
        }
    }
}
