using System.Text.RegularExpressions;

namespace CudaL2Net.Build;

/// <summary>
/// Installs what the system lacks, on Debian and Ubuntu: the kernels' compilers; GTK 3, which OpenCV's library needs; a font for plots; and in continuous
/// integration the programs that tests go on with, which are skipped without. Elsewhere, or without an administrator's rights, it says what to install.
/// </summary>
internal static class Setup
{
    private const string Gtk = "libgtk-3.so.0";

    // Programs that read what this one writes, and that call it.
    private static readonly (string Package, string File)[] Readers = [("colmap", "/usr/bin/colmap"), ("python3-h5py", "/usr/lib/python3/dist-packages/h5py"),
        ("python3-numpy", "/usr/lib/python3/dist-packages/numpy"), ("python3-torch", "/usr/lib/python3/dist-packages/torch")];

    /// <summary>Installs all that is missing, in one go.</summary>
    /// <param name="emulator">Also what compiles the emulated driver.</param>
    /// <param name="native">Also what links the C library.</param>
    public static void Install(bool emulator, bool native = false)
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        bool clang = Compilers.Device() == null, host = (native || (emulator && Compilers.CanEmulate)) && Compilers.Host() == null;
        bool zlib = native && !File.Exists("/usr/include/zlib.h");
        bool font = !Directory.Exists("/usr/share/fonts") || !Directory.EnumerateFiles("/usr/share/fonts", "*.?tf", SearchOption.AllDirectories).Any();
        string[] readers = Environment.GetEnvironmentVariable("CI") == "true"
            ? [.. Readers.Where(reader => emulator && !Path.Exists(reader.File)).Select(reader => reader.Package)]
            : [];
        string[] missing = [.. clang ? ["clang"] : (string[])[], .. host ? ["g++"] : (string[])[], .. zlib ? ["zlib's headers"] : (string[])[],
            .. Loads(Gtk) ? [] : (string[])["GTK 3"], .. font ? ["a TrueType font"] : (string[])[], .. readers];
        if (missing.Length == 0)
        {
            return;
        }

        string what = string.Join(", ", missing);
        if (!File.Exists("/usr/bin/apt-get"))
        {
            Console.Error.WriteLine($"warning: missing on this system: {what}. Install these with your system's package tool (the font: DejaVu, say)");
            return;
        }

        if (Administrator() is not { } prefix)
        {
            Console.Error.WriteLine($"warning: missing on this system: {what}. As an administrator run:  apt-get update && apt-get install -y "
                + $"clang-{Compilers.OldestClang} g++ zlib1g-dev libgtk-3-0 fonts-dejavu-core");
            return;
        }

        Console.WriteLine($"installing what is missing on this system: {what}");
        Apt(prefix, ["update", "-q"]);
        List<string> packages = [.. host ? ["g++"] : (string[])[], .. zlib ? ["zlib1g-dev"] : (string[])[], .. font ? ["fonts-dejavu-core"] : (string[])[],
            .. readers];
        // Debian 13 and Ubuntu 24.04 renamed the package when time_t grew to 64 bits.
        packages.AddRange(Loads(Gtk) ? [] : [Processes.Run("apt-cache", ["show", "libgtk-3-0t64"], quiet: true) == 0 ? "libgtk-3-0t64" : "libgtk-3-0"]);
        packages.AddRange(clang && Clang() is { } package ? [package] : []);
        Apt(prefix, ["install", "-y", "-q", "--no-install-recommends", .. packages]);
    }

    /// <summary>Whether all native libraries of the tool load on this system; says which do not.</summary>
    public static bool Check()
    {
        if (!OperatingSystem.IsLinux())
        {
            return true;
        }

        var missing = new SortedSet<string>(StringComparer.Ordinal);
        foreach (string library in Directory.EnumerateFiles(Folders.Tool, "*.so", SearchOption.AllDirectories))
        {
            Processes.Run("ldd", [library], onLine: line =>
            {
                if (Regex.Match(line, @"^\s*(\S+) => not found") is { Success: true } entry)
                {
                    missing.Add(entry.Groups[1].Value);
                }
            }, quiet: true);
        }

        if (missing.Count > 0)
        {
            Console.Error.WriteLine($"warning: missing on this system: {string.Join(", ", missing)}; commands that read images will not work");
        }

        return missing.Count == 0;
    }

    // Whether the system's loader finds a library.
    private static bool Loads(string library)
    {
        bool found = false;
        string program = File.Exists("/sbin/ldconfig") ? "/sbin/ldconfig" : "ldconfig";
        Processes.Run(program, ["-p"], onLine: line => found |= line.Contains(library, StringComparison.Ordinal), quiet: true);
        return found;
    }

    // The oldest package that will do: its version is the one that the kernels were tried with.
    private static string? Clang()
    {
        int oldest = int.MaxValue;
        Processes.Run("apt-cache", ["search", "--names-only", "^clang-[0-9]+$"], onLine: line =>
        {
            if (Regex.Match(line, @"^clang-(\d+) ") is { Success: true } entry && int.Parse(entry.Groups[1].Value) is var version
                && version >= Compilers.OldestClang)
            {
                oldest = Math.Min(oldest, version);
            }
        }, quiet: true);
        return oldest == int.MaxValue ? null : $"clang-{oldest}";
    }

    // What to put before a command that needs an administrator; null where that cannot be had without asking.
    private static string[]? Administrator()
    {
        if (Environment.UserName == "root")
        {
            return [];
        }

        bool may = File.Exists("/usr/bin/sudo") && (!Console.IsInputRedirected || Processes.Run("sudo", ["-n", "true"], quiet: true) == 0);
        return may ? ["sudo"] : null;
    }

    private static void Apt(string[] prefix, string[] arguments)
    {
        string[] command = [.. prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", .. arguments];
        if (Processes.Run(command[0], command[1..]) != 0)
        {
            Console.Error.WriteLine($"warning: `{string.Join(' ', command)}` failed; going on without");
        }
    }
}
