namespace CudaL2Net.Kernels;

/// <summary>Losses on a positive and a negative distance (pos, neg).</summary>
public enum TripletLoss
{
    /// <summary>max(0, margin + pos - neg).</summary>
    Margin,

    /// <summary>1 + tanh(scale (pos - neg)): RAL-Net's robust form.</summary>
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
/// <param name="Scale">For <see cref="TripletLoss.Tanh"/>: factor on the gap of distances.</param>
public readonly record struct TripletOptions(TripletLoss Loss, DescriptorDistance Distance, float Margin, float Scale);
