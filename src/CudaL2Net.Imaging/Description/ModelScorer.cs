using CudaL2Net.Networks;

namespace CudaL2Net.Imaging.Description;

/// <summary>A network that scores pairs.</summary>
public sealed class ModelScorer : IPairScorer
{
    private readonly PatchModel model;

    /// <summary>Takes a network.</summary>
    /// <param name="name">The name in tables and plots.</param>
    /// <param name="model">The network; the caller keeps and disposes of it.</param>
    /// <exception cref="ArgumentException">The network describes patches.</exception>
    public ModelScorer(string name, PatchModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (!model.ScoresPairs)
        {
            throw new ArgumentException($"{name} (network {model.Network.Name}) describes patches: take a ModelDescriber", nameof(model));
        }

        (Name, this.model) = (name, model);
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public float[] Score(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, int side) => model.Score(first, second, side);
}
