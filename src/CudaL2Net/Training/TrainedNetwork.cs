using CudaL2Net.Autograd;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;

namespace CudaL2Net.Training;

/// <summary>A network's weights and statistics in device memory, while they are trained. All parameters lie in one tensor and their gradients in another, so
/// that one operation updates them all.</summary>
internal sealed class TrainedNetwork : IDisposable
{
    private readonly NetworkWeights initial;
    private readonly Chain?[] towers;
    private readonly Chain head;
    private readonly List<(int Start, int[] Shape)> slots = [];

    public TrainedNetwork(Device device, ShapedNetwork network, NetworkWeights weights)
    {
        Shaped = network;
        initial = weights;
        int length = 0;
        for (int t = 0; t < network.Towers.Count; t++)
        {
            if (network.Network.Towers[t].Trained)
            {
                Reserve(network.Towers[t]);
            }
        }

        Reserve(network.Head);
        Parameters = device.Allocate<float>(length);
        Gradients = device.Allocate<float>(length);
        int next = 0;
        towers = [.. network.Towers.Select((chain, t) => network.Network.Towers[t].Trained ? Place(chain, weights.Towers[t].Layers) : null)];
        head = Place(network.Head, weights.Head);

        void Reserve(LayerChain chain)
        {
            // Each starts at a multiple of 64 bytes, as tensors do.
            const int Alignment = 16;
            foreach (LayerTensor tensor in chain.Layers.SelectMany(layer => layer.Tensors).Where(tensor => tensor.IsTrained))
            {
                slots.Add((length, tensor.Shape));
                length = checked(length + ((tensor.Length + Alignment - 1) / Alignment * Alignment));
            }
        }

        Chain Place(LayerChain chain, IReadOnlyList<LayerWeights> layers)
        {
            var placed = new Chain(chain, layers);
            foreach (ShapedLayer layer in chain.Layers)
            {
                foreach (LayerTensor tensor in layer.Tensors)
                {
                    float[] values = layers[layer.Number - 1][tensor.Name];
                    if (tensor.IsTrained)
                    {
                        (int start, int[] shape) = slots[next++];
                        var parameter = new Parameter(Parameters.View(start, shape), Gradients.View(start, shape));
                        parameter.Value.Write(values);
                        placed.Parameters.Add((layer.Number - 1, tensor.Name), parameter);
                    }
                    else
                    {
                        placed.Statistics.Add((layer.Number - 1, tensor.Name), device.Upload<float>(values));
                    }
                }
            }

            return placed;
        }
    }

    /// <summary>The network.</summary>
    public ShapedNetwork Shaped { get; }

    /// <summary>The last tower that is trained, whose maps and features losses may read; -1 where only the head is trained.</summary>
    public int LastTrained => LastTrainedOf(Shaped.Network);

    /// <summary>All parameters, with zeros between them.</summary>
    public Tensor<float> Parameters { get; }

    /// <summary>The gradients of <see cref="Parameters"/>.</summary>
    public Tensor<float> Gradients { get; }

    /// <summary>The parts of a tensor like <see cref="Parameters"/>, in the order in which parameters are recorded.</summary>
    public IEnumerable<Tensor<float>> Split(Tensor<float> flat) => slots.Select(slot => flat.View(slot.Start, slot.Shape));

    /// <summary>The last tower of a network that is trained; -1 where only the head is.</summary>
    public static int LastTrainedOf(Network network) => network.Towers.ToList().FindLastIndex(tower => tower.Trained);

    /// <summary>Records the network in training mode.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="views">For each tower its view of the patches, normalized, [2p][side][side][channels].</param>
    /// <param name="options">The statistics' momentum and the seed.</param>
    /// <param name="step">The step's parameters, for dropout.</param>
    /// <param name="taps">Batch normalizations of the last trained tower, from 1, whose maps are wanted.</param>
    public RecordedNetwork Record(Tape tape, Func<int, Variable> views, TrainingOptions options, Tensor<StepParameters> step, IReadOnlyList<int> taps)
    {
        var tapped = new Dictionary<int, Variable>();
        var outputs = new Variable[towers.Length];
        int dropouts = 0;
        Variable? features = null;
        for (int t = 0; t < towers.Length; t++)
        {
            LayerChain chain = Shaped.Towers[t];
            bool last = t == LastTrained;
            if (towers[t] is not { } trained)
            {
                var folded = FoldedTower.Of(chain, initial.Towers[t].Layers);
                outputs[t] = new LayerRecorder(tape, new FoldedStore(folded)).Record(folded.Chain, views(t), [], new Dictionary<int, Variable>());
                continue;
            }

            // Losses on features read them before they become unit vectors.
            LayerRecorder recorder = Training(tape, trained, options, step, dropouts, Shaped.Network.Input.Channels == 2 ? 1 : 2);
            bool unit = chain.Layers[^1].Layer is UnitVector;
            LayerChain before = unit ? chain with { Layers = [.. chain.Layers.SkipLast(1)] } : chain;
            features = recorder.Record(before, views(t), last ? taps : [], tapped);
            dropouts = recorder.FirstDropout;
            outputs[t] = unit ? tape.UnitVector(features) : features;
        }

        Variable all = tape.Join(outputs);
        if (!Shaped.Network.ScoresPairs)
        {
            return new RecordedNetwork(all, features!, tapped, null);
        }

        Variable joined = Shaped.Network.Input.Channels == 2 ? all : tape.PairChannels(all);
        Variable scores = Training(tape, head, options, step, dropouts, halves: 1).Record(Shaped.Head, joined, [], new Dictionary<int, Variable>());
        return new RecordedNetwork(all, features ?? all, tapped, tape.Flatten(scores));
    }

    /// <summary>The weights and statistics as they are now.</summary>
    public NetworkWeights Download() => new(
        [.. towers.Select((chain, t) => chain == null ? initial.Towers[t] : initial.Towers[t] with { Layers = chain.Download() })],
        head.Download());

    public void Dispose()
    {
        Parameters.Dispose();
        Gradients.Dispose();
        foreach (Tensor<float> statistic in towers.Append(head).SelectMany(chain => chain?.Statistics.Values ?? Enumerable.Empty<Tensor<float>>()))
        {
            statistic.Dispose();
        }
    }

    // Where the halves of the batch are pairs that match and pairs that do not, statistics of each half would give the answer away.
    private static LayerRecorder Training(Tape tape, Chain chain, TrainingOptions options, Tensor<StepParameters> step, int dropouts, int halves) =>
        new(tape, chain)
        {
            Training = true,
            Halves = halves,
            StatisticsMomentum = options.StatisticsMomentum,
            Seed = options.Seed,
            Step = step,
            FirstDropout = dropouts,
        };

    private sealed record Parameter(Tensor<float> Value, Tensor<float> Gradient);

    /// <summary>The tensors of a tower or of the head.</summary>
    private sealed class Chain(LayerChain layers, IReadOnlyList<LayerWeights> initial) : ILayerStore
    {
        public Dictionary<(int Layer, string Name), Parameter> Parameters { get; } = [];

        public Dictionary<(int Layer, string Name), Tensor<float>> Statistics { get; } = [];

        public Variable? Parameter(Tape tape, int layer, string name) =>
            Parameters.TryGetValue((layer, name), out Parameter? parameter) ? tape.AddParameter(parameter.Value, parameter.Gradient) : null;

        public Tensor<float> Statistic(int layer, string name) => Statistics[(layer, name)];

        public LayerWeights Weights(int layer) => initial[layer];

        public LayerWeights[] Download() => [.. layers.Layers.Select((layer, i) => layer.Tensors.Count == 0
            ? LayerWeights.None
            : new LayerWeights(layer.Tensors.ToDictionary(
                tensor => tensor.Name, tensor => (tensor.IsTrained ? Parameters[(i, tensor.Name)].Value : Statistics[(i, tensor.Name)]).ToArray())))];
    }
}

/// <summary>A network on a tape.</summary>
/// <param name="Descriptors">[2p][d]: the towers' outputs, one behind the other; first patches, then second ones.</param>
/// <param name="Features">The last trained tower's output before it becomes a unit vector.</param>
/// <param name="Maps">The maps that were asked for, by the number of their batch normalization.</param>
/// <param name="Scores">For networks that score pairs, [2p][1]: p pairs that match, then p that do not; else null.</param>
internal sealed record RecordedNetwork(Variable Descriptors, Variable Features, IReadOnlyDictionary<int, Variable> Maps, Variable? Scores);
