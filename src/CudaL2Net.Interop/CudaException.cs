using System.Runtime.InteropServices;

namespace CudaL2Net.Interop;

/// <summary>A call of the CUDA driver failed.</summary>
public sealed class CudaException : Exception
{
    private CudaException(string message)
        : base(message)
    {
    }

    /// <summary>Throws unless <paramref name="result"/> is success.</summary>
    /// <param name="result">What the call returned.</param>
    /// <param name="call">The call, for the message.</param>
    internal static unsafe void Check(int result, string call)
    {
        if (result != 0)
        {
            byte* name = null, text = null;
            _ = Driver.cuGetErrorName(result, &name);
            _ = Driver.cuGetErrorString(result, &text);
            throw new CudaException(
                $"{call} failed: {Marshal.PtrToStringUTF8((nint)name) ?? result.ToString()} ({Marshal.PtrToStringUTF8((nint)text)})");
        }
    }
}
