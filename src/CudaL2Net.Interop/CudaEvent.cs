namespace CudaL2Net.Interop;

/// <summary>A point in a stream's work that can be asked after.</summary>
public sealed class CudaEvent : IDisposable
{
    private readonly CudaContext context;

    /// <summary>Makes an event that has not been recorded.</summary>
    /// <param name="context">Where its streams run.</param>
    /// <param name="timing">Whether it notes the time, for <see cref="SecondsSince"/>.</param>
    public CudaEvent(CudaContext context, bool timing = false)
    {
        ArgumentNullException.ThrowIfNull(context);
        this.context = context;
        context.SetCurrent();
        Handle = new EventHandle(context.Handle, timing);
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

    /// <summary>The seconds on the device from one mark to this one, once both have been reached. Both events note the time.</summary>
    public double SecondsSince(CudaEvent start, CudaStream stream)
    {
        ArgumentNullException.ThrowIfNull(start);
        ArgumentNullException.ThrowIfNull(stream);
        Synchronize(stream);
        float milliseconds = 0;
        unsafe
        {
            CudaError result = Driver.cuEventElapsedTime(&milliseconds, start.Handle.DangerousGetHandle(), Handle.DangerousGetHandle());
            stream.Check(result, nameof(Driver.cuEventElapsedTime));
        }

        return milliseconds / 1e3;
    }

    /// <inheritdoc/>
    public void Dispose() => Handle.Dispose();

    private void Enter()
    {
        ObjectDisposedException.ThrowIf(Handle.IsClosed, this);
        context.SetCurrent();
    }
}
