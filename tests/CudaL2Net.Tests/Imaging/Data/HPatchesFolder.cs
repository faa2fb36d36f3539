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

    /// <summary>Writes splits.json and the task files of one split as the benchmark has them, with pairs and patches drawn at random.</summary>
    public static void WriteTasks(string folder, string split, string[] sequences, int[] rows, int pairs, int queries, int distractors)
    {
        var random = new Random(11);
        string view = string.Join(", ", sequences.Where(name => name.StartsWith('v')).Order().Select(name => $"\"{name}\""));
        string all = string.Join(", ", sequences.Select(name => $"\"{name}\""));
        string splits = $$"""
            {"{{split}}": {"test": [{{all}}], "name": "{{split}}"}, "view": {"test": [{{view}}]}, "full": {"test": [{{all}}]} }
            """;
        File.WriteAllText(Path.Combine(folder, "splits.json"), splits);
        List<string> matches = [], intra = [], inter = [];
        for (int i = 0; i < pairs; i++)
        {
            int s = random.Next(sequences.Length), other = random.Next(sequences.Length), t1 = random.Next(5), t2 = (t1 + 1 + random.Next(4)) % 5;
            int row = random.Next(rows[s]), otherRow = (row + 1 + random.Next(rows[s] - 1)) % rows[s];
            matches.Add($"{sequences[s]},{t1},{row},{sequences[s]},{t2},{row}");
            intra.Add($"{sequences[s]},{t1},{row},{sequences[s]},{t2},{otherRow}");
            inter.Add($"{sequences[s]},{t1},{row},{sequences[other]},{t2},{random.Next(rows[other])}");
        }

        string[] patches = [.. sequences.SelectMany((name, s) => Enumerable.Range(0, rows[s]).Select(row => $"{name},{row}"))];
        random.Shuffle(patches);
        Write("verif_pos", "s1,t1,idx1,s2,t2,idx2", matches);
        Write("verif_neg_intra", "s1,t1,idx1,s2,t2,idx2", intra);
        Write("verif_neg_inter", "s1,t1,idx1,s2,t2,idx2", inter);
        Write("retr_queries", "s,idx", patches.Take(queries));
        Write("retr_distractors", "s,idx", patches.Skip(queries).Take(distractors));

        void Write(string kind, string header, IEnumerable<string> lines) =>
            File.WriteAllLines(Path.Combine(folder, $"{kind}_split-{split}.csv"), lines.Prepend(header));
    }

    public static void WriteStrip(string path, byte[] pixels, int side = 65)
    {
        using Mat image = Mat.FromPixelData(pixels.Length / side, side, MatType.CV_8UC1, pixels);
        Assert.That(Cv2.ImWrite(path, image), Is.True);
    }
}
