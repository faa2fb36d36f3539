using CudaL2Net.Tests.Native;

namespace CudaL2Net.Tests.Pipelines;

/// <summary>COLMAP itself, where it is installed.</summary>
internal static class ColmapProgram
{
    /// <summary>Runs <c>colmap</c>, which must succeed; a test is skipped where there is none.</summary>
    /// <returns>What it printed.</returns>
    public static string Run(params string[] arguments)
    {
        // Its windows are never shown, but some of its commands open a display.
        (int code, string output) = NativeLibrary.Run("colmap", arguments, ("QT_QPA_PLATFORM", "offscreen"));
        Assert.That(code, Is.Zero, $"colmap {string.Join(' ', arguments)}\n{output}");
        return output;
    }
}
