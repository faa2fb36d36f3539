namespace CudaL2Net.Interop;

/// <summary>cuBLAS or cuDNN is not there, or a call of it failed. The message names the call, the status and the library's version.</summary>
/// <param name="library">The library, as people call it.</param>
/// <param name="call">The call that failed; null where the library was not found.</param>
/// <param name="status">What the call returned.</param>
/// <param name="message">What happened, for people.</param>
public sealed class CudaLibraryException(string library, string? call, int status, string message) : Exception(message)
{
    /// <summary>The library, as people call it.</summary>
    public string Library { get; } = library;

    /// <summary>The call that failed; null where the library was not found.</summary>
    public string? Call { get; } = call;

    /// <summary>What the call returned.</summary>
    public int Status { get; } = status;
}
