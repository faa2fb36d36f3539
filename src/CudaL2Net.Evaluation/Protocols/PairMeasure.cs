using CudaL2Net.Evaluation.Results;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Matching;
using CudaL2Net.Numerics;

namespace CudaL2Net.Evaluation.Protocols;

/// <summary>
/// A method where only numbers for pairs of patches are wanted. What is kept of a patch is its descriptor; for a method that scores pairs it is the patch
/// itself, its bytes in place of packed bits.
/// </summary>
/// <param name="method">An <see cref="IPatchDescriber"/>, an <see cref="IPairScorer"/> or <see cref="HPatchesDescriptors"/>.</param>
/// <param name="parallel">What works at once.</param>
internal sealed class PairMeasure(IPatchMethod method, Parallelism parallel)
{
    // Pairs whose patches are put side by side for one call.
    private const int Block = 1024;

    /// <summary>The method's name.</summary>
    public string Name => method.Name;

    /// <summary>A method for tables: of no dimension where it scores pairs.</summary>
    /// <exception cref="ArgumentException">The method is of neither kind.</exception>
    public static EvaluatedMethod Of(IPatchMethod method) => method switch
    {
        IPatchDescriber describer => new EvaluatedMethod(method.Name, describer.Dimension, describer.IsBinary),
        IPairScorer => new EvaluatedMethod(method.Name, 0, IsBinary: false),
        HPatchesDescriptors files => new EvaluatedMethod(files.Name, files.Dimension, IsBinary: false),
        _ => throw new ArgumentException($"{method.Name} gives neither descriptors nor scores of pairs"),
    };

    /// <summary>Bits or values that are kept of a patch.</summary>
    /// <param name="side">The patches' side.</param>
    public (int Dimension, bool IsBinary) Kept(int side) =>
        method is IPatchDescriber describer ? (describer.Dimension, describer.IsBinary) : (side * side * 8, true);

    /// <summary>What is kept of patches.</summary>
    /// <param name="patches">[n][side][side] grey values.</param>
    /// <param name="side">Rows and columns.</param>
    public DescriptorSet Keep(ReadOnlySpan<byte> patches, int side) => method is IPatchDescriber describer
        ? describer.Describe(patches, side)
        : DescriptorSet.FromBits(patches.ToArray(), side * side * 8);

    /// <summary>Measures pairs: distances, or negative scores.</summary>
    /// <param name="count">Pairs.</param>
    /// <param name="pair">Of each pair where its two patches are kept.</param>
    /// <param name="take">Is given each pair's distance, by many threads at once.</param>
    /// <param name="cancellation">Stops between two blocks of pairs that are scored.</param>
    /// <exception cref="InvalidDataException">The patches of a pair that is scored differ in size.</exception>
    public void Measure(int count, Func<int, KeptPair> pair, Action<int, float> take, CancellationToken cancellation = default)
    {
        if (method is IPairScorer scorer)
        {
            Score(scorer, count, pair, take, cancellation);
            return;
        }

        parallel.For(count, i =>
        {
            KeptPair at = pair(i);
            take(i, at.First.Distance(at.FirstRow, at.Second, at.SecondRow));
        });
    }

    private static void Score(IPairScorer scorer, int count, Func<int, KeptPair> pair, Action<int, float> take, CancellationToken cancellation)
    {
        byte[] first = [], second = [];
        for (int done = 0; done < count; done += Block)
        {
            cancellation.ThrowIfCancellationRequested();
            int rows = Math.Min(Block, count - done), area = pair(done).First.Dimension / 8;
            if (first.Length != rows * area)
            {
                (first, second) = (new byte[rows * area], new byte[rows * area]);
            }

            for (int i = 0; i < rows; i++)
            {
                KeptPair at = pair(done + i);
                if (at.First.Dimension / 8 != area || at.Second.Dimension / 8 != area)
                {
                    throw new InvalidDataException($"{scorer.Name} scores patches of one size, and the data has patches of several");
                }

                at.First.Bits.AsSpan(at.FirstRow * area, area).CopyTo(first.AsSpan(i * area));
                at.Second.Bits.AsSpan(at.SecondRow * area, area).CopyTo(second.AsSpan(i * area));
            }

            float[] scores = scorer.Score(first, second, (int)Math.Sqrt(area));
            for (int i = 0; i < rows; i++)
            {
                take(done + i, -scores[i]);
            }
        }
    }
}

/// <summary>Where the patches of a pair are kept.</summary>
/// <param name="First">Of the first patch.</param>
/// <param name="FirstRow">Its row.</param>
/// <param name="Second">Of the second patch.</param>
/// <param name="SecondRow">Its row.</param>
internal readonly record struct KeptPair(DescriptorSet First, int FirstRow, DescriptorSet Second, int SecondRow);
