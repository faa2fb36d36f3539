namespace CudaL2Net.Kernels.Cuda;

internal partial class CudaDevice
{
    public void SgdUpdate(in SgdOptions options, Tensor<StepParameters> step, Tensor<float> gradient, Tensor<float> velocity, Tensor<float> parameter)
    {
        Launch("optimizer", "sgd", Blocks(parameter.Length / 4), 256, 0, gradient, velocity, parameter, parameter.Length, options.Momentum, options.Dampening,
            options.WeightDecay, step);
    }

    public void AdamUpdate(in AdamOptions options, Tensor<StepParameters> step, Tensor<float> gradient, Tensor<float> firstMoment, Tensor<float> secondMoment,
        Tensor<float> parameter)
    {
        Launch("optimizer", "adam", Blocks(parameter.Length / 4), 256, 0, gradient, firstMoment, secondMoment, parameter, parameter.Length, options.Beta1,
            options.Beta2, options.Epsilon, options.WeightDecay, step);
    }
}
