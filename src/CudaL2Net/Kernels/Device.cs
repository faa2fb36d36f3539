using System.Diagnostics;
using CudaL2Net.Formats;
using CudaL2Net.Interop;
using CudaL2Net.Kernels.Cpu;
using CudaL2Net.Kernels.Cuda;
using CudaL2Net.Kernels.Cuda.Vendor;

namespace CudaL2Net.Kernels;

/// <summary>A processor with memory of its own and the kernels that run on it.</summary>
/// <remarks>
/// Many threads may use a device, and what lives on it, at once; each gets the results that it would get alone. Work is done piece by piece, one thread at a time:
/// one piece already uses all of the device. A piece is a pass of a tape, a run of recorded work, a search, a copy, or the description of a block of patches.
/// Any thread may dispose of a device or of what lives on it, at any time and in any order, and does not wait. Work in another thread then ends at its next
/// piece with <see cref="ObjectDisposedException"/>, and memory that it still uses is freed when that piece is over.
/// </remarks>
public abstract unsafe class Device : IDisposable
{
    /// <summary>Devices of this process that record work just now; each is told of the memory that its work uses.</summary>
    internal static int Recordings;

    private readonly DeviceGate gate;

    /// <summary>Prepares what all devices have.</summary>
    private protected Device(int threads)
    {
        Threads = threads;
        gate = new DeviceGate(this, Release, Arrive, Leave);
    }

    /// <summary>A short name: <c>cpu</c> or <c>cuda:0</c>.</summary>
    public abstract string Name { get; }

    /// <summary>One line for people: model, cores or multiprocessors, instruction set in use.</summary>
    public abstract string Description { get; }

    /// <summary>The operations of this device.</summary>
    internal abstract IKernels Kernels { get; }

    /// <summary>The most threads of the host that work for this device at once: in its kernels where it is the CPU, else in what is done around them.</summary>
    internal int Threads { get; }

    /// <summary>What matrix products multiply; <see cref="Precision.Float32"/> on the CPU.</summary>
    public virtual Precision Precision => Precision.Float32;

    /// <summary>Whose kernels it trains with.</summary>
    public virtual KernelSet KernelSet => KernelSet.Own;

    /// <summary>How the vendor's libraries were found to do their operations fastest, a line each; empty before they have done any, and with this library's own
    /// kernels.</summary>
    public virtual IReadOnlyList<string> ChosenAlgorithms => [];

    /// <summary>Why <see cref="Open"/> did not take a GPU, one line for people; null where it took one, or was asked for this device by name.</summary>
    public string? Note { get; private set; }

    /// <summary>The fused operations, where the device offers them.</summary>
    internal virtual IFusedKernels? FusedKernels => null;

    /// <summary>The convolutions that keep activations as bf16, where the device offers them.</summary>
    internal virtual IStoredKernels? StoredKernels => null;

    /// <summary>Patches of callers' programs in the device's memory; null where that is the host's.</summary>
    internal virtual IPackKernels? PackKernels => null;

    /// <summary>Whether this stands in for another kind of device, for tests.</summary>
    internal virtual bool Emulated => false;

    /// <summary>What this build has CUDA kernels for, as PTX: sm_80, for every GPU since Ampere, and sm_90a where a kernel has a form for Hopper; empty where
    /// it was built without.</summary>
    public static IReadOnlyList<string> CudaTargets => CudaDevice.Targets;

    /// <summary>Opens a device by name.</summary>
    /// <param name="name"><c>cpu</c>, <c>cuda</c> (the first GPU), <c>cuda:N</c>, or <c>auto</c>: the first GPU where there is one, else the CPU, and
    /// <see cref="Note"/> says why. The tests' emulation of a GPU is taken by name only.</param>
    /// <param name="threads">The most threads of the host that work at once; 0 is one per core.</param>
    /// <param name="precision">What matrix products multiply; a CPU has <see cref="Precision.Float32"/> only.</param>
    /// <param name="kernels">Whose kernels train; a CPU has <see cref="KernelSet.Own"/> only.</param>
    /// <exception cref="ArgumentException">No device is called so, or it has not the precision or the kernels; the message says what there is.</exception>
    /// <exception cref="CudaException">There is no such GPU, no driver for it, or it is too old.</exception>
    /// <exception cref="CudaLibraryException">The vendor's kernels are asked for, and cuBLAS or cuDNN is not there.</exception>
    public static Device Open(string name = "auto", int threads = 0, Precision precision = Precision.Float32, KernelSet kernels = KernelSet.Own)
    {
        ArgumentNullException.ThrowIfNull(name);
        int ordinal = 0;
        return name switch
        {
            "auto" => OpenBest(threads, precision, kernels),
            "cpu" when precision != Precision.Float32 => throw new ArgumentException(
                $"the CPU computes in float32; {precision.ToString().ToLowerInvariant()} needs a GPU (--device cuda)"),
            "cpu" when kernels != KernelSet.Own => throw new ArgumentException("the vendor's kernels, cuBLAS and cuDNN, need a GPU (--device cuda)"),
            "cpu" => new CpuDevice(threads),
            "cuda" => OpenCuda(0, threads, precision, kernels),
            _ when name.StartsWith("cuda:", StringComparison.Ordinal) && NumberText.TryParse(name.AsSpan(5), out ordinal) => OpenCuda(ordinal, threads, precision, kernels),
            _ => throw new ArgumentException($"unknown device '{name}': expected auto, cpu, cuda or cuda:N"),
        };
    }

    /// <summary>Opens a GPU in a context and on a stream that other code of the process has made (ManagedCuda, ILGPU, TorchSharp), to work beside it: work is queued
    /// on that stream in the order of the calls, and a call leaves the context that was current for the thread as it was.</summary>
    /// <param name="stream">The stream, as <see cref="CudaStream.FromHandle"/> makes it. It and its context stay the caller's: they are not destroyed, and must
    /// outlive the device and all that is on it.</param>
    /// <param name="precision">What matrix products multiply.</param>
    /// <param name="threads">The most threads of the host that work at once; 0 is one per core.</param>
    /// <remarks>Recorded work (<see cref="Record"/>) is queued anew each time, for a recording would hold what others queue meanwhile.</remarks>
    /// <exception cref="CudaException">The GPU is too old, or this build has no kernels.</exception>
    /// <exception cref="ObjectDisposedException">The stream has been disposed of.</exception>
    public static Device OpenCuda(CudaStream stream, Precision precision = Precision.Float32, int threads = 0) => new CudaDevice(stream, precision, threads);

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

    /// <summary>A tensor in memory that is there: nothing is copied, and disposing of the tensor leaves the memory as it is.</summary>
    /// <typeparam name="T">Element type.</typeparam>
    /// <param name="pointer">The first element, at a multiple of 16 bytes: a device pointer of this GPU; for the CPU an address of the process that stays where it
    /// is. The memory must last as long as the tensor is used.</param>
    /// <param name="shape">The extent of each dimension, slowest first; dense.</param>
    /// <exception cref="ArgumentException">The pointer is 0, is no multiple of 16, or is not memory of this GPU.</exception>
    /// <exception cref="ObjectDisposedException">The device has been disposed of.</exception>
    public Tensor<T> Wrap<T>(nint pointer, params ReadOnlySpan<int> shape)
        where T : unmanaged
    {
        using (Enter())
        {
            var tensor = new Tensor<T>(this, pointer, shape);
            if (tensor.Length > 0)
            {
                RequireMemory(pointer);
            }

            return tensor;
        }
    }

    /// <summary>A tensor that is only read, with the contents of a large array: on a device that computes in the host's memory the array itself, which must not
    /// change meanwhile, else a copy.</summary>
    /// <exception cref="ArgumentException">The shape does not hold exactly the values.</exception>
    internal virtual Tensor<T> Lend<T>(T[] values, params ReadOnlySpan<int> shape)
        where T : unmanaged => Upload<T>(values, shape);

    /// <summary>Makes work that can be done again and again: on a GPU the second run records it as one graph, and from then on a run is one launch.</summary>
    /// <param name="work">Passes of tapes and steps of optimizers, on tensors that outlive the result, the same ones every time; nothing that waits or allocates from the
    /// second run on; above all not for another thread, which may be waiting for this device. Nothing is done until the first <see cref="IReplay.Run"/>.</param>
    public virtual IReplay Record(Action work) => new DirectReplay(this, work);

    /// <summary>Waits until all queued work has been done.</summary>
    /// <exception cref="ObjectDisposedException">The device has been disposed of.</exception>
    public void Synchronize()
    {
        using (Enter())
        {
            WaitForWork();
        }
    }

    /// <summary>Ends the use of the device. Does not wait: what another thread is doing on it is finished first, and what that needs is freed then.</summary>
    public void Dispose()
    {
        gate.Close();
        GC.SuppressFinalize(this);
    }

    /// <summary>Waits for other threads' work, and takes the device for a piece of work; the result is disposed of to give it back.</summary>
    /// <exception cref="ObjectDisposedException">The device has been disposed of.</exception>
    internal DeviceGate.Entry Enter() => gate.Enter();

    /// <summary>Throws if the device has been disposed of, also in the middle of a piece of work.</summary>
    internal void ThrowIfDisposed() => gate.ThrowIfClosed();

    /// <summary>Frees something that work in other threads may still use: when they are done with it. Works after the device has been disposed of, too.</summary>
    internal void WhenFree(Action release) => gate.WhenFree(release);

    /// <summary>Throws unless an address, which is not 0, is of memory that the device can use.</summary>
    /// <exception cref="ArgumentException">It is not.</exception>
    internal virtual void RequireMemory(nint pointer)
    {
    }

    /// <summary>A thread has come in to use the device.</summary>
    private protected virtual void Arrive()
    {
    }

    /// <summary>The thread goes.</summary>
    private protected virtual void Leave()
    {
    }

    /// <summary>Waits for queued work; nobody else is using the device.</summary>
    private protected abstract void WaitForWork();

    /// <summary>Frees what the device holds. Nobody is using it, and nobody will.</summary>
    private protected abstract void Release();

    /// <summary>Told of memory that is used while <see cref="Recordings"/> is above 0.</summary>
    internal virtual void NoteUse(IDeviceMemory memory)
    {
    }

    /// <summary>A clock for what the device does.</summary>
    internal virtual DeviceTimer CreateTimer() => new StopwatchTimer(this);

    /// <summary>Prepares the reading of tensors while other work goes on.</summary>
    /// <param name="sources">The tensors, which must outlive the result.</param>
    internal virtual Readback CreateReadback(params IReadOnlyList<Tensor<float>> sources) => new DirectReadback(this, sources);

    /// <summary>The bytes of the tensors that <paramref name="work"/> allocates; they are not allocated really, and nothing may be computed with them. Null
    /// where the device cannot tell.</summary>
    internal virtual long? MeasureAllocations(Action work) => null;

    /// <summary>Bytes that are free, with what finalizers can free; null where the device cannot tell.</summary>
    internal virtual long? FreeMemory() => null;

    internal abstract void* AllocateBytes(nuint bytes);

    internal abstract void FreeBytes(void* pointer);

    internal abstract void CopyToDevice(void* device, void* host, nuint bytes);

    internal abstract void CopyToHost(void* host, void* device, nuint bytes);

    internal abstract void CopyOnDevice(void* to, void* from, nuint bytes);

    internal abstract void Clear(void* device, nuint bytes);

    private static CudaDevice OpenCuda(int ordinal, int threads, Precision precision, KernelSet kernels) => kernels switch
    {
        KernelSet.Vendor when precision == Precision.Int8 => throw new ArgumentException(
            "int8 is for describing, and the vendor's kernels train: take bf16, tf32 or float32 with them"),
        KernelSet.Vendor => new VendorDevice(ordinal, precision, threads),
        _ => new CudaDevice(ordinal, precision, threads),
    };

    private static Device OpenBest(int threads, Precision precision, KernelSet kernels)
    {
        string reason;
        try
        {
            CudaDevice device = OpenCuda(0, threads, precision, kernels);
            if (!device.Emulated)
            {
                return device;
            }

            device.Dispose();
            reason = "the CUDA driver is the tests' emulation, which --device cuda takes";
        }
        catch (Exception error) when (error is CudaException or EntryPointNotFoundException or BadImageFormatException or DllNotFoundException)
        {
            // However the driver fails to start: the CPU can do the work.
            reason = error.Message.ReplaceLineEndings(" ").Trim();
        }

        if (precision != Precision.Float32)
        {
            throw new ArgumentException($"{precision.ToString().ToLowerInvariant()} needs a GPU: {reason}");
        }

        if (kernels != KernelSet.Own)
        {
            throw new ArgumentException($"the vendor's kernels, cuBLAS and cuDNN, need a GPU: {reason}");
        }

        return new CpuDevice(threads) { Note = $"running on the CPU: {reason}" };
    }

    /// <summary>The number of threads that <paramref name="threads"/> asks for: 0 is one per core.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is negative.</exception>
    private protected static int HostThreads(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        return threads > 0 ? threads : Environment.ProcessorCount;
    }

    /// <summary>Rows of a tensor and the number of values in a row.</summary>
    private protected static (int Rows, int Width) RowShape(Tensor<float> tensor)
    {
        int rows = tensor.Shape[0];
        return (rows, rows == 0 ? 0 : tensor.Length / rows);
    }

    /// <summary>Rows of both factors of inner products and the number of values in a row.</summary>
    private protected static (int Rows, int Columns, int Width) InnerProductShape(Tensor<float> x, Tensor<float> y)
    {
        ((int rows, int width), (int columns, int length)) = (RowShape(x), RowShape(y));
        Debug.Assert(width == length, "both factors have rows of one length");
        return (rows, columns, width);
    }

    /// <summary>p of a batch of 2p rows, and the number of values in a row.</summary>
    private protected static (int Pairs, int Width) PairShape(Tensor<float> batch)
    {
        int rows = batch.Shape[0];
        Debug.Assert(rows > 0 && rows % 2 == 0, "a batch of pairs has an even number of rows");
        return (rows / 2, batch.Length / rows);
    }
}

/// <summary>Memory that may be given back.</summary>
internal interface IDeviceMemory
{
    /// <summary>Whether it has been.</summary>
    bool IsDisposed { get; }
}

/// <summary>Work that can be done again and again. Several threads may ask for it: it is done once for each, one after the other.</summary>
public interface IReplay : IDisposable
{
    /// <summary>Queues the work once more.</summary>
    /// <exception cref="ObjectDisposedException">The device, this, or something that the work uses has been disposed of.</exception>
    void Run();
}

internal sealed class DirectReplay(Device device, Action work) : IReplay
{
    private bool disposed;

    public void Run()
    {
        using (device.Enter())
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            work();
        }
    }

    public void Dispose() => Volatile.Write(ref disposed, true);
}
