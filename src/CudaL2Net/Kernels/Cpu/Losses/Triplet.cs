namespace CudaL2Net.Kernels.Cpu;

// The mean over p pairs of f(pos, neg): margin max(0, m + pos - neg), RAL-Net's 1 + tanh(scale (pos - neg)), softmax log(1 + e^(pos - neg)) and contrastive
// max(0, m - neg) + pos. The gradient goes into the pair's two rows and the negative's two rows:
//   Euclidean d = sqrt(|a - b|^2 + 1e-6) + 1e-8: dd/da = (a - b) / (d - 1e-8), dd/db the opposite;   angular d = 2 (1 - a.b): dd/da = -2 b, dd/db = -2 a.
// O(p q) work, far below the mining's O(p^2 q): one thread adds the rows in order of the pairs, so a row that is many pairs' negative needs no atomics.
internal sealed unsafe partial class CpuDevice
{
    private const float EuclideanOffset = 1e-8f;
    private const float EuclideanInsideRoot = 1e-6f;

    public void Triplet(
        in TripletOptions options, float weight, Tensor<float> descriptors, Tensor<float> positive, Tensor<float> negative, Tensor<int> negativePair,
        Tensor<float> loss, Tensor<float> gradient)
    {
        (int pairs, int width) = PairShape(descriptors);
        gradient.Clear();
        float* y = descriptors.Pointer;
        float* dy = gradient.Pointer;
        double factor = (double)weight / pairs, total = 0;
        for (int pair = 0; pair < pairs; pair++)
        {
            int first = negativePair.Pointer[2 * pair], second = negativePair.Pointer[(2 * pair) + 1];
            float near = positive.Pointer[pair], far = negative.Pointer[pair];
            if (first < 0)
            {
                // No distance is below NaN, so a network gone to NaN has no negatives; the loss must show it.
                total += float.IsNaN(near) ? double.NaN : 0;
                continue;
            }

            (double value, double dNear, double dFar) = TripletValue(options, near, far);
            total += value;
            AddDistanceGradient(options.Distance, (float)(factor * dNear), near, y, dy, width, pair, pairs + pair);
            AddDistanceGradient(options.Distance, (float)(factor * dFar), far, y, dy, width, first, second);
        }

        *loss.Pointer = (float)(factor * total);
    }

    /// <summary>The loss of one pair and its derivatives with respect to the positive and the negative distance.</summary>
    private static (double Value, double DNear, double DFar) TripletValue(in TripletOptions options, double near, double far)
    {
        double gap = near - far;
        switch (options.Loss)
        {
            case TripletLoss.Margin:
                double hinge = options.Margin + gap;
                return hinge > 0 ? (hinge, 1, -1) : (0, 0, 0);
            case TripletLoss.Tanh:
                double tanh = Math.Tanh(options.DistanceScale * gap);
                double slope = options.DistanceScale * (1 - (tanh * tanh));
                return (1 + tanh, slope, -slope);
            case TripletLoss.Softmax:
                double share = 1 / (1 + Math.Exp(-gap));
                double value = gap > 0 ? gap + Math.Log(1 + Math.Exp(-gap)) : Math.Log(1 + Math.Exp(gap));
                return (value, share, -share);
            case TripletLoss.Contrastive:
                double missing = options.Margin - far;
                return missing > 0 ? (missing + near, 1, -1) : (near, 1, 0);
            default:
                throw new ArgumentOutOfRangeException(nameof(options), options.Loss, "unknown triplet loss");
        }
    }

    private static void AddDistanceGradient(DescriptorDistance kind, float factor, float distance, float* y, float* dy, int width, int first, int second)
    {
        if (factor == 0)
        {
            return;
        }

        float* a = y + ((long)first * width), b = y + ((long)second * width);
        float* da = dy + ((long)first * width), db = dy + ((long)second * width);
        if (kind == DescriptorDistance.Angular)
        {
            Vectors.AddScaled(-2 * factor, b, da, width);
            Vectors.AddScaled(-2 * factor, a, db, width);
            return;
        }

        // The root is at least sqrt(1e-6), also where rounding has made the distance smaller.
        float slope = factor / MathF.Max(distance - EuclideanOffset, MathF.Sqrt(EuclideanInsideRoot));
        Vectors.AddScaledDifference(slope, a, b, da, db, width);
    }
}
