namespace CudaL2Net.Formats;

/// <summary>What is wrong with a file's content; the reader of the file adds its name.</summary>
internal sealed class ContentException(string message) : Exception(message);
