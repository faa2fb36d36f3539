using OpenCvSharp;

namespace CudaL2Net.Tests.Imaging.Data;

/// <summary>Writes small sequences in the true format of HPatches: 16 strips of 65 x 65 noise patches, row i alike in all.</summary>
internal static class HPatchesFolder
{
    public static readonly string[] Strips = ["ref", "e1", "e2", "e3", "e4", "e5", "h1", "h2", "h3", "h4", "h5", "t1", "t2", "t3", "t4", "t5"];

    /// <summary>Writes one sequence of <paramref name="rows"/> points; row <paramref name="flatRow"/> is uniform in all strips.</summary>
    public static void Write(string folder, int rows, int seed = 0, int flatRow = -1)
    {
        Directory.CreateDirectory(folder);
        for (int i = 0; i < Strips.Length; i++)
        {
            WriteStrip(Path.Combine(folder, Strips[i] + ".png"), MakeStrip(rows, i, seed, flatRow));
        }
    }

    public static byte[] MakeStrip(int rows, int strip, int seed = 0, int flatRow = -1)
    {
        byte[] pixels = new byte[rows * 65 * 65];
        for (int row = 0; row < rows; row++)
        {
            var shared = new Random((1000 * seed) + row);
            var own = new Random((100_000 * seed) + (100 * row) + strip);
            for (int k = 0; k < 65 * 65; k++)
            {
                pixels[(row * 65 * 65) + k] = row == flatRow ? (byte)50 : (byte)(shared.Next(236) + own.Next(20));
            }
        }

        return pixels;
    }

    public static void WriteStrip(string path, byte[] pixels, int side = 65)
    {
        using Mat picture = Mat.FromPixelData(pixels.Length / side, side, MatType.CV_8UC1, pixels);
        Assert.That(Cv2.ImWrite(path, picture), Is.True);
    }
}
