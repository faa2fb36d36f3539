using System.Runtime.InteropServices;

namespace CudaL2Net.Kernels;

/// <summary>A dense, row-major array in the memory of one <see cref="Kernels.Device"/>.</summary>
/// <typeparam name="T">Element type: <see cref="float"/>, <see cref="int"/>, <see cref="byte"/> or a plain struct.</typeparam>
/// <remarks>
/// Activations are NHWC, filters [out][kh][kw][in], descriptors [n][d]. The memory starts at a multiple of 64 bytes and is zero at first.
/// </remarks>
public sealed unsafe class Tensor<T> : IDisposable, IDeviceMemory
    where T : unmanaged
{
    // Kernels load four floats at once.
    private const int Alignment = 16;

    private readonly int[] shape;

    // Whether the memory is other code's.
    private readonly bool wrapped;

    // The tensor whose memory this is a view of, never a view itself; null where the memory is this tensor's own.
    private readonly Tensor<T>? owner;
    private nint address;

    // Of an array that was lent; else the memory is the device's.
    private GCHandle lent;

    internal Tensor(Device device, ReadOnlySpan<int> shape)
    {
        Device = device;
        this.shape = shape.ToArray();
        Length = CheckedLength(shape);
        using (device.Enter())
        {
            address = (nint)device.AllocateBytes((nuint)Length * (nuint)sizeof(T));
        }
    }

    /// <summary>Takes an array as it is, which is kept where it lies. Its memory starts at no special address.</summary>
    internal Tensor(Device device, T[] values, ReadOnlySpan<int> shape)
    {
        Device = device;
        this.shape = shape.ToArray();
        Length = CheckedLength(shape);
        CheckHostLength(values.Length);
        lent = GCHandle.Alloc(values, GCHandleType.Pinned);
        address = lent.AddrOfPinnedObject();
    }

    /// <summary>Takes memory as it is, and never frees it.</summary>
    internal Tensor(Device device, nint pointer, ReadOnlySpan<int> shape)
    {
        Device = device;
        this.shape = shape.ToArray();
        Length = CheckedLength(shape);
        if ((pointer == 0 && Length > 0) || pointer % Alignment != 0)
        {
            throw new ArgumentException(
                $"the address of the tensor [{string.Join(", ", this.shape)}] is 0x{pointer:x}: it must be a multiple of {Alignment} and not 0", nameof(pointer));
        }

        // No memory has the address 0, which says that it was given back.
        address = pointer == 0 ? Alignment : pointer;
        wrapped = true;
    }

    private Tensor(Tensor<T> source, int start, int length, int[] shape)
    {
        Device = source.Device;
        owner = source.owner ?? source;
        address = (nint)(source.Pointer + start);
        this.shape = shape;
        Length = length;
    }

    /// <summary>The device whose memory this is.</summary>
    public Device Device { get; }

    /// <summary>The extent of each dimension, slowest first.</summary>
    public ReadOnlySpan<int> Shape => shape;

    /// <summary>The number of elements.</summary>
    public int Length { get; }

    /// <summary>Whether the memory has been given back.</summary>
    internal bool IsDisposed => address == 0 || (owner != null && owner.address == 0);

    /// <summary>Whether the memory is an array of the caller's.</summary>
    internal bool IsLent => lent.IsAllocated;

    bool IDeviceMemory.IsDisposed => IsDisposed;

    /// <summary>The address of the first element in the device's address space.</summary>
    /// <exception cref="ObjectDisposedException">The tensor was disposed, or the one that it is a view of.</exception>
    internal T* Pointer
    {
        get
        {
            // Read once: another thread may give it back meanwhile.
            nint first = address;
            ObjectDisposedException.ThrowIf(first == 0 || (owner != null && owner.address == 0), this);
            if (Device.Recordings != 0)
            {
                Device.NoteUse(this);
            }

            return (T*)first;
        }
    }

    /// <summary>The address of the first element, for other code that uses the device: a device pointer, for the CPU an address of the process. It holds as long as
    /// the tensor is not disposed of.</summary>
    /// <exception cref="ObjectDisposedException">The tensor was disposed of, or the one that it is a view of.</exception>
    public nint DevicePointer => (nint)Pointer;

    /// <summary>Copies <paramref name="source"/> from host memory.</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    /// <exception cref="ObjectDisposedException">The tensor or its device has been disposed of.</exception>
    public void Write(ReadOnlySpan<T> source)
    {
        CheckHostLength(source.Length);
        fixed (T* host = source)
            using (Device.Enter())
            {
                Device.CopyToDevice(Pointer, host, (nuint)Length * (nuint)sizeof(T));
            }
    }

    /// <summary>Copies to host memory, after all work queued on the device has been done.</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    /// <exception cref="ObjectDisposedException">The tensor or its device has been disposed of.</exception>
    public void Read(Span<T> destination)
    {
        CheckHostLength(destination.Length);
        fixed (T* host = destination)
            using (Device.Enter())
            {
                Device.CopyToHost(host, Pointer, (nuint)Length * (nuint)sizeof(T));
            }
    }

    /// <summary>Copies a tensor of as many elements on the same device.</summary>
    internal void CopyFrom(Tensor<T> source)
    {
        source.CheckHostLength(Length);
        using (Device.Enter())
        {
            Device.CopyOnDevice(Pointer, source.Pointer, (nuint)Length * (nuint)sizeof(T));
        }
    }

    /// <summary>The contents as a new host array.</summary>
    public T[] ToArray()
    {
        var values = new T[Length];
        Read(values);
        return values;
    }

    /// <summary>Sets every byte to zero.</summary>
    /// <exception cref="ObjectDisposedException">The tensor or its device has been disposed of.</exception>
    public void Clear()
    {
        using (Device.Enter())
        {
            Device.Clear(Pointer, (nuint)Length * (nuint)sizeof(T));
        }
    }

    /// <summary>Rows <paramref name="start"/> to <paramref name="start"/> + <paramref name="count"/> of the first dimension, sharing this memory.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The rows do not lie inside the tensor.</exception>
    public Tensor<T> Rows(int start, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        if (shape.Length == 0 || (long)start + count > shape[0])
        {
            throw new ArgumentOutOfRangeException(nameof(count), count, $"rows {start} to {(long)start + count} do not lie in a tensor [{string.Join(", ", shape)}]");
        }

        int row = shape[0] == 0 ? 0 : Length / shape[0];
        int[] view = [count, .. shape.AsSpan(1)];
        return new Tensor<T>(this, start * row, count * row, view);
    }

    /// <summary>Elements from <paramref name="start"/> on as a tensor of another shape, sharing this memory.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The elements do not lie inside the tensor.</exception>
    internal Tensor<T> View(int start, params ReadOnlySpan<int> viewShape)
    {
        int length = CheckedLength(viewShape);
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)start + length, Length, nameof(viewShape));
        return new Tensor<T>(this, start, length, viewShape.ToArray());
    }

    /// <summary>Gives the memory back. A view made by <see cref="Rows"/> gives nothing back; it cannot be used after the tensor that it came from was
    /// disposed.</summary>
    /// <remarks>Does not wait: where work in another thread uses the memory, it is freed when that is done. Harmless after the device's own end, too.</remarks>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the memory of a tensor that was never disposed.</summary>
    ~Tensor() => Free();

    private void Free()
    {
        nint memory = Interlocked.Exchange(ref address, 0);
        if (owner == null && !wrapped && memory != 0)
        {
            Device.WhenFree(() => GiveBack(memory));
        }
    }

    private void GiveBack(nint memory)
    {
        if (lent.IsAllocated)
        {
            lent.Free();
        }
        else
        {
            Device.FreeBytes((void*)memory);
        }
    }

    private static int CheckedLength(ReadOnlySpan<int> shape)
    {
        long length = 1;
        foreach (int extent in shape)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(extent);
            length *= extent;
            if (length > int.MaxValue)
            {
                throw new ArgumentException($"a tensor of shape [{string.Join(", ", shape.ToArray())}] has more than {int.MaxValue} elements", nameof(shape));
            }
        }

        return (int)length;
    }

    private void CheckHostLength(int length)
    {
        if (length != Length)
        {
            throw new ArgumentException($"the host array has {length} elements, the tensor [{string.Join(", ", shape)}] has {Length}");
        }
    }
}
