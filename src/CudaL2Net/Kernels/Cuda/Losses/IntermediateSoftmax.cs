namespace CudaL2Net.Kernels.Cuda;

internal unsafe partial class CudaDevice
{
    public void IntermediateSoftmax(float similarity, float weight, Tensor<float> features, Tensor<float> loss, Tensor<float> gradient)
    {
        (int pairs, int width) = PairShape(features);
        float* first = features.Pointer, second = first + ((long)pairs * width);
        float* dFirst = gradient.Pointer, dSecond = dFirst + ((long)pairs * width);
        var softmax = new SoftmaxScratch(this, pairs, width);
        RowProducts(new(first, width), pairs, new(second, width), pairs, width, softmax.Range, softmax.Products);
        PairSoftmax(softmax, features, similarity, weight, loss, distances: false);
        RowProducts(new(softmax.Matrix, pairs), pairs, new(second, width, transposed: true), width, pairs, pairs, dFirst);
        RowProducts(new(softmax.Matrix, pairs, transposed: true), pairs, new(first, width, transposed: true), width, pairs, pairs, dSecond);
    }
}
