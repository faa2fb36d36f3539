namespace CudaL2Net.Interop;

/// <summary>An array in device memory, in the order of a stream's work.</summary>
/// <typeparam name="T">A plain type.</typeparam>
public sealed unsafe class CudaDeviceVariable<T> : IDisposable
    where T : unmanaged
{
    private readonly CudaStream stream;
    private readonly MemoryHandle handle;

    /// <summary>Allocates; the contents are undefined.</summary>
    /// <param name="stream">The stream that uses it.</param>
    /// <param name="size">Elements, at least 1.</param>
    /// <exception cref="CudaException">There is not enough memory.</exception>
    public CudaDeviceVariable(CudaStream stream, long size)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        this.stream = stream;
        Size = size;
        handle = new MemoryHandle(stream.Handle, stream.AllocateAsync((nuint)size * (nuint)sizeof(T)));
    }

    /// <summary>Takes memory that other code has allocated and will free.</summary>
    /// <param name="stream">The stream that uses it.</param>
    /// <param name="devicePointer">A <c>CUdeviceptr</c>.</param>
    /// <param name="size">Elements, at least 1.</param>
    /// <exception cref="ArgumentException">The pointer is 0.</exception>
    public CudaDeviceVariable(CudaStream stream, nint devicePointer, long size)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        if (devicePointer == 0)
        {
            throw new ArgumentException("the pointer is 0: give the address of memory on the device", nameof(devicePointer));
        }

        this.stream = stream;
        Size = size;
        handle = new MemoryHandle(stream.Handle, devicePointer, owned: false);
    }

    /// <summary>Elements.</summary>
    public long Size { get; }

    /// <summary>Bytes.</summary>
    public long SizeInBytes => Size * sizeof(T);

    /// <summary>The address on the device.</summary>
    public nint DevicePointer
    {
        get
        {
            ObjectDisposedException.ThrowIf(handle.IsClosed, this);
            return handle.DangerousGetHandle();
        }
    }

    /// <summary>Copies from the host; returns when the copy has been made.</summary>
    /// <exception cref="ArgumentException">The sizes differ.</exception>
    public void CopyToDevice(ReadOnlySpan<T> source)
    {
        RequireSize(source.Length);
        fixed (T* host = source)
        {
            stream.CopyToDeviceAsync(DevicePointer, host, (nuint)SizeInBytes);
            stream.Synchronize();
        }
    }

    /// <summary>Copies to the host, after all queued work.</summary>
    /// <exception cref="ArgumentException">The sizes differ.</exception>
    public void CopyToHost(Span<T> destination)
    {
        RequireSize(destination.Length);
        fixed (T* host = destination)
        {
            stream.CopyToHostAsync(host, DevicePointer, (nuint)SizeInBytes);
            stream.Synchronize();
        }
    }

    /// <summary>Queues the setting of every byte.</summary>
    public void Memset(byte value) => stream.MemsetAsync(DevicePointer, value, (nuint)SizeInBytes);

    /// <summary>Frees it, in the order of the stream's work; memory of other code's is left as it is.</summary>
    public void Dispose() => handle.Dispose();

    private void RequireSize(long length)
    {
        if (length != Size)
        {
            throw new ArgumentException($"the host array has {length} elements, the device's {Size}");
        }
    }
}

/// <summary>Page-locked memory of the host: copies to and from it run beside other work.</summary>
/// <typeparam name="T">A plain type.</typeparam>
public sealed unsafe class CudaPageLockedHostMemory<T> : IDisposable
    where T : unmanaged
{
    private readonly HostMemoryHandle handle;

    /// <summary>Allocates; the contents are undefined.</summary>
    /// <param name="context">The context whose streams copy.</param>
    /// <param name="size">Elements, at least 1.</param>
    public CudaPageLockedHostMemory(CudaContext context, int size)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        context.SetCurrent();
        handle = new HostMemoryHandle(context.Handle, (nuint)size * (nuint)sizeof(T));
        Size = size;
    }

    /// <summary>Elements.</summary>
    public int Size { get; }

    /// <summary>The elements. No copy to them may be under way when they are read.</summary>
    public Span<T> Span => new(Pointer, Size);

    /// <summary>The address.</summary>
    public T* Pointer
    {
        get
        {
            ObjectDisposedException.ThrowIf(handle.IsClosed, this);
            return (T*)handle.DangerousGetHandle();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => handle.Dispose();
}
