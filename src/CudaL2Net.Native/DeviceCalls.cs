using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CudaL2Net.Interop;
using CudaL2Net.Kernels;

namespace CudaL2Net.Native;

/// <summary>A device of the caller's.</summary>
internal sealed class DeviceEntry(Device device, int threads) : IDisposable
{
    public Device Device { get; } = device;

    /// <summary>The most threads of the host that work at once; 0 is one per core.</summary>
    public int Threads { get; } = threads;

    public NativeText Name { get; } = new(device.Name);

    public NativeText Description { get; } = new(device.Description);

    public NativeText? Note { get; } = device.Note is { } note ? new NativeText(note) : null;

    public void Dispose()
    {
        Device.Dispose();
        Name.Dispose();
        Description.Dispose();
        Note?.Dispose();
    }
}

/// <summary>The table's functions about devices.</summary>
internal static unsafe class DeviceCalls
{
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static nint Open(byte* name, int threads, byte* precision, nint* device) => Guard.Run(() =>
    {
        Argument.Output(device, "device");
        *device = 0;
        *device = Add(Device.Open(name == null ? "auto" : Argument.Text(name, "name"), threads, PrecisionOf(precision)), threads);
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static nint OpenStream(nint stream, int threads, byte* precision, nint* device) => Guard.Run(() =>
    {
        Argument.Output(device, "device");
        *device = 0;
        Precision chosen = PrecisionOf(precision);
        *device = Add(Device.OpenCuda(CudaStream.FromHandle(stream, CudaContext.FromCurrent()), chosen, threads), threads);
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static nint Info(nint device, DeviceInfo* info) => Guard.Run(() =>
    {
        Argument.Output(info, "info");
        *info = default;
        DeviceEntry entry = Handles.Get<DeviceEntry>(device);
        *info = new DeviceInfo { Name = entry.Name.Address, Description = entry.Description.Address, Note = entry.Note?.Address ?? 0 };
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static nint Synchronize(nint device) => Guard.Run(() => Handles.Get<DeviceEntry>(device).Device.Synchronize());

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static nint Release(nint device) => Guard.Run(() =>
    {
        if (device != 0)
        {
            Handles.Remove<DeviceEntry>(device).Dispose();
        }
    });

    private static Precision PrecisionOf(byte* precision)
    {
        string asked = precision == null ? "float32" : Argument.Text(precision, "precision");
        if (!Enum.TryParse(asked, ignoreCase: true, out Precision chosen) || !Enum.IsDefined(chosen) || int.TryParse(asked, out _))
        {
            string known = string.Join(", ", Enum.GetNames<Precision>()).ToLowerInvariant();
            throw new ArgumentException($"unknown precision '{asked}': expected {known}");
        }

        return chosen;
    }

    private static nint Add(Device device, int threads)
    {
        try
        {
            return Handles.Add(new DeviceEntry(device, threads));
        }
        catch
        {
            device.Dispose();
            throw;
        }
    }
}
