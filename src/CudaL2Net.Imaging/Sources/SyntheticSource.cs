using CudaL2Net.Imaging.Sources.Scenes;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Sources;

/// <summary>Procedural scenes without end: `synthetic`.</summary>
/// <param name="sceneSeed">Another seed gives other scenes.</param>
/// <param name="width">Columns of a scene.</param>
/// <param name="height">Rows of a scene.</param>
/// <param name="threads">The most threads that prepare the scenes; 0 is one per core.</param>
/// <exception cref="ArgumentException">The size is out of range.</exception>
public sealed class SyntheticSource(ulong sceneSeed, int width = 640, int height = 480, int threads = 0) : ImageSource
{
    private readonly SceneRenderer renderer = new(sceneSeed, width, height, threads);

    /// <inheritdoc/>
    public override string Identity => $"synthetic scenes 1, seed {sceneSeed}, {renderer.Width} x {renderer.Height}";

    /// <inheritdoc/>
    protected override int? Count => null;

    /// <inheritdoc/>
    protected override Mat Load(int index, PairOptions options) => renderer.Render((uint)index);

    /// <inheritdoc/>
    protected override int[]? Order(ulong seed) => null;

    /// <inheritdoc/>
    protected override string Barren(int damaged) => "the scenes have no keypoint with these options; lower the least deviation";
}
