using CudaL2Net.Imaging.Files;
using CudaL2Net.Imaging.Geometry;
using CudaL2Net.Imaging.Keypoints;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Regions;

/// <summary>Finds elliptical regions of an image, or reads them from a file beside it.</summary>
public sealed class RegionDetector
{
    private readonly Func<string, Mat, OrientedRegion[]> detect;

    private RegionDetector(string name, string settings, Func<string, Mat, OrientedRegion[]> detect)
    {
        Name = name;
        Settings = settings;
        this.detect = detect;
    }

    /// <summary>What <see cref="Open"/> takes: sift, mser, haraff, hesaff.</summary>
    public static IReadOnlyList<string> Names { get; } = ["sift", "mser", "haraff", "hesaff"];

    /// <summary>The detector's name.</summary>
    public string Name { get; }

    /// <summary>The detector's settings in words; they belong to every result.</summary>
    public string Settings { get; }

    /// <summary>A detector by its name.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="limit">For sift: the most keypoints of an image, the strongest.</param>
    /// <param name="threads">The most threads that work at once; 0 is one per core.</param>
    /// <exception cref="ArgumentException">There is no such detector.</exception>
    public static RegionDetector Open(string name, int limit = int.MaxValue, int threads = 0) => name switch
    {
        "sift" => Sift(limit),
        "mser" => Mser(threads),
        "haraff" or "hesaff" => OfFiles(name, threads),
        _ => throw new ArgumentException($"there is no detector '{name}'; the detectors are {string.Join(", ", Names)}", nameof(name)),
    };

    /// <summary>The regions of an image, always in the same order; none in transparent pixels.</summary>
    /// <param name="path">The image's file.</param>
    /// <param name="grey">The image: 8 bits, one channel.</param>
    /// <exception cref="IOException">The file of regions cannot be read.</exception>
    /// <exception cref="InvalidDataException">The file of regions is damaged; the message names it and the line.</exception>
    public OrientedRegion[] Detect(string path, Mat grey) =>
        CutOutImage.Keep(grey, detect(path, grey), region => (region.Shape.X, region.Shape.Y), "regions");

    private static RegionDetector Sift(int limit) => new(
        "sift",
        $"OpenCV's SIFT (difference of Gaussians), {(limit == int.MaxValue ? "all" : $"the {limit} strongest")} keypoints; a disc of radius 2 sigma, so that a "
            + "patch of three times its size is 12 sigma wide; orientations by SIFT, a place with two of them counts twice",
        (_, grey) => Array.ConvertAll(KeypointDetector.Detect(grey, limit), k => new OrientedRegion(Ellipse.Circle(k.X, k.Y, k.Size), k.Angle)));

    private static RegionDetector Mser(int threads) => new(
        "mser",
        "OpenCV's MSER, dark and bright regions, default settings; the ellipse of the region's moments; the dominant orientation of the gradient",
        (_, grey) => RegionPatches.Orient(grey, MserRegions.Find(grey), threads: threads));

    private static RegionDetector OfFiles(string ending, int threads) => new(
        ending,
        $"regions from files IMAGE.{ending}; the dominant orientation of the gradient",
        (path, grey) =>
        {
            string[] places = [$"{path}.{ending}", Path.ChangeExtension(path, ending)];
            string file = places.FirstOrDefault(File.Exists)
                ?? throw new FileNotFoundException($"{path} has no file of regions: expected {places[0]} or {places[1]}", places[0]);
            Ellipse[] regions = EllipseFile.Read(file);

            // A pixel of tolerance: some programs count pixels from 1.
            int outside = Array.FindIndex(regions, region => region.X < -1 || region.Y < -1 || region.X > grey.Width || region.Y > grey.Height);
            return outside < 0 ? RegionPatches.Orient(grey, regions, threads: threads) : throw new InvalidDataException(
                $"{file}: region {outside + 1} is at ({regions[outside].X}, {regions[outside].Y}), outside {path} of {grey.Width} x {grey.Height} pixels");
        });
}
