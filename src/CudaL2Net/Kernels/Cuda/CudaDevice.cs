using CudaL2Net.Interop;
using CudaL2Net.Numerics;

namespace CudaL2Net.Kernels.Cuda;

/// <summary>
/// A GPU as a device: the kernels of the folder <c>kernels</c>, launched on one stream. One file per operation.
/// </summary>
internal unsafe partial class CudaDevice : Device, IKernels
{
    /// <summary>The environment variable that sets for how many streaming multiprocessors work is divided, instead of for those there are: with 2, blocks loop as
    /// on the emulated device.</summary>
    internal const string MultiprocessorsVariable = "CUDAL2NET_MULTIPROCESSORS";

    private const int OldestCapability = 8;

    // The address that tensors are given while memory is only measured.
    private const nint Nowhere = 512;

    private readonly CudaContext context;
    private readonly CudaStream stream;
    private readonly CudaDeviceProperties properties;
    private readonly KernelFiles files;
    private readonly Dictionary<(string File, string Kernel), LoadedKernel> kernels = [];
    private readonly List<CudaDeviceVariable<byte>> scratch = [];

    // Whether stream and context are the caller's.
    private readonly bool lent;

    // What was current for the thread that is using the device.
    private CurrentContext callers;
    private long? measured;

    /// <summary>Opens a GPU.</summary>
    /// <param name="ordinal">Its number.</param>
    /// <param name="precision">What matrix products multiply.</param>
    /// <param name="threads">The most threads of the host that work around its kernels; 0 is one per core.</param>
    /// <exception cref="CudaException">There is no driver or no such device, or the device is too old.</exception>
    public CudaDevice(int ordinal, Precision precision = Precision.Float32, int threads = 0)
        : base(HostThreads(threads))
    {
        properties = Usable(ordinal);
        Multiprocessors = ChosenMultiprocessors(properties);
        Name = $"cuda:{ordinal}";
        Precision = precision;
        using CurrentContext before = CurrentContext.Get();
        context = new CudaContext(ordinal);
        stream = new CudaStream(context);
        files = new KernelFiles(context, HasHopper);
    }

    /// <summary>Opens a GPU in a context and on a stream of the caller's.</summary>
    /// <param name="stream">The stream; it and its context outlive the device.</param>
    /// <param name="precision">What matrix products multiply.</param>
    /// <param name="threads">The most threads of the host that work around its kernels; 0 is one per core.</param>
    /// <exception cref="CudaException">The device is too old.</exception>
    /// <exception cref="ObjectDisposedException">The stream has been disposed of.</exception>
    public CudaDevice(CudaStream stream, Precision precision, int threads)
        : base(HostThreads(threads))
    {
        ArgumentNullException.ThrowIfNull(stream);
        ObjectDisposedException.ThrowIf(stream.Handle.IsClosed, stream);
        properties = Usable(stream.Context.DeviceId);
        Multiprocessors = ChosenMultiprocessors(properties);
        Name = $"cuda:{stream.Context.DeviceId}";
        Precision = precision;
        context = stream.Context;
        this.stream = stream;
        lent = true;
        using CurrentContext before = CurrentContext.Get();
        files = new KernelFiles(context, HasHopper);
    }

    private static CudaDeviceProperties Usable(int ordinal)
    {
        if (KernelFiles.Names.Length == 0)
        {
            throw new CudaException("this build has no CUDA kernels: ./build.sh setup installs a compiler for them", CudaError.NotFound);
        }

        CudaDeviceProperties properties = CudaContext.GetDeviceInfo(ordinal);
        if (properties.ComputeCapability.Major < OldestCapability)
        {
            throw new CudaException(
                $"cuda:{ordinal} is too old: {properties.DeviceName} has compute capability {properties.ComputeCapability}, and {OldestCapability}.0 (Ampere, "
                    + "2020) or later is needed; use --device cpu",
                CudaError.InvalidDevice);
        }

        return properties;
    }

    private static int ChosenMultiprocessors(CudaDeviceProperties properties) =>
        Environment.GetEnvironmentVariable(MultiprocessorsVariable) is not { Length: > 0 } text ? properties.MultiProcessorCount
            : int.TryParse(text, out int number) && number is > 0 and <= 1024 ? number
            : throw new CudaException($"{MultiprocessorsVariable} is {text}: it must be a number from 1 to 1024, or not be set", CudaError.InvalidValue);

    public override string Name { get; }

    public override string Description =>
        $"{properties.DeviceName}, compute capability {properties.ComputeCapability}, {properties.TotalGlobalMemory / (double)(1 << 30):0.#} GiB, "
            + $"driver of CUDA {properties.DriverVersion}, "
            + $"PTX {string.Join(" and ", Targets.Where(target => HasHopper || target != KernelFiles.HopperTarget))}, "
            + Precision.ToString().ToLowerInvariant();

    internal override IKernels Kernels => this;

    internal override IFusedKernels? FusedKernels => this;

    internal override IStoredKernels? StoredKernels => this;

    internal override IPackKernels? PackKernels => this;

    /// <summary>Where its work is queued.</summary>
    internal CudaStream Stream => stream;

    /// <summary>Streaming multiprocessors, for launch geometries.</summary>
    public int Multiprocessors { get; internal init; }

    public override Precision Precision { get; }

    /// <summary>The precision of what <see cref="Precision.Int8"/> does not compute: bf16.</summary>
    private Precision ProductPrecision => Precision == Precision.Int8 ? Precision.Bf16 : Precision;

    internal override bool Emulated => properties.DeviceName.Contains("emulat", StringComparison.OrdinalIgnoreCase);

    /// <summary>What this build has kernels for.</summary>
    public static IReadOnlyList<string> Targets => KernelFiles.Targets;

    // Code for sm_90a runs on compute capability 9.0 only.
    private bool HasHopper => properties.ComputeCapability == new Version(9, 0);

    internal override long? MeasureAllocations(Action work)
    {
        using DeviceGate.Entry entry = Enter();
        measured = 0;
        try
        {
            work();
            return measured;
        }
        finally
        {
            measured = null;
        }
    }

    internal override long? FreeMemory()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        using DeviceGate.Entry entry = Enter();
        stream.Synchronize();
        if (!lent)
        {
            context.TrimMemoryPool();
        }

        return (long)context.GetFreeDeviceMemorySize();
    }

    internal override void* AllocateBytes(nuint bytes)
    {
        if (measured is { } before)
        {
            const long Granularity = 512;
            measured = before + (((long)bytes + Granularity - 1) / Granularity * Granularity);
            return (void*)Nowhere;
        }

        nint pointer;
        try
        {
            pointer = stream.AllocateAsync(Math.Max(bytes, 64));
        }
        catch (CudaException error) when (error.Error == CudaError.OutOfMemory)
        {
            throw new OutOfMemoryException(error.Message, error);
        }

        try
        {
            stream.MemsetAsync(pointer, 0, Math.Max(bytes, 64));
            return (void*)pointer;
        }
        catch
        {
            // Nobody else knows of it.
            stream.FreeAsync(pointer);
            throw;
        }
    }

    internal override void FreeBytes(void* pointer)
    {
        if ((nint)pointer != Nowhere)
        {
            stream.FreeAsync((nint)pointer);
        }
    }

    internal override void CopyToDevice(void* device, void* host, nuint bytes)
    {
        if (bytes > 0 && measured == null)
        {
            stream.CopyToDeviceAsync((nint)device, host, bytes);
            stream.Synchronize();
        }
    }

    internal override void CopyToHost(void* host, void* device, nuint bytes)
    {
        if (bytes > 0)
        {
            stream.CopyToHostAsync(host, (nint)device, bytes);
        }

        stream.Synchronize();
    }

    internal override void CopyOnDevice(void* to, void* from, nuint bytes)
    {
        if (bytes > 0 && measured == null)
        {
            stream.CopyOnDeviceAsync((nint)to, (nint)from, bytes);
        }
    }

    internal override DeviceTimer CreateTimer()
    {
        using DeviceGate.Entry entry = Enter();
        return new EventTimer(this);
    }

    internal override void Clear(void* device, nuint bytes)
    {
        if (bytes > 0 && measured == null)
        {
            stream.MemsetAsync((nint)device, 0, bytes);
        }
    }

    private protected override void Arrive() => callers = CurrentContext.Get();

    private protected override void Leave() => callers.Dispose();

    internal override void RequireMemory(nint pointer)
    {
        CudaError result = context.CheckPointer(pointer);
        if (result != CudaError.Success)
        {
            throw new ArgumentException(
                $"0x{pointer:x} is {(result == CudaError.InvalidDevice ? "memory of another GPU than" : "no memory that CUDA has allocated for")} {Name}: "
                    + "give a device pointer of this GPU",
                nameof(pointer));
        }
    }

    private protected override void WaitForWork() => stream.Synchronize();

    private protected override void Release()
    {
        // Page-locked memory of plans and readings may be freed from now on.
        WaitBeforeFreeing(stream.Synchronize);
        scratch.ForEach(block => block.Dispose());
        scratch.Clear();
        kernels.Clear();
        files.Dispose();
        if (!lent)
        {
            stream.Dispose();
            context.Dispose();
        }
    }

    /// <summary>
    /// Memory for the intermediate results of one operation: valid until the next operation asks. It grows; memory given out before stays, for a recorded
    /// step may still use it.
    /// </summary>
    private protected void* Scratch(nuint bytes)
    {
        if (scratch.Count == 0 || bytes > (nuint)scratch[^1].SizeInBytes)
        {
            try
            {
                scratch.Add(new CudaDeviceVariable<byte>(stream, (long)Math.Max(bytes, 64)));
            }
            catch (CudaException error) when (error.Error == CudaError.OutOfMemory)
            {
                throw new OutOfMemoryException(error.Message, error);
            }
        }

        return (void*)scratch[^1].DevicePointer;
    }

    /// <summary>Waits until nothing writes any more to memory that is to be freed.</summary>
    private static void WaitBeforeFreeing(Action wait)
    {
        try
        {
            wait();
        }
        catch (Exception error) when (error is CudaException or ObjectDisposedException)
        {
            // The context is lost, or the device has ended, which waits for its work.
        }
    }

    /// <summary>Launches a kernel on the device's stream.</summary>
    /// <param name="file">The kernel's file in <c>kernels</c>, without its ending.</param>
    /// <param name="kernel">Its name.</param>
    /// <param name="grid">Blocks.</param>
    /// <param name="threads">Threads a block.</param>
    /// <param name="sharedBytes">Dynamic shared memory a block.</param>
    /// <param name="arguments">The kernel's parameters, in order and of the kernel's types.</param>
    /// <exception cref="InvalidOperationException">The arguments do not fit the kernel's parameters.</exception>
    private void Launch(string file, string kernel, Grid grid, int threads, int sharedBytes, params ReadOnlySpan<KernelArgument> arguments)
    {
        LoadedKernel loaded = Kernel(file, kernel);
        KernelSignatures.Require(loaded.Module.Name, kernel, loaded.Parameters, arguments);
        void** pointers = stackalloc void*[arguments.Length];
        fixed (KernelArgument* first = arguments)
        {
            for (int i = 0; i < arguments.Length; i++)
            {
                pointers[i] = first[i].IsStructure ? (void*)first[i].Bits : first + i;
            }

            loaded.Function.RunAsync(stream, new Dim3(grid.X, grid.Y, grid.Z), threads, sharedBytes, pointers);
        }
    }

    /// <summary>Blocks for a grid-stride loop over <paramref name="count"/> elements.</summary>
    private int Blocks(long count, int threads = 256) => (int)Math.Clamp((count + threads - 1) / threads, 1, 8L * Multiprocessors);

    /// <summary>Blocks of 256 threads for a grid-stride loop over rows, one warp per row.</summary>
    private int RowBlocks(int rows) => Blocks(32L * rows);

    /// <summary>Loads every file of kernels that this build has, several at once: the driver compiles each on the thread that asks for it.</summary>
    /// <exception cref="CudaException">The driver refuses one.</exception>
    internal IReadOnlyList<string> LoadAll()
    {
        using DeviceGate.Entry entry = Enter();
        string[] all = KernelFiles.Names;
        new Parallelism(Threads).For(all.Length, i =>
        {
            using CurrentContext before = CurrentContext.Get();
            files.Get(all[i]);
        });
        return all;
    }

    private LoadedKernel Kernel(string file, string kernel)
    {
        if (!kernels.TryGetValue((file, kernel), out LoadedKernel? found))
        {
            found = files.Get(file).Kernel(kernel);
            kernels.Add((file, kernel), found);
        }

        return found;
    }

    /// <summary>A number that a file of kernels has for its launches: <c>HOST_CONSTANT</c>.</summary>
    /// <exception cref="InvalidOperationException">There is none of that name.</exception>
    private int Constant(string file, string name) => Constants(file, name)[0];

    /// <summary>The numbers of a structure that a file of kernels has for the host.</summary>
    /// <exception cref="InvalidOperationException">There is none of that name.</exception>
    private int[] Constants(string file, string name) => files.Get(file).Signatures.Constant(name);

    /// <summary>Blocks in each dimension.</summary>
    private readonly record struct Grid(int X, int Y = 1, int Z = 1)
    {
        public static implicit operator Grid(int x) => new(x);
    }
}
