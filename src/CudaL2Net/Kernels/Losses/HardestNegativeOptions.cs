namespace CudaL2Net.Kernels;

/// <summary>The distance that mining and triplet losses are on.</summary>
public enum DescriptorDistance
{
    /// <summary>sqrt(|a|^2 + |b|^2 - 2 a.b + 1e-6) + 1e-8 (HardNet).</summary>
    Euclidean,

    /// <summary>2 (1 - a.b) (RAL-Net's angular embedding). The paper's cosine gap s(pos) - s(neg) is half of d(neg) - d(pos).</summary>
    Angular,
}

/// <summary>Options of hardest-in-batch mining.</summary>
/// <param name="Distance">The distance.</param>
/// <param name="NearDuplicate">Distances below this are taken for the same place and left out (HardNet 0.008, RAL-Net 6.4e-5).</param>
internal readonly record struct HardestNegativeOptions(DescriptorDistance Distance, float NearDuplicate);
