namespace CudaL2Net.Autograd;

/// <summary>Losses on the score s of a pair, with y = 1 where it matches and -1 where it does not.</summary>
public enum ScoreLoss
{
    /// <summary>max(0, 1 - y s) (Zagoruyko and Komodakis, CVPR 2015, equation 2).</summary>
    Hinge,

    /// <summary>log(1 + exp(-y s)): the cross entropy of the score taken as the logit of "they match" (Han et al., CVPR 2015).</summary>
    CrossEntropy,
}

/// <summary>The mean of a loss over the scores of pairs, half of which match.</summary>
public sealed class ScoreObjective : Objective
{
    /// <summary>The loss.</summary>
    public ScoreLoss Form { get; init; }

    /// <inheritdoc/>
    public override bool ReadsScores => true;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Terms => [Form == ScoreLoss.Hinge ? "hinge" : "cross entropy"];

    /// <inheritdoc/>
    protected override void RecordTerms(Tape tape, ObjectiveInputs inputs)
    {
        ArgumentNullException.ThrowIfNull(tape);
        ArgumentNullException.ThrowIfNull(inputs);

        // The first half of the scores are of pairs that match: -y s has the other sign in each half.
        Variable scores = inputs.Scores;
        int pairs = scores.Shape[0] / 2;
        Variable wrong = tape.Multiply(scores, tape.Input(tape.Own(tape.Device.Upload<float>(
            [.. Enumerable.Range(0, 2 * pairs).Select(row => row < pairs ? -1f : 1f)], 2 * pairs, 1))));
        tape.Loss(Terms[0], Form == ScoreLoss.Hinge ? tape.Relu(tape.Affine(wrong, 1, 1)) : SoftPlus(tape, wrong));
    }

    // log(1 + exp(x)) = (x + |x|) / 2 + log(1 + exp(-|x|)), where nothing overflows. The gradient of |x| at 0 is taken as 0, which leaves the right one, 1/2.
    private static Variable SoftPlus(Tape tape, Variable x)
    {
        Variable size = tape.Add(tape.Relu(x), tape.Relu(tape.Affine(x, -1)));
        Variable decay = tape.Exp(tape.Affine(size, -1));
        return tape.Add(tape.Affine(tape.Add(x, size), 0.5f), tape.Log(tape.Affine(decay, 1, 1)));
    }
}
