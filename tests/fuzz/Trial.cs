using System.Diagnostics;
using System.Globalization;
using System.Text;
using CudaL2Net.Fuzz.Mutations;

namespace CudaL2Net.Fuzz;

/// <summary>How one input ended.</summary>
internal enum Outcome
{
    /// <summary>Refused by an error that names the file.</summary>
    Refused,

    /// <summary>Read.</summary>
    Read,

    /// <summary>Neither, or not in time, or with too much memory.</summary>
    Failed,
}

/// <summary>Gives damaged files to one reader, and judges what it does.</summary>
internal sealed class Trial : IDisposable
{
    private const double MostSeconds = 5;
    private const long MostBytes = 500_000_000;

    private readonly Reader reader;
    private readonly string folder;
    private readonly Dictionary<Sample, string> whole = [];

    /// <summary>Writes what lies beside the reader's file.</summary>
    /// <param name="reader">The reader.</param>
    /// <param name="root">Where its folder is made.</param>
    public Trial(Reader reader, string root)
    {
        this.reader = reader;
        folder = Path.Combine(root, reader.Name);
        Directory.CreateDirectory(folder);
        reader.Surround?.Invoke(folder);
        foreach (Sample sample in reader.Samples.Where(sample => sample.IsValid))
        {
            (string? digest, Exception? error) = Read(sample.Bytes);
            whole[sample] = digest ?? throw new InvalidOperationException($"{reader.Name}: the undamaged sample '{sample.Name}' is refused", error);
        }
    }

    /// <summary>Reads a damaged file.</summary>
    /// <param name="damaged">The file.</param>
    /// <param name="why">What is wrong, where it failed.</param>
    public Outcome Run(Damaged damaged, out string why)
    {
        long allocated = GC.GetTotalAllocatedBytes(), peak = PeakBytes();
        TimeSpan worked = Environment.CpuUsage.TotalTime;
        var watch = Stopwatch.StartNew();
        (string? digest, Exception? error) = Read(damaged.Bytes);
        double seconds = Math.Min(watch.Elapsed.TotalSeconds, (Environment.CpuUsage.TotalTime - worked).TotalSeconds);
        allocated = Math.Max(GC.GetTotalAllocatedBytes() - allocated, PeakBytes() - peak);
        why = Wrong(damaged, digest, error)
            ?? (seconds > MostSeconds ? string.Create(CultureInfo.InvariantCulture, $"it took {seconds:F1} s")
                : allocated > MostBytes ? $"it took {allocated >> 20} MB of memory" : "");
        return why.Length > 0 ? Outcome.Failed : error is null ? Outcome.Read : Outcome.Refused;
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string? Wrong(Damaged damaged, string? digest, Exception? error)
    {
        if (error is not null)
        {
            bool refused = error is InvalidDataException or FileNotFoundException or DirectoryNotFoundException;
            return !refused ? $"{error}" : !error.Message.Contains(folder, StringComparison.Ordinal) ? $"the error does not name the file: {error}" : null;
        }

        // What is crafted has no right result.
        if (damaged.IsRepaired || !whole.TryGetValue(damaged.Sample, out string? right) || digest == right)
        {
            return null;
        }

        return reader.Promise == Promise.NoticesAll ? "the damage was not noticed, and the result is another one"
            : reader.Promise == Promise.NoticesCuts && damaged.IsCut ? "the missing end was not noticed, and the result is another one"
            : null;
    }

    private (string? Digest, Exception? Error) Read(byte[] bytes)
    {
        string path = Path.Combine(folder, reader.File);
        File.WriteAllBytes(path, bytes);
        using var digest = new Digest();
        try
        {
            reader.Read(path, digest);
            return (digest.End(), null);
        }
        catch (Exception error)
        {
            return (null, error);
        }
    }

    // The most memory that the process had so far, native memory included.
    private static long PeakBytes()
    {
        if (!OperatingSystem.IsLinux())
        {
            return 0;
        }

        string status = Encoding.ASCII.GetString(File.ReadAllBytes("/proc/self/status"));
        int at = status.IndexOf("VmHWM:", StringComparison.Ordinal);
        return long.Parse(status.AsSpan(at + 6, status.IndexOf("kB", at, StringComparison.Ordinal) - at - 6), CultureInfo.InvariantCulture) << 10;
    }
}
