using CudaL2Net.Matching;

namespace CudaL2Net.Imaging.Description;

/// <summary>
/// A patch descriptor as evaluations run it: a network, SIFT, or any other method that turns grey patches into descriptors. Whether they are compared by
/// Euclidean or by Hamming distance lies in the <see cref="DescriptorSet"/> that it returns. Many threads may use one at once.
/// </summary>
public interface IPatchDescriber : IPatchMethod
{
    /// <summary>Values, or bits, of a descriptor.</summary>
    int Dimension { get; }

    /// <summary>Whether the descriptors are bits, compared by Hamming distance; else they are floats, compared by Euclidean distance.</summary>
    bool IsBinary { get; }

    /// <summary>The side of patches that are best cut for this method where they are cut from images: 32, 64 or 65.</summary>
    int PatchSide { get; }

    /// <summary>The side of a patch in the image, in diameters of the keypoint it is cut around.</summary>
    double PatchScale { get; }

    /// <summary>Describes patches.</summary>
    /// <param name="patches">[n][side][side] grey values, row by row; n may be 0.</param>
    /// <param name="side">32, 64 or 65; centre-surround networks take 64 and 65.</param>
    /// <returns>n descriptors in the patches' order, all of them finite.</returns>
    /// <exception cref="ArgumentException">The side is not taken, or the bytes are no whole number of patches.</exception>
    /// <exception cref="InvalidDataException">The network in a file that the user named gives no finite numbers.</exception>
    DescriptorSet Describe(ReadOnlySpan<byte> patches, int side);
}
