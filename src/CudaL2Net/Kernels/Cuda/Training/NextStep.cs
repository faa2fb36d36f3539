namespace CudaL2Net.Kernels.Cuda;

internal partial class CudaDevice
{
    public void NextStep(Tensor<StepParameters> schedule, Tensor<int> cursor, Tensor<StepParameters> step)
    {
        Launch("next_step", "next_step", 1, 1, 0, schedule, schedule.Length, cursor, step);
    }

    public void AdvanceStep(Tensor<StepParameters> step)
    {
        Launch("next_step", "advance_step", 1, 1, 0, step);
    }
}
