namespace CudaL2Net.Kernels;

/// <summary>MatConvNet's parameters of local response normalization.</summary>
/// <param name="Channels">Channels of x, its last dimension.</param>
/// <param name="Window">n: channels in the sum.</param>
/// <param name="Kappa">Added to the sum.</param>
/// <param name="Alpha">Factor on the sum of squares (not divided by n).</param>
/// <param name="Beta">Exponent.</param>
public readonly record struct LrnOptions(int Channels, int Window, float Kappa, float Alpha, float Beta);
