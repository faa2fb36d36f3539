using CudaL2Net.Kernels;

namespace CudaL2Net.Bench.Operations;

/// <summary>An operation of a device, as the network uses it, at any batch.</summary>
/// <param name="Operation">What it does.</param>
/// <param name="Shape">Its sizes but for the batch.</param>
/// <param name="Cost">Its work for a number of patches.</param>
/// <param name="Prepare">Sets it up for a number of patches.</param>
internal sealed record KernelOperation(string Operation, string Shape, Func<int, Work> Cost, Func<TensorSet, int, PreparedOperation> Prepare)
{
    /// <summary>Whether it differs by the device's precision.</summary>
    public bool ByPrecision { get; init; }

    /// <summary>Whether it differs by the batch.</summary>
    public bool ByBatch { get; init; } = true;

    /// <summary>Patches at which its results are compared with the reference.</summary>
    public int CheckedPatches { get; init; } = 4;
}

/// <summary>An operation with its tensors.</summary>
/// <param name="Run">Queues it once.</param>
/// <param name="Expected">What it must make of its tensors, by plain loops in double precision; asked for before it has run.</param>
/// <param name="Actual">What it has made of them.</param>
internal sealed record PreparedOperation(Action Run, Func<double[][]> Expected, Func<double[][]> Actual)
{
    /// <summary>A vendor's way to do the same, or the main part of it, on tensors of the same sizes; null where there is none.</summary>
    public VendorRun? Vendor { get; init; }

    /// <summary>An operation whose results are tensors of floats.</summary>
    public static PreparedOperation Of(Action run, Func<double[][]> expected, params Tensor<float>[] results) =>
        new(run, expected, () => Array.ConvertAll(results, Doubles));

    /// <summary>The same, with a vendor's way beside it.</summary>
    public PreparedOperation Beside(VendorRun? vendor) => this with { Vendor = vendor };

    /// <summary>A tensor's values.</summary>
    public static double[] Doubles(Tensor<float> tensor) => Array.ConvertAll(tensor.ToArray(), value => (double)value);

    /// <summary>A tensor's values.</summary>
    public static double[] Doubles(Tensor<int> tensor) => Array.ConvertAll(tensor.ToArray(), value => (double)value);

    /// <summary>A tensor's values, which are bf16.</summary>
    public static double[] Doubles(Tensor<ushort> tensor) =>
        Array.ConvertAll(tensor.ToArray(), bits => (double)BitConverter.UInt32BitsToSingle((uint)bits << 16));

    /// <summary>Of all results the largest difference from what was expected, as a share of the largest expected value of its result.</summary>
    public static double LargestError(double[][] actual, double[][] expected) => actual.Zip(expected, (found, wanted) =>
    {
        double scale = wanted.Where(double.IsFinite).Select(Math.Abs).DefaultIfEmpty(0).Max();
        double worst = 0;
        for (int i = 0; i < wanted.Length; i++)
        {
            double difference = found[i].Equals(wanted[i]) ? 0 : Math.Abs(found[i] - wanted[i]);
            worst = double.IsNaN(difference) ? double.PositiveInfinity : Math.Max(worst, difference);
        }

        return worst == 0 ? 0 : worst / scale;
    }).Max();
}
