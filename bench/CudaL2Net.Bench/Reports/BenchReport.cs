using System.Text;
using System.Text.Json;
using CudaL2Net.Bench.Measuring;
using CudaL2Net.Formats;

namespace CudaL2Net.Bench.Reports;

/// <summary>What something else took for the same work, in turn with it in the same run.</summary>
/// <param name="Name">Whose it is, with version and choices where they matter.</param>
/// <param name="Seconds">Every sample.</param>
/// <param name="Difference">The largest difference of its results from ours, or null where they were not compared.</param>
internal sealed record BenchPeer(string Name, double[] Seconds, double? Difference = null)
{
    /// <summary>The median of the samples.</summary>
    public double Microseconds => 1e6 * Timing.Median(Seconds);
}

/// <summary>One figure: what was done, how long it took, and what that is of what the device can do. Null is what was not measured, or has no meaning.</summary>
internal sealed record BenchRow
{
    /// <summary>What was done, with sizes, precision and threads: no two rows of a report have the same.</summary>
    public required string Name { get; init; }

    /// <summary>What was done, without sizes.</summary>
    public required string Operation { get; init; }

    /// <summary>The sizes, where the operation has several.</summary>
    public string Shape { get; init; } = string.Empty;

    /// <summary>Patches of a batch (two per pair), or descriptors that are matched.</summary>
    public required int Batch { get; init; }

    /// <summary>What matrix products multiply.</summary>
    public required string Precision { get; init; }

    /// <summary>CPU threads; null on a GPU.</summary>
    public int? Threads { get; init; }

    /// <summary>Every sample.</summary>
    public required double[] Seconds { get; init; }

    /// <summary>Bytes that must be read and written at least; 0 where they are not counted.</summary>
    public long Bytes { get; init; }

    /// <summary>Operations.</summary>
    public long Operations { get; init; }

    /// <summary>How bytes and operations were counted.</summary>
    public string Counting { get; init; } = string.Empty;

    /// <summary>Bytes a second that this device was seen to move.</summary>
    public double BandwidthPeak { get; init; }

    /// <summary>Operations of this kind a second that this device was seen to do.</summary>
    public double ArithmeticPeak { get; init; }

    /// <summary>The largest difference from the reference, as a share of the reference's largest value.</summary>
    public double? Error { get; init; }

    /// <summary>What the error is against, and at which size.</summary>
    public string? Reference { get; init; }

    /// <summary>Patches a second.</summary>
    public double? PatchesPerSecond { get; init; }

    /// <summary>Microseconds that the host is busy with a step.</summary>
    public double? HostMicroseconds { get; init; }

    /// <summary>Bytes that a step allocates on the managed heap.</summary>
    public long? AllocatedBytes { get; init; }

    /// <summary>Bytes of device memory in use.</summary>
    public long? DeviceBytes { get; init; }

    /// <summary>The share of the step's time.</summary>
    public double? StepShare { get; init; }

    /// <summary>Another's time for the same.</summary>
    public BenchPeer? Peer { get; init; }

    /// <summary>The median of the samples.</summary>
    public double Microseconds => 1e6 * Timing.Median(Seconds);

    /// <summary>Counted bytes in that time, in units of 1e9 a second.</summary>
    public double? GigabytesPerSecond => Bytes > 0 ? Bytes / Timing.Median(Seconds) / 1e9 : null;

    /// <summary>Counted operations in that time, in units of 1e12 a second.</summary>
    public double? TeraflopsPerSecond => Operations > 0 ? Operations / Timing.Median(Seconds) / 1e12 : null;

    /// <summary>Of the bandwidth.</summary>
    public double? BandwidthShare => Bytes > 0 && BandwidthPeak > 0 ? Bytes / Timing.Median(Seconds) / BandwidthPeak : null;

    /// <summary>Of the peak of this arithmetic.</summary>
    public double? ArithmeticShare => Operations > 0 && ArithmeticPeak > 0 ? Operations / Timing.Median(Seconds) / ArithmeticPeak : null;

    /// <summary>Which of the two takes longer at its peak: <c>memory</c> or <c>arithmetic</c>.</summary>
    public string? Bound => (BandwidthShare, ArithmeticShare) switch
    {
        (null, null) => null,
        ({ } memory, { } arithmetic) => memory > arithmetic ? "memory" : "arithmetic",
        (null, _) => "arithmetic",
        _ => "memory",
    };

    /// <summary>Our time as a share of the other's: below 1 is faster.</summary>
    public double? PeerRatio => Peer is { } peer ? Microseconds / peer.Microseconds : null;
}

/// <summary>What a bench found.</summary>
/// <param name="Kind">Which bench: kernels, train, describe or match. Reports of one kind can be compared.</param>
/// <param name="Machine">Where and when.</param>
/// <param name="Rounds">Samples of each figure.</param>
/// <param name="Peaks">What shares are of.</param>
/// <param name="Rows">The figures.</param>
internal sealed record BenchReport(string Kind, Machine Machine, int Rounds, IReadOnlyList<Peak> Peaks, IReadOnlyList<BenchRow> Rows)
{
    /// <summary>The version of the file's form.</summary>
    public int Version { get; init; } = 1;

    /// <summary>Whether all was measured; false in what is written meanwhile, row by row.</summary>
    public bool Finished { get; init; } = true;

    /// <summary>Writes the report as JSON.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Write(string path)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(JsonText.Of(this) + "\n");
        AtomicFile.Write(path, stream => stream.Write(bytes));
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">It is no report of a bench; the message names it.</exception>
    public static BenchReport Read(string path)
    {
        if (!File.Exists(path))
        {
            throw new FileNotFoundException($"{path} does not exist; cudal2net bench kernels --out FILE.json writes such files");
        }

        try
        {
            BenchReport? report = JsonText.Read<BenchReport>(File.ReadAllText(path));
            if (report is { Kind: not null, Machine: not null, Rows: { Count: > 0 } rows, Version: 1 }
                && rows.All(row => row is { Name: not null, Seconds.Length: > 0 } && row.Seconds.All(seconds => seconds > 0))
                && rows.DistinctBy(row => row.Name).Count() == rows.Count)
            {
                return report;
            }
        }
        catch (JsonException error)
        {
            throw Wrong(error);
        }

        throw Wrong(null);

        InvalidDataException Wrong(JsonException? error) => new(
            $"{path} is no report of cudal2net bench (written by --out FILE.json){(error is null ? string.Empty : $": {error.Message.Split('\n')[0]}")}", error);
    }
}
