using System.Runtime.InteropServices;

namespace CudaL2Net.Interop;

/// <summary>What a device is.</summary>
/// <param name="DeviceName">Its name.</param>
/// <param name="ComputeCapability">As 8.0 or 9.0.</param>
/// <param name="TotalGlobalMemory">Bytes.</param>
/// <param name="MultiProcessorCount">Streaming multiprocessors.</param>
/// <param name="SharedMemoryPerBlockOptin">The most shared memory that a block can ask for, bytes.</param>
/// <param name="DriverVersion">The CUDA version of the driver.</param>
public sealed record CudaDeviceProperties(
    string DeviceName, Version ComputeCapability, ulong TotalGlobalMemory, int MultiProcessorCount, int SharedMemoryPerBlockOptin, Version DriverVersion);

/// <summary>
/// A device's primary context, shared with whatever else of this process uses CUDA, or a context that other code of the process has made and keeps. Contexts are
/// current for a thread: everything made from this one makes it current first, so it can be used from any thread; but not from two at once. What is made from a
/// context may be disposed of before or after it.
/// </summary>
public sealed unsafe class CudaContext : IDisposable
{
    private readonly int device;

    /// <summary>Opens a device.</summary>
    /// <param name="deviceId">0 to <see cref="GetDeviceCount"/> - 1.</param>
    /// <exception cref="CudaException">There is no driver or no such device.</exception>
    public CudaContext(int deviceId = 0)
        : this(deviceId, null)
    {
        if (HasPools)
        {
            // Freed memory stays with the process for the next allocation, until the context is disposed of.
            const int ReleaseThreshold = 4;
            ulong keep = ulong.MaxValue;
            CudaException.Check(Driver.cuMemPoolSetAttribute(Pool, ReleaseThreshold, &keep), nameof(Driver.cuMemPoolSetAttribute));
        }
    }

    private CudaContext(int deviceId, ContextHandle? foreign)
    {
        const int MemoryPoolsSupported = 115;
        device = Device(deviceId);
        DeviceId = deviceId;
        Handle = foreign ?? new ContextHandle(device);
        SetCurrent();

        int pools;
        CudaException.Check(Driver.cuDeviceGetAttribute(&pools, MemoryPoolsSupported, device), nameof(Driver.cuDeviceGetAttribute));
        if (pools == 0)
        {
            return;
        }

        nint pool;
        CudaException.Check(Driver.cuDeviceGetDefaultMemPool(&pool, device), nameof(Driver.cuDeviceGetDefaultMemPool));
        Pool = pool;
    }

    /// <summary>The device's number.</summary>
    public int DeviceId { get; }

    /// <summary>The driver's handle, a <c>CUcontext</c>, for other code of the process.</summary>
    /// <exception cref="ObjectDisposedException">This has been disposed of.</exception>
    public nint NativeHandle
    {
        get
        {
            ObjectDisposedException.ThrowIf(Handle.IsClosed, this);
            return Handle.DangerousGetHandle();
        }
    }

    internal ContextHandle Handle { get; }

    /// <summary>Whether memory is allocated and freed in the order of a stream's work; some devices, virtual ones above all, have no pools for that.</summary>
    internal bool HasPools => Pool != 0;

    private nint Pool { get; }

    /// <summary>A context that other code has made. It stays theirs: it is not destroyed, the device's settings are left alone, and it must outlive all that is made
    /// from it here. What is current for the thread stays so.</summary>
    /// <param name="context">A <c>CUcontext</c>.</param>
    /// <exception cref="ArgumentException">The handle is 0.</exception>
    /// <exception cref="CudaException">There is no driver, or it does not know the context.</exception>
    public static CudaContext FromHandle(nint context)
    {
        if (context == 0)
        {
            throw new ArgumentException("the handle of a CUDA context is 0: make a context first, or open a device by its number", nameof(context));
        }

        Driver.Initialize();
        using CurrentContext before = CurrentContext.Get();
        CudaException.Check(Driver.cuCtxSetCurrent(context), nameof(Driver.cuCtxSetCurrent));
        int device;
        CudaException.Check(Driver.cuCtxGetDevice(&device), nameof(Driver.cuCtxGetDevice));
        return new CudaContext(Ordinal(device), new ContextHandle(context));
    }

    /// <summary>The context that is current for the calling thread, made by other code; as <see cref="FromHandle"/>.</summary>
    /// <exception cref="CudaException">There is no driver, or no context is current.</exception>
    public static CudaContext FromCurrent()
    {
        Driver.Initialize();
        nint current;
        CudaException.Check(Driver.cuCtxGetCurrent(&current), nameof(Driver.cuCtxGetCurrent));
        return current != 0 ? FromHandle(current) : throw new CudaException(
            "no CUDA context is current for this thread: make one current first, or open a device by its number", CudaError.InvalidContext);
    }

    /// <summary>The devices there are; 0 where the driver finds none.</summary>
    /// <exception cref="CudaException">There is no driver.</exception>
    public static int GetDeviceCount()
    {
        try
        {
            Driver.Initialize();
        }
        catch (CudaException error) when (error.Error == CudaError.NoDevice)
        {
            return 0;
        }

        int count;
        CudaException.Check(Driver.cuDeviceGetCount(&count), nameof(Driver.cuDeviceGetCount));
        return count;
    }

    /// <summary>The latest CUDA version that the driver knows.</summary>
    /// <exception cref="CudaException">There is no driver.</exception>
    public static Version GetDriverVersion()
    {
        Driver.Initialize();
        int version;
        CudaException.Check(Driver.cuDriverGetVersion(&version), nameof(Driver.cuDriverGetVersion));
        return new Version(version / 1000, version % 1000 / 10);
    }

    /// <summary>What a device is; opens nothing.</summary>
    /// <exception cref="CudaException">There is no driver or no such device.</exception>
    public static CudaDeviceProperties GetDeviceInfo(int deviceId)
    {
        const int Multiprocessors = 16, Major = 75, Minor = 76, SharedMemoryOptin = 97, Longest = 256;
        int device = Device(deviceId);
        byte* name = stackalloc byte[Longest];
        CudaException.Check(Driver.cuDeviceGetName(name, Longest, device), nameof(Driver.cuDeviceGetName));
        nuint bytes;
        CudaException.Check(Driver.cuDeviceTotalMem_v2(&bytes, device), nameof(Driver.cuDeviceTotalMem_v2));
        return new CudaDeviceProperties(
            Marshal.PtrToStringUTF8((nint)name)!, new Version(Attribute(Major), Attribute(Minor)), bytes, Attribute(Multiprocessors),
            Attribute(SharedMemoryOptin), GetDriverVersion());

        int Attribute(int attribute)
        {
            int value;
            CudaException.Check(Driver.cuDeviceGetAttribute(&value, attribute, device), nameof(Driver.cuDeviceGetAttribute));
            return value;
        }
    }

    /// <summary>What this device is.</summary>
    public CudaDeviceProperties GetDeviceInfo() => GetDeviceInfo(DeviceId);

    /// <summary>Makes the context the calling thread's.</summary>
    public void SetCurrent()
    {
        ObjectDisposedException.ThrowIf(Handle.IsClosed, this);
        CudaException.Check(Driver.cuCtxSetCurrent(Handle.DangerousGetHandle()), nameof(Driver.cuCtxSetCurrent));
    }

    /// <summary>Memory that no process has taken, in bytes.</summary>
    public ulong GetFreeDeviceMemorySize() => MemoryInfo().Free;

    /// <summary>The device's memory, in bytes.</summary>
    public ulong GetTotalDeviceMemorySize() => MemoryInfo().Total;

    /// <summary>Gives memory that has been freed back to the device, for other processes.</summary>
    public void TrimMemoryPool()
    {
        SetCurrent();
        if (HasPools)
        {
            CudaException.Check(Driver.cuMemPoolTrimTo(Pool, 0), nameof(Driver.cuMemPoolTrimTo));
        }
    }

    /// <summary>Loads PTX, or what <c>ptxas</c> has made of it for this device (a cubin).</summary>
    /// <param name="name">What messages call it.</param>
    /// <param name="ptx">The text, or the cubin; needs no end.</param>
    /// <exception cref="CudaException">The driver refuses it; the message has the compiler's log and the versions.</exception>
    public CudaModule LoadModulePTX(string name, ReadOnlySpan<byte> ptx) => new(this, name, ptx);

    /// <summary>The same context once more, to be disposed of by itself.</summary>
    internal CudaContext Share() => Handle.Foreign ? FromHandle(NativeHandle) : new CudaContext(DeviceId);

    /// <summary>Whether memory is the device's; throws nothing and makes nothing current.</summary>
    /// <param name="pointer">An address.</param>
    internal CudaError CheckPointer(nint pointer)
    {
        const int MemoryType = 2, DeviceOrdinal = 9, DeviceMemory = 2;
        int type = 0, ordinal = 0;
        CudaError result = Driver.cuPointerGetAttribute(&type, MemoryType, pointer);
        if (result == CudaError.Success && type == DeviceMemory)
        {
            result = Driver.cuPointerGetAttribute(&ordinal, DeviceOrdinal, pointer);
        }

        return result != CudaError.Success || type != DeviceMemory || ordinal == DeviceId ? result : CudaError.InvalidDevice;
    }

    /// <summary>Gives the context back, when all that was made from it has been disposed of, too. One that other code has made is left as it is.</summary>
    public void Dispose()
    {
        if (Handle.IsClosed)
        {
            return;
        }

        if (!Handle.Foreign)
        {
            SetCurrent();
            _ = HasPools ? Driver.cuMemPoolTrimTo(Pool, 0) : CudaError.Success;
        }

        Handle.Dispose();
    }

    // The number of a device that the driver has named.
    private static int Ordinal(int device)
    {
        for (int id = 0; id < GetDeviceCount(); id++)
        {
            if (Device(id) == device)
            {
                return id;
            }
        }

        throw new CudaException("the context's device is not among those that the driver lists", CudaError.InvalidDevice);
    }

    private static int Device(int deviceId)
    {
        int count = GetDeviceCount();
        if (count == 0)
        {
            throw new CudaException(
                "no CUDA device: the driver is there but finds no GPU (is one hidden by CUDA_VISIBLE_DEVICES?); without a GPU use --device cpu",
                CudaError.NoDevice);
        }

        if (deviceId < 0 || deviceId >= count)
        {
            string there = count == 1 ? "there is one, number 0" : $"there are {count}, numbers 0 to {count - 1}";
            throw new CudaException($"no CUDA device {deviceId}: {there}", CudaError.InvalidDevice);
        }

        int device;
        CudaException.Check(Driver.cuDeviceGet(&device, deviceId), nameof(Driver.cuDeviceGet));
        return device;
    }

    private (ulong Free, ulong Total) MemoryInfo()
    {
        SetCurrent();
        nuint free, total;
        CudaException.Check(Driver.cuMemGetInfo_v2(&free, &total), nameof(Driver.cuMemGetInfo_v2));
        return (free, total);
    }
}
