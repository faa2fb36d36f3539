using CudaL2Net.Autograd;
using CudaL2Net.Kernels;
using CudaL2Net.Tests.Reference;
using static CudaL2Net.Tests.Reference.Closeness;

namespace CudaL2Net.Tests.Autograd;

/// <summary>The optimizer of training loops of one's own, step by step and replayed, against the double reference.</summary>
public sealed class OwnLoopTests(string device) : OperationTests(device)
{
    private static readonly float[] Start = Samples.Gaussian(1, 37), Target = Samples.Gaussian(2, 37);

    [Test]
    public void SgdIsThatOfTheReference([Values] bool replayed)
    {
        var options = new SgdOptions(0.9f, 0.5f, 0.01f);
        double[] w = Samples.Widen(Start), v = new double[w.Length];
        for (uint step = 0; step < 4; step++)
        {
            (v, w) = Plain.Sgd(options, step, step < 2 ? 0.5f : 0.25f, Gradient(w), v, w);
        }

        AssertClose(Train(replayed, tape => Optimizer.Sgd(tape, 0.5f, 0.9f, 0.5f, 0.01f)), w, 1e-6);
    }

    [Test]
    public void AdamIsThatOfTheReference([Values] bool replayed)
    {
        var options = new AdamOptions(0.8f, 0.95f, 1e-6f, 0.02f);
        double[] w = Samples.Widen(Start), m = new double[w.Length], s = new double[w.Length];
        for (uint step = 0; step < 4; step++)
        {
            (m, s, w) = Plain.Adam(options, step, step < 2 ? 0.5f : 0.25f, Gradient(w), m, s, w);
        }

        AssertClose(Train(replayed, tape => Optimizer.Adam(tape, 0.5f, 0.8f, 0.95f, 1e-6f, 0.02f)), w, 1e-5);
    }

    [Test]
    public void WhatIsMissingIsTold()
    {
        using Device device = Open();
        using var tape = new Tape(device);
        using Tensor<float> w = device.Upload<float>(Start), more = device.Upload<float>(Start);
        Assert.That(() => Optimizer.Sgd(tape, 0.1f), Throws.ArgumentException.With.Message.Contains("no parameters yet"));
        Variable parameter = tape.Parameter(w);
        tape.Loss("mean", parameter);
        using var optimizer = Optimizer.Adam(tape, 0.1f);
        Assert.That(() => Optimizer.Sgd(tape, 0.1f, momentum: 1), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => Optimizer.Adam(tape, 0.1f, epsilon: 0), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => optimizer.LearningRate = float.NaN, Throws.InstanceOf<ArgumentOutOfRangeException>());
        Variable late = tape.Parameter(more);
        Assert.That(() => optimizer.Step(), Throws.InvalidOperationException.With.Message.Contains("2 parameters, and had 1"));
        using var both = Optimizer.Sgd(tape, 0.1f);
        tape.Forward();
        Assert.That(() => both.Step(), Throws.InvalidOperationException.With.Message.Contains("parameter 1 has no gradient"));
        tape.Backward();
        both.Step();
        Assert.That(more.ToArray(), Is.EqualTo(Start), "no operation reads it");
        Assert.That(late.Gradient!.ToArray(), Is.All.Zero);
        Assert.That(both.StepsTaken, Is.EqualTo(1));
    }

    private static double[] Gradient(double[] w) => [.. w.Select((value, i) => 2 * (value - Target[i]) / w.Length)];

    // Four steps against the squared distance from the target; the learning rate is halved after two.
    private float[] Train(bool replayed, Func<Tape, Optimizer> create) => RunOnDevice(device =>
    {
        using var tape = new Tape(device);
        using Tensor<float> w = device.Upload<float>(Start), target = device.Upload<float>(Target);
        Variable difference = tape.Subtract(tape.Parameter(w), tape.Input(target));
        tape.Loss("distance", tape.Multiply(difference, difference));
        using Optimizer optimizer = create(tape);
        void Work()
        {
            tape.Forward();
            tape.Backward();
            optimizer.Step();
        }

        using IReplay replay = device.Record(Work);
        for (int step = 0; step < 4; step++)
        {
            optimizer.LearningRate = step < 2 ? 0.5f : 0.25f;
            if (replayed)
            {
                replay.Run();
            }
            else
            {
                Work();
            }
        }

        Assert.That(optimizer.StepsTaken, Is.EqualTo(4));
        return [device.Upload<float>(w.ToArray())];
    })[0];
}
