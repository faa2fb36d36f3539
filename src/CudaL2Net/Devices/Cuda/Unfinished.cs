using CudaL2Net.Operations;
using CudaL2Net.Tensors;

namespace CudaL2Net.Devices.Cuda;

internal sealed partial class CudaDevice
{
    public void GatherPatches(Tensor<byte> patches, Tensor<int> indices, Tensor<StepParameters> step, in GatherOptions options, Tensor<float>? meanImage, Tensor<float> output) => throw new NotImplementedException();

    public void Conv2dForward(in Conv2dGeometry geometry, Tensor<float> x, Tensor<float> filters, Tensor<float>? bias, Tensor<float> y) => throw new NotImplementedException();

    public void Conv2dBackwardData(in Conv2dGeometry geometry, Tensor<float> dy, Tensor<float> filters, Tensor<float> dx) => throw new NotImplementedException();

    public void Conv2dBackwardFilter(in Conv2dGeometry geometry, Tensor<float> x, Tensor<float> dy, Tensor<float> dFilters, Tensor<float>? dBias) => throw new NotImplementedException();

    public void BatchNormForward(in BatchNormOptions options, Tensor<float> x, Tensor<float>? scale, Tensor<float>? shift, Tensor<float> mean, Tensor<float> inverseDeviation, Tensor<float> runningMean, Tensor<float> runningVariance, Tensor<float> y) => throw new NotImplementedException();

    public void BatchNormBackward(in BatchNormOptions options, Tensor<float> x, Tensor<float>? scale, Tensor<float>? shift, Tensor<float> mean, Tensor<float> inverseDeviation, Tensor<float> dy, Tensor<float> dx, Tensor<float>? dScale, Tensor<float>? dShift) => throw new NotImplementedException();

    public void Dropout(in DropoutOptions options, Tensor<StepParameters> step, Tensor<float> x, Tensor<float> y) => throw new NotImplementedException();

    public void LrnForward(in LrnOptions options, Tensor<float> x, Tensor<float> y) => throw new NotImplementedException();

    public void LrnBackward(in LrnOptions options, Tensor<float> x, Tensor<float> dy, Tensor<float> dx) => throw new NotImplementedException();

    public void UnitVectorForward(Tensor<float> x, Tensor<float> y) => throw new NotImplementedException();

    public void UnitVectorBackward(Tensor<float> x, Tensor<float> dy, Tensor<float> dx) => throw new NotImplementedException();

    public void Add(Tensor<float> x, Tensor<float> y) => throw new NotImplementedException();

    public void CopyColumns(Tensor<float> x, int xFirst, Tensor<float> y, int yFirst, int columns) => throw new NotImplementedException();

    public void DistanceSoftmax(float weight, Tensor<float> descriptors, Tensor<float> loss, Tensor<float> gradient) => throw new NotImplementedException();

    public void Correlation(in CorrelationOptions options, float weight, Tensor<float> features, Tensor<float> loss, Tensor<float> gradient) => throw new NotImplementedException();

    public void IntermediateSoftmax(float similarity, float weight, Tensor<float> features, Tensor<float> loss, Tensor<float> gradient) => throw new NotImplementedException();

    public void SgdUpdate(in SgdOptions options, Tensor<StepParameters> step, Tensor<float> gradient, Tensor<float> velocity, Tensor<float> parameter) => throw new NotImplementedException();

    public void AdamUpdate(in AdamOptions options, Tensor<StepParameters> step, Tensor<float> gradient, Tensor<float> firstMoment, Tensor<float> secondMoment, Tensor<float> parameter) => throw new NotImplementedException();

    public void NearestEuclidean(Tensor<float> queries, Tensor<float> targets, Tensor<int> nearest, Tensor<float> distance) => throw new NotImplementedException();

    public void NearestHamming(Tensor<byte> queries, Tensor<byte> targets, Tensor<int> nearest, Tensor<int> distance) => throw new NotImplementedException();

    public INetworkPlan Plan(FoldedNetwork network) => throw new NotImplementedException();
}
