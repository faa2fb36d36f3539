using CudaL2Net.Devices.Cpu;
using CudaL2Net.Devices.Cuda;
using CudaL2Net.Operations;
using CudaL2Net.Tensors;

namespace CudaL2Net.Devices;

/// <summary>A processor with memory of its own and the kernels that run on it.</summary>
public abstract unsafe class Device : IDisposable
{
    /// <summary>A short name: <c>cpu</c> or <c>cuda:0</c>.</summary>
    public abstract string Name { get; }

    /// <summary>One line for people: model, cores or multiprocessors, instruction set in use.</summary>
    public abstract string Description { get; }

    /// <summary>The operations of this device.</summary>
    public abstract IKernels Kernels { get; }

    /// <summary>Opens a device by name.</summary>
    /// <param name="name"><c>auto</c>, <c>cpu</c>, <c>cuda</c> or <c>cuda:N</c>.</param>
    /// <param name="threads">For the CPU: the number of threads; 0 is one a core.</param>
    /// <exception cref="ArgumentException">No such device; the message says which there are.</exception>
    public static Device Open(string name = "auto", int threads = 0)
    {
        ArgumentNullException.ThrowIfNull(name);
        return name switch
        {
            "auto" or "cpu" => new CpuDevice(threads),
            "cuda" => new CudaDevice(0),
            _ when name.StartsWith("cuda:", StringComparison.Ordinal) && int.TryParse(name.AsSpan(5), out int ordinal) => new CudaDevice(ordinal),
            _ => throw new ArgumentException($"unknown device '{name}': expected auto or cpu"),
        };
    }

    /// <summary>A new tensor of zeros.</summary>
    /// <param name="shape">The extent of each dimension, slowest first.</param>
    /// <exception cref="OutOfMemoryException">The device has not enough memory.</exception>
    public Tensor<T> Allocate<T>(params ReadOnlySpan<int> shape)
        where T : unmanaged => new(this, shape);

    /// <summary>A new tensor with the given contents.</summary>
    /// <exception cref="ArgumentException">The shape does not hold exactly the values.</exception>
    public Tensor<T> Upload<T>(ReadOnlySpan<T> values, params ReadOnlySpan<int> shape)
        where T : unmanaged
    {
        Tensor<T> tensor = shape.IsEmpty ? Allocate<T>(values.Length) : Allocate<T>(shape);
        tensor.Write(values);
        return tensor;
    }

    /// <summary>Waits until all queued work has been done.</summary>
    public abstract void Synchronize();

    /// <inheritdoc/>
    public abstract void Dispose();

    internal abstract void* AllocateBytes(nuint bytes);

    internal abstract void FreeBytes(void* pointer);

    internal abstract void CopyToDevice(void* device, void* host, nuint bytes);

    internal abstract void CopyToHost(void* host, void* device, nuint bytes);

    internal abstract void Clear(void* device, nuint bytes);

    /// <summary>Throws unless two tensors have as many elements.</summary>
    private protected static void RequireSameLength(Tensor<float> a, Tensor<float> b)
    {
        if (a.Length != b.Length)
        {
            throw new ArgumentException($"tensors of {a.Length} and {b.Length} elements must have the same size");
        }
    }

    /// <summary>Throws unless a tensor has the length that an operation expects.</summary>
    private protected static void RequireLength<T>(Tensor<T> tensor, int length, string name)
        where T : unmanaged
    {
        if (tensor.Length != length)
        {
            throw new ArgumentException($"{name} has {tensor.Length} elements, expected {length}", name);
        }
    }

    /// <summary>Throws unless there are steps to take, one cursor and one place to write to.</summary>
    private protected static void RequireSchedule(Tensor<StepParameters> schedule, Tensor<int> cursor, Tensor<StepParameters> step)
    {
        RequireLength(cursor, 1, nameof(cursor));
        RequireLength(step, 1, nameof(step));
        if (schedule.Length == 0)
        {
            throw new ArgumentException("the schedule is empty: a training needs at least one step", nameof(schedule));
        }
    }

    /// <summary>p of a batch of 2p rows, and the number of values in a row.</summary>
    private protected static (int Pairs, int Width) PairShape(Tensor<float> batch)
    {
        int rows = batch.Shape.IsEmpty ? 0 : batch.Shape[0];
        if (rows == 0 || rows % 2 != 0)
        {
            throw new ArgumentException($"a batch of pairs needs an even number of rows, at least 2, but this one has {rows}", nameof(batch));
        }

        return (rows / 2, batch.Length / rows);
    }

    /// <summary>Rows of queries and of targets and the values in a row, once all sizes have been checked.</summary>
    private protected static (int Rows, int Columns, int Width) NearestShape<T, TDistance>(
        Tensor<T> queries, Tensor<T> targets, Tensor<int> nearest, Tensor<TDistance> distance)
        where T : unmanaged
        where TDistance : unmanaged
    {
        int rows = queries.Shape[0], columns = targets.Shape[0];
        if (columns == 0)
        {
            throw new ArgumentException("there is no target to match with", nameof(targets));
        }

        int width = targets.Length / columns;
        if ((long)rows * width != queries.Length)
        {
            throw new ArgumentException($"the queries have {(rows == 0 ? 0 : queries.Length / rows)} values each, the targets {width}", nameof(queries));
        }

        RequireLength(nearest, 2 * rows, nameof(nearest));
        RequireLength(distance, 2 * rows, nameof(distance));
        return (rows, columns, width);
    }
}
