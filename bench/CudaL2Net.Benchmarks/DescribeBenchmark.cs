using CudaL2Net.Data;
using CudaL2Net.Devices.Cpu;
using CudaL2Net.Formats.Onnx;
using CudaL2Net.Models;
using CudaL2Net.Operations;
using Microsoft.ML.OnnxRuntime;

namespace CudaL2Net.Benchmarks;

/// <summary>Describing patches by this library and by ONNX Runtime with the exported model, in turn and with as many threads.</summary>
internal static class DescribeBenchmark
{
    private const int Count = 2048;

    // Idle threads of either side spin for a moment before they sleep; they shall not disturb the other side.
    private const int PauseMilliseconds = 20;

    public static IEnumerable<Table> Run(Settings settings)
    {
        var table = new Table(
            $"Describing {Count} patches",
            ("threads", "0"),
            ("ours patches/s", "0"),
            ("ONNX Runtime patches/s", "0"),
            ("ratio", "0.00"),
            ("ours share", "0%"),
            ("ONNX Runtime share", "0%"),
            ("its batch", "0"),
            ("largest difference", "0.0e+0"))
        {
            Note = $"Medians, in turn; ONNX Runtime {OrtEnv.Instance().GetVersionString()} with all graph optimizations, fed floats in the batches that it is "
                + "fastest with; ours starts from bytes. Shares are of the rate of fused multiply-adds measured in the same run.",
        };
        double flop = 2.0 * Count * MultiplyAdds();
        byte[] pixels = RandomInput.Patches(Count).Pixels;
        string path = Path.Combine(Path.GetTempPath(), $"cudal2net-bench-{Environment.ProcessId}.onnx");
        try
        {
            foreach (int threads in settings.Threads)
            {
                double before = FmaPeak.Measure(threads);
                using var device = new CpuDevice(threads);
                using L2Net model = L2Net.CreateRandom(Architecture.L2Net, 1, device);
                OnnxExporter.Write(path, [.. model.File.Towers.Select(tower => tower.Fold())]);
                using var peer = new Peer(path, threads, pixels, model.Dimension);
                peer.ChooseBatch();
                var descriptors = new float[Count * model.Dimension];
                Action describe = () => model.Describe(pixels, PatchSet.Side, descriptors);
                double[] seconds = Timing.Interleaved(settings.Rounds, PauseMilliseconds, describe, peer.Describe);
                double[] rates = [.. seconds.Select(s => Count / s)], flops = [.. seconds.Select(s => flop / s / 1e9)];
                double peak = Math.Max(before, FmaPeak.Measure(threads));
                float difference = descriptors.Zip(peer.Descriptors, (ours, theirs) => Math.Abs(ours - theirs)).Max();
                table.Add(threads, rates[0], rates[1], rates[0] / rates[1], flops[0] / peak, flops[1] / peak, peer.Batch, difference);
            }
        }
        finally
        {
            File.Delete(path);
        }

        yield return table;
    }

    /// <summary>Multiply-adds of one patch's forward pass.</summary>
    public static long MultiplyAdds() => Layers().Sum(layer => layer.MultiplyAdds);

    /// <summary>The convolutions of one patch.</summary>
    public static IEnumerable<Conv2dGeometry> Layers()
    {
        int side = FoldedNetwork.InputSide;
        foreach (TowerLayer layer in TowerLayer.All)
        {
            (int kernel, int inChannels, int outChannels, int stride, int padding) = layer;
            var geometry = new Conv2dGeometry(1, side, side, inChannels, outChannels, kernel, kernel, stride, padding);
            yield return geometry;
            side = geometry.OutHeight;
        }
    }

    /// <summary>ONNX Runtime with the exported model; inputs and outputs stay in place.</summary>
    private sealed class Peer : IDisposable
    {
        private static readonly int[] Batches = [16, 64, 256, Count];

        private readonly InferenceSession session;
        private readonly RunOptions run = new();
        private readonly float[] input;
        private readonly int dimension;
        private (OrtValue Input, OrtValue Output)[] batches = [];

        public Peer(string path, int threads, byte[] pixels, int dimension)
        {
            using var options = new SessionOptions
            {
                IntraOpNumThreads = threads,
                InterOpNumThreads = 1,
                ExecutionMode = ExecutionMode.ORT_SEQUENTIAL,
                GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL,
            };
            session = new InferenceSession(path, options);
            input = [.. pixels.Select(value => (float)value)];
            Descriptors = new float[Count * dimension];
            this.dimension = dimension;
        }

        public int Batch { get; private set; }

        public float[] Descriptors { get; }

        public void ChooseBatch()
        {
            double best = double.PositiveInfinity;
            int chosen = Count;
            foreach (int batch in Batches)
            {
                Use(batch);
                double seconds = Timing.Interleaved(3, Describe)[0];
                (best, chosen) = seconds < best ? (seconds, batch) : (best, chosen);
            }

            Use(chosen);
        }

        public void Describe()
        {
            foreach ((OrtValue from, OrtValue to) in batches)
            {
                session.Run(run, ["patches"], [from], ["descriptors"], [to]);
            }
        }

        public void Dispose()
        {
            Release();
            run.Dispose();
            session.Dispose();
        }

        private void Use(int batch)
        {
            Release();
            Batch = batch;
            batches = new (OrtValue, OrtValue)[Count / batch];
            for (int i = 0; i < batches.Length; i++)
            {
                Memory<float> from = input.AsMemory(i * batch * PatchSet.Area, batch * PatchSet.Area);
                Memory<float> to = Descriptors.AsMemory(i * batch * dimension, batch * dimension);
                OrtMemoryInfo memory = OrtMemoryInfo.DefaultInstance;
                batches[i] = (
                    OrtValue.CreateTensorValueFromMemory(memory, from, [batch, 1, PatchSet.Side, PatchSet.Side]),
                    OrtValue.CreateTensorValueFromMemory(memory, to, [batch, dimension]));
            }
        }

        private void Release()
        {
            foreach ((OrtValue from, OrtValue to) in batches)
            {
                from.Dispose();
                to.Dispose();
            }

            batches = [];
        }
    }
}
