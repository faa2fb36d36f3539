using CudaL2Net.Bench.Measuring;
using CudaL2Net.Bench.Operations;
using CudaL2Net.Bench.Reports;
using CudaL2Net.Interop;
using CudaL2Net.Kernels;
using CudaL2Net.Kernels.Cpu;
using CudaL2Net.Kernels.Cuda;

namespace CudaL2Net.Bench;

/// <summary>Every operation by itself: its time, its share of what the device can do, and its error.</summary>
internal sealed class KernelBench
{
    // Tensors that take turns may take this much memory together.
    private const long SetBytes = 2L << 30;
    private const int MostSets = 3;

    private readonly Dictionary<string, double[][]> references = [];
    private readonly KernelBenchOptions options;
    private readonly Action<double, string> progress;
    private readonly GrowingReport report;

    private KernelBench(KernelBenchOptions options, Action<double, string> progress, Action<BenchReport> keep)
    {
        this.options = options;
        this.progress = progress;
        report = new GrowingReport("kernels", options.Rounds, keep);
    }

    /// <summary>Measures.</summary>
    /// <param name="options">What, and how often.</param>
    /// <param name="progress">Is told the part that has been done, and what is being done.</param>
    /// <param name="keep">Gets the report, unfinished, after every row.</param>
    /// <exception cref="UnknownOperationException">No operation has the text in its name.</exception>
    public static BenchReport Run(KernelBenchOptions options, Action<double, string> progress, Action<BenchReport> keep) =>
        new KernelBench(options, progress, keep).Run();

    private BenchReport Run()
    {
        using Device first = options.Devices.Open(options.Devices.Precisions[0]);
        progress(0, "peaks");
        var peaks = new Peaks(first, first is CudaDevice ? Enum.GetValues<Arithmetic>() : [Arithmetic.Float32, Arithmetic.Popcount]);
        report.Begin(first, peaks);
        foreach (Precision precision in options.Devices.Precisions)
        {
            using Device? another = precision == first.Precision ? null : options.Devices.Open(precision);
            Device device = another ?? first;
            using var sampler = new Sampler(device, options.Rounds);
            using VendorOperations? vendor = options.Vendor ? OpenVendor(device) : null;
            Case[] cases = [.. Cases(device)];
            for (int i = 0; i < cases.Length; i++)
            {
                double done = Array.IndexOf(options.Devices.Precisions, precision) + ((double)i / cases.Length);
                progress(done / options.Devices.Precisions.Length, cases[i].Name);
                Measure(device, sampler, vendor, cases[i]);
            }
        }

        if (report.Count == 0)
        {
            throw new UnknownOperationException($"--filter {options.Filter}: no operation has that in its name");
        }

        peaks.Measure(first);
        return report.Report();
    }

    private IEnumerable<Case> Cases(Device device) =>
        from operation in KernelOperations.Of(device)
        where operation.ByPrecision || device.Precision == options.Devices.Precisions[0]
        from patches in operation.ByBatch ? options.Batches : options.Batches[..1]
        let made = new Case(operation, patches, operation.ByPrecision ? device.Precision : Precision.Float32)
        where made.Name.Contains(options.Filter, StringComparison.OrdinalIgnoreCase)
        select made;

    private void Measure(Device device, Sampler sampler, VendorOperations? vendor, Case measured)
    {
        KernelOperation operation = measured.Operation;
        Work work = operation.Cost(measured.Patches);
        int checkedPatches = Math.Min(operation.CheckedPatches, measured.Patches);
        double error = Error(device, operation, checkedPatches);
        List<TensorSet> sets = [];
        try
        {
            var prepared = new List<PreparedOperation>();
            for (int i = 0; i < Math.Clamp(SetBytes / work.Bytes, 1, Math.Min(MostSets, options.Rounds)); i++)
            {
                var set = new TensorSet(device) { Vendor = vendor };
                sets.Add(set);
                prepared.Add(operation.Prepare(set, measured.Patches));
            }

            Action[] own = [.. prepared.Select(set => set.Run)], theirs = [.. prepared.Select(set => set.Vendor?.Run).OfType<Action>()];
            double[][] seconds = theirs.Length == 0 ? sampler.Measure(own) : sampler.Measure(own, theirs);
            var row = new BenchRow
            {
                Name = measured.Name,
                Operation = operation.Operation,
                Shape = operation.Shape,
                Batch = measured.Patches,
                Precision = measured.PrecisionName,
                Threads = (device as CpuDevice)?.Threads,
                Seconds = seconds[0],
                Bytes = work.Bytes,
                Operations = work.Operations,
                Counting = work.Counting,
                Error = error,
                Peer = theirs.Length == 0 ? null : new BenchPeer(prepared[0].Vendor!.Name(), seconds[1]),
                Reference = operation.ByBatch ? $"double, {checkedPatches} patches" : "double",
            };
            report.Add(row, work.Arithmetic);
        }
        finally
        {
            sets.ForEach(set => set.Dispose());
        }
    }

    private VendorOperations? OpenVendor(Device device)
    {
        try
        {
            return new VendorOperations((CudaDevice)device);
        }
        catch (CudaLibraryException missing)
        {
            options.Say($"without the vendor's: {missing.Message}");
            return null;
        }
    }

    // The inputs are the same for every precision, and so is what must come out.
    private double Error(Device device, KernelOperation operation, int patches)
    {
        using var set = new TensorSet(device);
        PreparedOperation prepared = operation.Prepare(set, patches);
        string key = $"{operation.Operation}, {operation.Shape}, {patches}";
        if (!references.TryGetValue(key, out double[][]? expected))
        {
            references.Add(key, expected = prepared.Expected());
        }

        prepared.Run();
        return PreparedOperation.LargestError(prepared.Actual(), expected);
    }

    private sealed record Case(KernelOperation Operation, int Patches, Precision Precision)
    {
        public string PrecisionName => Precision.ToString().ToLowerInvariant();

        public string Name =>
            $"{Operation.Operation}, {Operation.Shape}{(Operation.ByBatch ? $", {Patches} patches" : string.Empty)}, {PrecisionName}";
    }
}

/// <summary>What the bench of kernels measures.</summary>
/// <param name="Devices">Where: one device, in several precisions.</param>
/// <param name="Batches">Patches of a batch.</param>
/// <param name="Filter">A text that the names of operations must have in them.</param>
/// <param name="Rounds">Samples of each figure.</param>
/// <param name="Vendor">Whether cuDNN and cuBLAS are measured beside, where they are installed.</param>
/// <param name="Say">Is told that they are not.</param>
internal sealed record KernelBenchOptions(BenchDevices Devices, int[] Batches, string Filter, int Rounds, bool Vendor, Action<string> Say);
