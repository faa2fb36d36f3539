using CudaL2Net.Data;
using CudaL2Net.Kernels;

namespace CudaL2Net.Networks;

/// <summary>
/// L2-Net's tower in the forms that older model files, checkpoints and run.json name by a few settings instead of a description. New code reads descriptions.
/// </summary>
internal static class L2NetTower
{
    /// <summary>The seven convolutions of table 1 of the paper, without biases; each is followed by batch normalization, all but the last by ReLU.</summary>
    public static IReadOnlyList<Convolution> Convolutions { get; } = [.. NetworkFile.Find("hardnet").Towers[0].Layers.OfType<Convolution>()];

    /// <summary>The network that the settings stand for.</summary>
    /// <param name="centreSurround">Whether it is CS L2-Net: a frozen tower on the reduced patch and a trained one on its centre.</param>
    /// <param name="normalization">How patches become its input.</param>
    /// <param name="bias">Whether convolutions have biases.</param>
    /// <param name="epsilon">Batch normalization's epsilon.</param>
    /// <param name="learned">Whether batch normalization learns scale and shift, for each of the seven.</param>
    /// <param name="dropout">The rate of dropout before the last convolution; 0 for none.</param>
    public static Network Network(bool centreSurround, PatchNormalization normalization, bool bias, float epsilon, IReadOnlyList<bool> learned, float dropout)
    {
        var layers = new List<Layer>();
        for (int i = 0; i < Convolutions.Count; i++)
        {
            bool last = i == Convolutions.Count - 1;
            if (last && dropout != 0)
            {
                layers.Add(new Dropout { Rate = dropout });
            }

            layers.Add(Convolutions[i] with { Bias = bias });
            layers.Add(new BatchNormalization { Epsilon = epsilon, Learned = learned[i] });
            layers.Add(last ? new UnitVector() : new Relu());
        }

        Tower[] towers = centreSurround
            ? [new Tower { View = PatchView.Reduced, Trained = false, Layers = layers }, new Tower { View = PatchView.Centre, Layers = layers }]
            : [new Tower { Layers = layers }];
        return new Network
        {
            Name = centreSurround ? "cs-l2net" : "l2net",
            Input = new NetworkInput { Side = centreSurround ? 64 : 32, Normalization = normalization },
            Towers = towers,
        };
    }
}
