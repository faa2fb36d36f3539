namespace CudaL2Net.Networks;

/// <summary>The networks.</summary>
public enum Architecture
{
    /// <summary>One tower: 32 x 32 in, 128 values out. L2-Net, HardNet and RAL-Net share it.</summary>
    L2Net,

    /// <summary>CS L2-Net: a tower on the reduced 64 x 64 patch and one on its central 32 x 32 pixels, 256 values out.</summary>
    CentreSurround,
}

/// <summary>One convolution of the tower.</summary>
/// <param name="Kernel">Filter rows and columns.</param>
/// <param name="InChannels">Input channels.</param>
/// <param name="OutChannels">Output channels.</param>
/// <param name="Stride">Stride.</param>
/// <param name="Padding">Zeros on each side.</param>
public readonly record struct TowerLayer(int Kernel, int InChannels, int OutChannels, int Stride, int Padding)
{
    /// <summary>Weights of the filter bank.</summary>
    public int FilterLength => OutChannels * Kernel * Kernel * InChannels;

    /// <summary>L2-Net's seven convolutions (table 1 of the paper). Each is followed by batch normalization; all but the last by ReLU.</summary>
    public static IReadOnlyList<TowerLayer> All { get; } =
    [
        new(3, 1, 32, 1, 1),
        new(3, 32, 32, 1, 1),
        new(3, 32, 64, 2, 1),
        new(3, 64, 64, 1, 1),
        new(3, 64, 128, 2, 1),
        new(3, 128, 128, 1, 1),
        new(8, 128, 128, 1, 0),
    ];
}
