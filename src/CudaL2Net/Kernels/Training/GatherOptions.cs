namespace CudaL2Net.Kernels;

/// <summary>How a byte patch becomes the network's input.</summary>
public enum PatchNormalization
{
    /// <summary>Per patch: (x - mean) / (deviation + 1e-7), deviation with n - 1. HardNet and RAL-Net; the constants they use on top cancel.</summary>
    PerPatch,

    /// <summary>Minus the training set's mean image, then per patch (x - mean) / (deviation + 1e-12), deviation with n - 1, pixels in 0..255. L2-Net.</summary>
    L2Net,

    /// <summary>
    /// Every pixel alike: (x - mean image - <see cref="GatherOptions.Mean"/>) / <see cref="GatherOptions.Deviation"/>, pixels in 0..255. MatchNet takes 128 and
    /// 160 without a mean image, PN-Net the mean and deviation of the training set's pixels, TNet the mean image with 0 and 1.
    /// </summary>
    Fixed,

    /// <summary>Per patch: (x - the patch's mean) / <see cref="GatherOptions.Deviation"/>, pixels in 0..255. DeepCompare takes 256.</summary>
    Centred,
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
/// <param name="Mean">What <see cref="PatchNormalization.Fixed"/> subtracts, in units of pixels 0..255; finite. The other ways ignore it.</param>
/// <param name="Deviation">What <see cref="PatchNormalization.Fixed"/> and <see cref="PatchNormalization.Centred"/> divide by, in units of pixels 0..255; finite
/// and above 0. The other ways ignore it.</param>
public readonly record struct GatherOptions(
    PatchNormalization Normalization, PatchAugmentation Augmentation, ulong Seed, float Mean = 0, float Deviation = 1)
{
    /// <summary>Whether the mean image is subtracted, if there is one.</summary>
    internal bool TakesMeanImage => Normalization is PatchNormalization.L2Net or PatchNormalization.Fixed;

    /// <summary>What is added to a patch's deviation where the patch is divided by it.</summary>
    internal double Epsilon => Normalization == PatchNormalization.L2Net ? 1e-12 : 1e-7;

    /// <summary>The side of the patches that a call is about: 32 or 64.</summary>
    /// <param name="patches">[count][side][side].</param>
    /// <param name="meanImage">[side][side], or null.</param>
    /// <param name="output">[rows][side][side][1].</param>
    /// <exception cref="ArgumentException">A tensor has another shape, a number is out of its range, or rows that are turned in pairs are odd in number.</exception>
    internal int RequireSide(ReadOnlySpan<int> patches, ReadOnlySpan<int> meanImage, ReadOnlySpan<int> output)
    {
        if (patches.Length != 3 || patches[1] != patches[2] || patches[1] is not (32 or 64))
        {
            throw new ArgumentException($"patches must be [count][32][32] or [count][64][64], not {Text(patches)}", nameof(patches));
        }

        int side = patches[1];
        if (output.Length != 4 || !output[1..].SequenceEqual([side, side, 1]))
        {
            throw new ArgumentException($"the output of patches {Text(patches)} must be [rows][{side}][{side}][1], not {Text(output)}", nameof(output));
        }

        if (TakesMeanImage && !meanImage.IsEmpty && !meanImage.SequenceEqual([side, side]))
        {
            throw new ArgumentException($"the mean image of patches {Text(patches)} must be [{side}][{side}], not {Text(meanImage)}", nameof(meanImage));
        }

        if (Augmentation != PatchAugmentation.None && output[0] % 2 != 0)
        {
            throw new ArgumentException($"both patches of a pair are turned alike, so the rows must be even in number, not {output[0]}", "rows");
        }

        if (Normalization == PatchNormalization.Fixed && !float.IsFinite(Mean))
        {
            throw new ArgumentException($"the mean that is subtracted must be finite, not {Mean}", "options");
        }

        bool divides = Normalization is PatchNormalization.Fixed or PatchNormalization.Centred;
        return !divides || (float.IsFinite(Deviation) && Deviation > 0)
            ? side
            : throw new ArgumentException($"the deviation that is divided by must be finite and above 0, not {Deviation}", "options");

        static string Text(ReadOnlySpan<int> shape) => $"[{string.Join("][", shape.ToArray())}]";
    }
}
