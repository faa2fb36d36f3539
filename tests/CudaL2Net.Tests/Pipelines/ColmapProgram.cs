using System.ComponentModel;
using System.Diagnostics;

namespace CudaL2Net.Tests.Pipelines;

/// <summary>COLMAP itself, where it is installed.</summary>
internal static class ColmapProgram
{
    /// <summary>Runs <c>colmap</c>, which must succeed; a test is skipped where there is none.</summary>
    /// <returns>What it printed.</returns>
    public static string Run(params string[] arguments)
    {
        var start = new ProcessStartInfo("colmap", arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        // Its windows are never shown, but some of its commands open a display.
        start.Environment["QT_QPA_PLATFORM"] = "offscreen";
        try
        {
            using Process colmap = Process.Start(start)!;
            Task<string> error = colmap.StandardError.ReadToEndAsync();
            string output = colmap.StandardOutput.ReadToEnd() + error.Result;
            colmap.WaitForExit();
            Assert.That(colmap.ExitCode, Is.Zero, $"colmap {string.Join(' ', arguments)}\n{output}");
            return output;
        }
        catch (Win32Exception)
        {
            Assert.Ignore("COLMAP is not installed (Debian and Ubuntu: apt-get install colmap)");
            throw;
        }
    }
}
