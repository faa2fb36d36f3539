using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Imaging.Keypoints;
using OpenCvSharp;

namespace CudaL2Net.Cli.Runs;

/// <summary>Files of keypoints that a command line names.</summary>
internal static class KeypointInput
{
    /// <summary>Reads an image's keypoints.</summary>
    /// <param name="file">Their file.</param>
    /// <param name="path">The image's file, for messages.</param>
    /// <param name="image">The image: 8 bits, one channel.</param>
    /// <param name="usualSize">The size of keypoints whose file has none, in pixels.</param>
    /// <param name="upright">Whether to leave their orientations away.</param>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">The file is damaged, or a keypoint lies outside the image.</exception>
    public static Keypoint[] Read(string file, string path, Mat image, double usualSize, bool upright)
    {
        Keypoint[] keypoints = KeypointFile.Read(file, (float)usualSize, upright ? null : image);
        KeypointFile.RequireInside(file, keypoints, path, image.Width, image.Height);
        return upright ? Array.ConvertAll(keypoints, k => k.Upright()) : keypoints;
    }

    /// <summary>Throws where a file that found keypoints are to be written to holds other ones, or something else.</summary>
    /// <exception cref="UsageException">It does.</exception>
    public static void RequireNoOthers(string file, Keypoint[] found)
    {
        if (File.Exists(file) && !Holds(file, found))
        {
            throw new UsageException(
                $"{file} exists and does not hold the keypoints that were found; nothing was changed",
                $"--keypoints-out FILE writes them elsewhere, --force writes over it, --keypoints {file} describes what is in it");
        }
    }

    // Writing the same keypoints again, as a repeated command does, loses nothing.
    private static bool Holds(string file, Keypoint[] found)
    {
        try
        {
            return KeypointFile.Read(file, 1).SequenceEqual(found.Select(keypoint => keypoint with { Octave = 0 }));
        }
        catch (InvalidDataException)
        {
            return false;
        }
    }
}
