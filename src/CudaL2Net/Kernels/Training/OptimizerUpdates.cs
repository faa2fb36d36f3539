namespace CudaL2Net.Kernels;

/// <summary>Options of stochastic gradient descent.</summary>
/// <param name="Momentum">Factor on the velocity.</param>
/// <param name="Dampening">1 - the factor on the gradient, from the second step on.</param>
/// <param name="WeightDecay">Factor of the weights that is added to the gradient.</param>
internal readonly record struct SgdOptions(float Momentum, float Dampening, float WeightDecay);

/// <summary>Options of Adam and AdamW.</summary>
/// <param name="Beta1">Decay of the first moment.</param>
/// <param name="Beta2">Decay of the second moment.</param>
/// <param name="Epsilon">Added to the root of the second moment.</param>
/// <param name="WeightDecay">Decoupled: w is first multiplied by 1 - learningRate x decay.</param>
internal readonly record struct AdamOptions(float Beta1, float Beta2, float Epsilon, float WeightDecay);
