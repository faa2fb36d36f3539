using System.ComponentModel;
using System.Diagnostics;

namespace CudaL2Net.Pipelines.Colmap;

/// <summary>COLMAP's own reconstruction, where it is installed.</summary>
internal static class ColmapMapper
{
    private const string Program = "colmap";

    /// <summary>Reconstructs the images of a database.</summary>
    /// <param name="database">The database, with two_view_geometries.</param>
    /// <param name="images">The images' folder.</param>
    /// <param name="output">An empty folder for the reconstructions.</param>
    /// <param name="cancellation">Ends the program.</param>
    /// <returns>The reconstruction with the most images; null where there is none.</returns>
    /// <exception cref="InvalidOperationException">COLMAP is not installed, or failed; the message says what to do.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static SparseModel? Run(string database, string images, string output, CancellationToken cancellation)
    {
        // On one thread the same matches give the same reconstruction.
        var start = new ProcessStartInfo(
            Program, ["mapper", "--database_path", database, "--image_path", images, "--output_path", output, "--Mapper.num_threads", "1"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["QT_QPA_PLATFORM"] = "offscreen";
        using Process process = Start(start);
        using CancellationTokenRegistration stop = cancellation.Register(() => process.Kill(entireProcessTree: true));
        Task<string> error = process.StandardError.ReadToEndAsync(CancellationToken.None);
        string said = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        cancellation.ThrowIfCancellationRequested();
        SparseModel? best = Directory.EnumerateDirectories(output).Order(StringComparer.Ordinal).Select(SparseModel.Read).MaxBy(model => model.Images.Count);

        // It also ends with an error where it found no pair of images to start with.
        return process.ExitCode == 0 || best is not null || said.Contains("No good initial image pair found", StringComparison.Ordinal)
            || said.Contains("No images with matches found", StringComparison.Ordinal)
            ? best
            : throw new InvalidOperationException($"`colmap mapper` failed with code {process.ExitCode}: {LastLine(error.Result.Trim().Length > 0 ? error.Result : said)}");
    }

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception error)
        {
            throw new InvalidOperationException("COLMAP is not installed, or `colmap` is not on the PATH. On Debian and Ubuntu: apt-get install colmap", error);
        }
    }

    private static string LastLine(string text) => text.TrimEnd().Split('\n')[^1].Trim();
}
