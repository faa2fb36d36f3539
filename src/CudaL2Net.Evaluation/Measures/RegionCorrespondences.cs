using CudaL2Net.Imaging.Geometry;
using CudaL2Net.Numerics;

namespace CudaL2Net.Evaluation.Measures;

/// <summary>Two regions that show the same place.</summary>
/// <param name="First">Index of the region in the first image.</param>
/// <param name="Second">Index of the region in the second image.</param>
/// <param name="Overlap">Intersection over union in the first image, above 0.5.</param>
public readonly record struct RegionPair(int First, int Second, double Overlap);

/// <summary>
/// Which elliptical regions of two images show the same place (Mikolajczyk and Schmid, PAMI 2005): the axes of both are made 3 times as long, the second
/// image's regions are taken to the first by the homography's inverse, linearized at their centres, and a pair corresponds if the area of the
/// intersection is more than half of that of the union.
/// </summary>
/// <remarks>
/// As in the public benchmarks, a pair is looked at only if its centres are nearer than 4 times the radius of the circle of the first region's area, and the
/// smaller area is more than half of the larger one. Overlaps above 0.5 imply the second rule, and the first one but for very long regions.
/// </remarks>
public sealed class RegionCorrespondences
{
    /// <summary>How much longer the axes of the measured region are than those of the detected one.</summary>
    public const double MeasurementScale = Ellipse.MeasurementScale;

    /// <summary>Overlaps above this are correspondences.</summary>
    public const double SmallestOverlap = 0.5;

    private const double FarthestCentre = 4;

    private RegionCorrespondences(int first, int second, RegionPair[] pairs)
    {
        First = first;
        Second = second;
        Pairs = pairs;
        OneToOne = CountOneToOne(first, second, pairs);
    }

    /// <summary>The number of regions of the first image.</summary>
    public int First { get; }

    /// <summary>The number of regions of the second image.</summary>
    public int Second { get; }

    /// <summary>All pairs that correspond, by falling overlap; equal ones by the first region, then the second.</summary>
    public IReadOnlyList<RegionPair> Pairs { get; }

    /// <summary>P: the size of the one-to-one assignment that takes pairs by falling overlap, each if both of its regions are still free.</summary>
    public int OneToOne { get; }

    /// <summary>Finds the correspondences of two images' regions.</summary>
    /// <param name="first">The detected regions of the first image, not yet enlarged.</param>
    /// <param name="second">Those of the second image.</param>
    /// <param name="toSecond">Takes pixels of the first image to pixels of the second one.</param>
    /// <param name="threads">The most threads that work at once; 0 is one per core.</param>
    /// <exception cref="ArgumentException">A region is no ellipse, or the homography has no way back.</exception>
    public static RegionCorrespondences Find(IReadOnlyList<Ellipse> first, IReadOnlyList<Ellipse> second, Homography toSecond, int threads = 0)
    {
        ArgumentNullException.ThrowIfNull(toSecond);
        Homography back = toSecond.Inverse();
        Ellipse[] a = [.. Checked(first, nameof(first)).Select(region => region.Scaled(MeasurementScale))];
        Ellipse[] b = [.. Checked(second, nameof(second)).Select(region => region.Scaled(MeasurementScale).Warped(back))];
        double[] areas = Array.ConvertAll(b, region => region.IsValid ? region.Area : 0);
        var found = new List<RegionPair>[a.Length];
        new Parallelism(threads).For(a.Length, i => found[i] = Partners(i, a[i], b, areas));
        RegionPair[] pairs = [.. found.SelectMany(list => list)];
        Array.Sort(pairs, (p, q) => p.Overlap != q.Overlap ? q.Overlap.CompareTo(p.Overlap)
            : p.First != q.First ? p.First.CompareTo(q.First) : p.Second.CompareTo(q.Second));
        return new RegionCorrespondences(a.Length, b.Length, pairs);
    }

    private static List<RegionPair> Partners(int index, Ellipse region, Ellipse[] candidates, double[] areas)
    {
        var found = new List<RegionPair>();
        double area = region.Area, reach = FarthestCentre * region.Radius;
        for (int j = 0; j < candidates.Length; j++)
        {
            double dx = candidates[j].X - region.X, dy = candidates[j].Y - region.Y;
            if ((dx * dx) + (dy * dy) < reach * reach && Math.Min(area, areas[j]) > SmallestOverlap * Math.Max(area, areas[j])
                && region.Overlap(candidates[j]) is var overlap && overlap > SmallestOverlap)
            {
                found.Add(new RegionPair(index, j, overlap));
            }
        }

        return found;
    }

    private static IReadOnlyList<Ellipse> Checked(IReadOnlyList<Ellipse> regions, string name)
    {
        ArgumentNullException.ThrowIfNull(regions, name);
        for (int i = 0; i < regions.Count; i++)
        {
            if (!regions[i].IsValid)
            {
                throw new ArgumentException($"region {i} is no ellipse: {regions[i]}", name);
            }
        }

        return regions;
    }

    private static int CountOneToOne(int first, int second, RegionPair[] pairs)
    {
        bool[] takenFirst = new bool[first], takenSecond = new bool[second];
        int count = 0;
        foreach (RegionPair pair in pairs)
        {
            if (!takenFirst[pair.First] && !takenSecond[pair.Second])
            {
                takenFirst[pair.First] = takenSecond[pair.Second] = true;
                count++;
            }
        }

        return count;
    }
}
