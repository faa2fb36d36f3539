using CudaL2Net.Kernels.Cpu;
using CudaL2Net.Numerics;

namespace CudaL2Net.Kernels;

/// <summary>Is shown pairs of descriptors that may be nearer to each other than a limit. Called from several threads at once, for different queries.</summary>
internal interface INearVisitor
{
    /// <summary>The squared distance beyond which nothing needs to be shown.</summary>
    /// <param name="query">Row of the queries.</param>
    double Loosest(int query);

    /// <summary>Takes a pair whose squared distance may be below the limit.</summary>
    /// <param name="query">Row of the queries.</param>
    /// <param name="target">Row of the targets.</param>
    /// <param name="difference">The squared distance, of float products.</param>
    /// <param name="error">How far it can be from the exact one.</param>
    void Add(int query, int target, double difference, double error);
}

/// <summary>Matching on the host whatever the device: nothing is moved to it, and what comes of it need not be stored.</summary>
internal static class HostMatching
{
    /// <summary>
    /// Shows a visitor all pairs of descriptors whose squared distance may be below its limit, by tiles of inner products at nearly the rate of the
    /// multiply-adds.
    /// </summary>
    /// <param name="queries">[n][depth].</param>
    /// <param name="queryCount">n, above 0.</param>
    /// <param name="targets">[m][depth].</param>
    /// <param name="targetCount">m, above 0.</param>
    /// <param name="depth">Values of a descriptor.</param>
    /// <param name="visitor">Is shown the pairs.</param>
    /// <param name="parallel">The threads that take part.</param>
    public static void VisitNear(
        ReadOnlySpan<float> queries, int queryCount, ReadOnlySpan<float> targets, int targetCount, int depth, INearVisitor visitor, Parallelism parallel) =>
        NearScan.Run(queries, queryCount, targets, targetCount, depth, visitor, parallel);
}
