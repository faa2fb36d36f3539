using System.Globalization;
using CudaL2Net.Formats;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Imaging.Matching;
using CudaL2Net.Matching;

namespace CudaL2Net.Cli.Runs;

/// <summary>A keypoint of a match.</summary>
internal sealed record MatchedPlace(float X, float Y, float Size, float Angle);

/// <summary>A match as results tell it.</summary>
/// <param name="IndexOfA">The keypoint or descriptor of the first input, from 0.</param>
/// <param name="IndexOfB">That of the second.</param>
/// <param name="Distance">Euclidean distance, or the number of differing bits.</param>
/// <param name="Ratio">The distance divided by that of the neighbour that the ratio test compares with; 0 where there is none.</param>
/// <param name="A">Where it is; null where keypoints are not known.</param>
/// <param name="B">Where it is in the second image.</param>
/// <param name="Verified">Whether it agrees with the geometry; null where keypoints are not known.</param>
internal sealed record MatchRow(int IndexOfA, int IndexOfB, double Distance, double Ratio, MatchedPlace? A, MatchedPlace? B, bool? Verified);

/// <summary>Matches as rows.</summary>
internal static class MatchTable
{
    /// <summary>The rows of matches without keypoints.</summary>
    public static IReadOnlyList<MatchRow> Of(DescriptorMatch[] matches) =>
        [.. matches.Select(match => new MatchRow(match.Query, match.Target, match.Distance, RatioOf(match), null, null, null))];

    /// <summary>The rows of matches of keypoints.</summary>
    public static IReadOnlyList<MatchRow> Of(ImageMatches matches) =>
    [
        .. Of(matches.Matches).Select((row, i) => row with
        {
            A = PlaceOf(matches.FirstKeypoints[row.IndexOfA]),
            B = PlaceOf(matches.SecondKeypoints[row.IndexOfB]),
            Verified = matches.Verified[i],
        }),
    ];

    /// <summary>Writes rows as CSV: a,b,distance,ratio, and where keypoints are known xa,ya,xb,yb,verified (1 or 0).</summary>
    /// <exception cref="IOException">The file cannot be written; an older one is untouched.</exception>
    public static void Write(string path, IReadOnlyList<MatchRow> rows, bool keypoints) => AtomicFile.Write(path, stream =>
    {
        using var writer = new StreamWriter(stream, leaveOpen: true) { NewLine = "\n" };
        writer.WriteLine("a,b,distance,ratio" + (keypoints ? ",xa,ya,xb,yb,verified" : string.Empty));
        foreach (MatchRow row in rows)
        {
            writer.Write(string.Create(CultureInfo.InvariantCulture, $"{row.IndexOfA},{row.IndexOfB},{(float)row.Distance},{(float)row.Ratio}"));
            writer.WriteLine(row is { A: { } a, B: { } b }
                ? string.Create(CultureInfo.InvariantCulture, $",{a.X},{a.Y},{b.X},{b.Y},{(row.Verified == true ? 1 : 0)}")
                : string.Empty);
        }
    });

    // Two copies of one descriptor are as good as each other.
    private static double RatioOf(DescriptorMatch match) => match.SecondDistance > 0 ? match.Distance / (double)match.SecondDistance : 1;

    private static MatchedPlace PlaceOf(Keypoint keypoint) => new(keypoint.X, keypoint.Y, keypoint.Size, keypoint.Angle);
}
