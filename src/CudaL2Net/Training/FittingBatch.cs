using CudaL2Net.Kernels;

namespace CudaL2Net.Training;

/// <summary>The batch that would fit into a device's memory where the one that was asked for does not.</summary>
internal static class FittingBatch
{
    // What a pair needs is measured on two small batches.
    private const int Small = 8, Larger = 16;

    // Of the free memory; the rest is kept for the intermediate results of operations.
    private const double Share = 0.85;

    /// <summary>The end of an error message, such as <c>, about 512 would</c>; empty where the device cannot tell.</summary>
    /// <param name="device">The device.</param>
    /// <param name="prepare">Allocates what a training with a batch of so many pairs needs, and frees it.</param>
    public static string Describe(Device device, Action<int> prepare)
    {
        if (Measure(Small) is not { } small || Measure(Larger) is not { } larger || device.FreeMemory() is not { } free)
        {
            return "";
        }

        double perPair = (double)(larger - small) / (Larger - Small), fixedPart = small - (perPair * Small);
        int fits = (int)(((free * Share) - fixedPart) / perPair) / 2 * 2;
        return fits >= 2 ? $", about {fits} would" : ", and no batch would with this training set";

        long? Measure(int batch) => device.MeasureAllocations(() => prepare(batch));
    }
}
