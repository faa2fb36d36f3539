using CudaL2Net.Data;
using CudaL2Net.Devices;
using CudaL2Net.Tensors;

namespace CudaL2Net.Benchmarks;

/// <summary>Inputs that are random and the same in every run; zeros could be faster than what the library meets.</summary>
internal static class RandomInput
{
    /// <summary>Normal draws.</summary>
    public static Tensor<float> Gaussian(Device device, params ReadOnlySpan<int> shape)
    {
        Tensor<float> tensor = device.Allocate<float>(shape);
        var random = new Random(tensor.Length);
        var values = new float[tensor.Length];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (random.NextSingle() + random.NextSingle() + random.NextSingle() - 1.5f) * 2;
        }

        tensor.Write(values);
        return tensor;
    }

    /// <summary>Unit vectors, [rows][dimension].</summary>
    public static Tensor<float> UnitVectors(Device device, int rows, int dimension)
    {
        using Tensor<float> values = Gaussian(device, rows, dimension);
        Tensor<float> unit = device.Allocate<float>(rows, dimension);
        device.Kernels.UnitVectorForward(values, unit);
        return unit;
    }

    /// <summary>Patches with edges and noise, two after one another of each point.</summary>
    public static PatchSet Patches(int count)
    {
        var random = new Random(1);
        var pixels = new byte[count * PatchSet.Area];
        for (int patch = 0; patch < count; patch++)
        {
            double angle = random.NextDouble() * Math.Tau, x = Math.Cos(angle), y = Math.Sin(angle), wave = 0.2 + random.NextDouble();
            for (int i = 0; i < PatchSet.Area; i++)
            {
                double across = (x * (i % PatchSet.Side)) + (y * (i / PatchSet.Side));
                pixels[(patch * PatchSet.Area) + i] = (byte)(128 + (80 * Math.Sin(across * wave)) + random.Next(-40, 40));
            }
        }

        return new PatchSet(pixels, [.. Enumerable.Range(0, count).Select(i => i / 2)]);
    }
}
