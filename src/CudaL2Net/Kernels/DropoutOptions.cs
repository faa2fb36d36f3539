namespace CudaL2Net.Kernels;

/// <summary>Options of dropout.</summary>
/// <param name="Rate">The probability that an element is dropped, 0 &lt;= rate &lt; 1.</param>
/// <param name="Seed">The run's seed.</param>
public readonly record struct DropoutOptions(float Rate, ulong Seed);
