using CudaL2Net.Kernels;
using CudaL2Net.Numerics;

namespace CudaL2Net.Networks;

/// <summary>The weights and statistics of one layer, on the host.</summary>
/// <param name="Filters">[out][kh][kw][in].</param>
/// <param name="Bias">[out], or null where the convolution has none.</param>
/// <param name="Scale">[out], or null where batch normalization's scale is fixed at 1.</param>
/// <param name="Shift">[out], or null where batch normalization's shift is fixed at 0.</param>
/// <param name="RunningMean">[out].</param>
/// <param name="RunningVariance">[out], unbiased.</param>
public sealed record LayerWeights(float[] Filters, float[]? Bias, float[]? Scale, float[]? Shift, float[] RunningMean, float[] RunningVariance);

/// <summary>How a tower is initialized.</summary>
/// <param name="Normalization">How patches become its input.</param>
/// <param name="Epsilon">Batch normalization's epsilon.</param>
/// <param name="Bias">Whether convolutions have biases.</param>
/// <param name="LearnedAffine">Whether batch normalization after layer i (from 0) learns scale and shift.</param>
public sealed record TowerSettings(PatchNormalization Normalization, float Epsilon, bool Bias, IReadOnlyList<bool> LearnedAffine)
{
    /// <summary>HardNet's and RAL-Net's tower: no biases, fixed scale and shift, epsilon 1e-5.</summary>
    public static TowerSettings Default { get; } = new(PatchNormalization.PerPatch, 1e-5f, false, new bool[TowerLayer.All.Count]);
}

/// <summary>The weights and statistics of one tower, on the host.</summary>
/// <param name="Normalization">How patches become its input.</param>
/// <param name="MeanImage">[32][32] for <see cref="PatchNormalization.L2Net"/>, or null for zero.</param>
/// <param name="Epsilon">Batch normalization's epsilon.</param>
/// <param name="Layers">The seven layers.</param>
public sealed record TowerWeights(PatchNormalization Normalization, float[]? MeanImage, float Epsilon, IReadOnlyList<LayerWeights> Layers)
{
    /// <summary>An untrained tower: each filter bank as a matrix [out][in * kh * kw] is orthogonal times 0.6, biases are 0 (HardNet's
    /// initialization).</summary>
    /// <param name="settings">The parts it has.</param>
    /// <param name="seed">The run's seed.</param>
    /// <param name="tower">0, or 1 for the second tower of a centre-surround network.</param>
    public static TowerWeights Initialize(TowerSettings settings, ulong seed, int tower = 0)
    {
        var layers = new LayerWeights[TowerLayer.All.Count];
        for (int i = 0; i < layers.Length; i++)
        {
            TowerLayer layer = TowerLayer.All[i];
            bool affine = settings.LearnedAffine[i];
            float[] filters = Orthogonal(layer.OutChannels, layer.FilterLength / layer.OutChannels, 0.6, new PhiloxStream(seed, DrawPurpose.Initialization,
                (uint)((tower * layers.Length) + i)));
            layers[i] = new LayerWeights(
                filters,
                settings.Bias ? new float[layer.OutChannels] : null,
                affine ? Ones(layer.OutChannels) : null,
                affine ? new float[layer.OutChannels] : null,
                new float[layer.OutChannels],
                Ones(layer.OutChannels));
        }

        return new TowerWeights(settings.Normalization, null, settings.Epsilon, layers);
    }

    /// <summary>The tower for inference: batch normalization with the running statistics folded into filters and biases. The limits of a layer's outputs are eight
    /// standard deviations of them above their mean, which batch normalization makes its shift.</summary>
    internal FoldedNetwork Fold()
    {
        const double Deviations = 8, LeastLimit = 1e-6;
        var folded = new FoldedLayer[Layers.Count];
        for (int i = 0; i < folded.Length; i++)
        {
            TowerLayer shape = TowerLayer.All[i];
            LayerWeights layer = Layers[i];
            int depth = shape.FilterLength / shape.OutChannels;
            var filters = new float[shape.FilterLength];
            var bias = new float[shape.OutChannels];
            var limits = new float[shape.OutChannels];
            for (int o = 0; o < shape.OutChannels; o++)
            {
                double factor = (layer.Scale?[o] ?? 1.0) / Math.Sqrt((double)layer.RunningVariance[o] + Epsilon);
                bias[o] = (float)((((layer.Bias?[o] ?? 0.0) - layer.RunningMean[o]) * factor) + (layer.Shift?[o] ?? 0.0));
                limits[o] = (float)Math.Max((layer.Shift?[o] ?? 0.0) + (Deviations * Math.Abs(layer.Scale?[o] ?? 1.0)), LeastLimit);
                for (int k = 0; k < depth; k++)
                {
                    filters[(o * depth) + k] = (float)(layer.Filters[(o * depth) + k] * factor);
                }
            }

            folded[i] = new FoldedLayer(
                shape.Kernel, shape.Stride, shape.Padding, shape.InChannels, shape.OutChannels, filters, bias, i < folded.Length - 1, limits);
        }

        return new FoldedNetwork(Normalization, MeanImage, folded);
    }

    private static float[] Ones(int length)
    {
        var values = new float[length];
        Array.Fill(values, 1f);
        return values;
    }

    /// <summary>A rows x columns matrix whose shorter dimension's vectors are orthogonal and of length <paramref name="gain"/> (modified Gram-Schmidt on
    /// normal draws).</summary>
    private static float[] Orthogonal(int rows, int columns, double gain, PhiloxStream random)
    {
        int vectors = Math.Min(rows, columns), length = Math.Max(rows, columns);
        var basis = new double[vectors][];
        for (int v = 0; v < vectors; v++)
        {
            double[] vector = basis[v] = new double[length];
            for (int i = 0; i < length; i++)
            {
                vector[i] = random.NextGaussian();
            }

            // Twice is enough: the second pass removes what rounding left in the first.
            for (int pass = 0; pass < 2; pass++)
            {
                for (int earlier = 0; earlier < v; earlier++)
                {
                    double dot = 0;
                    for (int i = 0; i < length; i++)
                    {
                        dot += vector[i] * basis[earlier][i];
                    }

                    for (int i = 0; i < length; i++)
                    {
                        vector[i] -= dot * basis[earlier][i];
                    }
                }
            }

            double norm = Math.Sqrt(vector.Sum(x => x * x));
            for (int i = 0; i < length; i++)
            {
                vector[i] /= norm;
            }
        }

        var matrix = new float[rows * columns];
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column++)
            {
                matrix[(row * columns) + column] = (float)(gain * (rows <= columns ? basis[row][column] : basis[column][row]));
            }
        }

        return matrix;
    }
}
