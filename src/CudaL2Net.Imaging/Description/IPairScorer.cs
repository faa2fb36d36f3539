namespace CudaL2Net.Imaging.Description;

/// <summary>
/// A method that scores pairs of patches and describes no single one. Evaluations that need nothing but a number for a pair take it beside
/// <see cref="IPatchDescriber"/>: there the negative score stands for the distance. Many threads may use one at once.
/// </summary>
public interface IPairScorer : IPatchMethod
{
    /// <summary>Scores pairs of patches: the larger, the more alike.</summary>
    /// <param name="first">[n][side][side] grey values, row by row: the first patches of the pairs; n may be 0.</param>
    /// <param name="second">As many: the second ones.</param>
    /// <param name="side">32, 64 or 65; networks whose input has side 64 take 64 and 65.</param>
    /// <returns>[n] finite numbers.</returns>
    /// <exception cref="ArgumentException">The side is not taken, or the bytes are no whole number of pairs.</exception>
    float[] Score(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, int side);
}
