namespace CudaL2Net.Bench.Operations;

/// <summary>No operation has the name that was asked for.</summary>
internal sealed class UnknownOperationException(string message) : ArgumentException(message);
