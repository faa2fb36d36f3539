namespace CudaL2Net.Kernels;

/// <summary>Options of dropout.</summary>
/// <param name="Rate">The probability that an element is dropped, 0 &lt;= rate &lt; 1.</param>
/// <param name="Seed">The run's seed.</param>
/// <param name="Layer">Which of a network's dropout layers it is, counted from 0: layers with different numbers drop different elements.</param>
public readonly record struct DropoutOptions(float Rate, ulong Seed, int Layer = 0);
