using CudaL2Net.Data;
using CudaL2Net.Kernels;

namespace CudaL2Net.Bench.Operations;

/// <summary>
/// The tensors of one measurement, disposed of together. Inputs are random and the same in every run; zeros could be faster than what the library meets.
/// </summary>
/// <param name="device">Where they lie.</param>
internal sealed class TensorSet(Device device) : IDisposable
{
    private const int PoolLength = (1 << 20) + 7;

    private static readonly Lazy<float[]> Pool = new(Draw);

    private readonly List<IDisposable> owned = [];
    private int at;

    /// <summary>Where the tensors lie.</summary>
    public Device Device => device;

    /// <summary>cuDNN and cuBLAS, where they are measured beside.</summary>
    public VendorOperations? Vendor { get; init; }

    /// <summary>Makes something part of the set.</summary>
    public T Own<T>(T part)
        where T : IDisposable
    {
        owned.Add(part);
        return part;
    }

    /// <summary>Zeros, for results.</summary>
    public Tensor<T> Empty<T>(params ReadOnlySpan<int> shape)
        where T : unmanaged => Own(device.Allocate<T>(shape));

    /// <summary>Given values.</summary>
    public Tensor<T> Of<T>(ReadOnlySpan<T> values, params ReadOnlySpan<int> shape)
        where T : unmanaged => Own(device.Upload(values, shape));

    /// <summary>Nearly normal draws with mean 0 and deviation 1; long tensors repeat them.</summary>
    public Tensor<float> Gaussian(params ReadOnlySpan<int> shape)
    {
        Tensor<float> tensor = Empty<float>(shape);
        Fill(tensor, Pool.Value.AsSpan(at, Math.Min(tensor.Length, PoolLength / 2)));
        at = (at + 7919) % (PoolLength / 2);
        return tensor;
    }

    /// <summary>Such draws as a convolution's filters.</summary>
    public Tensor<float> Filters(in Conv2dGeometry g) => Gaussian(g.OutChannels, g.KernelHeight, g.KernelWidth, g.InChannels);

    /// <summary>Draws as by <see cref="Gaussian"/>, cut off to bf16.</summary>
    public Tensor<ushort> Bf16(params ReadOnlySpan<int> shape)
    {
        Tensor<ushort> tensor = Empty<ushort>(shape);
        float[] values = Pool.Value[at..(at + Math.Min(tensor.Length, PoolLength / 2))];
        Fill(tensor, Array.ConvertAll(values, value => (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16)));
        at = (at + 7919) % (PoolLength / 2);
        return tensor;
    }

    /// <summary>Fills a tensor with values over and over.</summary>
    public static void Fill<T>(Tensor<T> tensor, ReadOnlySpan<T> values)
        where T : unmanaged
    {
        tensor.View(0, values.Length).Write(values);
        for (int filled = values.Length; filled < tensor.Length;)
        {
            int more = Math.Min(filled, tensor.Length - filled);
            tensor.View(filled, more).CopyFrom(tensor.View(0, more));
            filled += more;
        }
    }

    /// <summary>Draws with another mean and deviation; for short tensors.</summary>
    public Tensor<float> Around(float mean, float deviation, params ReadOnlySpan<int> shape)
    {
        Tensor<float> tensor = Gaussian(shape);
        tensor.Write(Array.ConvertAll(tensor.ToArray(), value => mean + (deviation * value)));
        return tensor;
    }

    /// <summary>Unit vectors, [rows][dimension].</summary>
    public Tensor<float> UnitVectors(int rows, int dimension)
    {
        Tensor<float> unit = Empty<float>(rows, dimension);
        device.Kernels.UnitVectorForward(Gaussian(rows, dimension), unit);
        return unit;
    }

    /// <summary>p unit vectors, then p others near them: a batch half way through a training.</summary>
    public Tensor<float> UnitPairs(int pairs, int dimension)
    {
        float[] values = Gaussian(2 * pairs, dimension).ToArray();
        int side = values.Length / 2;
        for (int i = 0; i < side; i++)
        {
            values[side + i] = values[i] + (0.6f * values[side + i]);
        }

        Tensor<float> unit = Empty<float>(2 * pairs, dimension);
        device.Kernels.UnitVectorForward(Of<float>(values, 2 * pairs, dimension), unit);
        return unit;
    }

    /// <summary>Random bits, [rows][bytes].</summary>
    public Tensor<byte> Bits(int rows, int bytes)
    {
        var values = new byte[rows * bytes];
        new Random(at++).NextBytes(values);
        return Of<byte>(values, rows, bytes);
    }

    /// <summary>A step's parameters.</summary>
    public Tensor<StepParameters> Step(uint step) => Of<StepParameters>([new StepParameters { Step = step, LearningRate = 1e-3f }]);

    /// <summary>Patches with edges and noise, two after one another of each point.</summary>
    public static PatchSet Patches(int count)
    {
        var random = new Random(1);
        var pixels = new byte[count * PatchSet.Area];
        for (int patch = 0; patch < count; patch++)
        {
            double angle = random.NextDouble() * Math.Tau, x = Math.Cos(angle), y = Math.Sin(angle), wave = 0.2 + random.NextDouble();
            for (int i = 0; i < PatchSet.Area; i++)
            {
                double across = (x * (i % PatchSet.Side)) + (y * (i / PatchSet.Side));
                pixels[(patch * PatchSet.Area) + i] = (byte)(128 + (80 * Math.Sin(across * wave)) + random.Next(-40, 40));
            }
        }

        return new PatchSet(pixels, [.. Enumerable.Range(0, count).Select(i => i / 2)]);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        owned.ForEach(part => part.Dispose());
        owned.Clear();
    }

    private static float[] Draw()
    {
        var random = new Random(1);
        var values = new float[PoolLength];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (random.NextSingle() + random.NextSingle() + random.NextSingle() - 1.5f) * 2;
        }

        return values;
    }
}
