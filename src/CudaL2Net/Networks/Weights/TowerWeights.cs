using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using CudaL2Net.Kernels;
using CudaL2Net.Numerics;

namespace CudaL2Net.Networks;

/// <summary>The tensors of one layer, on the host, by name: <c>filters</c> [out][kh][kw][in], <c>bias</c>, <c>scale</c>, <c>shift</c>, <c>running_mean</c>,
/// <c>running_variance</c> [out], and what other layers have.</summary>
public sealed class LayerWeights(IReadOnlyDictionary<string, float[]> tensors)
{
    /// <summary>For layers that hold nothing.</summary>
    public static LayerWeights None { get; } = new(new Dictionary<string, float[]>());

    /// <summary>The tensors' names.</summary>
    public IEnumerable<string> Names => tensors.Keys;

    /// <summary>A tensor's values.</summary>
    /// <exception cref="KeyNotFoundException">The layer has none of that name.</exception>
    public float[] this[string name] => tensors.TryGetValue(name, out float[]? values) ? values : throw new KeyNotFoundException($"the layer has no tensor '{name}'");

    /// <summary>A tensor's values, or null where the layer has none of that name.</summary>
    public float[]? Find(string name) => tensors.GetValueOrDefault(name);

    /// <summary>The same with one tensor added or replaced.</summary>
    public LayerWeights With(string name, float[] values) => new(new Dictionary<string, float[]>(tensors) { [name] = values });
}

/// <summary>The weights and statistics of one tower, on the host.</summary>
/// <param name="MeanImage">[side][side], subtracted from patches first; null for none.</param>
/// <param name="Layers">Those of each layer, in the order of the description.</param>
public sealed record TowerWeights(float[]? MeanImage, IReadOnlyList<LayerWeights> Layers);

/// <summary>All weights and statistics of a network, on the host.</summary>
/// <param name="Towers">Those of the towers.</param>
/// <param name="Head">Those of the head's layers.</param>
public sealed record NetworkWeights(IReadOnlyList<TowerWeights> Towers, IReadOnlyList<LayerWeights> Head)
{
    private const double Gain = 0.6;

    // Multiply-adds up to which rows are made orthogonal; beyond, random rows of so many values nearly are.
    private const double MostOrthogonal = 5e8;

    /// <summary>An untrained network: each weight matrix [out][...] has orthogonal rows (or columns, whichever are fewer) times 0.6, biases are 0: HardNet's
    /// initialization. Very large matrices are normal with the same length of rows.</summary>
    /// <param name="network">The network.</param>
    /// <param name="seed">The run's seed.</param>
    /// <exception cref="ArgumentException">The network's layers do not fit.</exception>
    public static NetworkWeights Initialize(Network network, ulong seed)
    {
        var shaped = ShapedNetwork.Of(network);
        uint bank = 0;
        TowerWeights[] towers = [.. shaped.Towers.Select(tower => new TowerWeights(null, Layers(tower)))];
        return new NetworkWeights(towers, Layers(shaped.Head));

        LayerWeights[] Layers(LayerChain chain) => [.. chain.Layers.Select(layer => layer.Tensors.Count == 0
            ? LayerWeights.None
            : new LayerWeights(layer.Tensors.ToDictionary(tensor => tensor.Name, tensor => Initial(tensor, seed, ref bank))))];
    }

    /// <summary>Weights that are all 0, for what only looks at shapes.</summary>
    internal static NetworkWeights Zeros(ShapedNetwork network)
    {
        return new NetworkWeights([.. network.Towers.Select(tower => new TowerWeights(null, Of(tower)))], Of(network.Head));

        static LayerWeights[] Of(LayerChain chain) =>
            [.. chain.Layers.Select(layer => new LayerWeights(layer.Tensors.ToDictionary(tensor => tensor.Name, tensor => new float[tensor.Length])))];
    }

    private static float[] Initial(LayerTensor tensor, ulong seed, ref uint bank)
    {
        switch (tensor.Kind)
        {
            case TensorKind.Weights:
                int rows = tensor.Shape[0], columns = tensor.Length / rows;
                var random = new PhiloxStream(seed, DrawPurpose.Initialization, bank++);
                return (double)rows * columns * Math.Min(rows, columns) <= MostOrthogonal ? Orthogonal(rows, columns, random) : Normal(rows, columns, random);
            case TensorKind.Gaussian:
                return SubtractiveNorm.GaussianWeights(tensor.Shape[0]);
            case TensorKind.Ones or TensorKind.FixedOnes or TensorKind.RunningVariance or TensorKind.MinusOnes:
                var ones = new float[tensor.Length];
                Array.Fill(ones, tensor.Kind == TensorKind.MinusOnes ? -1f : 1f);
                return ones;
            default:
                return new float[tensor.Length];
        }
    }

    private static float[] Normal(int rows, int columns, PhiloxStream random)
    {
        var matrix = new float[rows * columns];
        double deviation = Gain / Math.Sqrt(Math.Max(rows, columns));
        for (int i = 0; i < matrix.Length; i++)
        {
            matrix[i] = (float)(deviation * random.NextGaussian());
        }

        return matrix;
    }

    /// <summary>A rows x columns matrix whose shorter dimension's vectors are orthogonal and of length <see cref="Gain"/> (modified Gram-Schmidt on normal
    /// draws).</summary>
    private static float[] Orthogonal(int rows, int columns, PhiloxStream random)
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
                    RemovePart(vector, basis[earlier]);
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
                matrix[(row * columns) + column] = (float)(Gain * (rows <= columns ? basis[row][column] : basis[column][row]));
            }
        }

        return matrix;
    }

    // Takes from a vector its part along a unit vector. The lanes of the sum are the same on every machine.
    private static void RemovePart(double[] vector, double[] unit)
    {
        ref double v = ref MemoryMarshal.GetArrayDataReference(vector), u = ref MemoryMarshal.GetArrayDataReference(unit);
        int lanes = Vector256<double>.Count, block = 4 * lanes, whole = vector.Length - (vector.Length % block);
        Vector256<double> a = default, b = default, c = default, d = default;
        for (int i = 0; i < whole; i += block)
        {
            a += Vector256.LoadUnsafe(ref v, (nuint)i) * Vector256.LoadUnsafe(ref u, (nuint)i);
            b += Vector256.LoadUnsafe(ref v, (nuint)(i + lanes)) * Vector256.LoadUnsafe(ref u, (nuint)(i + lanes));
            c += Vector256.LoadUnsafe(ref v, (nuint)(i + (2 * lanes))) * Vector256.LoadUnsafe(ref u, (nuint)(i + (2 * lanes)));
            d += Vector256.LoadUnsafe(ref v, (nuint)(i + (3 * lanes))) * Vector256.LoadUnsafe(ref u, (nuint)(i + (3 * lanes)));
        }

        double dot = Vector256.Sum((a + b) + (c + d));
        for (int i = whole; i < vector.Length; i++)
        {
            dot += vector[i] * unit[i];
        }

        Vector256<double> part = Vector256.Create(dot);
        for (int i = 0; i < whole; i += lanes)
        {
            (Vector256.LoadUnsafe(ref v, (nuint)i) - (part * Vector256.LoadUnsafe(ref u, (nuint)i))).StoreUnsafe(ref v, (nuint)i);
        }

        for (int i = whole; i < vector.Length; i++)
        {
            vector[i] -= dot * unit[i];
        }
    }
}
