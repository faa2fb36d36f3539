namespace CudaL2Net.Kernels;

/// <summary>Losses on a positive and a negative distance (pos, neg).</summary>
public enum TripletLoss
{
    /// <summary>max(0, margin + pos - neg).</summary>
    Margin,

    /// <summary>1 + tanh(scale x gap), see <see cref="TripletOptions.Scale"/>: RAL-Net's robust form.</summary>
    Tanh,

    /// <summary>-log(e^(2 - pos) / (e^(2 - pos) + e^(2 - neg))).</summary>
    Softmax,

    /// <summary>max(0, margin - neg) + pos.</summary>
    Contrastive,
}

/// <summary>Options of the triplet losses.</summary>
/// <param name="Loss">The form.</param>
/// <param name="Distance">The distance that pos and neg are.</param>
/// <param name="Margin">For <see cref="TripletLoss.Margin"/> and <see cref="TripletLoss.Contrastive"/>.</param>
/// <param name="Scale">For <see cref="TripletLoss.Tanh"/>: the factor on the gap, positive. With <see cref="DescriptorDistance.Angular"/> the gap is that of
/// cosines, cos(neg) - cos(pos): 1 is RAL-Net's equation 4, 2 is its authors' code. With <see cref="DescriptorDistance.Euclidean"/> it is that of distances,
/// pos - neg.</param>
public readonly record struct TripletOptions(TripletLoss Loss, DescriptorDistance Distance, float Margin, float Scale)
{
    /// <summary>The factor on pos - neg. The angular distance 2 (1 - cos) has twice the cosines' gap.</summary>
    internal float DistanceScale => Distance == DescriptorDistance.Angular ? Scale / 2 : Scale;
}
