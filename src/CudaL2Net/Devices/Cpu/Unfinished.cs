using CudaL2Net.Operations;
using CudaL2Net.Tensors;

namespace CudaL2Net.Devices.Cpu;

// Scaffolding while the first kernels are written; it goes with the last of them.
internal sealed unsafe partial class CpuDevice
{






    public void LrnForward(in LrnOptions options, Tensor<float> x, Tensor<float> y) => throw new NotImplementedException();

    public void LrnBackward(in LrnOptions options, Tensor<float> x, Tensor<float> dy, Tensor<float> dx) => throw new NotImplementedException();

    public void DistanceSoftmax(float weight, Tensor<float> descriptors, Tensor<float> loss, Tensor<float> gradient) => throw new NotImplementedException();

    public void Correlation(in CorrelationOptions options, float weight, Tensor<float> features, Tensor<float> loss, Tensor<float> gradient) => throw new NotImplementedException();

    public void IntermediateSoftmax(float similarity, float weight, Tensor<float> features, Tensor<float> loss, Tensor<float> gradient) => throw new NotImplementedException();

    public void GlobalOrthogonal(float weight, Tensor<float> descriptors, Tensor<int> negativePair, Tensor<float> loss, Tensor<float> gradient) => throw new NotImplementedException();

    public void NearestEuclidean(Tensor<float> queries, Tensor<float> targets, Tensor<int> nearest, Tensor<float> distance) => throw new NotImplementedException();

    public void NearestHamming(Tensor<byte> queries, Tensor<byte> targets, Tensor<int> nearest, Tensor<int> distance) => throw new NotImplementedException();


    public void Describe(ReadOnlySpan<byte> patches, Span<float> descriptors, int stride) => throw new NotImplementedException();
}
