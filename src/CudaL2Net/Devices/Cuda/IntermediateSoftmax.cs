using CudaL2Net.Tensors;

namespace CudaL2Net.Devices.Cuda;

internal sealed unsafe partial class CudaDevice
{
    public void IntermediateSoftmax(float similarity, float weight, Tensor<float> features, Tensor<float> loss, Tensor<float> gradient)
    {
        (int pairs, int width) = PairShape(features);
        RequireSameLength(features, gradient);
        RequireLength(loss, 1, nameof(loss));
        float* first = features.Pointer, second = first + ((long)pairs * width);
        var softmax = new SoftmaxScratch(this, pairs, width);
        RowProducts(new(first, width, 1), pairs, new(second, width, 1), pairs, width, softmax.Range, softmax.Products);
        PairSoftmax(softmax, features, similarity, weight, loss, distances: false);
        RowProducts(new(softmax.Matrix, pairs, 1), pairs, new(second, 1, width), width, pairs, pairs, gradient.Pointer);
        RowProducts(new(softmax.Matrix, 1, pairs), pairs, new(first, 1, width), width, pairs, pairs, gradient.Pointer + ((long)pairs * width));
    }
}
