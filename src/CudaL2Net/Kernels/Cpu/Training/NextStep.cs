namespace CudaL2Net.Kernels.Cpu;

/// <summary>The parameters of the next step, out of the schedule.</summary>
internal sealed unsafe partial class CpuDevice
{
    public void NextStep(Tensor<StepParameters> schedule, Tensor<int> cursor, Tensor<StepParameters> step)
    {
        int entry = Math.Min(*cursor.Pointer, schedule.Length - 1);
        *step.Pointer = schedule.Pointer[entry];
        *cursor.Pointer = entry + 1;
    }

    public void AdvanceStep(Tensor<StepParameters> step)
    {
        step.Pointer->Step++;
    }
}
