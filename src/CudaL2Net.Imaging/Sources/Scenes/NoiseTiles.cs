using System.Runtime.InteropServices;
using CudaL2Net.Numerics;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Sources.Scenes;

/// <summary>Periodic tiles of fractal noise with mean 0 and deviation 1 and amplitude spectra 1/f^b, the raw material of textures.</summary>
internal sealed class NoiseTiles
{
    /// <summary>Rows and columns of a tile; a power of two.</summary>
    public const int Side = 512;

    /// <summary>The number of tiles, from rough (b = 0.6) to smooth (b = 2).</summary>
    public const int Count = 8;

    private readonly float[][] tiles = new float[Count][];

    public NoiseTiles(ulong seed, Parallelism parallel)
    {
        parallel.For(Count, tile => tiles[tile] = Make(seed, tile));
    }

    /// <summary>The tile's value at (u, v), in its pixels, bilinear and periodic.</summary>
    public float Sample(int tile, float u, float v)
    {
        float floorU = MathF.Floor(u), floorV = MathF.Floor(v);
        float fu = u - floorU, fv = v - floorV;
        int x = (int)floorU & (Side - 1), y = ((int)floorV & (Side - 1)) * Side;
        int right = (x + 1) & (Side - 1), below = (y + Side) & ((Side * Side) - 1);
        float[] values = tiles[tile];
        float top = values[y + x] + (fu * (values[y + right] - values[y + x]));
        float bottom = values[below + x] + (fu * (values[below + right] - values[below + x]));
        return top + (fv * (bottom - top));
    }

    private static float[] Make(ulong seed, int tile)
    {
        PhiloxStream draws = new(seed, DrawPurpose.Scene, uint.MaxValue - (uint)tile);
        float[] white = new float[Side * Side];
        for (int i = 0; i < white.Length; i++)
        {
            // Three uniform numbers are normal enough for a spectrum that is filtered and summed up.
            white[i] = draws.NextSingle() + draws.NextSingle() + draws.NextSingle() - 1.5f;
        }

        using Mat noise = Mat.FromPixelData(Side, Side, MatType.CV_32FC1, white);
        using Mat spectrum = new();
        Cv2.Dft(noise, spectrum, DftFlags.ComplexOutput);
        float[] frequencies = new float[2 * Side * Side];
        Marshal.Copy(spectrum.Data, frequencies, 0, frequencies.Length);
        double exponent = 0.6 + (1.4 * tile / (Count - 1));
        for (int y = 0; y < Side; y++)
        {
            for (int x = 0; x < Side; x++)
            {
                double fy = Math.Min(y, Side - y), fx = Math.Min(x, Side - x), f = Math.Sqrt((fx * fx) + (fy * fy));
                float gain = f < 1.5 ? 0 : (float)Math.Pow(f, -exponent);
                frequencies[2 * ((y * Side) + x)] *= gain;
                frequencies[(2 * ((y * Side) + x)) + 1] *= gain;
            }
        }

        Marshal.Copy(frequencies, 0, spectrum.Data, frequencies.Length);
        using Mat filtered = new();
        Cv2.Dft(spectrum, filtered, DftFlags.Inverse | DftFlags.RealOutput);
        float[] result = new float[Side * Side];
        Marshal.Copy(filtered.Data, result, 0, result.Length);
        double deviation = Math.Sqrt(result.Sum(v => (double)v * v) / result.Length);
        for (int i = 0; i < result.Length; i++)
        {
            result[i] = (float)(result[i] / deviation);
        }

        return result;
    }
}
