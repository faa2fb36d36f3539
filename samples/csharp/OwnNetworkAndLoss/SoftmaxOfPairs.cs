using CudaL2Net.Autograd;

namespace OwnNetworkAndLoss;

/// <summary>
/// A loss of our own. Every first patch is compared with all second patches of the batch. The softmax over these comparisons should choose the right one:
/// mean over i of log(sum over j of e^(t x_i . y_j)) - t x_i . y_i. No gradient is written here: the tape knows that of each operation.
/// </summary>
internal sealed class SoftmaxOfPairs(float sharpness) : Objective
{
    public override IReadOnlyList<string> Terms => ["softmax of pairs"];

    protected override void RecordTerms(Tape tape, ObjectiveInputs inputs)
    {
        Variable first = tape.FirstHalf(inputs.Descriptors), second = tape.SecondHalf(inputs.Descriptors);
        Variable all = tape.Affine(tape.InnerProducts(first, second), sharpness);
        Variable right = tape.Affine(tape.RowDots(first, second), sharpness);
        tape.Loss(Terms[0], tape.Subtract(tape.Log(tape.RowSums(tape.Exp(all))), right));
    }
}
