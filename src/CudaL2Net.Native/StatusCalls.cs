using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace CudaL2Net.Native;

/// <summary>The table's functions about versions and statuses.</summary>
internal static unsafe class StatusCalls
{
    private static readonly NativeText Version = new(
        typeof(StatusCalls).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0]);

    private static readonly NativeText NoStatus = new("this status was released before, or is none of this library's"), NoText = new("");

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static nint LibraryVersion() => Guard.Try(() => Version.Address);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static int Code(nint status) => Guard.Try(() => status == 0 ? 0 : TryGet(status) is { } known ? (int)known.Code : (int)StatusCode.InvalidHandle);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static nint Text(nint status) => Guard.Try(() => (status == 0 ? NoText : TryGet(status)?.Text ?? NoStatus).Address);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static void Release(nint status) => Guard.Try(() =>
    {
        Status.Release(status);
        return 0;
    });

    private static Status? TryGet(nint status)
    {
        try
        {
            return Handles.Get<Status>(status);
        }
        catch (HandleException)
        {
            return null;
        }
    }
}
