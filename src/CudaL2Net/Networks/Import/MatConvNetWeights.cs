using CudaL2Net.Formats;
using CudaL2Net.Formats.Matlab;

namespace CudaL2Net.Networks;

/// <summary>
/// Networks of MatConvNet in MATLAB files: a struct <c>net</c> with a cell array <c>layers</c>, and mean images beside it. A second tower is <c>netCen</c>
/// (L2-Net). Arrays are stored column by column, and a batch normalization's moments hold deviations, not variances.
/// </summary>
internal static class MatConvNetWeights
{
    // Of each tower the variable with its layers, and the names that its mean image may have.
    private static readonly (string Network, string[] Means)[] Towers = [("net", ["pixMean", "averageImage"]), ("netCen", ["pixMeanCen"])];

    // MatConvNet's. It stands in the deviations already.
    private const float Epsilon = 1e-4f;

    /// <summary>Reads the towers.</summary>
    /// <param name="variables">The variables of the file.</param>
    /// <exception cref="ContentException">There is no network, or one with a layer that is not known.</exception>
    public static ForeignNetwork Read(IReadOnlyDictionary<string, MatValue> variables)
    {
        ForeignTower[] towers =
        [
            .. from tower in Towers
               where variables.ContainsKey(tower.Network)
               let layers = variables[tower.Network].Field("layers") as MatCell
                   ?? throw new ContentException($"its variable {tower.Network} has no cell array layers")
               let mean = tower.Means.Select(variables.GetValueOrDefault).OfType<MatArray>().FirstOrDefault()
               select ForeignTower.Of(layers.Items.SelectMany(Layer), mean is null ? null : Turned(mean)),
        ];
        return towers.Length > 0
            ? new ForeignNetwork(ForeignProgram.MatConvNet, towers)
            : throw new ContentException($"it has no variable {Towers[0].Network} with the layers of a network; it has {string.Join(", ", variables.Keys.Take(12))}");
    }

    private static IEnumerable<ForeignLayer> Layer(MatValue layer)
    {
        string type = (layer.Field("type") as MatArray)?.Text ?? throw new ContentException("a layer has no type");
        string name = (layer.Field("name") as MatArray)?.Text ?? type;
        MatArray[] weights = layer.Field("weights") is MatCell cell
            ? [.. cell.Items.OfType<MatArray>()]
            : [.. new[] { "filters", "biases" }.Select(layer.Field).OfType<MatArray>()];
        switch (type)
        {
            case "conv":
                MatArray filters = weights.Length is 1 or 2 && weights[0].Shape.Length <= 4
                    ? weights[0]
                    : throw new ContentException($"the layer {name} has no filters of up to four sizes");

                // Sizes of 1 at the end are not stored: [rows, columns, in, out].
                int[] shape = [.. filters.Shape, .. Enumerable.Repeat(1, 4 - filters.Shape.Length)];
                var tensors = new Dictionary<string, float[]> { ["filters"] = Turned(filters.Values, shape[0], shape[1]) };
                if (weights is [_, { Values.Length: > 0 } biases])
                {
                    tensors["bias"] = biases.Values;
                }

                return [new ForeignLayer(name, ForeignKind.Convolution, [shape[3], shape[2], shape[0], shape[1]], tensors)];
            case "bnorm" or "bnormPair":
                return [Normalization(name, weights)];
            case "relu" or "pool" or "normalize" or "lrn" or "dropout" or "sigmoid" or "tanh":
                return [];
            default:
                throw new ContentException($"the layer {name} is of the type {type}, which is not known");
        }
    }

    private static ForeignLayer Normalization(string name, MatArray[] weights)
    {
        if (weights is not [{ Values: var scale }, { Values: var shift }, { Values: var moments }] || shift.Length != scale.Length
            || moments.Length != 2 * scale.Length || scale.Length == 0)
        {
            throw new ContentException($"the layer {name} has not a scale, a shift and two moments per channel");
        }

        int channels = scale.Length;
        double[] squares = [.. moments.Skip(channels).Select(deviation => (double)deviation * deviation)];
        double least = squares.Min();
        float epsilon = least > 0 ? (float)Math.Min(Epsilon, least) : Epsilon;
        var tensors = new Dictionary<string, float[]>
        {
            ["running_mean"] = moments[..channels],
            ["running_variance"] = [.. squares.Select(square => (float)Math.Max(0, square - epsilon))],
        };

        // Scale and shift that were never trained need no place.
        if (scale.Any(value => value != 1) || shift.Any(value => value != 0))
        {
            (tensors["scale"], tensors["shift"]) = (scale, shift);
        }

        return new ForeignLayer(name, ForeignKind.BatchNormalization, [channels], tensors) { Epsilon = epsilon };
    }

    private static float[] Turned(MatArray image) => image.Shape is [var rows, var columns]
        ? Turned(image.Values, rows, columns)
        : throw new ContentException($"a mean image has the sizes {string.Join(" x ", image.Shape)}");

    // Maps stored column by column, row by row.
    private static float[] Turned(float[] values, int rows, int columns)
    {
        var turned = new float[values.Length];
        int area = rows * columns;
        for (int i = 0; i < turned.Length; i++)
        {
            int at = i % area;
            turned[i] = values[i - at + (at / columns) + (at % columns * rows)];
        }

        return turned;
    }
}
