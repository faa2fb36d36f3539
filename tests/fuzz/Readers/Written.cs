namespace CudaL2Net.Fuzz.Readers;

/// <summary>The bytes of files that the project's own writers make.</summary>
internal static class Written
{
    /// <summary>What a writer puts into the file that it is given.</summary>
    public static byte[] By(Action<string> write, string name = "file")
    {
        string folder = Directory.CreateTempSubdirectory("cudal2net-fuzz-").FullName;
        try
        {
            string path = Path.Combine(folder, name);
            write(path);
            return File.ReadAllBytes(path);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Bytes that look like nothing.</summary>
    public static byte[] Noise(int count, int seed)
    {
        byte[] noise = new byte[count];
        new Random(seed).NextBytes(noise);
        return noise;
    }
}
