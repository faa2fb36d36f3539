using CudaL2Net.Formats;

namespace CudaL2Net.Tests.Imaging.Data;

/// <summary>Small W1BS data: strips of blurred noise, the second side with more noise the later its row.</summary>
internal static class W1bsFolder
{
    public const int Rows = 12, Side = 65;

    /// <summary>Writes two pairs a subset.</summary>
    public static void Write(string folder, params string[] subsets)
    {
        foreach (string subset in subsets)
        {
            for (int pair = 0; pair < 2; pair++)
            {
                byte[] first = Patches(subset[0] + (100 * pair));
                var random = new Random(pair);
                byte[] second = [.. first.Select((value, i) => (byte)Math.Clamp(value + (random.Next(-4, 5) * (i / (Side * Side))), 0, 255))];
                WriteStrip(Path.Combine(folder, subset, "1", $"pair{pair}.bmp"), first);
                WriteStrip(Path.Combine(folder, subset, "2", $"pair{pair}.bmp"), second);
            }
        }
    }

    public static void WriteStrip(string path, byte[] patches)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        BmpFile.WriteGrey(path, Side, patches);
    }

    private static byte[] Patches(int seed)
    {
        using OpenCvSharp.Mat image = TestImages.Speckle(Side, Side * Rows, (ulong)seed);
        Assert.That(image.GetArray(out byte[] pixels), Is.True);
        return pixels;
    }
}
