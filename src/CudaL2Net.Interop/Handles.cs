using System.Runtime.InteropServices;

namespace CudaL2Net.Interop;

/// <summary>
/// A device's primary context, held: it is given back when this and all that was made in it have been disposed of, in whatever order. Or a context of other
/// code's, which is never given back.
/// </summary>
internal sealed class ContextHandle : SafeHandle
{
    private readonly int device;

    public ContextHandle(nint foreign)
        : base(0, ownsHandle: false)
    {
        Foreign = true;
        SetHandle(foreign);
    }

    public unsafe ContextHandle(int device)
        : base(0, ownsHandle: true)
    {
        this.device = device;
        nint context;
        CudaException.Check(Driver.cuDevicePrimaryCtxRetain(&context, device), nameof(Driver.cuDevicePrimaryCtxRetain));
        SetHandle(context);
    }

    public bool Foreign { get; }

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle() => Driver.cuDevicePrimaryCtxRelease_v2(device) == CudaError.Success;
}

/// <summary>The context that was current for a thread.</summary>
internal readonly struct CurrentContext : IDisposable
{
    private readonly nint context;
    private readonly bool known;

    private CurrentContext(nint context)
    {
        this.context = context;
        known = true;
    }

    /// <summary>The calling thread's.</summary>
    public static unsafe CurrentContext Get()
    {
        nint context;
        return Driver.cuCtxGetCurrent(&context) == CudaError.Success ? new CurrentContext(context) : default;
    }

    /// <summary>Makes it the calling thread's again.</summary>
    public void Dispose()
    {
        if (known)
        {
            _ = Driver.cuCtxSetCurrent(context);
        }
    }
}

/// <summary>Something made in a context: keeps the context, and is released in it on whatever thread.</summary>
internal abstract class ContextChild(ContextHandle context) : SafeHandle(0, ownsHandle: true)
{
    // 0 is a stream, too.
    private bool set;

    public sealed override bool IsInvalid => !set;

    protected void Own(nint made)
    {
        bool held = false;
        context.DangerousAddRef(ref held);
        SetHandle(made);
        set = true;
    }

    /// <summary>Calls the driver; the context is current.</summary>
    protected abstract CudaError Release();

    protected sealed override bool ReleaseHandle()
    {
        // What was made in a context that its owner has destroyed is gone with it.
        CudaError result = Driver.cuCtxSetCurrent(context.DangerousGetHandle());
        result = result == CudaError.Success ? Release() : result;
        context.DangerousRelease();
        return result == CudaError.Success;
    }
}

/// <summary>A stream. Memory that was allocated on it keeps it, and is freed on it in the order of its work; never into a graph that is being captured.</summary>
internal sealed unsafe class StreamHandle : ContextChild
{
    private readonly ContextHandle context;
    private readonly bool pools;
    private readonly Lock freeing = new();
    private readonly List<nint> waiting = [];

    // Other code has made it, and will destroy it.
    private readonly bool foreign;
    private bool capturing;

    public StreamHandle(ContextHandle context, bool pools, nint? foreign = null)
        : base(context)
    {
        const uint NonBlocking = 1;
        this.pools = pools;
        this.context = context;
        this.foreign = foreign != null;
        nint stream = foreign ?? 0;
        if (foreign == null)
        {
            CudaException.Check(Driver.cuStreamCreate(&stream, NonBlocking), nameof(Driver.cuStreamCreate));
        }

        Own(stream);
    }

    public bool Capturing
    {
        get => capturing;
        set
        {
            lock (freeing)
            {
                capturing = value;
                if (!capturing)
                {
                    waiting.ForEach(FreeNow);
                    waiting.Clear();
                }
            }
        }
    }

    public CudaError Allocate(nuint bytes, out nint pointer)
    {
        nint allocated = 0;
        CudaError result = pools ? Driver.cuMemAllocAsync(&allocated, bytes, handle) : Driver.cuMemAlloc_v2(&allocated, bytes);
        if (result == CudaError.Success)
        {
            bool held = false;
            DangerousAddRef(ref held);
        }

        pointer = allocated;
        return result;
    }

    /// <summary>Frees after the work that has been queued; may be called from any thread, a finalizer's too, and after the stream has been disposed of.</summary>
    public void Free(nint pointer)
    {
        lock (freeing)
        {
            if (capturing)
            {
                waiting.Add(pointer);
            }
            else
            {
                FreeNow(pointer);
            }
        }
    }

    protected override CudaError Release() => foreign ? CudaError.Success : Driver.cuStreamDestroy_v2(handle);

    private void FreeNow(nint pointer)
    {
        if (Driver.cuCtxSetCurrent(context.DangerousGetHandle()) == CudaError.Success)
        {
            // Without pools the memory is freed when all work of the device is done.
            _ = pools ? Driver.cuMemFreeAsync(pointer, handle) : Driver.cuMemFree_v2(pointer);
        }

        DangerousRelease();
    }
}

/// <summary>Memory of a stream.</summary>
internal sealed class MemoryHandle : SafeHandle
{
    private readonly StreamHandle stream;

    public MemoryHandle(StreamHandle stream, nint pointer, bool owned = true)
        : base(0, owned)
    {
        this.stream = stream;
        SetHandle(pointer);
    }

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        stream.Free(handle);
        return true;
    }
}

/// <summary>A loaded module.</summary>
internal sealed class ModuleHandle : ContextChild
{
    public ModuleHandle(ContextHandle context, nint module)
        : base(context) => Own(module);

    protected override CudaError Release() => Driver.cuModuleUnload(handle);
}

/// <summary>An event.</summary>
internal sealed unsafe class EventHandle : ContextChild
{
    public EventHandle(ContextHandle context, bool timing)
        : base(context)
    {
        const uint DisableTiming = 2;
        nint made;
        CudaException.Check(Driver.cuEventCreate(&made, timing ? 0 : DisableTiming), nameof(Driver.cuEventCreate));
        Own(made);
    }

    protected override CudaError Release() => Driver.cuEventDestroy_v2(handle);
}

/// <summary>Page-locked memory of the host.</summary>
internal sealed unsafe class HostMemoryHandle : ContextChild
{
    public HostMemoryHandle(ContextHandle context, nuint bytes)
        : base(context)
    {
        nint made;
        CudaException.Check(Driver.cuMemHostAlloc(&made, bytes, 0), nameof(Driver.cuMemHostAlloc));
        Own(made);
    }

    protected override CudaError Release() => Driver.cuMemFreeHost(handle);
}

/// <summary>A captured graph.</summary>
internal sealed class GraphHandle : ContextChild
{
    public GraphHandle(ContextHandle context, nint graph)
        : base(context) => Own(graph);

    protected override CudaError Release() => Driver.cuGraphDestroy(handle);
}

/// <summary>A graph that can be launched.</summary>
internal sealed class GraphExecHandle : ContextChild
{
    public GraphExecHandle(ContextHandle context, nint executable)
        : base(context) => Own(executable);

    protected override CudaError Release() => Driver.cuGraphExecDestroy(handle);
}
