using System.Text.Json;

namespace CudaL2Net.Tests.Networks.Import;

/// <summary>Weights and patches by a formula that <c>tests/golden/import.py</c> has, too, and what PyTorch made of them.</summary>
internal sealed class Drawn(int seed)
{
    private int next = seed;

    /// <summary>The sides and channels of L2-Net's convolutions: input and output channels, kernel.</summary>
    public static readonly (int In, int Out, int Kernel)[] L2Net = [(1, 32, 3), (32, 32, 3), (32, 64, 3), (64, 64, 3), (64, 128, 3), (128, 128, 3), (128, 128, 8)];

    private static readonly Lazy<JsonDocument> Golden = new(() => JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Repository.Folder, "tests", "golden", "import.json"))));

    /// <summary>The descriptors of four patches, [4][d], by PyTorch.</summary>
    /// <param name="part"><c>made</c> for drawn weights, <c>published</c> for those of a file.</param>
    /// <param name="name">The network, or the file.</param>
    public static double[] Expected(string part, string name) =>
        [.. Golden.Value.RootElement.GetProperty(part).GetProperty(name).EnumerateArray().SelectMany(row => row.EnumerateArray().Select(value => value.GetDouble()))];

    /// <summary>Numbers in [0, 1) that are multiples of 2^-24.</summary>
    public static double[] Uniform(int seed, int count)
    {
        var values = new double[count];
        for (int i = 0; i < count; i++)
        {
            ulong x = ((ulong)i + ((ulong)seed * 1000003)) * 0x9E3779B97F4A7C15;
            x = (x ^ (x >> 32)) * 0xD6E8FEB86659FD93;
            values[i] = ((x ^ (x >> 32)) >> 40) / (double)(1 << 24);
        }

        return values;
    }

    /// <summary>Numbers around the middle, at most scale away.</summary>
    public static float[] Floats(int seed, int count, double scale, double middle) =>
        Array.ConvertAll(Uniform(seed, count), value => (float)(((value - 0.5) * (2 * scale)) + middle));

    /// <summary>Noise, little contrast, one grey, a ramp with noise: [4][side][side].</summary>
    public static byte[] Patches(int side)
    {
        int area = side * side;
        double[] u = Uniform(7, 4 * area);
        return [.. Enumerable.Range(0, 4 * area).Select(i => (byte)((i / area) switch
        {
            0 => Math.Floor(u[i] * 256),
            1 => 100 + Math.Floor(u[i] * 8),
            2 => 77,
            _ => ((3 * (i % area / side)) + (2 * (i % side)) + Math.Floor(u[i] * 20)) % 256,
        }))];
    }

    public float[] Next(int count, double scale, double middle = 0) => Floats(++next, count, scale, middle);

    /// <summary>[out][in][kernel][kernel].</summary>
    public float[] Filters(int output, int input, int kernel) => Next(output * input * kernel * kernel, Math.Pow(6.0 / (input * kernel * kernel), 0.5));

    public float[] Linear(int output, int input) => Next(output * input, Math.Pow(3.0 / input, 0.5));

    public float[] Bias(int output) => Next(output, 0.1);

    public (float[] Mean, float[] Spread) Norm(int channels) => (Next(channels, 0.5), Next(channels, 0.5, 1.0));
}
