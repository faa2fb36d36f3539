namespace CudaL2Net.Interop;

/// <summary>Captured work. The memory that it uses must outlive it.</summary>
public sealed unsafe class CudaGraph : IDisposable
{
    private readonly CudaContext context;
    private readonly GraphHandle handle;

    internal CudaGraph(CudaContext context, nint graph)
    {
        this.context = context;
        handle = new GraphHandle(context.Handle, graph);
    }

    /// <summary>The number of kernels, copies and fills in it.</summary>
    public int NodeCount
    {
        get
        {
            Enter();
            nuint count;
            CudaException.Check(Driver.cuGraphGetNodes(handle.DangerousGetHandle(), null, &count), nameof(Driver.cuGraphGetNodes));
            return (int)count;
        }
    }

    /// <summary>Makes it ready to launch.</summary>
    public CudaGraphExec Instantiate()
    {
        Enter();
        nint executable;
        CudaException.Check(Driver.cuGraphInstantiateWithFlags(&executable, handle.DangerousGetHandle(), 0), nameof(Driver.cuGraphInstantiateWithFlags));
        return new CudaGraphExec(context, executable, NodeCount);
    }

    /// <inheritdoc/>
    public void Dispose() => handle.Dispose();

    private void Enter()
    {
        ObjectDisposedException.ThrowIf(handle.IsClosed, this);
        context.SetCurrent();
    }
}

/// <summary>A graph that is launched as a whole.</summary>
public sealed class CudaGraphExec : IDisposable
{
    private readonly GraphExecHandle handle;
    private readonly LaunchRecord record;

    internal CudaGraphExec(CudaContext context, nint executable, int nodes)
    {
        handle = new GraphExecHandle(context.Handle, executable);
        record = new LaunchRecord($"a recorded step of {nodes} launches", default, default, 0);
        NodeCount = nodes;
    }

    /// <summary>The number of kernels, copies and fills in it.</summary>
    public int NodeCount { get; }

    /// <summary>Queues all of it.</summary>
    public void Launch(CudaStream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ObjectDisposedException.ThrowIf(handle.IsClosed, this);
        stream.Enter();
        stream.Check(Driver.cuGraphLaunch(handle.DangerousGetHandle(), stream.Handle.DangerousGetHandle()), nameof(Driver.cuGraphLaunch), record);
        stream.Launched(record);
    }

    /// <inheritdoc/>
    public void Dispose() => handle.Dispose();
}
