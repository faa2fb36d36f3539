using CudaL2Net.Autograd;
using CudaL2Net.Data;
using CudaL2Net.Devices;
using CudaL2Net.Losses;
using CudaL2Net.Models;
using CudaL2Net.Operations;
using CudaL2Net.Tensors;

namespace CudaL2Net.Training;

/// <summary>One training step, recorded once: gather, augment, forward, losses, backward, update. The state it moves: weights, statistics, moments.</summary>
internal sealed class TrainingStep : IDisposable
{
    private readonly Device device;
    private readonly TrainingOptions options;
    private readonly TrainedTower tower;
    private readonly TowerWeights? frozen;
    private readonly Tape tape;
    private readonly Tensor<StepParameters> step;
    private readonly Tensor<int> indices;
    private readonly Tensor<byte> pixels;
    private readonly Tensor<byte>? centres;
    private readonly List<Tensor<float>> moments = [];
    private readonly Variable descriptors;

    /// <summary>Uploads the data and records the step.</summary>
    /// <param name="device">Where it runs.</param>
    /// <param name="options">The settings.</param>
    /// <param name="patches">The training set; stays resident in device memory.</param>
    /// <param name="trained">The tower that is trained.</param>
    /// <param name="frozen">For centre-surround: the tower on the reduced patch, which is not.</param>
    /// <param name="epochRows">The length of an epoch's list of rows.</param>
    public TrainingStep(Device device, TrainingOptions options, PatchSet patches, TowerWeights trained, TowerWeights? frozen, int epochRows)
    {
        this.device = device;
        this.options = options;
        this.frozen = frozen;
        tower = new TrainedTower(device, trained);
        tape = new Tape(device);
        step = device.Allocate<StepParameters>(1);
        indices = device.Allocate<int>(epochRows);
        pixels = device.Upload<byte>(patches.Pixels, patches.Count, PatchSet.Side, PatchSet.Side);
        int rows = 2 * options.Batch;
        var gather = new GatherOptions(options.Normalization, options.Augmentation, options.Seed);
        Variable? left = null;
        if (frozen != null)
        {
            centres = device.Upload<byte>(patches.Centres, patches.Count, PatchSet.Side, PatchSet.Side);
            Variable reduced = tape.GatherPatches(pixels, indices, step, gather, MeanImage(frozen), rows);
            left = tape.UnitVector(TrainedTower.RecordFrozen(tape, reduced, frozen));
        }

        LossOptions loss = options.Loss;
        bool l2Net = loss.Family == LossFamily.L2Net;
        Variable input = tape.GatherPatches(centres ?? pixels, indices, step, gather, MeanImage(trained), rows);
        Variable features = tower.Record(tape, input, options, step, l2Net ? loss.IntermediateLayers : [], out List<(int Layer, Variable Map)> tapped);
        Variable unit = tape.UnitVector(features);
        descriptors = left == null ? unit : tape.Concatenate(left, unit);
        if (l2Net)
        {
            // The paper's terms are sums over the batch; its learning rates are for MatConvNet's solver, which divides gradients by the batch.
            float weight = 1f / options.Batch;
            if (loss.Distance)
            {
                tape.DistanceSoftmax(descriptors, weight);
            }

            if (loss.Compactness)
            {
                tape.Correlation(features, new CorrelationOptions(FirstSideOnly: false, loss.ExactCorrelation), weight);
            }

            foreach ((int layer, Variable map) in tapped)
            {
                float similarity = loss.IntermediateSimilarity == IntermediateSimilarity.Literal ? 1 : 1f / (map.Length / map.Shape[0]);
                tape.IntermediateSoftmax(map, similarity, $"E3 after layer {layer}", weight);
            }
        }
        else
        {
            // The kernel's angular distance 2 (1 - cos) has twice the cosines' gap.
            float scale = loss.Metric == DescriptorDistance.Angular ? loss.Scale / 2 : loss.Scale;
            tape.HardestTriplet(descriptors, new TripletOptions(loss.Triplet, loss.Metric, loss.Margin, scale), loss.NearDuplicate, loss.Orthogonal);
            if (loss.Correlation != 0)
            {
                tape.Correlation(features, new CorrelationOptions(FirstSideOnly: true, loss.ExactCorrelation), loss.Correlation);
            }
        }

        foreach (Variable parameter in tape.Parameters)
        {
            for (int i = 0; i < (options.Optimizer.Kind == OptimizerKind.Adam ? 2 : 1); i++)
            {
                moments.Add(device.Allocate<float>(parameter.Value.Shape));
            }
        }

        Tensor<float>? MeanImage(TowerWeights weights) => weights.MeanImage == null
            ? null
            : tape.Own(device.Upload<float>(weights.MeanImage, PatchSet.Side, PatchSet.Side));
    }

    /// <summary>The optimizer's moments: one for each parameter, two with Adam.</summary>
    public IReadOnlyList<Tensor<float>> Moments => moments;

    /// <summary>The rows of the coming epoch's batches.</summary>
    public void LoadEpoch(ReadOnlySpan<int> rows) => indices.Write(rows);

    /// <summary>Does one step.</summary>
    public void Run(StepParameters parameters)
    {
        step.Write([parameters]);
        tape.Forward();
        tape.Backward();
        OptimizerOptions optimizer = options.Optimizer;
        var sgd = new SgdOptions(optimizer.Momentum, optimizer.Dampening, optimizer.WeightDecay);
        var adam = new AdamOptions(optimizer.Momentum, optimizer.Beta2, 1e-8f, optimizer.WeightDecay);
        for (int i = 0; i < tape.Parameters.Count; i++)
        {
            Variable parameter = tape.Parameters[i];
            if (optimizer.Kind == OptimizerKind.Adam)
            {
                device.Kernels.AdamUpdate(adam, step, parameter.Gradient!, moments[2 * i], moments[(2 * i) + 1], parameter.Value);
            }
            else
            {
                device.Kernels.SgdUpdate(sgd, step, parameter.Gradient!, moments[i], parameter.Value);
            }
        }
    }

    /// <summary>The last step's loss: the sum of all terms, and each.</summary>
    public (float Total, IReadOnlyDictionary<string, float> Terms) ReadLoss()
    {
        var terms = new Dictionary<string, float>();
        var value = new float[1];
        foreach ((string name, Tensor<float> loss) in tape.Losses)
        {
            loss.Read(value);
            terms[name] = value[0];
        }

        return (terms.Values.Sum(), terms);
    }

    /// <summary>The variance of the last batch's trained descriptors, all dimensions together: near 1 for unit vectors that spread, 0 where all are
    /// alike.</summary>
    public double DescriptorSpread()
    {
        float[] values = descriptors.Value.ToArray();
        int dimension = descriptors.Shape[1], rows = 2 * options.Batch;
        double spread = 0;
        for (int d = dimension - TowerLayer.All[^1].OutChannels; d < dimension; d++)
        {
            double sum = 0, squares = 0;
            for (int row = 0; row < rows; row++)
            {
                double value = values[(row * dimension) + d];
                sum += value;
                squares += value * value;
            }

            spread += (squares / rows) - (sum / rows * (sum / rows));
        }

        return spread;
    }

    /// <summary>The towers as they are now, in the order of a model file.</summary>
    public IReadOnlyList<TowerWeights> Download() => frozen == null ? [tower.Download()] : [frozen, tower.Download()];

    public void Dispose()
    {
        tape.Dispose();
        tower.Dispose();
        step.Dispose();
        indices.Dispose();
        pixels.Dispose();
        centres?.Dispose();
        foreach (Tensor<float> moment in moments)
        {
            moment.Dispose();
        }
    }
}
