namespace CudaL2Net.Kernels;

/// <summary>What changes from one training step to the next. Lives in device memory, so that a recorded step need not change.</summary>
public struct StepParameters
{
    /// <summary>The step, counted from 0 over the whole training.</summary>
    public uint Step;

    /// <summary>Where this batch's rows start in the epoch's list of indices.</summary>
    public int BatchOffset;

    /// <summary>The learning rate of this step.</summary>
    public float LearningRate;
}
