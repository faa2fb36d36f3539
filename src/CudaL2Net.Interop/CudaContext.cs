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
/// A device and its primary context, shared with whatever else of this process uses CUDA. Contexts are current for a thread: everything made from this one
/// makes it current first, so it can be used from any thread; but not from two at once. What is made from a context may be disposed of before or after it.
/// </summary>
public sealed unsafe class CudaContext : IDisposable
{
    private readonly int device;

    /// <summary>Opens a device.</summary>
    /// <param name="deviceId">0 to <see cref="GetDeviceCount"/> - 1.</param>
    /// <exception cref="CudaException">There is no driver or no such device.</exception>
    public CudaContext(int deviceId = 0)
    {
        const int ReleaseThreshold = 4, MemoryPoolsSupported = 115;
        device = Device(deviceId);
        DeviceId = deviceId;
        Handle = new ContextHandle(device);
        SetCurrent();

        int pools;
        CudaException.Check(Driver.cuDeviceGetAttribute(&pools, MemoryPoolsSupported, device), nameof(Driver.cuDeviceGetAttribute));
        if (pools == 0)
        {
            return;
        }

        // Freed memory stays with the process for the next allocation, until the context is disposed of.
        nint pool;
        CudaException.Check(Driver.cuDeviceGetDefaultMemPool(&pool, device), nameof(Driver.cuDeviceGetDefaultMemPool));
        ulong keep = ulong.MaxValue;
        CudaException.Check(Driver.cuMemPoolSetAttribute(pool, ReleaseThreshold, &keep), nameof(Driver.cuMemPoolSetAttribute));
        Pool = pool;
    }

    /// <summary>The device's number.</summary>
    public int DeviceId { get; }

    internal ContextHandle Handle { get; }

    /// <summary>Whether memory is allocated and freed in the order of a stream's work; some devices, virtual ones above all, have no pools for that.</summary>
    internal bool HasPools => Pool != 0;

    private nint Pool { get; }

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

    /// <summary>Gives the context back, when all that was made from it has been disposed of, too.</summary>
    public void Dispose()
    {
        if (!Handle.IsClosed)
        {
            SetCurrent();
            _ = HasPools ? Driver.cuMemPoolTrimTo(Pool, 0) : CudaError.Success;
            Handle.Dispose();
        }
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
