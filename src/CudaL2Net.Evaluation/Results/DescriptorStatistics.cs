using System.Text.Json.Serialization;
using CudaL2Net.Matching;
using CudaL2Net.Numerics;

namespace CudaL2Net.Evaluation.Results;

/// <summary>
/// How a method's descriptors are distributed: values (L2-Net's figure 3 b), means of their bits (figure 3 c) and the correlation of their dimensions, which
/// L2-Net's E2 drives to zero. Bits count as 0 and 1.
/// </summary>
/// <param name="Method">The method's name.</param>
/// <param name="Count">The descriptors measured.</param>
/// <param name="LowestValue">The left end of the histogram of values, each descriptor scaled to unit length.</param>
/// <param name="HighestValue">Its right end; values beyond it count to the last bin.</param>
/// <param name="ValueShares">[bins]: the share of all values in each bin; empty for binary descriptors.</param>
/// <param name="BitMeans">[dimension]: the share of descriptors whose value is above 0, 0 to 1; a half carries most information.</param>
/// <param name="MeanAbsoluteCorrelation">The mean of |r| over all pairs of two different dimensions.</param>
/// <param name="Correlation">[dimension][dimension]: Pearson's r; 0 where a dimension is constant.</param>
public sealed record DescriptorStatistics(
    string Method,
    int Count,
    double LowestValue,
    double HighestValue,
    IReadOnlyList<double> ValueShares,
    IReadOnlyList<double> BitMeans,
    double MeanAbsoluteCorrelation,
    [property: JsonIgnore] double[] Correlation)
{
    private const int Bins = 120;

    /// <summary>Values, or bits, of a descriptor.</summary>
    public int Dimension => BitMeans.Count;

    /// <summary>Measures descriptors.</summary>
    /// <param name="method">The method's name.</param>
    /// <param name="descriptors">At least two.</param>
    /// <param name="threads">The most threads that work at once; 0 is one per core.</param>
    /// <exception cref="ArgumentException">There are fewer than two.</exception>
    public static DescriptorStatistics Measure(string method, DescriptorSet descriptors, int threads = 0)
    {
        ArgumentNullException.ThrowIfNull(descriptors);
        if (descriptors.Count < 2)
        {
            throw new ArgumentException($"statistics need at least two descriptors, not {descriptors.Count}");
        }

        int count = descriptors.Count, dimension = descriptors.Dimension;
        float[] values = descriptors.Values ?? Unpack(descriptors);
        double[] bitMeans = new double[dimension], means = new double[dimension];
        for (int i = 0; i < count; i++)
        {
            for (int d = 0; d < dimension; d++)
            {
                float value = values[((long)i * dimension) + d];
                bitMeans[d] += value > 0 ? 1.0 / count : 0;
                means[d] += (double)value / count;
            }
        }

        double[] correlation = Correlate(values, means, count, new Parallelism(threads));
        double sum = 0;
        for (int i = 0; i < dimension; i++)
        {
            for (int j = 0; j < dimension; j++)
            {
                sum += i == j ? 0 : Math.Abs(correlation[(i * dimension) + j]);
            }
        }

        (double lowest, double highest, double[] shares) = descriptors.Values is null ? (0, 1, []) : Histogram(ToUnitLength(values, dimension));
        return new DescriptorStatistics(
            method, count, lowest, highest, shares, bitMeans, dimension < 2 ? 0 : sum / ((double)dimension * (dimension - 1)), correlation);
    }

    private static float[] ToUnitLength(float[] values, int dimension)
    {
        var scaled = new float[values.Length];
        for (int first = 0; first < values.Length; first += dimension)
        {
            double squares = 0;
            for (int d = 0; d < dimension; d++)
            {
                squares += (double)values[first + d] * values[first + d];
            }

            double scale = squares > 0 ? 1 / Math.Sqrt(squares) : 0;
            for (int d = 0; d < dimension; d++)
            {
                scaled[first + d] = (float)(values[first + d] * scale);
            }
        }

        return scaled;
    }

    private static float[] Unpack(DescriptorSet descriptors)
    {
        var values = new float[(long)descriptors.Count * descriptors.Dimension];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (descriptors.Bits![i / 8] >> (i % 8)) & 1;
        }

        return values;
    }

    private static double[] Correlate(float[] values, double[] means, int count, Parallelism parallel)
    {
        // Centred columns, one after another, so that a product of two is a walk along two rows.
        int dimension = means.Length;
        var columns = new double[dimension][];
        for (int d = 0; d < dimension; d++)
        {
            columns[d] = new double[count];
            double squares = 0;
            for (int i = 0; i < count; i++)
            {
                double centred = values[((long)i * dimension) + d] - means[d];
                columns[d][i] = centred;
                squares += centred * centred;
            }

            // What rounding leaves of a constant column is not a deviation.
            double deviation = Math.Sqrt(squares);
            double scale = deviation > 1e-9 * Math.Sqrt(count) * Math.Max(1, Math.Abs(means[d])) ? 1 / deviation : 0;
            for (int i = 0; i < count; i++)
            {
                columns[d][i] *= scale;
            }
        }

        var correlation = new double[dimension * dimension];
        parallel.For(dimension, i =>
        {
            for (int j = i; j < dimension; j++)
            {
                double[] a = columns[i], b = columns[j];
                double product = 0;
                for (int k = 0; k < a.Length; k++)
                {
                    product += a[k] * b[k];
                }

                correlation[(i * dimension) + j] = correlation[(j * dimension) + i] = Math.Clamp(product, -1, 1);
            }
        });
        return correlation;
    }

    // From the 0.1% to the 99.9% quantile and a tenth beyond, so that one stray value does not squeeze the rest.
    private static (double Lowest, double Highest, double[] Shares) Histogram(float[] values)
    {
        float[] sorted = [.. values];
        Array.Sort(sorted);
        double low = sorted[sorted.Length / 1000], high = sorted[sorted.Length - 1 - (sorted.Length / 1000)];
        double margin = Math.Max(0.1 * (high - low), 1e-6);
        (low, high) = (low - margin, high + margin);
        var shares = new double[Bins];
        foreach (float value in values)
        {
            int bin = (int)Math.Clamp((value - low) / (high - low) * Bins, 0, Bins - 1);
            shares[bin] += 1.0 / values.Length;
        }

        return (low, high, shares);
    }
}
