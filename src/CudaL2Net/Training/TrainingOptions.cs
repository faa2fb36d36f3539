using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using CudaL2Net.Autograd;
using CudaL2Net.Formats;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;

namespace CudaL2Net.Training;

/// <summary>The optimizers.</summary>
public enum OptimizerKind
{
    /// <summary>Stochastic gradient descent with momentum and dampening.</summary>
    Sgd,

    /// <summary>Adam; with weight decay AdamW.</summary>
    Adam,
}

/// <summary>How the learning rate falls.</summary>
public enum LearningRateSchedule
{
    /// <summary>Linearly to 0 over all steps, set per step (HardNet, RAL-Net).</summary>
    Linear,

    /// <summary>Divided by 10 every <see cref="OptimizerOptions.EpochsPerDrop"/> epochs (L2-Net).</summary>
    Drops,
}

/// <summary>How weights move.</summary>
public sealed record OptimizerOptions
{
    /// <summary>The optimizer.</summary>
    public OptimizerKind Kind { get; init; } = OptimizerKind.Sgd;

    /// <summary>The learning rate at the start.</summary>
    public float LearningRate { get; init; } = 10;

    /// <summary>Its course.</summary>
    public LearningRateSchedule Schedule { get; init; }

    /// <summary>For <see cref="LearningRateSchedule.Drops"/>.</summary>
    public int EpochsPerDrop { get; init; } = 20;

    /// <summary>SGD's momentum, or Adam's decay of the first moment.</summary>
    public float Momentum { get; init; } = 0.9f;

    /// <summary>SGD's dampening: the gradient counts 1 - dampening from the second step on.</summary>
    public float Dampening { get; init; }

    /// <summary>Adam's decay of the second moment.</summary>
    public float Beta2 { get; init; } = 0.999f;

    /// <summary>Weight decay.</summary>
    public float WeightDecay { get; init; } = 1e-4f;
}

/// <summary>How batches are drawn.</summary>
public enum SamplingKind
{
    /// <summary>Points uniform, each at most once per batch, two patches of each (HardNet).</summary>
    Pairs,

    /// <summary>Half of each batch walks all points in order, half is drawn from the rest (L2-Net's progressive sampling with p1 = p2).</summary>
    Progressive,
}

/// <summary>Everything that decides the course of a training, besides the data. <see cref="Presets"/> has the papers' settings.</summary>
public sealed record TrainingOptions
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        Converters = { new NetworkConverter(), new JsonStringEnumConverter(JsonNamingPolicy.CamelCase, allowIntegerValues: false) },
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectNullableAnnotations = true,
        AllowDuplicateProperties = false,
    };

    /// <summary>The preset that these options started from.</summary>
    public required string Preset { get; init; }

    /// <summary>The network that is trained.</summary>
    public Network Network { get; init; } = NetworkFile.Find("hardnet");

    /// <summary>The symmetries that pairs are turned by.</summary>
    public PatchAugmentation Augmentation { get; init; }

    /// <summary>Weight of a batch in batch normalization's running statistics.</summary>
    public float StatisticsMomentum { get; init; } = 0.1f;

    /// <summary>What is minimized.</summary>
    public LossOptions Loss { get; init; } = new();

    /// <summary>How weights move.</summary>
    public OptimizerOptions Optimizer { get; init; } = new();

    /// <summary>How batches are drawn.</summary>
    public SamplingKind Sampling { get; init; }

    /// <summary>p, the pairs of a batch, at least 2.</summary>
    public int Batch { get; init; } = 128;

    /// <summary>Pairs drawn in an epoch; progressive sampling ignores it, there an epoch is one walk over all points.</summary>
    public long PairsPerEpoch { get; init; } = 200_000;

    /// <summary>Epochs.</summary>
    public int Epochs { get; init; } = 50;

    /// <summary>Steps in all, if not given by epochs.</summary>
    public int? Steps { get; init; }

    /// <summary>Seed of weights, batches, augmentation and dropout.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Reads options from <see cref="ToJson"/>, or from that of earlier versions.</summary>
    /// <exception cref="JsonException">The text holds no options.</exception>
    public static TrainingOptions FromJson(string json)
    {
        try
        {
            return (JsonNode.Parse(json) is JsonObject root ? NetworkSettings.Modernize(root) : null).Deserialize<TrainingOptions>(Json)
                ?? throw new JsonException("there are no options");
        }
        catch (Exception error) when (error is InvalidOperationException or FormatException or ArgumentException or OverflowException)
        {
            // A value of another type where earlier versions had settings of the network.
            throw new JsonException(error.Message, error);
        }
    }

    /// <summary>The options as one line of JSON.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, Json);

    /// <summary>These options with one changed, by its name in JSON.</summary>
    /// <param name="path">A name such as <c>batch</c> or <c>loss.margin</c>, or one of <see cref="NetworkSettings"/>, which change the network's
    /// layers.</param>
    /// <param name="value">The value as JSON, or a bare word.</param>
    /// <exception cref="ArgumentException">There is no such option, or the value does not fit it; the message lists what there is.</exception>
    public TrainingOptions With(string path, string value)
    {
        if (NetworkSettings.Names.Contains(path))
        {
            return this with { Network = NetworkSettings.Change(Network, Loss, path, value) };
        }

        JsonNode root = JsonSerializer.SerializeToNode(this, Json)!;
        string[] names = path.Split('.');
        JsonObject parent = root.AsObject();
        foreach (string name in names[..^1])
        {
            parent = parent[name] as JsonObject ?? throw Unknown();
        }

        if (!parent.ContainsKey(names[^1]) || parent[names[^1]] is JsonObject)
        {
            throw Unknown();
        }

        string before = parent[names[^1]]?.ToJsonString() ?? "null";
        parent[names[^1]] = JsonText.OfTyped(value);
        try
        {
            TrainingOptions changed = root.Deserialize<TrainingOptions>(Json)!;

            // A number that is too large for its type has become infinite, which JSON cannot hold.
            _ = changed.ToJson();
            return changed;
        }
        catch (Exception error) when (error is JsonException or ArgumentException)
        {
            throw new ArgumentException($"the setting '{path}' cannot be '{value}' (it is {before}); numbers have a point before the decimals and no other separators");
        }

        ArgumentException Unknown() =>
            new($"there is no setting '{path}'; the settings are {string.Join(", ", Names(root.AsObject(), "").Concat(NetworkSettings.Names))}");
    }

    /// <summary>Throws if an option is out of range.</summary>
    /// <exception cref="ArgumentException">The message names the option and its range.</exception>
    public void Validate() => Validate(Loss.Create());

    /// <summary>Throws if an option is out of range, or if the network does not give what an objective reads.</summary>
    internal void Validate(Objective objective)
    {
        ValidateSettings();
        RequireObjective(Network, objective);
    }

    /// <summary>Throws if an option is out of range. The objective may be one of the user's own.</summary>
    internal void ValidateSettings()
    {
        Require(Batch >= 2, $"a batch of {Batch}: it needs at least 2 pairs, since the other pairs are the negatives");
        Require(Batch <= 65536, $"a batch of {Batch}: at most 65536 pairs");
        Require(Sampling != SamplingKind.Progressive || Batch % 2 == 0, $"a batch of {Batch}: progressive sampling needs an even one");
        Require(Epochs >= 1, $"{Epochs} epochs: at least 1");
        Require(Steps is null or >= 1, $"{Steps} steps: at least 1");
        Require(PairsPerEpoch >= Batch, $"{PairsPerEpoch} pairs an epoch do not fill a batch of {Batch}");
        Require(float.IsFinite(Optimizer.LearningRate) && Optimizer.LearningRate > 0, $"a learning rate of {Optimizer.LearningRate}: it must be positive");
        Require(Optimizer.Momentum is >= 0 and < 1, $"a momentum of {Optimizer.Momentum}: from 0 to below 1");
        Require(Optimizer.EpochsPerDrop >= 1, $"{Optimizer.EpochsPerDrop} epochs per drop: at least 1");
        Require(Optimizer.Dampening is >= 0 and < 1, $"a dampening of {Optimizer.Dampening}: from 0 to below 1");
        Require(Optimizer.Beta2 is >= 0 and < 1, $"a beta2 of {Optimizer.Beta2}: from 0 to below 1");
        Require(Optimizer.WeightDecay >= 0 && float.IsFinite(Optimizer.WeightDecay), $"a weight decay of {Optimizer.WeightDecay}: at least 0");
        Require(Enum.IsDefined(Optimizer.Kind) && Enum.IsDefined(Optimizer.Schedule) && Enum.IsDefined(Sampling) && Enum.IsDefined(Augmentation),
            "an optimizer, schedule, sampling or augmentation that does not exist");
        Require(StatisticsMomentum is > 0 and <= 1, $"a statisticsMomentum of {StatisticsMomentum}: above 0 and at most 1");
        var shaped = ShapedNetwork.Of(Network);
        Require(
            shaped.Towers.Where((_, t) => Network.Towers[t].Trained).Append(shaped.Head).Any(chain => chain.Layers.Any(layer => layer.Parameters > 0)),
            $"the network {Network.Name} has no weights to train");

        static void Require(bool condition, string message)
        {
            if (!condition)
            {
                throw new ArgumentException(message);
            }
        }
    }

    private static void RequireObjective(Network network, Objective objective)
    {
        int trained = TrainedNetwork.LastTrainedOf(network);
        objective.Validate(trained < 0 ? 0 : network.Towers[trained].Layers.Count(layer => layer is BatchNormalization));
        if (network.ScoresPairs != objective.ReadsScores)
        {
            throw new ArgumentException(network.ScoresPairs
                ? $"the network {network.Name} scores pairs: train it with a loss on scores (loss.family=pairScore)"
                : $"the loss is on scores of pairs, and the network {network.Name} gives descriptors: take another loss.family");
        }

        if (objective.NeedsUnitVectors && !network.Head.UnitVectors)
        {
            throw new ArgumentException(
                $"this loss is on angles or on distances of unit vectors, and those of the network {network.Name} are of any length: end its towers with a unitVector "
                    + "layer, or take loss.family=hardestTriplet with loss.metric=euclidean");
        }
    }

    private static IEnumerable<string> Names(JsonObject node, string prefix) => node.Where(entry => entry.Key != "network").SelectMany(entry =>
        entry.Value is JsonObject inner ? Names(inner, prefix + entry.Key + ".") : [prefix + entry.Key]);
}
