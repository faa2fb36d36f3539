namespace CudaL2Net.Kernels;

/// <summary>Tensors that are copied to the host as they are at one point of the device's work, and looked at later.</summary>
internal abstract class Readback(IReadOnlyList<Tensor<float>> sources) : IDisposable
{
    /// <summary>The tensors.</summary>
    protected IReadOnlyList<Tensor<float>> Sources => sources;

    /// <summary>The number of values in all tensors.</summary>
    protected int Length { get; } = sources.Sum(source => source.Length);

    /// <summary>Whether the values of the last <see cref="Queue"/> are there.</summary>
    public abstract bool IsReady { get; }

    /// <summary>Queues a copy behind the work so far. The last one must have been taken.</summary>
    public abstract void Queue();

    /// <summary>The values of the last <see cref="Queue"/>, tensor after tensor; waits until they are there.</summary>
    public abstract ReadOnlySpan<float> Take();

    public abstract void Dispose();
}

/// <summary>For devices that do their work at once.</summary>
/// <param name="device">The device of the tensors.</param>
/// <param name="sources">The tensors.</param>
internal sealed class DirectReadback(Device device, IReadOnlyList<Tensor<float>> sources) : Readback(sources)
{
    private float[]? values;

    public override bool IsReady => true;

    public override void Queue()
    {
        using DeviceGate.Entry entry = device.Enter();
        values ??= new float[Length];
        int at = 0;
        foreach (Tensor<float> source in Sources)
        {
            source.Read(values.AsSpan(at, source.Length));
            at += source.Length;
        }
    }

    public override ReadOnlySpan<float> Take() => values;

    public override void Dispose()
    {
    }
}
