using System.Runtime.InteropServices;
using CudaL2Net.Interop;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Emulator;

/// <summary>
/// The emulated driver's second device with a context of its own: a fault there does not reach other tests. Calls go to the driver's entry points
/// themselves, for it is the driver that is tested.
/// </summary>
internal sealed unsafe class EmulatedDevice : IDisposable
{
    private readonly nint context;
    private readonly int number;

    public EmulatedDevice()
    {
        RequireEmulator();
        Set("devices", 2);
        Driver.Initialize();
        int device;
        Succeed(Driver.cuDeviceGet(&device, 1));
        number = device;
        nint handle;
        Succeed(Driver.cuDevicePrimaryCtxRetain(&handle, device));
        context = handle;
        MakeCurrent();
        Stream = NewStream();
    }

    public nint Stream { get; }

    /// <summary>What went wrong last.</summary>
    public static string Report => Marshal.PtrToStringUTF8(((delegate* unmanaged<nint>)Export("emulator_report"))()) ?? "";

    /// <summary>Skips the test where the driver is not the emulator.</summary>
    public static void RequireEmulator()
    {
        CudaDriver.Require();
        if (!CudaDriver.Emulated)
        {
            Assert.Ignore("a test of the emulated driver, and the driver is a real one");
        }
    }

    /// <summary>One of the emulator's counts.</summary>
    public static long Get(string name)
    {
        nint text = Marshal.StringToCoTaskMemUTF8(name);
        long value = ((delegate* unmanaged<nint, long>)Export("emulator_get"))(text);
        Marshal.FreeCoTaskMem(text);
        Assert.That(value, Is.Not.Negative, name);
        return value;
    }

    /// <summary>Changes what the device is.</summary>
    public static void Set(string name, long value)
    {
        nint text = Marshal.StringToCoTaskMemUTF8(name);
        Assert.That(((delegate* unmanaged<nint, long, int>)Export("emulator_set"))(text, value), Is.EqualTo(1), name);
        Marshal.FreeCoTaskMem(text);
    }

    public static void Succeed(CudaError result) => Assert.That(result, Is.EqualTo(CudaError.Success), Report);

    /// <summary>PTX with a kernel of the parameters of the planted faults (an address, a number) that does nothing: the emulator runs its own.</summary>
    public static byte[] Ptx(string kernel, string version = "7.0", string target = "sm_80", string bounds = "") => System.Text.Encoding.UTF8.GetBytes($$"""
        .version {{version}}
        .target {{target}}
        .address_size 64
        .visible .entry {{kernel}}(.param .u64 {{kernel}}_param_0, .param .u32 {{kernel}}_param_1)
        {{bounds}}
        {
            ret;
        }
        """ + "\0");

    public void MakeCurrent() => Succeed(Driver.cuCtxSetCurrent(context));

    public nint NewStream()
    {
        nint stream;
        Succeed(Driver.cuStreamCreate(&stream, 1));
        return stream;
    }

    /// <summary>Memory for floats, as the device gives it.</summary>
    public nint Allocate(int floats)
    {
        nint pointer;
        Succeed(Driver.cuMemAllocAsync(&pointer, (nuint)floats * sizeof(float), Stream));
        return pointer;
    }

    /// <summary>Host memory that copies read and write when they are done, not when they are called.</summary>
    public float* AllocatePinned(int floats)
    {
        nint pointer;
        Succeed(Driver.cuMemHostAlloc(&pointer, (nuint)floats * sizeof(float), 0));
        return (float*)pointer;
    }

    public CudaError TryLoad(byte[] ptx, out nint module, out string log)
    {
        const int ErrorLogBuffer = 5, ErrorLogBufferSize = 6, Size = 512;
        int* names = stackalloc int[] { ErrorLogBuffer, ErrorLogBufferSize };
        byte* buffer = stackalloc byte[Size];
        buffer[0] = 0;
        void** values = stackalloc void*[] { buffer, (void*)Size };
        nint handle = 0;
        CudaError result;
        fixed (byte* image = ptx)
        {
            result = Driver.cuModuleLoadDataEx(&handle, image, 2, names, values);
        }

        module = handle;
        log = Marshal.PtrToStringUTF8((nint)buffer) ?? "";
        return result;
    }

    public nint Kernel(string name, string bounds = "")
    {
        Succeed(TryLoad(Ptx(name, bounds: bounds), out nint module, out _));
        nint function;
        Succeed(Driver.cuModuleGetFunction(&function, module, name));
        return function;
    }

    /// <summary>Queues a kernel of the planted faults.</summary>
    public CudaError Launch(nint function, nint y, int n = 100, uint blocks = 1, uint threads = 128, uint sharedBytes = 512, nint stream = 0)
    {
        void** arguments = stackalloc void*[] { &y, &n };
        return Driver.cuLaunchKernel(function, blocks, 1, 1, threads, 1, 1, sharedBytes, stream == 0 ? Stream : stream, arguments, null);
    }

    public CudaError Synchronize() => Driver.cuStreamSynchronize(Stream);

    /// <summary>Reads memory after all queued work.</summary>
    public float[] Read(nint device, int floats)
    {
        var values = new float[floats];
        fixed (float* host = values)
        {
            Succeed(Driver.cuMemcpyDtoHAsync_v2(host, device, (nuint)floats * sizeof(float), Stream));
        }

        return values;
    }

    public void Dispose()
    {
        _ = Driver.cuDevicePrimaryCtxRelease_v2(number);
        _ = Driver.cuCtxSetCurrent(0);
        Set("devices", 1);
    }

    private static nint Export(string name) => NativeLibrary.GetExport(NativeLibrary.Load(Environment.GetEnvironmentVariable(Driver.LibraryVariable)!), name);
}
