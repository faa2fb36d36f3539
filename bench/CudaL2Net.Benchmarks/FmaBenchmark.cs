namespace CudaL2Net.Benchmarks;

/// <summary>The machine's rate of fused multiply-adds by number of threads.</summary>
internal static class FmaBenchmark
{
    public static IEnumerable<Table> Run(Settings settings)
    {
        var table = new Table("Fused multiply-adds", ("threads", "0"), ("GFLOP/s", "0"), ("a thread", "0"))
        {
            Note = "Independent sums in vector registers, best of ten bursts: the bound of every convolution.",
        };
        foreach (int threads in settings.Threads)
        {
            double rate = FmaPeak.Measure(threads);
            table.Add(threads, rate, rate / threads);
        }

        yield return table;
    }
}
