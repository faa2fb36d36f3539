namespace CudaL2Net.Kernels.Cuda;

internal unsafe partial class CudaDevice
{
    public void GlobalOrthogonal(float weight, Tensor<float> descriptors, Tensor<int> negativePair, Tensor<float> loss, Tensor<float> gradient)
    {
        (int pairs, int width) = PairShape(descriptors);
        var products = (float*)Scratch((nuint)pairs * sizeof(float));
        Launch("triplet", "orthogonal_products", Tiles(pairs, 8), 256, 0, descriptors, negativePair, products, pairs, width);
        Launch("triplet", "orthogonal_slopes", 1, 256, 0, weight, negativePair, products, loss, pairs, width);
        PairGradient(true, descriptors, negativePair, null, products, gradient, pairs, width);
    }
}
