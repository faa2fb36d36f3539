using CudaL2Net.Autograd;
using CudaL2Net.Kernels;

namespace CudaL2Net.Networks;

/// <summary>
/// Runs any network: its layers are recorded on tapes for a few fixed numbers of patches, and a call goes through these. Networks that the devices have plans
/// of their own for (<see cref="FoldedTower.ToConvolutions"/>) do not come here.
/// </summary>
internal sealed class TapePlan : IDisposable
{
    private static readonly int[] Sizes = [1, 16, 128];

    private readonly Device device;
    private readonly ShapedNetwork network;
    private readonly FoldedTower?[] towers;
    private readonly FoldedTower head;
    private readonly NetworkWeights weights;
    private readonly Dictionary<int, Recording> recordings = [];
    private bool disposed;

    /// <summary>Prepares a network.</summary>
    /// <param name="device">Where it runs.</param>
    /// <param name="network">The network.</param>
    /// <param name="weights">Its weights.</param>
    /// <param name="tower">The one tower that is wanted; null for all, with the head.</param>
    public TapePlan(Device device, ShapedNetwork network, NetworkWeights weights, int? tower = null)
    {
        this.device = device;
        this.network = network;
        this.weights = weights;
        towers = [.. network.Towers.Select((chain, t) => tower is null || tower == t ? FoldedTower.Of(chain, weights.Towers[t].Layers) : null)];
        head = FoldedTower.Of(network.Head, weights.Head);
        Width = tower is { } one ? (int)network.Towers[one].Output.Length : network.Network.ScoresPairs ? 1 : network.Dimension;
    }

    /// <summary>Values for each patch or pair.</summary>
    public int Width { get; }

    /// <summary>Describes patches by the one tower that the plan is of.</summary>
    /// <param name="patches">The tower's view of the patches, [n][side][side].</param>
    /// <param name="count">n.</param>
    /// <param name="output">Row i at i x <paramref name="stride"/>.</param>
    /// <param name="stride">From one row to the next, at least <see cref="Width"/>.</param>
    public void Describe(ReadOnlySpan<byte> patches, int count, Span<float> output, int stride)
    {
        for (int done = 0; done < count;)
        {
            using DeviceGate.Entry entry = device.Enter();
            Recording recording = For(count - done, out int rows);
            recording.Load(patches, done, rows);
            recording.Run(rows, output[(done * stride)..], stride);
            done += rows;
        }
    }

    /// <summary>Describes patches that are on the device by the one tower that the plan is of; queued.</summary>
    /// <param name="patches">The tower's view of them, [n][side][side].</param>
    /// <param name="output">[n][<see cref="Width"/>].</param>
    public void DescribeOnDevice(Tensor<byte> patches, Tensor<float> output)
    {
        int count = patches.Shape[0];
        for (int done = 0; done < count;)
        {
            using DeviceGate.Entry entry = device.Enter();
            Recording recording = For(count - done, out int rows);
            recording.RunOnDevice(patches.Rows(done, rows), output.Rows(done, rows));
            done += rows;
        }
    }

    /// <summary>Scores pairs of patches.</summary>
    /// <param name="first">For each tower its view of the first patches.</param>
    /// <param name="second">The same of the second ones.</param>
    /// <param name="count">Pairs.</param>
    /// <param name="scores">[count].</param>
    public void Score(IReadOnlyList<ReadOnlyMemory<byte>> first, IReadOnlyList<ReadOnlyMemory<byte>> second, int count, Span<float> scores)
    {
        for (int done = 0; done < count;)
        {
            using DeviceGate.Entry entry = device.Enter();
            Recording recording = For(count - done, out int rows);
            for (int t = 0; t < first.Count; t++)
            {
                recording.Load(t, 0, first[t].Span, done, rows);
                recording.Load(t, 1, second[t].Span, done, rows);
            }

            recording.Run(rows, scores[done..], 1);
            done += rows;
        }
    }

    public void Dispose()
    {
        lock (recordings)
        {
            disposed = true;
            foreach (Recording recording in recordings.Values)
            {
                recording.Dispose();
            }

            recordings.Clear();
        }
    }

    /// <summary>The recording for the next patches: the largest that they fill, or one that takes them all.</summary>
    private Recording For(int left, out int rows)
    {
        int filled = Sizes.LastOrDefault(size => size <= left, Sizes[0]), enough = Sizes.FirstOrDefault(size => size >= left);
        int size = enough > 0 && left > filled ? enough : filled;
        rows = Math.Min(size, left);
        lock (recordings)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            if (!recordings.TryGetValue(size, out Recording? recording))
            {
                recordings.Add(size, recording = new Recording(this, size));
            }

            return recording;
        }
    }

    /// <summary>The network for one number of patches or pairs.</summary>
    private sealed class Recording : IDisposable
    {
        private readonly TapePlan plan;
        private readonly Tape tape;
        private readonly Tensor<byte>?[] pixels;
        private readonly Tensor<int> indices;
        private readonly Tensor<StepParameters> step;
        private readonly byte[][] staged;
        private readonly Variable result;
        private readonly float[] values;
        private readonly int size;
        private readonly int halves;

        public Recording(TapePlan plan, int size)
        {
            this.plan = plan;
            this.size = size;
            Network network = plan.network.Network;
            halves = network.ScoresPairs ? 2 : 1;
            Device device = plan.device;
            tape = new Tape(device);
            int rows = halves * size;
            indices = tape.Own(device.Upload<int>([.. Enumerable.Range(0, rows)]));
            step = tape.Own(device.Allocate<StepParameters>(1));
            pixels = new Tensor<byte>?[network.Towers.Count];
            staged = new byte[pixels.Length][];
            var outputs = new List<Variable>();
            for (int t = 0; t < pixels.Length; t++)
            {
                if (plan.towers[t] is not { } tower)
                {
                    continue;
                }

                int side = tower.Chain.Input.Height;
                pixels[t] = tape.Own(device.Allocate<byte>(rows, side, side));
                staged[t] = new byte[rows * side * side];
                float[]? mean = plan.weights.Towers[t].MeanImage;
                Variable x = tape.GatherPatches(pixels[t]!, indices, step, GatherOf(network.Input), mean == null ? null
                    : tape.Own(device.Upload<float>(mean, side, side)), rows);
                if (network.Input.Channels == 2)
                {
                    x = tape.JoinChannels(x);
                }

                outputs.Add(Record(tower, x));
            }

            Variable all = tape.Join(outputs);
            if (network.ScoresPairs)
            {
                all = network.Input.Channels == 2 ? all : tape.JoinChannels(all);
                all = Record(plan.head, all);
            }

            result = all;
            values = new float[result.Value.Length];
        }

        /// <summary>Takes rows of the one tower's view.</summary>
        public void Load(ReadOnlySpan<byte> view, int first, int rows) => Load(Array.FindIndex(pixels, tensor => tensor != null), 0, view, first, rows);

        /// <summary>Takes rows of a tower's view of one half's patches.</summary>
        public void Load(int tower, int half, ReadOnlySpan<byte> view, int first, int rows)
        {
            int area = staged[tower].Length / (halves * size);
            view.Slice(first * area, rows * area).CopyTo(staged[tower].AsSpan(half * size * area));
        }

        /// <summary>Computes what was loaded.</summary>
        public void Run(int rows, Span<float> output, int stride)
        {
            for (int t = 0; t < pixels.Length; t++)
            {
                pixels[t]?.Write(staged[t]);
            }

            tape.Forward();
            result.Value.Read(values);
            for (int row = 0; row < rows; row++)
            {
                values.AsSpan(row * plan.Width, plan.Width).CopyTo(output[(row * stride)..]);
            }
        }

        /// <summary>Computes rows of the one tower's view that are on the device.</summary>
        public void RunOnDevice(Tensor<byte> patches, Tensor<float> output)
        {
            pixels.First(tensor => tensor != null)!.Rows(0, patches.Shape[0]).CopyFrom(patches);
            tape.Forward();
            output.CopyFrom(result.Value.View(0, output.Shape));
        }

        public void Dispose() => tape.Dispose();

        private Variable Record(FoldedTower tower, Variable x) =>
            new LayerRecorder(tape, new FoldedStore(tower)) { BatchInvariant = true }.Record(tower.Chain, x, [], new Dictionary<int, Variable>());
    }

    /// <summary>How bytes become numbers, as they are.</summary>
    internal static GatherOptions GatherOf(NetworkInput input) => new(input.Normalization, PatchAugmentation.None, 0, input.Mean, input.Deviation);
}
