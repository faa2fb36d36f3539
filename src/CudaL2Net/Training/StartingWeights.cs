using CudaL2Net.Data;
using CudaL2Net.Networks;

namespace CudaL2Net.Training;

/// <summary>The weights that a training starts from.</summary>
internal static class StartingWeights
{
    /// <summary>Random ones, or those of a trained model.</summary>
    /// <param name="options">The settings.</param>
    /// <param name="training">The training set, for mean images.</param>
    /// <param name="initial">The trained model, or null.</param>
    /// <exception cref="ArgumentException">The model does not suit the network, or a frozen tower has none.</exception>
    public static (Network Network, NetworkWeights Weights) Of(TrainingOptions options, PatchSet training, ModelFile? initial)
    {
        Network wanted = options.Network;
        bool frozen = wanted.Towers.Any(tower => !tower.Trained);
        if (initial == null)
        {
            return frozen
                ? throw new ArgumentException($"the network {wanted.Name} has a frozen tower, so it starts from a trained model: name one (--init)")
                : (wanted, WithMeanImages(wanted, NetworkWeights.Initialize(wanted, options.Seed), training));
        }

        (Network network, NetworkWeights weights) = NetworkStart.From(wanted, initial, keepEpsilon: frozen);
        return (network, WithMeanImages(network, weights, training));
    }

    // A frozen tower keeps the mean image that it was trained with.
    private static NetworkWeights WithMeanImages(Network network, NetworkWeights weights, PatchSet training) => weights with
    {
        Towers =
        [
            .. weights.Towers.Select((tower, t) => !network.Towers[t].Trained ? tower : tower with
            {
                MeanImage = network.Input.HasMeanImage ? MeanImage(training.View(network.Towers[t].View, network.Input.Side), training.Count) : null,
            }),
        ],
    };

    private static float[] MeanImage(byte[] pixels, int count)
    {
        int area = pixels.Length / count;
        var sums = new long[area];
        for (int i = 0; i < pixels.Length; i += area)
        {
            for (int k = 0; k < area; k++)
            {
                sums[k] += pixels[i + k];
            }
        }

        return Array.ConvertAll(sums, sum => (float)((double)sum / count));
    }
}
