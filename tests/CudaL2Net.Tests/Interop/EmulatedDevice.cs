using System.Runtime.InteropServices;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Interop;

/// <summary>The emulated device's settings and counters; the settings are put back when this is disposed of.</summary>
internal sealed unsafe class EmulatedDevice : IDisposable
{
    private readonly delegate* unmanaged[Cdecl]<byte*, long, int> set;
    private readonly delegate* unmanaged[Cdecl]<byte*, long> get;
    private readonly Dictionary<string, long> before = [];

    /// <summary>Skips the running test unless the driver is the emulator.</summary>
    public EmulatedDevice()
    {
        CudaDriver.Require();
        if (!CudaDriver.Emulated)
        {
            Assert.Ignore("only the emulated device can be changed");
        }

        nint library = NativeLibrary.Load(Environment.GetEnvironmentVariable("CUDAL2NET_DRIVER")!);
        set = (delegate* unmanaged[Cdecl]<byte*, long, int>)NativeLibrary.GetExport(library, "emulator_set");
        get = (delegate* unmanaged[Cdecl]<byte*, long>)NativeLibrary.GetExport(library, "emulator_get");
    }

    /// <summary>A setting or a counter.</summary>
    public long this[string name]
    {
        get
        {
            fixed (byte* text = System.Text.Encoding.UTF8.GetBytes(name + "\0"))
            {
                return get(text);
            }
        }

        set
        {
            before.TryAdd(name, this[name]);
            Set(name, value);
        }
    }

    public void Dispose()
    {
        foreach ((string name, long value) in before)
        {
            Set(name, value);
        }
    }

    private void Set(string name, long value)
    {
        fixed (byte* text = System.Text.Encoding.UTF8.GetBytes(name + "\0"))
        {
            Assert.That(set(text, value), Is.Not.Zero, $"the emulated device has no setting {name}");
        }
    }
}
