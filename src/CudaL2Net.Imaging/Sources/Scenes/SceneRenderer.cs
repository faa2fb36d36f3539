using CudaL2Net.Numerics;
using OpenCvSharp;

namespace CudaL2Net.Imaging.Sources.Scenes;

/// <summary>
/// Draws procedural scenes: planes and shapes that hide one another, with a power law of sizes (a dead-leaves model, whose spectrum falls like that of
/// photographs), walls, windows, fences, poles, foliage, marks like writing, in textures no part of which is like another, lit, shadowed and blurred.
/// </summary>
/// <remarks>Thread-safe. A scene is a function of the seed, its index and the size.</remarks>
public sealed class SceneRenderer
{
    private readonly ulong seed;
    // Made with the first scene: patches that are kept need neither it nor OpenCV.
    private readonly Lazy<NoiseTiles> noise;

    /// <summary>Prepares the noise that the textures are made of.</summary>
    /// <param name="seed">Another seed gives other scenes.</param>
    /// <param name="width">Columns of a scene, 64 to 4096.</param>
    /// <param name="height">Rows of a scene, 64 to 4096.</param>
    /// <param name="threads">The most threads that make the noise; 0 is one per core.</param>
    /// <exception cref="ArgumentException">The size is out of range.</exception>
    public SceneRenderer(ulong seed, int width = 640, int height = 480, int threads = 0)
    {
        var parallel = new Parallelism(threads);
        if (width is < 64 or > 4096 || height is < 64 or > 4096)
        {
            throw new ArgumentException($"a scene must have 64 to 4096 columns and rows, not {width} x {height}");
        }

        this.seed = seed;
        (Width, Height) = (width, height);
        noise = new Lazy<NoiseTiles>(() => new NoiseTiles(seed, parallel));
    }

    /// <summary>Columns of a scene.</summary>
    public int Width { get; }

    /// <summary>Rows of a scene.</summary>
    public int Height { get; }

    /// <summary>Draws scene <paramref name="index"/>.</summary>
    /// <returns>8 bits, one channel; the caller disposes of it.</returns>
    public Mat Render(uint index) => new Scene(new PhiloxStream(seed, DrawPurpose.Scene, index), noise.Value, Width, Height).Draw();
}
