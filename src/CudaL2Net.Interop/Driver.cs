using System.Runtime.InteropServices;

namespace CudaL2Net.Interop;

/// <summary>The entry points of the CUDA driver (<c>libcuda.so.1</c>, <c>nvcuda.dll</c>) that are in use; <c>CUDAL2NET_DRIVER</c> names another
/// library.</summary>
internal static unsafe partial class Driver
{
    /// <summary>The environment variable that names another driver library.</summary>
    public const string LibraryVariable = "CUDAL2NET_DRIVER";

    /// <summary>The oldest CUDA version whose driver has all calls: 11.4.</summary>
    public const int OldestVersion = 11040;

    private const string Library = "cuda";

    /// <summary>All calls that are declared below.</summary>
    public static readonly string[] Calls =
    [
        nameof(cuInit), nameof(cuDriverGetVersion), nameof(cuGetErrorName), nameof(cuGetErrorString), nameof(cuDeviceGetCount), nameof(cuDeviceGet),
        nameof(cuDeviceGetName), nameof(cuDeviceGetAttribute), nameof(cuDeviceTotalMem_v2), nameof(cuDeviceGetDefaultMemPool),
        nameof(cuDevicePrimaryCtxRetain), nameof(cuDevicePrimaryCtxRelease_v2), nameof(cuCtxSetCurrent), nameof(cuCtxGetCurrent), nameof(cuCtxGetDevice),
        nameof(cuStreamGetCtx), nameof(cuPointerGetAttribute), nameof(cuMemGetInfo_v2),
        nameof(cuMemPoolSetAttribute), nameof(cuMemPoolTrimTo), nameof(cuMemAllocAsync), nameof(cuMemFreeAsync), nameof(cuMemAlloc_v2), nameof(cuMemFree_v2),
        nameof(cuMemHostAlloc),
        nameof(cuMemFreeHost), nameof(cuMemcpyHtoDAsync_v2), nameof(cuMemcpyDtoHAsync_v2), nameof(cuMemcpyDtoDAsync_v2), nameof(cuMemsetD8Async),
        nameof(cuStreamCreate), nameof(cuStreamDestroy_v2), nameof(cuStreamSynchronize), nameof(cuStreamWaitEvent), nameof(cuStreamBeginCapture_v2),
        nameof(cuStreamEndCapture), nameof(cuGraphGetNodes), nameof(cuGraphInstantiateWithFlags), nameof(cuGraphLaunch), nameof(cuGraphExecDestroy),
        nameof(cuGraphDestroy), nameof(cuEventCreate), nameof(cuEventRecord), nameof(cuEventQuery), nameof(cuEventSynchronize),
        nameof(cuEventElapsedTime), nameof(cuEventDestroy_v2), nameof(cuModuleLoadDataEx), nameof(cuModuleUnload), nameof(cuModuleGetFunction),
        nameof(cuFuncSetAttribute), nameof(cuLaunchKernel),
    ];

    /// <summary>Loads and initializes the driver. Every other call needs it.</summary>
    /// <exception cref="CudaException">There is no driver, it lacks a call, is too old, fails to start, or finds no device.</exception>
    public static void Initialize()
    {
        LoadedLibraries.Add(Library, () => Whole(Load(Environment.GetEnvironmentVariable(LibraryVariable))));
        CudaError result = cuInit(0);
        if (result == CudaError.NoDevice)
        {
            throw new CudaException(
                "no CUDA device: the driver is there but finds no GPU (is one hidden by CUDA_VISIBLE_DEVICES?); without a GPU use --device cpu", result);
        }

        CudaException.Check(result, nameof(cuInit));
        int version;
        CudaException.Check(cuDriverGetVersion(&version), nameof(cuDriverGetVersion));
        if (version < OldestVersion)
        {
            throw new CudaException(
                $"the CUDA driver is too old: it is of CUDA {VersionText(version)}, and {VersionText(OldestVersion)} or later is needed; update NVIDIA's driver",
                CudaError.NotInitialized);
        }
    }

    /// <summary>Loads a driver's library: the one of this name, or the system's.</summary>
    /// <exception cref="CudaException">It cannot be loaded.</exception>
    public static nint Load(string? chosen)
    {
        bool usual = string.IsNullOrEmpty(chosen);
        string name = !usual ? chosen! : OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1";
        return NativeLibrary.TryLoad(name, out nint handle)
            ? handle
            : throw new CudaException(
                $"no CUDA driver: {name} cannot be loaded; " + (usual
                    ? "an NVIDIA GPU needs NVIDIA's driver, which brings it; without a GPU use --device cpu"
                    : $"{LibraryVariable} names it: correct the variable or clear it"),
                CudaError.NotInitialized);
    }

    // What lacks a call is told before the first one, and not in the middle of the work.
    internal static nint Whole(nint library)
    {
        string[] missing = [.. Calls.Where(call => !NativeLibrary.TryGetExport(library, call, out _))];
        if (missing.Length == 0)
        {
            return library;
        }

        NativeLibrary.Free(library);
        throw new CudaException(
            $"the CUDA driver's library has no {missing[0]}{(missing.Length > 1 ? $" and lacks {missing.Length - 1} more calls" : string.Empty)}: it is no driver, or an older one "
                + $"than CUDA {VersionText(OldestVersion)}; update NVIDIA's driver, correct {LibraryVariable}, or use --device cpu",
            CudaError.NotFound);
    }

    /// <summary>A CUDA version, 1000 major + 10 minor, as people write it.</summary>
    public static string VersionText(int version) => $"{version / 1000}.{version % 1000 / 10}";

    [LibraryImport(Library)]
    public static partial CudaError cuInit(uint flags);

    [LibraryImport(Library)]
    public static partial CudaError cuDriverGetVersion(int* version);

    [LibraryImport(Library)]
    public static partial CudaError cuGetErrorName(CudaError error, byte** name);

    [LibraryImport(Library)]
    public static partial CudaError cuGetErrorString(CudaError error, byte** text);

    [LibraryImport(Library)]
    public static partial CudaError cuDeviceGetCount(int* count);

    [LibraryImport(Library)]
    public static partial CudaError cuDeviceGet(int* device, int ordinal);

    [LibraryImport(Library)]
    public static partial CudaError cuDeviceGetName(byte* name, int length, int device);

    [LibraryImport(Library)]
    public static partial CudaError cuDeviceGetAttribute(int* value, int attribute, int device);

    [LibraryImport(Library)]
    public static partial CudaError cuDeviceTotalMem_v2(nuint* bytes, int device);

    [LibraryImport(Library)]
    public static partial CudaError cuDeviceGetDefaultMemPool(nint* pool, int device);

    [LibraryImport(Library)]
    public static partial CudaError cuDevicePrimaryCtxRetain(nint* context, int device);

    [LibraryImport(Library)]
    public static partial CudaError cuDevicePrimaryCtxRelease_v2(int device);

    [LibraryImport(Library)]
    public static partial CudaError cuCtxSetCurrent(nint context);

    [LibraryImport(Library)]
    public static partial CudaError cuCtxGetCurrent(nint* context);

    [LibraryImport(Library)]
    public static partial CudaError cuCtxGetDevice(int* device);

    [LibraryImport(Library)]
    public static partial CudaError cuStreamGetCtx(nint stream, nint* context);

    [LibraryImport(Library)]
    public static partial CudaError cuPointerGetAttribute(void* value, int attribute, nint pointer);

    [LibraryImport(Library)]
    public static partial CudaError cuMemGetInfo_v2(nuint* free, nuint* total);

    [LibraryImport(Library)]
    public static partial CudaError cuMemPoolSetAttribute(nint pool, int attribute, void* value);

    [LibraryImport(Library)]
    public static partial CudaError cuMemPoolTrimTo(nint pool, nuint bytesToKeep);

    [LibraryImport(Library)]
    public static partial CudaError cuMemAllocAsync(nint* pointer, nuint bytes, nint stream);

    [LibraryImport(Library)]
    public static partial CudaError cuMemFreeAsync(nint pointer, nint stream);

    [LibraryImport(Library)]
    public static partial CudaError cuMemAlloc_v2(nint* pointer, nuint bytes);

    [LibraryImport(Library)]
    public static partial CudaError cuMemFree_v2(nint pointer);

    [LibraryImport(Library)]
    public static partial CudaError cuMemHostAlloc(nint* pointer, nuint bytes, uint flags);

    [LibraryImport(Library)]
    public static partial CudaError cuMemFreeHost(nint pointer);

    [LibraryImport(Library)]
    public static partial CudaError cuMemcpyHtoDAsync_v2(nint to, void* from, nuint bytes, nint stream);

    [LibraryImport(Library)]
    public static partial CudaError cuMemcpyDtoHAsync_v2(void* to, nint from, nuint bytes, nint stream);

    [LibraryImport(Library)]
    public static partial CudaError cuMemcpyDtoDAsync_v2(nint to, nint from, nuint bytes, nint stream);

    [LibraryImport(Library)]
    public static partial CudaError cuMemsetD8Async(nint to, byte value, nuint bytes, nint stream);

    [LibraryImport(Library)]
    public static partial CudaError cuStreamCreate(nint* stream, uint flags);

    [LibraryImport(Library)]
    public static partial CudaError cuStreamDestroy_v2(nint stream);

    [LibraryImport(Library)]
    public static partial CudaError cuStreamSynchronize(nint stream);

    [LibraryImport(Library)]
    public static partial CudaError cuStreamWaitEvent(nint stream, nint happening, uint flags);

    [LibraryImport(Library)]
    public static partial CudaError cuStreamBeginCapture_v2(nint stream, int mode);

    [LibraryImport(Library)]
    public static partial CudaError cuStreamEndCapture(nint stream, nint* graph);

    [LibraryImport(Library)]
    public static partial CudaError cuGraphGetNodes(nint graph, nint* nodes, nuint* count);

    [LibraryImport(Library)]
    public static partial CudaError cuGraphInstantiateWithFlags(nint* executable, nint graph, ulong flags);

    [LibraryImport(Library)]
    public static partial CudaError cuGraphLaunch(nint executable, nint stream);

    [LibraryImport(Library)]
    public static partial CudaError cuGraphExecDestroy(nint executable);

    [LibraryImport(Library)]
    public static partial CudaError cuGraphDestroy(nint graph);

    [LibraryImport(Library)]
    public static partial CudaError cuEventCreate(nint* happening, uint flags);

    [LibraryImport(Library)]
    public static partial CudaError cuEventRecord(nint happening, nint stream);

    [LibraryImport(Library)]
    public static partial CudaError cuEventQuery(nint happening);

    [LibraryImport(Library)]
    public static partial CudaError cuEventSynchronize(nint happening);

    [LibraryImport(Library)]
    public static partial CudaError cuEventElapsedTime(float* milliseconds, nint start, nint end);

    [LibraryImport(Library)]
    public static partial CudaError cuEventDestroy_v2(nint happening);

    [LibraryImport(Library)]
    public static partial CudaError cuModuleLoadDataEx(nint* module, byte* image, uint options, int* names, void** values);

    [LibraryImport(Library)]
    public static partial CudaError cuModuleUnload(nint module);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    public static partial CudaError cuModuleGetFunction(nint* function, nint module, string name);

    [LibraryImport(Library)]
    public static partial CudaError cuFuncSetAttribute(nint function, int attribute, int value);

    [LibraryImport(Library)]
    public static partial CudaError cuLaunchKernel(nint function, uint gridX, uint gridY, uint gridZ, uint blockX, uint blockY, uint blockZ, uint sharedBytes,
        nint stream, void** arguments, void** extra);
}
