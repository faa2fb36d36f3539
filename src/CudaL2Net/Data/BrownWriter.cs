using System.Text;
using CudaL2Net.Formats;
using CudaL2Net.Numerics;

namespace CudaL2Net.Data;

/// <summary>Writes sets in the format of Brown's PhotoTour data, as <see cref="BrownDataset"/> reads them.</summary>
public static class BrownWriter
{
    /// <summary>
    /// Writes a set: mosaics <c>patchesNNNN.bmp</c>, the last one padded with black, <c>info.txt</c>, the list <c>m50_N_N_0.txt</c> of N test pairs, and
    /// <c>origin.txt</c>, so that the set is not taken for one of Brown's. The folder appears whole or not at all.
    /// </summary>
    /// <param name="folder">The folder; it must not exist, or be empty.</param>
    /// <param name="patches">[n][64][64].</param>
    /// <param name="pointIds">[n], none negative: the point that each patch shows.</param>
    /// <param name="pairs">The test pairs, at least one.</param>
    /// <param name="origin">Where the set comes from: a sentence that results repeat.</param>
    /// <returns>The name of the list of pairs.</returns>
    /// <exception cref="ArgumentException">Lengths do not agree, or a pair names a patch that is not there or contradicts the points.</exception>
    /// <exception cref="IOException">The folder holds something already, or cannot be written.</exception>
    public static string Write(string folder, ReadOnlySpan<byte> patches, ReadOnlySpan<int> pointIds, IReadOnlyList<PatchPair> pairs, string origin)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        ArgumentException.ThrowIfNullOrWhiteSpace(origin);
        Check(patches, pointIds, pairs);
        RequireFree(folder);
        string partial = TemporaryFile.NameFor(Path.TrimEndingDirectorySeparator(folder));
        string list = $"m50_{pairs.Count}_{pairs.Count}_0.txt";
        try
        {
            Directory.CreateDirectory(partial);
            WriteMosaics(partial, patches);
            WriteInfo(Path.Combine(partial, BrownDataset.PointFile), pointIds);
            WritePairs(Path.Combine(partial, list), pointIds, pairs);
            WriteText(Path.Combine(partial, BrownDataset.OriginFile), new StringBuilder(origin.Trim()).Append('\n'));
            if (Directory.Exists(folder))
            {
                Directory.Delete(folder);
            }

            Directory.Move(partial, folder);
        }
        catch (UnauthorizedAccessException error)
        {
            throw new IOException($"{folder} cannot be written: access is denied. Check the rights on its folder, or write elsewhere.", error);
        }
        finally
        {
            Remove(partial);
        }

        return list;
    }

    /// <summary>Throws where <see cref="Write"/> would refuse a folder: to be asked before patches are made.</summary>
    /// <exception cref="IOException">The folder holds something already, or is a file.</exception>
    public static void RequireFree(string folder)
    {
        if (File.Exists(folder))
        {
            throw new IOException($"{folder} is a file. Choose another folder.");
        }

        if (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any())
        {
            throw new IOException($"{folder} is not empty. Choose another folder, or remove what is in it.");
        }
    }

    /// <summary>
    /// Draws test pairs: half of them matches, two different patches of one point, half non-matches, patches of two different points; none twice. Matches and
    /// non-matches take turns.
    /// </summary>
    /// <param name="pointIds">[n]: the point of each patch; patches of one point follow one another.</param>
    /// <param name="count">The pairs wanted, at least 2; fewer where the points do not have as many.</param>
    /// <param name="seed">The seed of all draws.</param>
    /// <exception cref="ArgumentException">There are fewer than two points, or none has two patches.</exception>
    public static PatchPair[] DrawPairs(ReadOnlySpan<int> pointIds, int count, ulong seed)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 2);
        (int First, int Count)[] points = Group(pointIds);
        int[] withPairs = [.. Enumerable.Range(0, points.Length).Where(point => points[point].Count > 1)];
        if (points.Length < 2 || withPairs.Length == 0)
        {
            throw new ArgumentException($"{points.Length} points, {withPairs.Length} of them with two patches, give no matches and non-matches");
        }

        long matches = withPairs.Sum(point => (long)points[point].Count * (points[point].Count - 1) / 2);
        long nonMatches = ((long)pointIds.Length * (pointIds.Length - 1) / 2) - matches;
        int half = (int)Math.Min(count / 2, Math.Min(matches, nonMatches));
        var draws = new PhiloxStream(seed, DrawPurpose.Evaluation, 1);
        (int, int)[] matching = DrawMatches(points, withPairs, half, ref draws);
        var pairs = new PatchPair[2 * half];
        var seen = new HashSet<(int, int)>();
        for (int i = 0; i < half; i++)
        {
            pairs[2 * i] = new PatchPair(matching[i].Item1, matching[i].Item2, IsMatch: true);
            int first, second;
            do
            {
                (first, second) = (draws.Next(pointIds.Length), draws.Next(pointIds.Length));
            }
            while (pointIds[first] == pointIds[second] || !seen.Add((Math.Min(first, second), Math.Max(first, second))));

            pairs[(2 * i) + 1] = new PatchPair(first, second, IsMatch: false);
        }

        return pairs;
    }

    // All matches there are, shuffled, the first ones taken: points with more patches have more of them.
    private static (int First, int Second)[] DrawMatches((int First, int Count)[] points, int[] withPairs, int wanted, ref PhiloxStream draws)
    {
        var all = new List<(int, int)>();
        foreach (int point in withPairs)
        {
            for (int a = 0; a < points[point].Count; a++)
            {
                for (int b = a + 1; b < points[point].Count; b++)
                {
                    all.Add((points[point].First + a, points[point].First + b));
                }
            }
        }

        for (int i = 0; i < wanted; i++)
        {
            int j = i + draws.Next(all.Count - i);
            (all[i], all[j]) = (all[j], all[i]);
        }

        return [.. all.Take(wanted)];
    }

    private static (int First, int Count)[] Group(ReadOnlySpan<int> pointIds)
    {
        var points = new List<(int First, int Count)>();
        for (int first = 0, next; first < pointIds.Length; first = next)
        {
            for (next = first + 1; next < pointIds.Length && pointIds[next] == pointIds[first];)
            {
                next++;
            }

            points.Add((first, next - first));
        }

        return [.. points];
    }

    private static void Check(ReadOnlySpan<byte> patches, ReadOnlySpan<int> pointIds, IReadOnlyList<PatchPair> pairs)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        const int Area = BrownDataset.PatchSide * BrownDataset.PatchSide;
        if (pointIds.IsEmpty || patches.Length != (long)pointIds.Length * Area)
        {
            throw new ArgumentException($"{pointIds.Length} patches need {(long)pointIds.Length * Area} bytes of pixels, not {patches.Length}; at least one");
        }

        if (pairs.Count == 0)
        {
            throw new ArgumentException("a list of test pairs needs at least one");
        }

        foreach (int id in pointIds)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(id);
        }

        foreach (PatchPair pair in pairs)
        {
            if (pair.First < 0 || pair.Second < 0 || pair.First >= pointIds.Length || pair.Second >= pointIds.Length
                || pair.IsMatch != (pointIds[pair.First] == pointIds[pair.Second]))
            {
                throw new ArgumentException($"the test pair {pair} does not fit the {pointIds.Length} patches and their points");
            }
        }
    }

    private static void WriteMosaics(string folder, ReadOnlySpan<byte> patches)
    {
        const int Side = BrownDataset.PatchSide, Area = Side * Side, MosaicSide = BrownDataset.MosaicSide;
        int count = patches.Length / Area;
        byte[] mosaic = new byte[MosaicSide * MosaicSide];
        for (int first = 0; first < count; first += BrownDataset.PatchesPerMosaic)
        {
            Array.Clear(mosaic);
            for (int i = first; i < Math.Min(first + BrownDataset.PatchesPerMosaic, count); i++)
            {
                (int gridRow, int gridColumn) = Math.DivRem(i - first, BrownDataset.PatchesPerRow);
                for (int row = 0; row < Side; row++)
                {
                    patches.Slice((i * Area) + (row * Side), Side).CopyTo(mosaic.AsSpan((((gridRow * Side) + row) * MosaicSide) + (gridColumn * Side)));
                }
            }

            BmpFile.WriteGrey(BrownDataset.MosaicPath(folder, first / BrownDataset.PatchesPerMosaic), MosaicSide, mosaic);
        }
    }

    private static void WriteInfo(string path, ReadOnlySpan<int> pointIds)
    {
        var text = new StringBuilder();
        foreach (int id in pointIds)
        {
            text.Append(id).Append(" 0\n");
        }

        WriteText(path, text);
    }

    private static void WritePairs(string path, ReadOnlySpan<int> pointIds, IReadOnlyList<PatchPair> pairs)
    {
        var text = new StringBuilder();
        foreach (PatchPair pair in pairs)
        {
            text.Append($"{pair.First} {pointIds[pair.First]} 0 {pair.Second} {pointIds[pair.Second]} 0 0\n");
        }

        WriteText(path, text);
    }

    // What a failure left; after a success there is nothing of that name.
    private static void Remove(string partial)
    {
        try
        {
            if (Directory.Exists(partial))
            {
                Directory.Delete(partial, recursive: true);
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // The failure that led here is the one to report.
        }
    }

    private static void WriteText(string path, StringBuilder text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text.ToString());
        AtomicFile.Write(path, stream => stream.Write(bytes));
    }
}
