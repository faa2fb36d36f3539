using System.Runtime.InteropServices;

namespace CudaL2Net.Interop;

/// <summary>A call of the CUDA driver failed. The message names the call and the driver's error.</summary>
/// <param name="message">What happened, for people.</param>
/// <param name="error">What the driver returned.</param>
/// <param name="cause">What led to it, or null.</param>
public sealed class CudaException(string message, CudaError error, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>What the driver returned.</summary>
    public CudaError Error { get; } = error;

    /// <summary>Whether a kernel failed while it ran. The context is lost then: every later call fails, too.</summary>
    public bool IsKernelFault => Error is CudaError.IllegalAddress or CudaError.LaunchTimeout or CudaError.LaunchFailed
        or (>= CudaError.HardwareStackError and <= CudaError.InvalidProgramCounter);

    /// <summary>Throws unless <paramref name="result"/> is success.</summary>
    /// <param name="result">What the call returned.</param>
    /// <param name="call">The call.</param>
    internal static void Check(CudaError result, string call)
    {
        if (result != CudaError.Success)
        {
            throw new CudaException($"{call} failed: {Describe(result)}", result);
        }
    }

    /// <summary>The driver's name of an error and its explanation.</summary>
    internal static unsafe string Describe(CudaError error)
    {
        byte* name = null, text = null;
        _ = Driver.cuGetErrorName(error, &name);
        _ = Driver.cuGetErrorString(error, &text);
        return $"{Marshal.PtrToStringUTF8((nint)name) ?? $"error {(int)error}"} ({Marshal.PtrToStringUTF8((nint)text) ?? "unknown to this driver"})";
    }
}
