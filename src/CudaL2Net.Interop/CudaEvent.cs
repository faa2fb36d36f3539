namespace CudaL2Net.Interop;

/// <summary>A point in a stream's work that can be asked after.</summary>
public sealed class CudaEvent : IDisposable
{
    private readonly CudaContext context;

    /// <summary>Makes an event that has not been recorded.</summary>
    public CudaEvent(CudaContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        this.context = context;
        context.SetCurrent();
        Handle = new EventHandle(context.Handle);
    }

    internal EventHandle Handle { get; }

    /// <summary>Marks the end of the work queued so far.</summary>
    public void Record(CudaStream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        Enter();
        stream.Check(Driver.cuEventRecord(Handle.DangerousGetHandle(), stream.Handle.DangerousGetHandle()), nameof(Driver.cuEventRecord));
    }

    /// <summary>Whether the work before the mark has been done; true where there is no mark.</summary>
    public bool Query(CudaStream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        Enter();
        CudaError result = Driver.cuEventQuery(Handle.DangerousGetHandle());
        if (result == CudaError.NotReady)
        {
            return false;
        }

        stream.Check(result, nameof(Driver.cuEventQuery));
        return true;
    }

    /// <summary>Waits until the work before the mark has been done.</summary>
    public void Synchronize(CudaStream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        Enter();
        stream.Check(Driver.cuEventSynchronize(Handle.DangerousGetHandle()), nameof(Driver.cuEventSynchronize));
    }

    /// <inheritdoc/>
    public void Dispose() => Handle.Dispose();

    private void Enter()
    {
        ObjectDisposedException.ThrowIf(Handle.IsClosed, this);
        context.SetCurrent();
    }
}
