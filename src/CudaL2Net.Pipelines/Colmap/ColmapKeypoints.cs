using System.Runtime.InteropServices;
using CudaL2Net.Imaging.Keypoints;
using CudaL2Net.Imaging.Regions;
using CudaL2Net.Pipelines.Images;
using OpenCvSharp;

namespace CudaL2Net.Pipelines.Colmap;

/// <summary>
/// Keypoints as COLMAP stores them: float32 x, y in pixels, the centre of the top left pixel at (0.5, 0.5); then nothing, or scale and orientation in radians,
/// or the matrix a11, a12, a21, a22 that takes the unit disc to the keypoint's. The scale is SIFT's sigma, half of OpenCV's size.
/// </summary>
/// <param name="Rows">Keypoints.</param>
/// <param name="Columns">2, 4 or 6.</param>
/// <param name="Data">[rows][columns] float32.</param>
internal sealed record ColmapKeypoints(int Rows, int Columns, byte[] Data)
{
    private const float Origin = 0.5f;

    /// <summary>[rows][columns].</summary>
    public ReadOnlySpan<float> Values => MemoryMarshal.Cast<byte, float>(Data);

    /// <summary>Keypoints with 6 columns, as COLMAP writes its own.</summary>
    public static ColmapKeypoints Of(IReadOnlyList<Keypoint> keypoints)
    {
        var values = new float[keypoints.Count * 6];
        for (int i = 0; i < keypoints.Count; i++)
        {
            Keypoint keypoint = keypoints[i];
            (double sin, double cos) = Math.SinCos(keypoint.Angle * (Math.PI / 180));
            double sigma = keypoint.Size / 2.0;
            Span<float> row = values.AsSpan(i * 6, 6);
            (row[0], row[1]) = (keypoint.X + Origin, keypoint.Y + Origin);
            (row[2], row[3], row[4], row[5]) = keypoint.IsAffine
                ? (keypoint.Shape.A11, keypoint.Shape.A12, keypoint.Shape.A21, keypoint.Shape.A22)
                : ((float)(sigma * cos), (float)(-sigma * sin), (float)(sigma * sin), (float)(sigma * cos));
        }

        return new ColmapKeypoints(keypoints.Count, 6, MemoryMarshal.AsBytes<float>(values).ToArray());
    }

    /// <summary>Points without scale and orientation: 2 columns, x and y in COLMAP's frame.</summary>
    public static ColmapKeypoints OfPoints(ReadOnlySpan<float> places) =>
        new(places.Length / 2, 2, MemoryMarshal.AsBytes(places).ToArray());

    /// <summary>Where they lie, in COLMAP's frame.</summary>
    public Point2d[] Places()
    {
        var places = new Point2d[Rows];
        ReadOnlySpan<float> values = Values;
        for (int i = 0; i < places.Length; i++)
        {
            places[i] = new Point2d(values[i * Columns], values[(i * Columns) + 1]);
        }

        return places;
    }

    /// <summary>The keypoints in OpenCV's terms.</summary>
    /// <param name="usualSize">The size of keypoints that have none.</param>
    /// <exception cref="InvalidDataException">A keypoint is none; the reason, to be put behind the image's name.</exception>
    public KeypointFrames ToFrames(float usualSize)
    {
        var keypoints = new Keypoint[Rows];
        var regions = new OrientedRegion[Rows];
        bool adapted = false;
        for (int i = 0; i < Rows; i++)
        {
            ReadOnlySpan<float> row = Values.Slice(i * Columns, Columns);
            (float x, float y) = (row[0] - Origin, row[1] - Origin);
            OrientedRegion region = Columns switch
            {
                2 => KeypointFrames.Region(x, y, usualSize / 2, 0, 0, usualSize / 2),
                4 => Turned(x, y, row[2], row[3]),
                _ => KeypointFrames.Region(x, y, row[2], row[3], row[4], row[5]),
            };
            if (!region.Shape.IsValid || !double.IsFinite(region.Angle))
            {
                throw new InvalidDataException($"has a keypoint that is none, number {i + 1}: {string.Join(", ", row.ToArray())}");
            }

            keypoints[i] = new Keypoint(x, y, (float)(2 * region.Shape.Radius), (float)(region.Angle % 360), 0, 0);
            regions[i] = region;
            adapted |= Columns == 6 && !IsCircle(row[2], row[3], row[4], row[5]);
        }

        return new KeypointFrames(keypoints, adapted ? regions : null);
    }

    private static OrientedRegion Turned(float x, float y, float sigma, float radians)
    {
        (double sin, double cos) = Math.SinCos(radians);
        return KeypointFrames.Region(x, y, sigma * cos, -sigma * sin, sigma * sin, sigma * cos);
    }

    private static bool IsCircle(float a11, float a12, float a21, float a22)
    {
        const float Rounding = 1e-4f;
        return Math.Abs(a11 - a22) + Math.Abs(a12 + a21) <= Rounding * (Math.Abs(a11) + Math.Abs(a12));
    }
}
