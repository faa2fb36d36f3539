using CudaL2Net.Autograd;
using CudaL2Net.Data;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;

namespace CudaL2Net.Training;

/// <summary>
/// One training step, recorded once: gather, augment, forward, losses, backward, update. The state it moves: weights, statistics, moments. What changes from
/// step to step comes from the epoch's schedule in device memory, so that a step needs nothing from the host but its launch.
/// </summary>
internal sealed class TrainingStep : IDisposable
{
    private readonly TrainingOptions options;
    private readonly TrainedNetwork network;
    private readonly Tape tape;
    private readonly Tensor<StepParameters> step;
    private readonly Tensor<StepParameters> schedule;
    private readonly Tensor<int> cursor;
    private readonly Tensor<int> indices;
    private readonly Tensor<float>[] flatMoments;
    private readonly Variable descriptors;
    private readonly IReplay replay;
    private readonly Readback readback;

    /// <summary>Uploads the data and records the step.</summary>
    /// <param name="device">Where it runs.</param>
    /// <param name="options">The settings.</param>
    /// <param name="objective">What is minimized.</param>
    /// <param name="patches">The training set; stays resident in device memory.</param>
    /// <param name="shaped">The network that is trained.</param>
    /// <param name="weights">The weights that it starts from.</param>
    /// <param name="stepsPerEpoch">The number of batches that <see cref="LoadEpoch"/> brings.</param>
    public TrainingStep(Device device, TrainingOptions options, Objective objective, PatchSet patches, ShapedNetwork shaped, NetworkWeights weights,
        int stepsPerEpoch)
    {
        this.options = options;
        network = new TrainedNetwork(device, shaped, weights);
        tape = new Tape(device);
        step = device.Allocate<StepParameters>(1);
        schedule = device.Allocate<StepParameters>(stepsPerEpoch);
        cursor = device.Allocate<int>(1);
        int rows = 2 * options.Batch;
        indices = device.Allocate<int>(checked(stepsPerEpoch * rows));
        NetworkInput described = shaped.Network.Input;
        var gather = new GatherOptions(described.Normalization, options.Augmentation, options.Seed, described.Mean, described.Deviation);
        RecordedNetwork recorded = network.Record(tape, View, options, step, objective.MapLayers);
        descriptors = recorded.Descriptors;
        objective.Record(tape, new ObjectiveInputs
        {
            Descriptors = descriptors,
            Features = recorded.Features,
            Maps = recorded.Maps,
            Scores = recorded.Scores!,
            Step = step,
        });

        flatMoments = [.. Enumerable.Range(0, options.Optimizer.Kind == OptimizerKind.Adam ? 2 : 1).Select(_ => device.Allocate<float>(network.Parameters.Length))];
        Tensor<float>[][] perMoment = [.. flatMoments.Select(flat => network.Split(flat).ToArray())];
        Moments = [.. Enumerable.Range(0, perMoment[0].Length).SelectMany(i => perMoment.Select(parts => parts[i]))];
        replay = device.Record(Recorded(device));
        readback = device.CreateReadback([.. tape.Losses.Select(term => term.Value), descriptors.Value]);

        // A tower's view of the batch, normalized.
        Variable View(int tower)
        {
            LayerChain chain = shaped.Towers[tower];
            int side = chain.Input.Height;
            Tensor<byte> pixels = tape.Own(device.Lend(patches.View(shaped.Network.Towers[tower].View, described.Side), patches.Count, side, side));
            Tensor<float>? mean = weights.Towers[tower].MeanImage is { } image ? tape.Own(device.Upload<float>(image, side, side)) : null;
            Variable x = tape.GatherPatches(pixels, indices, step, gather, mean, rows);
            return described.Channels == 2 ? tape.PairChannels(x) : x;
        }
    }

    /// <summary>The optimizer's moments: one for each parameter, two with Adam.</summary>
    public IReadOnlyList<Tensor<float>> Moments { get; }

    /// <summary>Whether the values that <see cref="QueueReading"/> asked for are there.</summary>
    public bool ReadingIsReady => readback.IsReady;

    /// <summary>Brings an epoch.</summary>
    /// <param name="rows">The rows of its batches.</param>
    /// <param name="steps">The parameters of its steps.</param>
    /// <param name="next">The step, from 0 in this epoch, that comes next.</param>
    public void LoadEpoch(ReadOnlySpan<int> rows, ReadOnlySpan<StepParameters> steps, int next)
    {
        indices.Write(rows);
        schedule.Write(steps);
        cursor.Write([next]);
    }

    /// <summary>Queues the next step.</summary>
    public void Run() => replay.Run();

    /// <summary>Asks for the losses and descriptors of the last step, to be taken later.</summary>
    public void QueueReading() => readback.Queue();

    /// <summary>What <see cref="QueueReading"/> asked for; waits until it is there.</summary>
    public StepReading TakeReading()
    {
        ReadOnlySpan<float> values = readback.Take();
        var terms = new Dictionary<string, float>();
        for (int i = 0; i < tape.Losses.Count; i++)
        {
            terms.Add(tape.Losses[i].Name, values[i]);
        }

        return new StepReading(terms.Values.Sum(), terms, DescriptorSpread(values[tape.Losses.Count..]));
    }

    /// <summary>The weights and statistics as they are now.</summary>
    public NetworkWeights Download() => network.Download();

    public void Dispose()
    {
        replay.Dispose();
        readback.Dispose();
        tape.Dispose();
        network.Dispose();
        step.Dispose();
        schedule.Dispose();
        cursor.Dispose();
        indices.Dispose();
        Array.ForEach(flatMoments, moment => moment.Dispose());
    }

    private Action Recorded(Device device)
    {
        OptimizerOptions optimizer = options.Optimizer;
        var sgd = new SgdOptions(optimizer.Momentum, optimizer.Dampening, optimizer.WeightDecay);
        var adam = new AdamOptions(optimizer.Momentum, optimizer.Beta2, 1e-8f, optimizer.WeightDecay);
        IKernels kernels = device.Kernels;
        return () =>
        {
            kernels.NextStep(schedule, cursor, step);
            tape.Forward();
            tape.Backward();
            if (optimizer.Kind == OptimizerKind.Adam)
            {
                kernels.AdamUpdate(adam, step, network.Gradients, flatMoments[0], flatMoments[1], network.Parameters);
            }
            else
            {
                kernels.SgdUpdate(sgd, step, network.Gradients, flatMoments[0], network.Parameters);
            }
        };
    }

    // The variance of the last trained tower's descriptors, all dimensions together, over the mean square of their length: which is 1 for unit vectors.
    private double? DescriptorSpread(ReadOnlySpan<float> values)
    {
        if (network.Shaped.Network.ScoresPairs)
        {
            return null;
        }

        int dimension = descriptors.Shape[1], rows = 2 * options.Batch, trained = network.LastTrained;
        int first = (int)network.Shaped.Towers.Take(trained).Sum(tower => tower.Output.Length), end = first + (int)network.Shaped.Towers[trained].Output.Length;
        double spread = 0, length = 0;
        for (int d = first; d < end; d++)
        {
            double sum = 0, squares = 0;
            for (int row = 0; row < rows; row++)
            {
                double value = values[(row * dimension) + d];
                sum += value;
                squares += value * value;
            }

            spread += (squares / rows) - (sum / rows * (sum / rows));
            length += squares / rows;
        }

        return network.Shaped.Network.Head.UnitVectors ? spread : spread / Math.Max(length, float.Epsilon);
    }
}

/// <summary>What is read of a step.</summary>
/// <param name="Loss">The sum of all terms.</param>
/// <param name="Terms">Each term, weighted, by its name.</param>
/// <param name="DescriptorSpread">The variance of the batch's trained descriptors, all dimensions together, over the mean square of their length: near 1 where
/// they spread, 0 where all are alike. Null for a network that scores pairs.</param>
internal sealed record StepReading(float Loss, IReadOnlyDictionary<string, float> Terms, double? DescriptorSpread);
