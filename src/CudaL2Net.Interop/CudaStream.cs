namespace CudaL2Net.Interop;

/// <summary>A queue of work. Memory is allocated and freed in the order of its work.</summary>
public sealed unsafe class CudaStream : IDisposable
{
    /// <summary>The environment variable that, set to 1, makes every launch wait for its end, so that a fault is found at its kernel.</summary>
    public const string SynchronizeVariable = "CUDAL2NET_SYNCHRONIZE";

    private readonly LaunchRecord[] recent = new LaunchRecord[8];
    private long launches;

    /// <summary>Makes a stream.</summary>
    public CudaStream(CudaContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        Context = context;
        context.SetCurrent();
        Handle = new StreamHandle(context.Handle, context.HasPools);
        SynchronizeEachLaunch = Environment.GetEnvironmentVariable(SynchronizeVariable) == "1";
    }

    private CudaStream(CudaContext context, nint foreign)
    {
        Context = context;
        Handle = new StreamHandle(context.Handle, context.HasPools, foreign);
        SynchronizeEachLaunch = Environment.GetEnvironmentVariable(SynchronizeVariable) == "1";
    }

    /// <summary>Where it runs.</summary>
    public CudaContext Context { get; }

    /// <summary>The driver's handle, a <c>CUstream</c>, for other code of the process; 0 is the default stream.</summary>
    /// <exception cref="ObjectDisposedException">This has been disposed of.</exception>
    public nint NativeHandle
    {
        get
        {
            ObjectDisposedException.ThrowIf(Handle.IsClosed, this);
            return Handle.DangerousGetHandle();
        }
    }

    /// <summary>Whether every launch waits for its end.</summary>
    public bool SynchronizeEachLaunch { get; set; }

    /// <summary>Whether work is being captured instead of done.</summary>
    public bool IsCapturing => Handle.Capturing;

    internal StreamHandle Handle { get; }

    /// <summary>A stream that other code has made, ManagedCuda, ILGPU or TorchSharp, say. It stays theirs: it is not destroyed, and it must outlive all that is made
    /// from it here. What is current for the thread stays so.</summary>
    /// <param name="stream">A <c>CUstream</c> (<c>cudaStream_t</c>); 0, 1 and 2 are the default streams.</param>
    /// <param name="context">Its context; null is the one that the driver names, for a default stream the one that is current for the thread.</param>
    /// <exception cref="CudaException">There is no driver, it does not know the stream, or the stream is of another context.</exception>
    public static CudaStream FromHandle(nint stream, CudaContext? context = null)
    {
        const int PerThreadDefault = 2;
        if (stream is >= 0 and <= PerThreadDefault)
        {
            return new CudaStream(context ?? CudaContext.FromCurrent(), stream);
        }

        Driver.Initialize();
        nint owner;
        CudaException.Check(Driver.cuStreamGetCtx(stream, &owner), nameof(Driver.cuStreamGetCtx));
        return context == null || context.NativeHandle == owner
            ? new CudaStream(context ?? CudaContext.FromHandle(owner), stream)
            : throw new CudaException("the stream is of another context than the one that is given with it", CudaError.InvalidContext);
    }

    /// <summary>Waits until all queued work has been done.</summary>
    /// <exception cref="CudaException">A kernel failed; the message names the last launches and their geometries.</exception>
    public void Synchronize()
    {
        Enter();
        Check(Driver.cuStreamSynchronize(Handle.DangerousGetHandle()), nameof(Driver.cuStreamSynchronize));
    }

    /// <summary>Allocates memory; its contents are undefined.</summary>
    /// <param name="bytes">At least 1.</param>
    /// <returns>Its address on the device.</returns>
    /// <exception cref="CudaException">There is not enough (<see cref="CudaError.OutOfMemory"/>).</exception>
    /// <exception cref="InvalidOperationException">Work is being captured.</exception>
    public nint AllocateAsync(nuint bytes)
    {
        Enter();
        if (IsCapturing)
        {
            throw new InvalidOperationException($"{bytes} bytes were asked for while a step was being recorded; a recorded step allocates nothing");
        }

        CudaError result = Handle.Allocate(bytes, out nint pointer);
        if (result == CudaError.OutOfMemory)
        {
            throw new CudaException(
                $"the GPU's memory does not suffice: {Text(bytes)} were asked for, {Text(Context.GetFreeDeviceMemorySize())} of "
                    + $"{Text(Context.GetTotalDeviceMemorySize())} are free",
                result);
        }

        Check(result, Context.HasPools ? nameof(Driver.cuMemAllocAsync) : nameof(Driver.cuMemAlloc_v2));
        return pointer;

        static string Text(ulong size) => size >= 1 << 30 ? $"{size / (double)(1 << 30):F1} GiB" : $"{size / (double)(1 << 20):F1} MiB";
    }

    /// <summary>Frees memory after the work queued so far; from any thread, and even after the stream has been disposed of.</summary>
    public void FreeAsync(nint pointer) => Handle.Free(pointer);

    /// <summary>Queues a copy to the device. The host's memory must stay as it is until the copy is done.</summary>
    public void CopyToDeviceAsync(nint device, void* host, nuint bytes)
    {
        Enter();
        Check(Driver.cuMemcpyHtoDAsync_v2(device, host, bytes, Handle.DangerousGetHandle()), nameof(Driver.cuMemcpyHtoDAsync_v2));
    }

    /// <summary>Queues a copy to the host.</summary>
    public void CopyToHostAsync(void* host, nint device, nuint bytes)
    {
        Enter();
        Check(Driver.cuMemcpyDtoHAsync_v2(host, device, bytes, Handle.DangerousGetHandle()), nameof(Driver.cuMemcpyDtoHAsync_v2));
    }

    /// <summary>Queues a copy within the device's memory.</summary>
    public void CopyOnDeviceAsync(nint to, nint from, nuint bytes)
    {
        Enter();
        Check(Driver.cuMemcpyDtoDAsync_v2(to, from, bytes, Handle.DangerousGetHandle()), nameof(Driver.cuMemcpyDtoDAsync_v2));
    }

    /// <summary>Queues the setting of bytes.</summary>
    public void MemsetAsync(nint device, byte value, nuint bytes)
    {
        Enter();
        Check(Driver.cuMemsetD8Async(device, value, bytes, Handle.DangerousGetHandle()), nameof(Driver.cuMemsetD8Async));
    }

    /// <summary>Lets the work queued from now on wait for an event of another stream.</summary>
    public void WaitEvent(CudaEvent happening)
    {
        ArgumentNullException.ThrowIfNull(happening);
        Enter();
        Check(Driver.cuStreamWaitEvent(Handle.DangerousGetHandle(), happening.Handle.DangerousGetHandle(), 0), nameof(Driver.cuStreamWaitEvent));
    }

    /// <summary>Begins to capture: what this thread queues from now on is not done, but becomes a graph.</summary>
    public void BeginCapture()
    {
        const int ThreadLocal = 1;
        Enter();
        Handle.Capturing = true;
        CudaError result = Driver.cuStreamBeginCapture_v2(Handle.DangerousGetHandle(), ThreadLocal);
        if (result != CudaError.Success)
        {
            Handle.Capturing = false;
            Check(result, nameof(Driver.cuStreamBeginCapture_v2));
        }
    }

    /// <summary>Ends the capture.</summary>
    /// <returns>The graph of what was queued since <see cref="BeginCapture"/>.</returns>
    public CudaGraph EndCapture()
    {
        Enter();
        nint graph;
        CudaError result = Driver.cuStreamEndCapture(Handle.DangerousGetHandle(), &graph);
        Handle.Capturing = false;
        Check(result, nameof(Driver.cuStreamEndCapture));
        return new CudaGraph(Context, graph);
    }

    /// <summary>Ends the capture, whatever it has become, and forgets it.</summary>
    public void AbandonCapture()
    {
        Enter();
        nint graph = 0;
        _ = Driver.cuStreamEndCapture(Handle.DangerousGetHandle(), &graph);
        Handle.Capturing = false;
        if (graph != 0)
        {
            _ = Driver.cuGraphDestroy(graph);
        }
    }

    /// <summary>Destroys the stream, when the memory that was allocated on it has been freed. Queued work is done before. One that other code has made is left as
    /// it is.</summary>
    public void Dispose() => Handle.Dispose();

    /// <summary>Makes the stream's context the calling thread's.</summary>
    internal void Enter()
    {
        ObjectDisposedException.ThrowIf(Handle.IsClosed, this);
        Context.SetCurrent();
    }

    /// <summary>Notes a launch, and waits for its end where that is wanted.</summary>
    internal void Launched(in LaunchRecord launch)
    {
        recent[launches++ % recent.Length] = launch;
        if (SynchronizeEachLaunch && !IsCapturing)
        {
            CudaError result = Driver.cuStreamSynchronize(Handle.DangerousGetHandle());
            if (result != CudaError.Success)
            {
                throw new CudaException($"{launch} failed: {CudaException.Describe(result)}", result);
            }
        }
    }

    /// <summary>Throws unless <paramref name="result"/> is success; where a kernel failed, with the last launches.</summary>
    internal void Check(CudaError result, string call, in LaunchRecord launch = default)
    {
        if (result == CudaError.Success)
        {
            return;
        }

        var error = new CudaException($"{(launch == default ? "" : $"{launch}: ")}{call} failed: {CudaException.Describe(result)}", result);
        if (!error.IsKernelFault)
        {
            throw error;
        }

        IEnumerable<string> last = Enumerable.Range(1, (int)Math.Min(launches, recent.Length)).Select(i => recent[(launches - i) % recent.Length].ToString());
        throw new CudaException(
            $"a kernel failed: {CudaException.Describe(result)}, found by {call}; the last launches, the latest first: {string.Join(", ", last)}; "
                + $"{SynchronizeVariable}=1 finds out which",
            result);
    }
}
