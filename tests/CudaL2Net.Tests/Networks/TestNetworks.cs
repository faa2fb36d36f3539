using CudaL2Net.Data;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using CudaL2Net.Training;

namespace CudaL2Net.Tests.Networks;

/// <summary>L2-Net and its centre-surround form as tests take them: without biases, scale and shift fixed.</summary>
internal static class TestNetworks
{
    public static Network L2Net { get; } = Of(centreSurround: false);

    public static Network CentreSurround { get; } = Of(centreSurround: true);

    /// <summary>What is quick to train, with the operations of L2-Net's tower: convolutions fused with batch normalization, dropout, unit vectors.</summary>
    public static Network Small { get; } = new()
    {
        Name = "small",
        Input = new NetworkInput(Normalization: PatchNormalization.PerPatch),
        Towers =
        [
            new Tower
            {
                Layers =
                [
                    new Convolution(Out: 16, Stride: 2, Padding: 1), new BatchNormalization(), new Relu(),
                    new Convolution(Out: 16, Stride: 2, Padding: 1), new BatchNormalization(), new Relu(), new Dropout(),
                    new Convolution(Out: 32, Kernel: 8), new BatchNormalization(), new UnitVector(),
                ],
            },
        ],
    };

    public static Network Of(bool centreSurround) =>
        L2NetTower.Network(centreSurround, PatchNormalization.PerPatch, false, 1e-5f, new bool[7], 0);

    /// <summary>An untrained model of one tower, like the last one that the options train.</summary>
    public static ModelFile Initial(TrainingOptions options, ulong seed = 1)
    {
        Network network = options.Network with
        {
            Input = options.Network.Input with { Side = 32 },
            Towers = [options.Network.Towers[^1] with { View = PatchView.Whole, Trained = true }],
        };
        return new ModelFile(network, NetworkWeights.Initialize(network, seed), 10, new Dictionary<string, string>());
    }

    /// <summary>A tower as the devices' plans take it.</summary>
    public static FoldedNetwork Fold(ModelFile model, int tower = 0) => TowerRunner.Convolutions(ShapedNetwork.Of(model.Network), model.Weights, tower)!;

    /// <summary>All filters of a tower, one behind the other.</summary>
    public static float[] Filters(ModelFile model) =>
        [.. model.Weights.Towers[^1].Layers.Where(layer => layer.Find("filters") != null).SelectMany(layer => layer["filters"])];

    /// <summary>A model with every tensor of one name replaced.</summary>
    public static ModelFile Map(ModelFile model, string tensor, Func<float[], float[]> change) => model with
    {
        Weights = model.Weights with
        {
            Towers = [.. model.Weights.Towers.Select(tower => tower with
            {
                Layers = [.. tower.Layers.Select(layer => layer.Find(tensor) is { } values ? layer.With(tensor, change(values)) : layer)],
            })],
        },
    };
}
