using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Kernels.Operations;

public sealed class NextStepTests(string device) : OperationTests(device)
{
    [Test]
    public void WalksTheScheduleAndStaysAtItsEnd()
    {
        StepParameters[] entries =
            [.. Enumerable.Range(0, 5).Select(i => new StepParameters { Step = (uint)i + 7, BatchOffset = 256 * i, LearningRate = 0.5f - (0.1f * i) })];
        using Device device = Open();
        using Tensor<StepParameters> schedule = device.Upload<StepParameters>(entries), step = device.Allocate<StepParameters>(1);
        using Tensor<int> cursor = device.Upload<int>([2]);
        foreach (int expected in new[] { 2, 3, 4, 4 })
        {
            device.Kernels.NextStep(schedule, cursor, step);
            Assert.That(step.ToArray()[0], Is.EqualTo(entries[expected]));
            Assert.That(cursor.ToArray()[0], Is.EqualTo(expected + 1));
        }
    }

    [Test]
    public void AdvancingCountsTheStepAndLeavesTheRest()
    {
        using Device device = Open();
        using Tensor<StepParameters> step = device.Upload<StepParameters>([new StepParameters { Step = 41, BatchOffset = 5, LearningRate = 0.25f }]);
        device.Kernels.AdvanceStep(step);
        device.Kernels.AdvanceStep(step);
        Assert.That(step.ToArray()[0], Is.EqualTo(new StepParameters { Step = 43, BatchOffset = 5, LearningRate = 0.25f }));
    }
}
