namespace CudaL2Net.Kernels.Cuda;

internal unsafe partial class CudaDevice
{
    public void Triplet(
        in TripletOptions options, float weight, Tensor<float> descriptors, Tensor<float> positive, Tensor<float> negative, Tensor<int> negativePair,
        Tensor<float> loss, Tensor<float> gradient)
    {
        (int pairs, int width) = PairShape(descriptors);
        if (!Enum.IsDefined(options.Loss))
        {
            throw new ArgumentOutOfRangeException(nameof(options), options.Loss, "unknown triplet loss");
        }

        bool angular = options.Distance == DescriptorDistance.Angular;
        var near = (float*)Scratch(2 * (nuint)pairs * sizeof(float));
        float* far = near + pairs;
        Launch("triplet", "triplet_slopes", 1, 256, 0, (int)options.Loss, angular, options.Margin, options.DistanceScale, weight, positive, negative, negativePair,
            near, far, loss, pairs);
        PairGradient(angular, descriptors, negativePair, near, far, gradient, pairs, width);
    }

    /// <summary>Gathers the terms of all pairs into the rows of the gradient, one warp per row.</summary>
    private void PairGradient(
        bool angular, Tensor<float> descriptors, Tensor<int> negativePair, float* near, float* far, Tensor<float> gradient, int pairs, int width) =>
        Launch("triplet", "pair_gradient", Tiles(2 * pairs, 8), 256, 0, angular, descriptors, negativePair, near, far, gradient, pairs, width);
}
