using CudaL2Net.Bench.Measuring;
using CudaL2Net.Bench.Operations;
using CudaL2Net.Bench.Reports;
using CudaL2Net.Data;
using CudaL2Net.Kernels;
using CudaL2Net.Kernels.Cpu;
using CudaL2Net.Kernels.Cuda;
using CudaL2Net.Networks;

namespace CudaL2Net.Bench;

/// <summary>Describing patches: from host memory as a user calls it, on a GPU also from device memory, and on a CPU in turn with ONNX Runtime.</summary>
internal static class DescribeBench
{
    // Idle threads of either side spin for a moment before they sleep; they shall not disturb the other side.
    private const int PauseMilliseconds = 20;

    // Descriptors that are compared with the CPU's.
    private const int MostChecked = 512;

    // Patches in device memory are described in parts, as activations of more would not fit.
    private const int ResidentBlock = 4096;

    /// <summary>Measures.</summary>
    /// <param name="devices">Where.</param>
    /// <param name="batches">Patches of a call.</param>
    /// <param name="rounds">Samples.</param>
    /// <param name="progress">Is told the part that has been done, and what is being done.</param>
    /// <param name="keep">Gets the report, unfinished, after every row.</param>
    public static BenchReport Run(BenchDevices devices, int[] batches, int rounds, Action<double, string> progress, Action<BenchReport> keep)
    {
        var report = new GrowingReport("describe", rounds, keep);
        int done = 0;
        foreach (Device opened in devices.Open())
        {
            using Device device = opened;
            Arithmetic arithmetic = Peaks.For(device.Precision);
            var peaks = new Peaks(device, arithmetic);
            report.Begin(device, peaks);
            using PatchModel model = PatchModel.LoadDefault(device);
            foreach (int batch in batches)
            {
                progress((double)done++ / (devices.Count * batches.Length), $"{batch} patches, {Title(device)}");
                byte[] pixels = TensorSet.Patches(batch).Pixels;
                foreach (BenchRow row in device is CudaDevice cuda ? OnGpu(cuda, model, pixels, rounds) : [OnCpu((CpuDevice)device, model, pixels, rounds)])
                {
                    report.Add(row, arithmetic);
                }
            }

            peaks.Measure(device);
        }

        return report.Report();
    }

    /// <summary>What tells devices of a run apart: the number of threads, or the precision.</summary>
    public static string Title(Device device) => device is CpuDevice { Threads: var threads }
        ? $"{threads} {(threads == 1 ? "thread" : "threads")}"
        : device.Precision.ToString().ToLowerInvariant();

    private static BenchRow OnCpu(CpuDevice device, PatchModel model, byte[] pixels, int rounds)
    {
        string path = Path.Combine(Path.GetTempPath(), $"cudal2net-bench-{Environment.ProcessId}.onnx");
        try
        {
            OnnxExporter.Write(path, model.File);
            using var peer = new OnnxRuntimePeer(path, device.Threads, pixels, model.Dimension);
            peer.ChooseBatch();
            var descriptors = new float[peer.Descriptors.Length];
            Action describe = () => model.Describe(pixels, PatchSet.Side, descriptors);
            double[][] seconds = Timing.InTurn(rounds, PauseMilliseconds, describe, peer.Describe);
            float difference = descriptors.Zip(peer.Descriptors, (ours, theirs) => Math.Abs(ours - theirs)).Max();
            return Row(device, "describe", "from host memory", pixels, seconds[0]) with { Peer = new BenchPeer(peer.Name, seconds[1], difference) };
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static IEnumerable<BenchRow> OnGpu(CudaDevice device, PatchModel model, byte[] pixels, int rounds)
    {
        int count = pixels.Length / PatchSet.Area;
        using var cpu = new CpuDevice();
        using PatchModel reference = PatchModel.LoadDefault(cpu);
        int compared = Math.Min(count, MostChecked);
        float[] expected = reference.Describe(pixels.AsSpan(0, compared * PatchSet.Area), PatchSet.Side);

        var descriptors = new float[count * model.Dimension];
        Action describe = () => model.Describe(pixels, PatchSet.Side, descriptors);
        double[] seconds = Timing.InTurn(rounds, 0, describe)[0];
        yield return Checked(Row(device, "describe", "from host memory", pixels, seconds), descriptors, expected);

        using var set = new TensorSet(device);
        using INetworkPlan plan = device.Kernels.Plan(L2NetLayers.Folded(model.File));
        Tensor<byte> patches = set.Of<byte>(pixels, count, PatchSet.Area);
        Tensor<float> resident = set.Empty<float>(count, model.Dimension);
        Action run = () =>
        {
            for (int first = 0; first < count; first += ResidentBlock)
            {
                int rows = Math.Min(ResidentBlock, count - first);
                plan.DescribeOnDevice(patches.Rows(first, rows), resident.Rows(first, rows));
            }
        };
        using var sampler = new Sampler(device, rounds);
        double[] onDevice = sampler.Measure([run])[0];
        yield return Checked(Row(device, "describe", "from device memory", pixels, onDevice), resident.ToArray(), expected);
    }

    private static BenchRow Checked(BenchRow row, float[] descriptors, float[] expected) => row with
    {
        Error = PreparedOperation.LargestError([Widen(descriptors[..expected.Length])], [Widen(expected)]),
        Reference = $"the CPU backend, {Math.Min(row.Batch, MostChecked)} patches",
    };

    private static double[] Widen(float[] values) => Array.ConvertAll(values, value => (double)value);

    private static BenchRow Row(Device device, string operation, string shape, byte[] pixels, double[] seconds)
    {
        int count = pixels.Length / PatchSet.Area;
        Work work = Work.Describe(count, Peaks.For(device.Precision));
        return new BenchRow
        {
            Name = $"{operation} {shape}, {count} patches, {Title(device)}",
            Operation = operation,
            Shape = shape,
            Batch = count,
            Precision = device.Precision.ToString().ToLowerInvariant(),
            Threads = (device as CpuDevice)?.Threads,
            Seconds = seconds,
            Bytes = work.Bytes,
            Operations = work.Operations,
            Counting = work.Counting,
            PatchesPerSecond = count / Timing.Median(seconds),
        };
    }
}
