using CudaL2Net.Operations;
using CudaL2Net.Tensors;

namespace CudaL2Net.Devices.Cpu;

// Scaffolding while the first kernels are written; it goes with the last of them.
internal sealed unsafe partial class CpuDevice
{






    public void ReluForward(Tensor<float> x, Tensor<float> y) => throw new NotImplementedException();

    public void ReluBackward(Tensor<float> x, Tensor<float> dy, Tensor<float> dx) => throw new NotImplementedException();

    public void Dropout(in DropoutOptions options, Tensor<StepParameters> step, Tensor<float> x, Tensor<float> y) => throw new NotImplementedException();

    public void LrnForward(in LrnOptions options, Tensor<float> x, Tensor<float> y) => throw new NotImplementedException();

    public void LrnBackward(in LrnOptions options, Tensor<float> x, Tensor<float> dy, Tensor<float> dx) => throw new NotImplementedException();

    public void UnitVectorForward(Tensor<float> x, Tensor<float> y) => throw new NotImplementedException();

    public void UnitVectorBackward(Tensor<float> x, Tensor<float> dy, Tensor<float> dx) => throw new NotImplementedException();

    public void Add(Tensor<float> x, Tensor<float> y) => throw new NotImplementedException();

    public void DistanceSoftmax(float weight, Tensor<float> descriptors, Tensor<float> loss, Tensor<float> gradient) => throw new NotImplementedException();

    public void Correlation(in CorrelationOptions options, float weight, Tensor<float> features, Tensor<float> loss, Tensor<float> gradient) => throw new NotImplementedException();

    public void IntermediateSoftmax(float similarity, float weight, Tensor<float> features, Tensor<float> loss, Tensor<float> gradient) => throw new NotImplementedException();

    public void HardestNegative(in HardestNegativeOptions options, Tensor<float> descriptors, Tensor<float> positive, Tensor<float> negative, Tensor<int> negativePair) => throw new NotImplementedException();

    public void Triplet(in TripletOptions options, float weight, Tensor<float> descriptors, Tensor<float> positive, Tensor<float> negative, Tensor<int> negativePair, Tensor<float> loss, Tensor<float> gradient) => throw new NotImplementedException();

    public void GlobalOrthogonal(float weight, Tensor<float> descriptors, Tensor<int> negativePair, Tensor<float> loss, Tensor<float> gradient) => throw new NotImplementedException();

    public void SgdUpdate(in SgdOptions options, Tensor<StepParameters> step, Tensor<float> gradient, Tensor<float> velocity, Tensor<float> parameter) => throw new NotImplementedException();

    public void AdamUpdate(in AdamOptions options, Tensor<StepParameters> step, Tensor<float> gradient, Tensor<float> firstMoment, Tensor<float> secondMoment, Tensor<float> parameter) => throw new NotImplementedException();

    public void NearestEuclidean(Tensor<float> queries, Tensor<float> targets, Tensor<int> nearest, Tensor<float> distance) => throw new NotImplementedException();

    public void NearestHamming(Tensor<byte> queries, Tensor<byte> targets, Tensor<int> nearest, Tensor<int> distance) => throw new NotImplementedException();


    public void Describe(ReadOnlySpan<byte> patches, Span<float> descriptors, int stride) => throw new NotImplementedException();
}
