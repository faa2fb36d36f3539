using System.Runtime.InteropServices;
using CudaL2Net.Data;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Numerics;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Sources;

/// <summary>The points of one image with their patches.</summary>
/// <param name="Pixels">[patches][32][32].</param>
/// <param name="Centres">[patches][32][32], or null where <see cref="PairOptions.Parts"/> does not ask for them.</param>
/// <param name="PatchesPerPoint">For each point, how many patches it has, 2 or more; they follow one another, the image's own first.</param>
/// <param name="FlatPoints">Points skipped because a patch was near-uniform.</param>
/// <param name="LostPoints">Points skipped because they lie outside of all copies.</param>
/// <param name="Detected">Patches of copies whose keypoint the detector found again.</param>
/// <param name="Large">[patches][64][64]: the patches before they were reduced, or null where <see cref="PairOptions.Parts"/> does not ask for them.</param>
public sealed record ImagePoints(
    byte[] Pixels, byte[]? Centres, int[] PatchesPerPoint, int FlatPoints, int LostPoints, int Detected, byte[]? Large = null);

/// <summary>Makes patches that show the same places from one image, without labels. Thread-safe; every draw is a function of seed, image and
/// point.</summary>
public sealed class PairGenerator
{
    private const float LeastDistance = 4;
    private const float LeastScaleRatio = 1.5f;
    private const float LeastTurn = 30;

    private readonly PairOptions options;
    private readonly Relighting relighting;
    private readonly int side;

    /// <summary>Prepares a generator.</summary>
    /// <param name="options">How patches are made.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public PairGenerator(PairOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        this.options = options;
        relighting = new Relighting(options);
        side = options.Parts == PatchParts.None ? PatchSet.Side : PatchSet.LargeSide;
    }

    /// <summary>Makes the patches of up to <see cref="PairOptions.PointsPerPicture"/> points.</summary>
    /// <param name="image">8 bits, one channel.</param>
    /// <param name="seed">The seed of all draws.</param>
    /// <param name="index">Tells images apart: another index gives other warps and other lighting.</param>
    /// <param name="pass">0 for the first points of the image, 1 for the next; passes share no point.</param>
    /// <exception cref="ArgumentException">The image is not a non-empty 8-bit grey one.</exception>
    public ImagePoints Generate(Mat image, ulong seed, uint index, int pass = 0)
    {
        Keypoint[] chosen = Choose(KeypointDetector.Detect(image), image.Width, image.Height, seed, index, pass);
        int rows = options.Copies + 1;
        byte[][] cuts = new byte[rows][];
        bool[][] seen = new bool[rows][];
        cuts[0] = Cut(image, chosen);
        seen[0] = Array.ConvertAll(chosen, _ => true);
        int detected = 0;
        for (int copy = 1; copy < rows; copy++)
        {
            PhiloxStream draws = new(Mix(seed, (ulong)pass + 1, (ulong)copy), DrawPurpose.Pair, index);
            Warp warp = Warp.Draw(ref draws, options, image.Width, image.Height);
            using Mat warped = warp.Apply(image);
            using Mat relit = relighting.Apply(warped, ref draws);
            Keypoint[] found = draws.NextSingle() < options.DetectProbability ? KeypointDetector.Detect(relit) : [];
            Keypoint[] frames = new Keypoint[chosen.Length];
            seen[copy] = new bool[chosen.Length];
            for (int i = 0; i < chosen.Length; i++)
            {
                Keypoint exact = warp.Project(chosen[i]);
                Keypoint? nearest = Nearest(found, exact);
                detected += nearest is null ? 0 : 1;
                frames[i] = nearest ?? Disturb(exact, ref draws);
                seen[copy][i] = Inside(exact, warp.Width, warp.Height);
            }

            cuts[copy] = Cut(relit, frames);
        }

        return Collect(cuts, seen, chosen.Length, detected);
    }

    /// <summary>The strongest keypoint places in a drawn order, no two of them alike in place, size and angle; each may be followed by its slid twin.</summary>
    private Keypoint[] Choose(Keypoint[] keypoints, int width, int height, ulong seed, uint index, int pass)
    {
        PhiloxStream draws = new(Mix(seed, 0, 0), DrawPurpose.Pair, index);
        List<Keypoint> accepted = [];
        for (int i = 0; i < keypoints.Length; i++)
        {
            if (Inside(keypoints[i], width, height) && !accepted.Exists(k => Alike(k, keypoints[i])))
            {
                accepted.Add(keypoints[i]);
            }
        }

        draws.Shuffle(CollectionsMarshal.AsSpan(accepted));

        List<Keypoint> chosen = [];
        long skipped = (long)pass * options.PointsPerPicture;
        for (int i = 0; i < accepted.Count && chosen.Count < options.PointsPerPicture; i++)
        {
            float twin = draws.NextSingle(), offset = draws.Next(0.12f, 0.45f) * (draws.NextSingle() < 0.5f ? -1 : 1);
            if (i < skipped)
            {
                continue;
            }

            chosen.Add(accepted[i]);
            if (twin < options.SlidTwins && Slide(accepted[i], offset) is var slid && Inside(slid, width, height))
            {
                chosen.Add(slid);
            }
        }

        return [.. chosen];
    }

    private static bool Alike(in Keypoint a, in Keypoint b)
    {
        float dx = a.X - b.X, dy = a.Y - b.Y, reach = Math.Max(LeastDistance, 0.25f * Math.Min(a.Size, b.Size));
        return (dx * dx) + (dy * dy) < reach * reach && Math.Max(a.Size / b.Size, b.Size / a.Size) < LeastScaleRatio && Turn(a, b) < LeastTurn;
    }

    /// <summary>The angle between two keypoints' orientations, degrees, 0 to 180.</summary>
    private static float Turn(in Keypoint a, in Keypoint b)
    {
        float turn = Math.Abs(a.Angle - b.Angle) % 360;
        return Math.Min(turn, 360 - turn);
    }

    /// <summary>Along the edge, that is, across the gradient that the orientation points to.</summary>
    private Keypoint Slide(in Keypoint keypoint, float offset)
    {
        double radians = keypoint.Angle * (Math.PI / 180), distance = offset * options.PatchScale * keypoint.Size;
        return keypoint with { X = (float)(keypoint.X - (distance * Math.Sin(radians))), Y = (float)(keypoint.Y + (distance * Math.Cos(radians))) };
    }

    /// <summary>Whether the image holds most of the patch: the disc of 0.6 of its half side.</summary>
    private bool Inside(in Keypoint keypoint, int width, int height)
    {
        double reach = 0.3 * options.PatchScale * keypoint.Size;
        return keypoint.X >= reach && keypoint.Y >= reach && keypoint.X <= width - 1 - reach && keypoint.Y <= height - 1 - reach;
    }

    private static Keypoint? Nearest(Keypoint[] found, in Keypoint exact)
    {
        float reach = Math.Clamp(0.2f * exact.Size, 1.5f, 3f), least = float.MaxValue;
        int best = -1;
        for (int i = 0; i < found.Length; i++)
        {
            float dx = found[i].X - exact.X, dy = found[i].Y - exact.Y, distance = (dx * dx) + (dy * dy);
            if (distance < reach * reach && Math.Max(found[i].Size / exact.Size, exact.Size / found[i].Size) < 1.45f && Turn(found[i], exact) < 35)
            {
                float cost = (distance / (reach * reach)) + Math.Abs(MathF.Log(found[i].Size / exact.Size)) + (Turn(found[i], exact) / 35);
                (least, best) = cost < least ? (cost, i) : (least, best);
            }
        }

        return best < 0 ? null : found[best];
    }

    private Keypoint Disturb(in Keypoint exact, ref PhiloxStream draws)
    {
        double position = Math.Sqrt((options.PositionError * options.PositionError)
            + (options.PositionErrorPerSize * options.PositionErrorPerSize * exact.Size * exact.Size));
        return exact with
        {
            X = (float)(exact.X + (position * draws.NextGaussian())),
            Y = (float)(exact.Y + (position * draws.NextGaussian())),
            Size = (float)(exact.Size * Math.Exp(options.ScaleError * draws.NextGaussian())),
            Angle = (float)(exact.Angle + (options.AngleError * (180 / Math.PI) * draws.NextGaussian())),
        };
    }

    private unsafe byte[] Cut(Mat image, Keypoint[] keypoints)
    {
        ImagePyramid pyramid = PatchCutter.Pyramid(image, keypoints, options.PatchScale, side);
        byte[] patches = new byte[keypoints.Length * side * side];
        fixed (byte* target = patches)
        {
            for (int i = 0; i < keypoints.Length; i++)
            {
                Keypoint at = keypoints[i];
                pyramid.Cut(at.X, at.Y, at.Angle, PatchCutter.Step(at, options.PatchScale, side), side, target + (i * side * side));
            }
        }

        return patches;
    }

    private ImagePoints Collect(byte[][] cuts, bool[][] seen, int points, int detected)
    {
        List<int> patchesPerPoint = [];
        byte[] pixels = new byte[cuts.Length * points * PatchSet.Area];
        byte[]? centres = options.Parts.HasFlag(PatchParts.Centres) ? new byte[pixels.Length] : null;
        byte[]? large = options.Parts.HasFlag(PatchParts.Large) ? new byte[cuts.Length * points * PatchSet.LargeArea] : null;
        int flat = 0, lost = 0, count = 0;
        for (int i = 0; i < points; i++)
        {
            int first = count;
            bool uniform = false;
            for (int row = 0; row < cuts.Length; row++)
            {
                if (!seen[row][i])
                {
                    continue;
                }

                ReadOnlySpan<byte> cut = cuts[row].AsSpan(i * side * side, side * side);
                uniform |= Deviation(cut) < options.LeastDeviation;
                PatchResize.Reduce(cut, side, pixels.AsSpan(count * PatchSet.Area, PatchSet.Area));
                if (centres is not null)
                {
                    PatchResize.CropCentre(cut, side, centres.AsSpan(count * PatchSet.Area, PatchSet.Area));
                }

                if (large is not null)
                {
                    cut.CopyTo(large.AsSpan(count * PatchSet.LargeArea));
                }

                count++;
            }

            if (uniform || count - first < 2)
            {
                flat += uniform ? 1 : 0;
                lost += uniform ? 0 : 1;
                count = first;
            }
            else
            {
                patchesPerPoint.Add(count - first);
            }
        }

        Array.Resize(ref pixels, count * PatchSet.Area);
        if (centres is not null)
        {
            Array.Resize(ref centres, count * PatchSet.Area);
        }

        if (large is not null)
        {
            Array.Resize(ref large, count * PatchSet.LargeArea);
        }

        return new ImagePoints(pixels, centres, [.. patchesPerPoint], flat, lost, detected, large);
    }

    private static double Deviation(ReadOnlySpan<byte> patch)
    {
        long sum = 0, squares = 0;
        foreach (byte value in patch)
        {
            sum += value;
            squares += value * value;
        }

        double mean = (double)sum / patch.Length;
        return Math.Sqrt(Math.Max(((double)squares / patch.Length) - (mean * mean), 0));
    }

    /// <summary>Seeds of independent streams.</summary>
    private static ulong Mix(ulong seed, ulong a, ulong b)
    {
        (uint x, uint y, _, _) = Philox.Draw(seed, DrawPurpose.Pair, uint.MaxValue, (a << 32) | b);
        return ((ulong)x << 32) | y;
    }
}
