using SkiaSharp;

namespace CudaL2Net.Evaluation.Plots;

/// <summary>The font of all images: the first of the common sans-serif families that this machine has.</summary>
internal static class PlotFont
{
    private static readonly string[] Preferred = ["Inter", "Segoe UI", "Helvetica Neue", "DejaVu Sans", "Liberation Sans", "Noto Sans", "Arial"];

    /// <summary>The family's name.</summary>
    public static string Family { get; } = Preferred.FirstOrDefault(SKFontManager.Default.FontFamilies.Contains) ?? SKTypeface.Default.FamilyName;
}
