using CudaL2Net.Bench.Measuring;
using CudaL2Net.Kernels;

namespace CudaL2Net.Bench.Reports;

/// <summary>A report while it is measured. It is passed on after every row, so that what was measured is kept if the rest never is.</summary>
/// <param name="kind">Which bench.</param>
/// <param name="rounds">Samples of each figure.</param>
/// <param name="keep">Gets the report, unfinished, after every row.</param>
internal sealed class GrowingReport(string kind, int rounds, Action<BenchReport> keep)
{
    private readonly List<Peaks> peaks = [];
    private readonly List<(BenchRow Row, Peaks Peaks, Arithmetic Arithmetic)> rows = [];
    private Machine? machine;

    /// <summary>How many rows there are.</summary>
    public int Count => rows.Count;

    /// <summary>Rows from here on are of this device.</summary>
    /// <param name="device">The device; the first one is the machine's in the report.</param>
    /// <param name="ofDevice">What shares are of.</param>
    public void Begin(Device device, Peaks ofDevice)
    {
        machine ??= Machine.Current(device);
        peaks.Add(ofDevice);
    }

    /// <summary>Adds a row of the device that was begun last.</summary>
    public void Add(BenchRow row, Arithmetic arithmetic)
    {
        rows.Add((row, peaks[^1], arithmetic));
        keep(Report() with { Finished = false });
    }

    /// <summary>The report as it is. Shares are of the peaks as they are known by now.</summary>
    public BenchReport Report() => new(
        kind,
        machine!,
        rounds,
        [.. peaks.SelectMany(ofDevice => ofDevice.All).DistinctBy(peak => peak.Name)],
        [.. rows.Select(entry => entry.Row with { BandwidthPeak = entry.Peaks.Bandwidth, ArithmeticPeak = entry.Peaks.Of(entry.Arithmetic) })]);
}
