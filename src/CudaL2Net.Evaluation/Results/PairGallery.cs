using CudaL2Net.Matching;

namespace CudaL2Net.Evaluation.Results;

/// <summary>A pair of patches and how far apart a method puts them.</summary>
/// <param name="Distance">The method's distance.</param>
/// <param name="First">[side][side] grey values.</param>
/// <param name="Second">[side][side] grey values.</param>
public sealed record PairExample(float Distance, byte[] First, byte[] Second);

/// <summary>The pairs on which a method errs most.</summary>
/// <param name="Method">The method's name.</param>
/// <param name="DataSet">The data set, and the level or kind of negatives where there are several.</param>
/// <param name="Side">Rows and columns of the patches.</param>
/// <param name="HardestMatches">Matching pairs, the most distant first.</param>
/// <param name="ClosestNonMatches">Pairs that do not match, the closest first.</param>
public sealed record PairGallery(
    string Method, string DataSet, int Side, IReadOnlyList<PairExample> HardestMatches, IReadOnlyList<PairExample> ClosestNonMatches)
{
    /// <summary>The pairs to show: the most distant matches and the closest non-matches, ties in the order in which they stand.</summary>
    /// <param name="distances">[n], none of them NaN.</param>
    /// <param name="matches">[n]: whether the pair matches.</param>
    /// <param name="most">The most pairs of each kind.</param>
    /// <returns>Indices of pairs.</returns>
    public static (int[] HardestMatches, int[] ClosestNonMatches) Choose(ReadOnlySpan<float> distances, ReadOnlySpan<bool> matches, int most)
    {
        bool[] labels = matches.ToArray();
        int[] order = RankedRetrieval.Rank(distances);
        return ([.. order.Reverse().Where(i => labels[i]).Take(most)], [.. order.Where(i => !labels[i]).Take(most)]);
    }
}

/// <summary>An image in a report: matched keypoints of two photographs, say.</summary>
/// <param name="Caption">What it shows.</param>
/// <param name="Png">A PNG file's bytes.</param>
public sealed record ReportImage(string Caption, byte[] Png);
