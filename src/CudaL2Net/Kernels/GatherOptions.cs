namespace CudaL2Net.Kernels;

/// <summary>How a byte patch becomes the network's input.</summary>
public enum PatchNormalization
{
    /// <summary>Per patch: (x - mean) / (deviation + 1e-7), deviation with n - 1. HardNet and RAL-Net; the constants they use on top cancel.</summary>
    PerPatch,

    /// <summary>Minus the training set's mean image, then per patch (x - mean) / (deviation + 1e-12), deviation with n - 1, pixels in 0..255. L2-Net.</summary>
    L2Net,
}

/// <summary>Which symmetries of the square a training pair may be turned by.</summary>
public enum PatchAugmentation
{
    /// <summary>None.</summary>
    None,

    /// <summary>All eight: rotations by 90 degrees and flips (L2-Net's "+").</summary>
    Dihedral,

    /// <summary>With probability 1/2 a transpose, with probability 1/2 a horizontal flip (the "+" of HardNet's and RAL-Net's code).</summary>
    TransposeFlip,
}

/// <summary>Options of the gather kernel.</summary>
/// <param name="Normalization">How bytes become floats.</param>
/// <param name="Augmentation">The symmetries drawn for each pair.</param>
/// <param name="Seed">The run's seed; the draw is a function of (seed, step, pair).</param>
public readonly record struct GatherOptions(PatchNormalization Normalization, PatchAugmentation Augmentation, ulong Seed);
