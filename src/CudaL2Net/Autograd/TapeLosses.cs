using CudaL2Net.Kernels;

namespace CudaL2Net.Autograd;

/// <summary>
/// The losses, as recorded on a <see cref="Tape"/>. Batches hold p first patches, then the p second ones. Each loss adds its weighted value to
/// <see cref="Tape.Losses"/> and its weighted gradient to its input's.
/// </summary>
public static class TapeLosses
{
    /// <summary>Any values as a loss: weight times their mean. What comes before it on the tape makes the values.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="name">Its name in logs, which no other loss of the tape has.</param>
    /// <param name="x">Any shape.</param>
    /// <param name="weight">Its factor.</param>
    /// <exception cref="ArgumentException">Another loss has the name, the weight is not finite, or the variable is of another tape.</exception>
    public static void Loss(this Tape tape, string name, Variable x, float weight = 1)
    {
        Require.On(tape, x);
        Require.Finite(weight);
        IKernels kernels = tape.Device.Kernels;
        Tensor<float> values = x.Value;
        Tensor<float>? gradient = x.ClaimIfNeeded();
        float share = (float)(weight / (double)x.Length);
        tape.RecordLoss(name, loss =>
        {
            kernels.Mean(weight, values, loss);
            if (gradient != null)
            {
                kernels.Fill(share, gradient);
            }
        });
    }

    /// <summary>L2-Net's E1, the relative-distance loss (equations 4 and 5): row and column softmax of 2 - d over the batch.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="descriptors">[2p][q] unit vectors.</param>
    /// <param name="weight">Its factor.</param>
    /// <exception cref="ArgumentException">The descriptors are of another tape or an odd number, or the weight is not finite.</exception>
    public static void DistanceSoftmax(this Tape tape, Variable descriptors, float weight = 1)
    {
        Require.Pairs(tape, descriptors);
        Require.Finite(weight);
        IKernels kernels = tape.Device.Kernels;
        Tensor<float> gradient = descriptors.ClaimGradient(), descriptorRows = descriptors.Value;
        tape.RecordLoss("E1", loss => kernels.DistanceSoftmax(weight, descriptorRows, loss, gradient));
    }

    /// <summary>L2-Net's E2, compactness (equations 6 and 7): the squared correlations between different dimensions. Also HardNet's optional penalty on the
    /// anchors.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="features">[2p][q] (or [2p][1][1][q]), after the last batch normalization and before the unit vector.</param>
    /// <param name="options">The halves and the form.</param>
    /// <param name="weight">Its factor.</param>
    /// <exception cref="ArgumentException">The features are of another tape or an odd number of rows, or the weight is not finite.</exception>
    public static void Correlation(this Tape tape, Variable features, CorrelationOptions options, float weight = 1)
    {
        Require.Pairs(tape, features);
        Require.Finite(weight);
        IKernels kernels = tape.Device.Kernels;
        Tensor<float> gradient = features.ClaimGradient(), featureRows = features.Value;
        tape.RecordLoss("E2", loss => kernels.Correlation(options, weight, featureRows, loss, gradient));
    }

    /// <summary>L2-Net's E3, discriminative intermediate features (equations 9 and 10), after one batch normalization.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="features">[2p][...], one map a row, before ReLU.</param>
    /// <param name="similarity">Factor on the inner products: 1 is the paper's equation to the letter.</param>
    /// <param name="name">Its name in logs.</param>
    /// <param name="weight">Its factor.</param>
    /// <exception cref="ArgumentException">The features are of another tape or an odd number of rows, or a factor is not finite.</exception>
    public static void IntermediateSoftmax(this Tape tape, Variable features, float similarity, string name = "E3", float weight = 1)
    {
        Require.Pairs(tape, features);
        Require.Finite(similarity);
        Require.Finite(weight);
        IKernels kernels = tape.Device.Kernels;
        Tensor<float> gradient = features.ClaimGradient(), featureRows = features.Value;
        tape.RecordLoss(name, loss => kernels.IntermediateSoftmax(similarity, weight, featureRows, loss, gradient));
    }

    /// <summary>A loss on each pair and its hardest negative in the batch (HardNet, RAL-Net and the ablations between), with global orthogonal
    /// regularization if wanted.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="descriptors">[2p][q] unit vectors.</param>
    /// <param name="options">The loss and its distance.</param>
    /// <param name="nearDuplicate">Negatives nearer than this are taken for the same place.</param>
    /// <param name="orthogonalWeight">Factor of the regularization; 0 leaves it out.</param>
    /// <exception cref="ArgumentException">The descriptors are of another tape or an odd number, or an option is out of range.</exception>
    public static void HardestTriplet(this Tape tape, Variable descriptors, TripletOptions options, float nearDuplicate, float orthogonalWeight = 0)
    {
        Require.Pairs(tape, descriptors);
        Require.Defined(options.Loss);
        Require.Defined(options.Distance);
        Require.Finite(options.Margin);
        Require.Finite(options.Scale);
        Require.Finite(nearDuplicate);
        Require.Finite(orthogonalWeight);
        IKernels kernels = tape.Device.Kernels;
        int pairs = descriptors.Shape[0] / 2;
        Tensor<float> positive = tape.Own(tape.Device.Allocate<float>(pairs)), negative = tape.Own(tape.Device.Allocate<float>(pairs));
        Tensor<int> negativePair = tape.Own(tape.Device.Allocate<int>(pairs, 2));
        var mining = new HardestNegativeOptions(options.Distance, nearDuplicate);
        Tensor<float> gradient = descriptors.ClaimGradient(), descriptorRows = descriptors.Value;
        tape.RecordLoss(NameOf(options.Loss), loss =>
        {
            kernels.HardestNegative(mining, descriptorRows, positive, negative, negativePair);
            kernels.Triplet(options, 1, descriptorRows, positive, negative, negativePair, loss, gradient);
        });
        if (orthogonalWeight != 0)
        {
            Tensor<float> orthogonalGradient = descriptors.ClaimGradient();
            tape.RecordLoss("GOR", loss => kernels.GlobalOrthogonal(orthogonalWeight, descriptorRows, negativePair, loss, orthogonalGradient));
        }
    }

    /// <summary>The name of a triplet loss in logs.</summary>
    internal static string NameOf(TripletLoss form) => form.ToString().ToLowerInvariant();
}
