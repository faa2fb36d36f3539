using System.Reflection;
using System.Runtime.InteropServices;

namespace CudaL2Net.Interop;

/// <summary>The entry points of the CUDA driver (<c>libcuda.so.1</c>, <c>nvcuda.dll</c>) that are in use; <c>CUDAL2NET_DRIVER</c> names another
/// library.</summary>
internal static unsafe partial class Driver
{
    private const string Library = "cuda";

    static Driver() => NativeLibrary.SetDllImportResolver(typeof(Driver).Assembly, Resolve);

    /// <summary>The environment variable that names another driver library.</summary>
    public const string LibraryVariable = "CUDAL2NET_DRIVER";

    [LibraryImport(Library)]
    public static partial int cuInit(uint flags);

    [LibraryImport(Library)]
    public static partial int cuDriverGetVersion(int* version);

    [LibraryImport(Library)]
    public static partial int cuGetErrorName(int error, byte** name);

    [LibraryImport(Library)]
    public static partial int cuGetErrorString(int error, byte** text);

    [LibraryImport(Library)]
    public static partial int cuDeviceGetCount(int* count);

    [LibraryImport(Library)]
    public static partial int cuDeviceGet(int* device, int ordinal);

    [LibraryImport(Library)]
    public static partial int cuDeviceGetName(byte* name, int length, int device);

    [LibraryImport(Library)]
    public static partial int cuDeviceGetAttribute(int* value, int attribute, int device);

    [LibraryImport(Library)]
    public static partial int cuDeviceTotalMem_v2(nuint* bytes, int device);

    [LibraryImport(Library)]
    public static partial int cuDevicePrimaryCtxRetain(nint* context, int device);

    [LibraryImport(Library)]
    public static partial int cuDevicePrimaryCtxRelease_v2(int device);

    [LibraryImport(Library)]
    public static partial int cuCtxSetCurrent(nint context);

    [LibraryImport(Library)]
    public static partial int cuMemGetInfo_v2(nuint* free, nuint* total);

    [LibraryImport(Library)]
    public static partial int cuMemAllocAsync(void** pointer, nuint bytes, nint stream);

    [LibraryImport(Library)]
    public static partial int cuMemFreeAsync(void* pointer, nint stream);

    [LibraryImport(Library)]
    public static partial int cuMemcpyHtoDAsync_v2(void* to, void* from, nuint bytes, nint stream);

    [LibraryImport(Library)]
    public static partial int cuMemcpyDtoHAsync_v2(void* to, void* from, nuint bytes, nint stream);

    [LibraryImport(Library)]
    public static partial int cuMemsetD8Async(void* to, byte value, nuint bytes, nint stream);

    [LibraryImport(Library)]
    public static partial int cuStreamCreate(nint* stream, uint flags);

    [LibraryImport(Library)]
    public static partial int cuStreamDestroy_v2(nint stream);

    [LibraryImport(Library)]
    public static partial int cuStreamSynchronize(nint stream);

    [LibraryImport(Library)]
    public static partial int cuModuleLoadDataEx(nint* module, byte* image, uint options, int* names, void** values);

    [LibraryImport(Library)]
    public static partial int cuModuleUnload(nint module);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int cuModuleGetFunction(nint* function, nint module, string name);

    [LibraryImport(Library)]
    public static partial int cuFuncSetAttribute(nint function, int attribute, int value);

    [LibraryImport(Library)]
    public static partial int cuLaunchKernel(nint function, uint gridX, uint gridY, uint gridZ, uint blockX, uint blockY, uint blockZ, uint sharedBytes,
        nint stream, void** arguments, void** extra);

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path)
    {
        if (name != Library)
        {
            return 0;
        }

        string? chosen = Environment.GetEnvironmentVariable(LibraryVariable);
        return NativeLibrary.Load(chosen is { Length: > 0 } ? chosen : OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1");
    }
}
