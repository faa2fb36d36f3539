using CudaL2Net.Kernels;

namespace CudaL2Net.Reference;

internal static partial class Plain
{
    public static double Distance(DescriptorDistance kind, double[] y, int width, int first, int second)
    {
        double aa = 0, bb = 0, ab = 0;
        for (int k = 0; k < width; k++)
        {
            double a = y[(first * width) + k], b = y[(second * width) + k];
            aa += a * a;
            bb += b * b;
            ab += a * b;
        }

        return kind == DescriptorDistance.Euclidean ? Math.Sqrt(Math.Max(0, aa + bb - (2 * ab)) + 1e-6) + 1e-8 : 2 * (1 - ab);
    }

    public static (double[] Positive, double[] Negative, int[] NegativePair) HardestNegative(HardestNegativeOptions options, double[] y, int pairs)
    {
        int width = y.Length / (2 * pairs);
        var positive = new double[pairs];
        var negative = new double[pairs];
        var negativePair = new int[2 * pairs];
        for (int i = 0; i < pairs; i++)
        {
            positive[i] = Distance(options.Distance, y, width, i, pairs + i);
            negative[i] = double.PositiveInfinity;
            negativePair[2 * i] = negativePair[(2 * i) + 1] = -1;
            foreach (bool row in new[] { true, false })
            {
                for (int j = 0; j < pairs; j++)
                {
                    int first = row ? i : j, second = pairs + (row ? j : i);
                    double d = Distance(options.Distance, y, width, first, second);
                    if (j != i && d >= options.NearDuplicate && d < negative[i])
                    {
                        negative[i] = d;
                        negativePair[2 * i] = first;
                        negativePair[(2 * i) + 1] = second;
                    }
                }
            }
        }

        return (positive, negative, negativePair);
    }

    public static double TripletValue(TripletOptions options, double positive, double negative) => options.Loss switch
    {
        TripletLoss.Margin => Math.Max(0, options.Margin + positive - negative),
        TripletLoss.Tanh => 1 + Math.Tanh(TanhFactor(options) * (positive - negative)),
        TripletLoss.Softmax => -Math.Log(Math.Exp(2 - positive) / (Math.Exp(2 - positive) + Math.Exp(2 - negative))),
        TripletLoss.Contrastive => Math.Max(0, options.Margin - negative) + positive,
        _ => throw new ArgumentOutOfRangeException(nameof(options)),
    };

    /// <summary>The loss as a function of the descriptors alone, with the choice of the negatives held fixed.</summary>
    public static double Triplet(TripletOptions options, double[] y, int pairs, int[] negativePair)
    {
        int width = y.Length / (2 * pairs);
        double total = 0;
        for (int i = 0; i < pairs; i++)
        {
            if (negativePair[2 * i] >= 0)
            {
                double positive = Distance(options.Distance, y, width, i, pairs + i);
                double negative = Distance(options.Distance, y, width, negativePair[2 * i], negativePair[(2 * i) + 1]);
                total += TripletValue(options, positive, negative);
            }
        }

        return total / pairs;
    }

    public static double[] TripletGradient(TripletOptions options, double[] y, int pairs, int[] negativePair)
    {
        int width = y.Length / (2 * pairs);
        var dy = new double[y.Length];
        for (int i = 0; i < pairs; i++)
        {
            int first = negativePair[2 * i], second = negativePair[(2 * i) + 1];
            if (first < 0)
            {
                continue;
            }

            double positive = Distance(options.Distance, y, width, i, pairs + i), negative = Distance(options.Distance, y, width, first, second);
            double gap = positive - negative, scale = TanhFactor(options), cosh = Math.Cosh(scale * gap);
            (double dPositive, double dNegative) = options.Loss switch
            {
                TripletLoss.Margin => options.Margin + gap > 0 ? (1.0, -1.0) : (0.0, 0.0),
                TripletLoss.Tanh => (scale / (cosh * cosh), -scale / (cosh * cosh)),
                TripletLoss.Softmax => (Math.Exp(gap) / (1 + Math.Exp(gap)), -Math.Exp(gap) / (1 + Math.Exp(gap))),
                _ => (1.0, options.Margin - negative > 0 ? -1.0 : 0.0),
            };
            AddDistanceGradient(options.Distance, dPositive / pairs, positive, y, dy, width, i, pairs + i);
            AddDistanceGradient(options.Distance, dNegative / pairs, negative, y, dy, width, first, second);
        }

        return dy;
    }

    // The scale is on the gap of cosines, and the angular distance is 2 (1 - cos).
    private static double TanhFactor(TripletOptions options) => options.Distance == DescriptorDistance.Angular ? 0.5 * options.Scale : options.Scale;

    private static void AddDistanceGradient(DescriptorDistance kind, double factor, double distance, double[] y, double[] dy, int width, int first, int second)
    {
        for (int k = 0; k < width; k++)
        {
            double a = y[(first * width) + k], b = y[(second * width) + k];
            bool euclidean = kind == DescriptorDistance.Euclidean;
            dy[(first * width) + k] += factor * (euclidean ? (a - b) / (distance - 1e-8) : -2 * b);
            dy[(second * width) + k] += factor * (euclidean ? (b - a) / (distance - 1e-8) : -2 * a);
        }
    }
}
