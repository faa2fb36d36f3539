using CudaL2Net.Kernels;

namespace CudaL2Net.Autograd;

/// <summary>
/// A loss on each pair and its hardest negative in the batch: HardNet's, RAL-Net's and those between. Global orthogonal regularization and HardNet's penalty on
/// correlated dimensions may be added. The mean over the batch.
/// </summary>
public sealed class HardestTripletObjective : Objective
{
    /// <summary>The form.</summary>
    public TripletLoss Form { get; init; } = TripletLoss.Margin;

    /// <summary>The distance of mining and loss.</summary>
    public DescriptorDistance Metric { get; init; } = DescriptorDistance.Euclidean;

    /// <summary>The margin, in units of the distance, at least 0; for <see cref="TripletLoss.Margin"/> and <see cref="TripletLoss.Contrastive"/>.</summary>
    public float Margin { get; init; } = 1;

    /// <inheritdoc cref="TripletOptions.Scale"/>
    public float Scale { get; init; } = 1;

    /// <inheritdoc cref="HardestNegativeOptions.NearDuplicate"/>
    public float NearDuplicate { get; init; } = 0.008f;

    /// <summary>Weight of the global orthogonal regularization, at least 0; 0 leaves it out.</summary>
    public float Orthogonal { get; init; }

    /// <summary>Weight of HardNet's penalty on correlated dimensions of the anchors, at least 0; 0 leaves it out.</summary>
    public float Correlation { get; init; }

    /// <summary>That penalty by L2-Net's equation 6 in full instead of Y Y' / p.</summary>
    public bool ExactCorrelation { get; init; }

    /// <inheritdoc/>
    public override bool NeedsUnitVectors => Metric == DescriptorDistance.Angular;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Terms =>
    [
        TapeLosses.NameOf(Form), .. Orthogonal != 0 ? ["GOR"] : Array.Empty<string>(), .. Correlation != 0 ? ["E2"] : Array.Empty<string>(),
    ];

    /// <inheritdoc/>
    public override void Validate(int layers)
    {
        Require(Enum.IsDefined(Form), $"a triplet loss of form {Form}: there is no such one");
        Require(Enum.IsDefined(Metric), $"a metric of {Metric}: there is no such one");
        Require(Margin >= 0 && float.IsFinite(Margin), $"a margin of {Margin}: it must be at least 0");
        Require(Scale > 0 && float.IsFinite(Scale), $"a scale of {Scale}: it must be positive");
        Require(NearDuplicate >= 0 && float.IsFinite(NearDuplicate), $"a distance of near-duplicates of {NearDuplicate}: it must be at least 0");
        Require(Orthogonal >= 0 && float.IsFinite(Orthogonal), $"a weight of the orthogonal regularization of {Orthogonal}: it must be at least 0");
        Require(Correlation >= 0 && float.IsFinite(Correlation), $"a weight of the correlation penalty of {Correlation}: it must be at least 0");
    }

    /// <inheritdoc/>
    protected override void RecordTerms(Tape tape, ObjectiveInputs inputs)
    {
        ArgumentNullException.ThrowIfNull(tape);
        ArgumentNullException.ThrowIfNull(inputs);
        tape.HardestTriplet(inputs.Descriptors, new TripletOptions(Form, Metric, Margin, Scale), NearDuplicate, Orthogonal);
        if (Correlation != 0)
        {
            tape.Correlation(inputs.Features, new CorrelationOptions(FirstHalfOnly: true, ExactCorrelation), Correlation);
        }
    }
}
