namespace CudaL2Net.Build;

/// <summary>Where things are, and how old they are.</summary>
internal static class Folders
{
    /// <summary>The repository. The build program lies in artifacts/build.</summary>
    public static readonly string Root = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", ".."));

    /// <summary>The published command-line tool.</summary>
    public static readonly string Tool = Path.Combine(Root, "artifacts", "cudal2net");

    /// <summary>What ends the name of a program.</summary>
    public static readonly string Suffix = OperatingSystem.IsWindows() ? ".exe" : "";

    /// <summary>The command-line tool's program.</summary>
    public static readonly string ToolProgram = Path.Combine(Tool, "cudal2net" + Suffix);

    /// <summary>The tests' project.</summary>
    public static readonly string Tests = Path.Combine("tests", "CudaL2Net.Tests");

    /// <summary>The tests' program.</summary>
    public static readonly string TestProgram = In(Tests, "bin", "Release", "net10.0", "CudaL2Net.Tests" + Suffix);

    /// <summary>The emulated CUDA driver.</summary>
    public static readonly string Emulated = In("artifacts", "emulator", "libcuda-emulator.so");

    /// <summary>The disk that fails on purpose.</summary>
    public static readonly string FaultyDisk = In("artifacts", "emulator", "libfaulty-disk.so");

    /// <summary>A path in the repository.</summary>
    public static string In(params string[] parts) => Path.Combine([Root, .. parts]);

    /// <summary>When the newest of a folder's files was written.</summary>
    public static DateTime Newest(string folder, string pattern = "*") =>
        Directory.Exists(folder)
            ? Directory.GetFiles(folder, pattern).Select(File.GetLastWriteTimeUtc).Append(DateTime.MinValue).Max()
            : DateTime.MinValue;

    /// <summary>When something below a folder was last written, added or removed; what a build leaves there does not count.</summary>
    public static DateTime NewestSource(string folder)
    {
        var directory = new DirectoryInfo(folder);
        DateTime newest = directory.LastWriteTimeUtc;
        foreach (FileSystemInfo entry in directory.EnumerateFileSystemInfos().Where(entry => entry.Name is not ("bin" or "obj")))
        {
            DateTime written = entry is DirectoryInfo ? NewestSource(entry.FullName) : entry.LastWriteTimeUtc;
            newest = written > newest ? written : newest;
        }

        return newest;
    }
}
