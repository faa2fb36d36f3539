namespace CudaL2Net.Interop;

/// <summary>Extents of a grid or a block.</summary>
/// <param name="X">Columns.</param>
/// <param name="Y">Rows.</param>
/// <param name="Z">Layers.</param>
public readonly record struct Dim3(int X, int Y = 1, int Z = 1)
{
    /// <summary>A row.</summary>
    public static implicit operator Dim3(int x) => new(x);

    /// <inheritdoc/>
    public override string ToString() => (Y, Z) == (1, 1) ? $"{X}" : Z == 1 ? $"{X} x {Y}" : $"{X} x {Y} x {Z}";
}

/// <summary>A kernel of a module.</summary>
public sealed unsafe class CudaKernel
{
    private readonly CudaModule module;
    private readonly nint function;
    private readonly Lock raising = new();
    private volatile int allowedSharedBytes;

    internal CudaKernel(CudaModule module, string name)
    {
        this.module = module;
        KernelName = name;
        ObjectDisposedException.ThrowIf(module.Handle.IsClosed, module);
        module.Context.SetCurrent();
        nint found;
        CudaError result = Driver.cuModuleGetFunction(&found, module.Handle.DangerousGetHandle(), name);
        if (result != CudaError.Success)
        {
            throw new CudaException($"no kernel {name} in {module.Name}: {CudaException.Describe(result)}", result);
        }

        function = found;
    }

    /// <summary>Its name.</summary>
    public string KernelName { get; }

    /// <summary>Queues a launch.</summary>
    /// <param name="stream">Where.</param>
    /// <param name="grid">Blocks.</param>
    /// <param name="block">Threads of a block.</param>
    /// <param name="sharedBytes">Dynamic shared memory of a block; what is above 48 KB needs to be asked for, which is done.</param>
    /// <param name="arguments">The parameters in order, the low bytes of each first.</param>
    /// <exception cref="CudaException">The launch is refused, or earlier work has failed; the message names the kernel and its geometry.</exception>
    public void RunAsync(CudaStream stream, Dim3 grid, Dim3 block, int sharedBytes, ReadOnlySpan<ulong> arguments)
    {
        void** pointers = stackalloc void*[arguments.Length];
        fixed (ulong* values = arguments)
        {
            for (int i = 0; i < arguments.Length; i++)
            {
                pointers[i] = values + i;
            }

            RunAsync(stream, grid, block, sharedBytes, pointers);
        }
    }

    /// <summary>Queues a launch.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="grid">Blocks.</param>
    /// <param name="block">Threads of a block.</param>
    /// <param name="sharedBytes">Dynamic shared memory of a block; what is above 48 KB needs to be asked for, which is done.</param>
    /// <param name="arguments">The addresses of the parameters, in order; read before the call returns.</param>
    /// <exception cref="CudaException">The launch is refused, or earlier work has failed; the message names the kernel and its geometry.</exception>
    public void RunAsync(CudaStream stream, Dim3 grid, Dim3 block, int sharedBytes, void** arguments)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ObjectDisposedException.ThrowIf(module.Handle.IsClosed, module);
        stream.Enter();
        var launch = new LaunchRecord(KernelName, grid, block, sharedBytes);
        if (sharedBytes > allowedSharedBytes)
        {
            lock (raising)
            {
                Allow(stream, launch);
            }
        }

        CudaError result = Driver.cuLaunchKernel(function, (uint)grid.X, (uint)grid.Y, (uint)grid.Z, (uint)block.X, (uint)block.Y, (uint)block.Z,
            (uint)sharedBytes, stream.Handle.DangerousGetHandle(), arguments, null);
        stream.Check(result, nameof(Driver.cuLaunchKernel), launch);
        stream.Launched(launch);
    }

    private void Allow(CudaStream stream, in LaunchRecord launch)
    {
        const int MaxDynamicSharedSizeBytes = 8, PreferredSharedMemoryCarveout = 9, Usual = 48 << 10, All = 100;
        if (launch.SharedBytes <= allowedSharedBytes)
        {
            return;
        }

        stream.Check(Driver.cuFuncSetAttribute(function, MaxDynamicSharedSizeBytes, launch.SharedBytes), nameof(Driver.cuFuncSetAttribute), launch);
        if (launch.SharedBytes > Usual)
        {
            // Otherwise the driver may leave room for one block where two would fit.
            stream.Check(Driver.cuFuncSetAttribute(function, PreferredSharedMemoryCarveout, All), nameof(Driver.cuFuncSetAttribute), launch);
        }

        allowedSharedBytes = launch.SharedBytes;
    }
}

/// <summary>A launch, for messages.</summary>
internal readonly record struct LaunchRecord(string Kernel, Dim3 Grid, Dim3 Block, int SharedBytes)
{
    public override string ToString() => Block == default
        ? Kernel
        : $"{Kernel} <<<{Grid}, {Block}{(SharedBytes > 0 ? $", {SharedBytes} bytes of shared memory" : "")}>>>";
}
