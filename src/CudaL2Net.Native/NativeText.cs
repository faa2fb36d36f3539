using System.Runtime.InteropServices;

namespace CudaL2Net.Native;

/// <summary>A text that the caller may read, UTF-8 and ended by 0, until the handle that it belongs to is released.</summary>
internal sealed class NativeText(string text) : IDisposable
{
    private nint address = Marshal.StringToCoTaskMemUTF8(text);

    /// <summary>Frees the text of a handle that was never released.</summary>
    ~NativeText() => Free();

    /// <summary>Where it stands.</summary>
    public nint Address => address;

    /// <inheritdoc/>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free() => Marshal.FreeCoTaskMem(Interlocked.Exchange(ref address, 0));
}
