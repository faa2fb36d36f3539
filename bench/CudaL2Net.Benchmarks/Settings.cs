namespace CudaL2Net.Benchmarks;

/// <summary>What all benchmarks ask for.</summary>
/// <param name="Threads">The numbers of threads to measure with, one after another.</param>
/// <param name="Rounds">Measurements of each figure, whose median counts.</param>
/// <param name="Preset">The training preset whose step is measured.</param>
internal sealed record Settings(int[] Threads, int Rounds, string Preset);
