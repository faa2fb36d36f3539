using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace CudaL2Net.Native;

/// <summary><c>cl2_api</c>: the functions in the header's order. What was in a version stays as it is; later ones add at the end.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct ApiTable
{
    /// <summary>The newest version that this library has.</summary>
    public const uint Newest = 2;

    private static readonly ApiTable* Only = Create();

    public long Size;
    public delegate* unmanaged[Cdecl]<nint> Version;
    public delegate* unmanaged[Cdecl]<nint, int> StatusCode;
    public delegate* unmanaged[Cdecl]<nint, nint> StatusText;
    public delegate* unmanaged[Cdecl]<nint, void> StatusRelease;
    public delegate* unmanaged[Cdecl]<byte*, int, byte*, nint*, nint> DeviceOpen;
    public delegate* unmanaged[Cdecl]<nint, DeviceInfo*, nint> DeviceInfo;
    public delegate* unmanaged[Cdecl]<nint, nint> DeviceSynchronize;
    public delegate* unmanaged[Cdecl]<nint, nint> DeviceRelease;
    public delegate* unmanaged[Cdecl]<nint, byte*, nint*, nint> ModelLoad;
    public delegate* unmanaged[Cdecl]<nint, void*, long, nint*, nint> ModelLoadMemory;
    public delegate* unmanaged[Cdecl]<nint, nint*, nint> ModelLoadDefault;
    public delegate* unmanaged[Cdecl]<nint, ModelInfo*, nint> ModelInfo;
    public delegate* unmanaged[Cdecl]<nint, nint> ModelRelease;
    public delegate* unmanaged[Cdecl]<nint, PatchArray*, float*, long, nint> Describe;
    public delegate* unmanaged[Cdecl]<nint, PatchArray*, byte*, long, nint> DescribeBits;
    public delegate* unmanaged[Cdecl]<nint, PatchArray*, PatchArray*, float*, long, nint> Score;
    public delegate* unmanaged[Cdecl]<nint, DescriptorArray*, DescriptorArray*, int, double, Match*, long, long*, nint> Match;

    public delegate* unmanaged[Cdecl]<nint, Image*, RegionArray*, long, int, void*, long, byte*, long, nint> DescribeImages;
    public delegate* unmanaged[Cdecl]<nint, int, byte*, nint*, nint> DeviceOpenStream;
    public delegate* unmanaged[Cdecl]<nint, PatchArray*, int, void*, long, nint> DescribeOnDevice;
    public delegate* unmanaged[Cdecl]<nint, DlManagedTensor*, double, int, DlManagedTensor**, nint> DescribeDlpack;
    public delegate* unmanaged[Cdecl]<nint, DescriptorArray*, nint*, nint> IndexBuild;
    public delegate* unmanaged[Cdecl]<nint, DescriptorArray*, int, double, Match*, long, long*, nint> IndexMatch;
    public delegate* unmanaged[Cdecl]<nint, DescriptorArray*, int, int*, float*, long, nint> IndexNearest;
    public delegate* unmanaged[Cdecl]<nint, nint> IndexRelease;

    /// <summary>The one exported function.</summary>
    /// <returns>The table, or 0 where the library is older than the version.</returns>
    [UnmanagedCallersOnly(EntryPoint = "cl2_get_api", CallConvs = [typeof(CallConvCdecl)])]
    public static ApiTable* Get(uint version) => (ApiTable*)Guard.Try(() => version is >= 1 and <= Newest ? (nint)Only : 0);

    private static ApiTable* Create()
    {
        var table = (ApiTable*)NativeMemory.AllocZeroed((nuint)sizeof(ApiTable));
        *table = new ApiTable
        {
            Size = sizeof(ApiTable),
            Version = &StatusCalls.LibraryVersion,
            StatusCode = &StatusCalls.Code,
            StatusText = &StatusCalls.Text,
            StatusRelease = &StatusCalls.Release,
            DeviceOpen = &DeviceCalls.Open,
            DeviceInfo = &DeviceCalls.Info,
            DeviceSynchronize = &DeviceCalls.Synchronize,
            DeviceRelease = &DeviceCalls.Release,
            ModelLoad = &ModelCalls.Load,
            ModelLoadMemory = &ModelCalls.LoadMemory,
            ModelLoadDefault = &ModelCalls.LoadDefault,
            ModelInfo = &ModelCalls.Info,
            ModelRelease = &ModelCalls.Release,
            Describe = &DescribeCalls.Describe,
            DescribeBits = &DescribeCalls.DescribeBits,
            Score = &DescribeCalls.Score,
            Match = &MatchCalls.Match,
            DescribeImages = &ImageCalls.DescribeImages,
            DeviceOpenStream = &DeviceCalls.OpenStream,
            DescribeOnDevice = &DescribeCalls.DescribeOnDevice,
            DescribeDlpack = &DlpackCalls.Describe,
            IndexBuild = &IndexCalls.Build,
            IndexMatch = &IndexCalls.FindMatches,
            IndexNearest = &IndexCalls.FindNearest,
            IndexRelease = &IndexCalls.Release,
        };
        return table;
    }
}
