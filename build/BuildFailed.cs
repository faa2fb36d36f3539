namespace CudaL2Net.Build;

/// <summary>A step of the build failed; the message says which, and why.</summary>
internal sealed class BuildFailed(string message) : Exception(message);
