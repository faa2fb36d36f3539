using CudaL2Net.Autograd;
using CudaL2Net.Kernels;

namespace CudaL2Net.Training;

/// <summary>The family of losses.</summary>
public enum LossFamily
{
    /// <summary>E1 + E2 + E3: <see cref="L2NetObjective"/>.</summary>
    L2Net,

    /// <summary>A triplet loss on the hardest negative in the batch: <see cref="HardestTripletObjective"/>.</summary>
    HardestTriplet,

    /// <summary>A loss on a network's scores of pairs, half of which match: <see cref="ScoreObjective"/>.</summary>
    PairScore,
}

/// <summary>What is minimized, as it stands in <c>run.json</c>, in checkpoints and in settings <c>loss.NAME</c>.</summary>
public sealed record LossOptions
{
    /// <summary>The family.</summary>
    public LossFamily Family { get; init; } = LossFamily.HardestTriplet;

    /// <summary>L2-Net: whether E1 (relative distances) counts.</summary>
    public bool Distance { get; init; } = true;

    /// <summary>L2-Net: whether E2 (compactness) counts.</summary>
    public bool Compactness { get; init; } = true;

    /// <summary>E2, and the triplet's penalty on correlated dimensions, by equation 6 in full instead of Y Y' / p.</summary>
    public bool ExactCorrelation { get; init; }

    /// <summary>L2-Net: the layers, from 1, after whose batch normalization E3 (intermediate features) counts; empty leaves it out.</summary>
    public IReadOnlyList<int> IntermediateLayers { get; init; } = [1, 7];

    /// <summary>L2-Net: the scale of E3's inner products.</summary>
    public IntermediateSimilarity IntermediateSimilarity { get; init; } = IntermediateSimilarity.Literal;

    /// <summary>Triplet: the form.</summary>
    public TripletLoss Triplet { get; init; } = TripletLoss.Margin;

    /// <summary>Triplet: the distance of mining and loss.</summary>
    public DescriptorDistance Metric { get; init; } = DescriptorDistance.Euclidean;

    /// <summary>Triplet: the margin, in units of the distance.</summary>
    public float Margin { get; init; } = 1;

    /// <summary>Triplet: see <see cref="HardestTripletObjective.Scale"/>.</summary>
    public float Scale { get; init; } = 1;

    /// <summary>Triplet: negatives at a smaller distance are taken for the same place.</summary>
    public float NearDuplicate { get; init; } = 0.008f;

    /// <summary>Triplet: weight of the global orthogonal regularization.</summary>
    public float Orthogonal { get; init; }

    /// <summary>Triplet: weight of HardNet's correlation penalty on the anchors.</summary>
    public float Correlation { get; init; }

    /// <summary>PairScore: the form.</summary>
    public ScoreLoss Score { get; init; } = ScoreLoss.Hinge;

    /// <summary>The objective of these options.</summary>
    /// <exception cref="ArgumentException">There is no such family.</exception>
    public Objective Create() => Family switch
    {
        LossFamily.L2Net => new L2NetObjective
        {
            Distance = Distance,
            Compactness = Compactness,
            ExactCorrelation = ExactCorrelation,
            IntermediateLayers = IntermediateLayers,
            IntermediateSimilarity = IntermediateSimilarity,
        },
        LossFamily.HardestTriplet => new HardestTripletObjective
        {
            Form = Triplet,
            Metric = Metric,
            Margin = Margin,
            Scale = Scale,
            NearDuplicate = NearDuplicate,
            Orthogonal = Orthogonal,
            Correlation = Correlation,
            ExactCorrelation = ExactCorrelation,
        },
        LossFamily.PairScore => new ScoreObjective { Form = Score },
        _ => throw new ArgumentException($"a loss family of {Family}: the families are {string.Join(", ", Enum.GetNames<LossFamily>())}"),
    };
}
