using CudaL2Net.Interop;

namespace CudaL2Net.Native;

/// <summary>The kinds of faults, as <c>cl2_code</c> in the header.</summary>
internal enum StatusCode
{
    Ok,
    InvalidArgument,
    InvalidHandle,
    NotFound,
    InvalidData,
    File,
    Cuda,
    OutOfMemory,
    NotSupported,
    Internal,
}

/// <summary>What went wrong in a call.</summary>
internal sealed class Status(StatusCode code, string text)
{
    // Where memory is too short for another one.
    private static readonly Status NoMemory = new(StatusCode.OutOfMemory, "the memory is too short");
    private static readonly nint NoMemoryHandle = Handles.Add(NoMemory);

    /// <summary>The kind of fault.</summary>
    public StatusCode Code { get; } = code;

    /// <summary>What happened and what to do, for people.</summary>
    public NativeText Text { get; } = new(text);

    /// <summary>A handle of a status for an exception.</summary>
    public static nint Of(Exception error)
    {
        try
        {
            return Handles.Add(new Status(CodeOf(error), TextOf(error)));
        }
        catch (Exception)
        {
            return NoMemoryHandle;
        }
    }

    /// <summary>Ends a status; 0, and the one for want of memory, are left.</summary>
    public static void Release(nint status)
    {
        if (status != 0 && status != NoMemoryHandle)
        {
            Handles.Remove<Status>(status).Text.Dispose();
        }
    }

    private static string TextOf(Exception error)
    {
        // The runtime adds the parameter's name, which callers in C do not know.
        string parameter = error is ArgumentException { ParamName: { } name } ? $" (Parameter '{name}')" : "\0";
        string text = error.Message.Replace(parameter, "", StringComparison.Ordinal);
        return error is HandleException or ArgumentException or IOException or InvalidDataException or CudaException or CudaLibraryException
            or InvalidOperationException or OutOfMemoryException ? text : $"{error.GetType().Name}: {text}";
    }

    private static StatusCode CodeOf(Exception error) => error switch
    {
        HandleException or ObjectDisposedException => StatusCode.InvalidHandle,
        FileNotFoundException or DirectoryNotFoundException => StatusCode.NotFound,
        InvalidDataException or EndOfStreamException => StatusCode.InvalidData,
        IOException or UnauthorizedAccessException => StatusCode.File,
        CudaException { Error: CudaError.OutOfMemory } or OutOfMemoryException => StatusCode.OutOfMemory,
        CudaException or CudaLibraryException or DllNotFoundException or EntryPointNotFoundException or BadImageFormatException => StatusCode.Cuda,
        ArgumentException or OverflowException => StatusCode.InvalidArgument,
        InvalidOperationException or NotSupportedException => StatusCode.NotSupported,
        _ => StatusCode.Internal,
    };
}
