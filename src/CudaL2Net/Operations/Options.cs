namespace CudaL2Net.Operations;

/// <summary>What changes from one training step to the next. Lives in device memory, so that a recorded step need not change.</summary>
public struct StepParameters
{
    /// <summary>The step, counted from 0 over the whole training.</summary>
    public uint Step;

    /// <summary>Where this batch's rows start in the epoch's list of indices.</summary>
    public int BatchOffset;

    /// <summary>The learning rate of this step.</summary>
    public float LearningRate;
}

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

/// <summary>
/// The numbers that matrix products multiply on a CUDA device. Weights, sums, losses and everything that is not a product are float32: operands are rounded to
/// nearest while they are loaded. <see cref="Int8"/>, for describing only, differs.
/// </summary>
public enum Precision
{
    /// <summary>float32 by fused multiply-adds: 24 significant bits.</summary>
    Float32,

    /// <summary>TensorFloat-32 on tensor cores: 11 significant bits, float32's range.</summary>
    Tf32,

    /// <summary>bfloat16 on tensor cores: 8 significant bits, float32's range. The activations of L2-Net's convolutions but the last, and the gradients of these
    /// activations, are kept in memory as bfloat16, too (<see cref="Devices.IImageKernels"/>).</summary>
    Bf16,

    /// <summary>
    /// For describing; a training is refused. Layers 2 to 6 of L2-Net's tower multiply unsigned bytes (activations after ReLU, in 255ths of what batch
    /// normalization lets expect, <see cref="FoldedLayer.Limits"/>) and signed bytes (filters, with a scale for each output), and sum integers. Everything
    /// else, other networks included, is as in <see cref="Bf16"/>.
    /// </summary>
    Int8,
}

/// <summary>Whose kernels a CUDA device trains with.</summary>
public enum KernelSet
{
    /// <summary>This library's.</summary>
    Own,

    /// <summary>NVIDIA's where it has one, to compare with: convolutions and, in float32 and tf32, batch normalization by cuDNN, matrix products of losses by
    /// cuBLAS.</summary>
    Vendor,
}

/// <summary>Sizes of a two-dimensional convolution.</summary>
/// <param name="Batch">Images.</param>
/// <param name="Height">Input rows.</param>
/// <param name="Width">Input columns.</param>
/// <param name="InChannels">Input channels.</param>
/// <param name="OutChannels">Output channels.</param>
/// <param name="KernelHeight">Filter rows.</param>
/// <param name="KernelWidth">Filter columns.</param>
/// <param name="Stride">Step of the output grid on the input, at least 1.</param>
/// <param name="Padding">Zeros on each side, at least 0.</param>
public readonly record struct Conv2dGeometry(int Batch, int Height, int Width, int InChannels, int OutChannels, int KernelHeight, int KernelWidth, int Stride,
    int Padding)
{
    /// <summary>Output rows.</summary>
    public int OutHeight => ((Height + (2 * Padding) - KernelHeight) / Stride) + 1;

    /// <summary>Output columns.</summary>
    public int OutWidth => ((Width + (2 * Padding) - KernelWidth) / Stride) + 1;

    /// <summary>Multiply-adds of the forward pass.</summary>
    public long MultiplyAdds => (long)Batch * OutHeight * OutWidth * OutChannels * KernelHeight * KernelWidth * InChannels;
}

/// <summary>Options of batch normalization.</summary>
/// <param name="Sides">2 where each side of the pair has its own statistics, 1 where the batch has one.</param>
/// <param name="Epsilon">Added to the variance.</param>
/// <param name="Momentum">Weight of a batch in the running statistics.</param>
/// <param name="Relu">Whether ReLU follows.</param>
public readonly record struct BatchNormOptions(int Sides, float Epsilon, float Momentum, bool Relu);

/// <summary>Options of dropout.</summary>
/// <param name="Rate">The probability that an element is dropped, 0 &lt;= rate &lt; 1.</param>
/// <param name="Seed">The run's seed.</param>
public readonly record struct DropoutOptions(float Rate, ulong Seed);

/// <summary>MatConvNet's parameters of local response normalization.</summary>
/// <param name="Channels">Channels of x, its last dimension.</param>
/// <param name="Window">n: channels in the sum.</param>
/// <param name="Kappa">Added to the sum.</param>
/// <param name="Alpha">Factor on the sum of squares (not divided by n).</param>
/// <param name="Beta">Exponent.</param>
public readonly record struct LrnOptions(int Channels, int Window, float Kappa, float Alpha, float Beta);

/// <summary>Options of the correlation loss.</summary>
/// <param name="FirstSideOnly">HardNet's penalty is on the anchors only; L2-Net's on both sides.</param>
/// <param name="Exact">Equation 6 in full, with the mean removed and each dimension divided by its deviation; else Y Y' / p, which is the same right after
/// batch normalization.</param>
public readonly record struct CorrelationOptions(bool FirstSideOnly, bool Exact);

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
public readonly record struct HardestNegativeOptions(DescriptorDistance Distance, float NearDuplicate);

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

/// <summary>Options of stochastic gradient descent.</summary>
/// <param name="Momentum">Factor on the velocity.</param>
/// <param name="Dampening">1 - the factor on the gradient, from the second step on.</param>
/// <param name="WeightDecay">Factor of the weights that is added to the gradient.</param>
public readonly record struct SgdOptions(float Momentum, float Dampening, float WeightDecay);

/// <summary>Options of Adam and AdamW.</summary>
/// <param name="Beta1">Decay of the first moment.</param>
/// <param name="Beta2">Decay of the second moment.</param>
/// <param name="Epsilon">Added to the root of the second moment.</param>
/// <param name="WeightDecay">Decoupled: w is first multiplied by 1 - learningRate x decay.</param>
public readonly record struct AdamOptions(float Beta1, float Beta2, float Epsilon, float WeightDecay);
