using CudaL2Net.Autograd;
using CudaL2Net.Kernels;

namespace OwnNetworkAndLoss;

/// <summary>A network of our own: 16 x 16 pixels to a descriptor of 16 values.</summary>
internal sealed class SmallNetwork : IDisposable
{
    public const int Side = 16, Dimension = 16;

    private readonly Device device;
    private readonly Random random = new(1);
    private readonly List<Tensor<float>> weights = [];

    /// <summary>Records the network on a tape; images are [n][16][16][1].</summary>
    public SmallNetwork(Tape tape, Variable images)
    {
        device = tape.Device;
        var halve = new PoolOptions(PoolKind.Average, Kernel: 2, Stride: 2);
        Variable x = tape.Conv2d(images, Weights(tape, 8, 5, 5, 1), Weights(tape, 8), stride: 1, padding: 2);
        x = tape.Pool(tape.Tanh(x), halve);
        x = tape.Conv2d(x, Weights(tape, 16, 3, 3, 8), Weights(tape, 16), stride: 1, padding: 1);
        x = tape.Pool(tape.Tanh(x), halve);
        x = tape.Linear(x, Weights(tape, Dimension, 4 * 4 * 16), null);
        Descriptors = tape.UnitVector(x);
    }

    /// <summary>[n][16], unit vectors.</summary>
    public Variable Descriptors { get; }

    public void Dispose() => weights.ForEach(tensor => tensor.Dispose());

    // Filters start at random, about as large as keeps the activations' size; biases start at zero.
    private Variable Weights(Tape tape, params int[] shape)
    {
        int inputs = shape.Skip(1).Aggregate(1, (product, extent) => product * extent);
        float scale = shape.Length == 1 ? 0 : MathF.Sqrt(6f / inputs);
        float[] values = [.. Enumerable.Range(0, shape[0] * inputs).Select(_ => scale * ((2 * random.NextSingle()) - 1))];
        Tensor<float> tensor = device.Upload<float>(values, shape);
        weights.Add(tensor);
        return tape.Parameter(tensor);
    }
}
