using CudaL2Net.Data;
using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Kernels.Operations;

/// <summary>Patches in a GPU's memory against PatchResize, which makes them in the host's.</summary>
[Category("Cuda")]
public sealed class PackPatchesTests
{
    [OneTimeSetUp]
    public void RequireDevice() => CudaDriver.Require();

    [TestCase(1, 32, 32)]
    [TestCase(33, 64, 32)]
    [TestCase(7, 65, 32)]
    [TestCase(5, 64, 64)]
    [TestCase(3, 65, 64)]
    public void BytesOfAnyStrideBecomeWhatANetworkTakes(int count, int side, int to)
    {
        int area = side * side, row = (2 * side) + 3, patch = (side * row) + 5;
        byte[] dense = new byte[count * area], spread = new byte[count * patch];
        new Random(side).NextBytes(dense);
        for (int i = 0; i < dense.Length; i++)
        {
            // Rows from below, pixels two apart.
            spread[(i / area * patch) + ((side - 1 - (i / side % side)) * row) + (2 * (i % side))] = dense[i];
        }

        byte[] expected = new byte[count * to * to];
        Resize(dense, side, expected, to);
        Assert.That(Pack(spread, (side - 1) * row, new PatchLayout(side, Floats: false, patch, -row, 2), count, to), Is.EqualTo(expected));
        Assert.That(Pack(dense, 0, PatchLayout.Dense(side), count, to), Is.EqualTo(expected));
    }

    [TestCase(32, 32)]
    [TestCase(65, 32)]
    public void FloatsAreRoundedAsInTheHostsMemory(int side, int to)
    {
        const int Count = 3;
        float[] values = new float[Count * side * side];
        byte[] rounded = new byte[values.Length];
        var random = new Random(9);
        for (int i = 0; i < values.Length; i++)
        {
            // Halves, values outside, and what is no number.
            values[i] = (i % 5) switch
            {
                0 => (random.Next(256) + 0.5f) / 255 * 2,
                1 => -random.NextSingle(),
                2 => 2 + random.NextSingle(),
                3 => i % 50 == 3 ? float.NaN : i % 50 == 8 ? float.PositiveInfinity : i % 50 == 13 ? float.NegativeInfinity : random.NextSingle(),
                _ => 2 * random.NextSingle(),
            };
            float value = values[i] * (float)(255.0 / 2);
            rounded[i] = float.IsNaN(value) ? (byte)0 : (byte)Math.Clamp(MathF.Round(value), 0, 255);
        }

        byte[] expected = new byte[Count * to * to];
        Resize(rounded, side, expected, to);
        Assert.That(Pack(values, 0, PatchLayout.Dense(side, floats: true, white: 2), Count, to), Is.EqualTo(expected));
    }

    private static void Resize(byte[] patches, int side, byte[] output, int to)
    {
        if (to == 64)
        {
            PatchResize.ToLarge(patches, side, output);
        }
        else
        {
            PatchResize.Reduce(patches, side, output);
        }
    }

    private static unsafe byte[] Pack<T>(T[] memory, int first, PatchLayout layout, int count, int to)
        where T : unmanaged
    {
        using Device device = Device.Open("cuda");
        using Tensor<T> source = device.Upload<T>(memory, memory.Length);
        using Tensor<byte> patches = device.Allocate<byte>(count, to, to);
        device.PackKernels!.PackPatches((nint)(source.Pointer + first), layout, patches);
        return patches.ToArray();
    }
}
