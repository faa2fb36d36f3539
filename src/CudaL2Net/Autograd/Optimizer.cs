using CudaL2Net.Kernels;

namespace CudaL2Net.Autograd;

/// <summary>
/// Moves the parameters of a tape against their gradients, for training loops of your own. One step is <see cref="Tape.Forward"/>,
/// <see cref="Tape.Backward"/>, <see cref="Step()"/>. All three may stand inside <see cref="Device.Record"/>.
/// </summary>
public sealed class Optimizer : IDisposable
{
    private readonly Tape tape;
    private readonly Action<Variable, Tensor<float>[]> update;
    private readonly Variable[] parameters;
    private readonly Tensor<float>[][] moments;
    private readonly Tensor<StepParameters> state;
    private float learningRate;

    private Optimizer(Tape tape, float learningRate, int momentsOfEach, Func<Tensor<StepParameters>, Action<Variable, Tensor<float>[]>> update)
    {
        RequireRate(learningRate);
        this.tape = tape;
        this.learningRate = learningRate;
        parameters = [.. tape.Parameters];
        moments = [.. parameters.Select(parameter => Enumerable.Range(0, momentsOfEach).Select(_ => tape.Device.Allocate<float>(parameter.Shape)).ToArray())];
        state = tape.Device.Upload<StepParameters>([new StepParameters { LearningRate = learningRate }]);
        this.update = update(state);
    }

    /// <summary>Factor on the moves. A new one may be set between steps, but not inside <see cref="Device.Record"/>; the next step takes it, replayed or not.
    /// Setting it waits for the device.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is negative or not finite.</exception>
    public float LearningRate
    {
        get => learningRate;
        set
        {
            RequireRate(value);
            if (value != learningRate)
            {
                StepParameters now = state.ToArray()[0];
                now.LearningRate = value;
                state.Write([now]);
                learningRate = value;
            }
        }
    }

    /// <summary>The number of steps taken. Waits for the device.</summary>
    public int StepsTaken => (int)state.ToArray()[0].Step;

    /// <summary>What changes from step to step, [1], in device memory: for operations that draw random numbers, such as dropout.</summary>
    public Tensor<StepParameters> State => state;

    /// <summary>
    /// Stochastic gradient descent: v = momentum v + (1 - dampening) (g + decay w), the first step v = g + decay w; w -= rate v.
    /// </summary>
    /// <param name="tape">Its parameters are moved; all of them must have been recorded.</param>
    /// <param name="learningRate">The factor on the moves, at least 0.</param>
    /// <param name="momentum">From 0 to below 1.</param>
    /// <param name="dampening">From 0 to 1.</param>
    /// <param name="weightDecay">At least 0.</param>
    /// <exception cref="ArgumentException">A number is out of its range, or the tape has no parameters.</exception>
    public static Optimizer Sgd(Tape tape, float learningRate, float momentum = 0.9f, float dampening = 0, float weightDecay = 0)
    {
        RequireParameters(tape);
        RequireRange(momentum is >= 0 and < 1, momentum, nameof(momentum));
        RequireRange(dampening is >= 0 and <= 1, dampening, nameof(dampening));
        RequireRange(weightDecay >= 0 && float.IsFinite(weightDecay), weightDecay, nameof(weightDecay));
        var options = new SgdOptions(momentum, dampening, weightDecay);
        IKernels kernels = tape.Device.Kernels;
        return new Optimizer(tape, learningRate, 1, step => (parameter, moments) =>
            kernels.SgdUpdate(options, step, parameter.Gradient!, moments[0], parameter.Value));
    }

    /// <summary>Adam, with decoupled weight decay (AdamW) where there is one.</summary>
    /// <param name="tape">Its parameters are moved; all of them must have been recorded.</param>
    /// <param name="learningRate">The factor on the moves, at least 0.</param>
    /// <param name="beta1">Decay of the first moment, from 0 to below 1.</param>
    /// <param name="beta2">Decay of the second moment, from 0 to below 1.</param>
    /// <param name="epsilon">Is added to the root of the second moment, above 0.</param>
    /// <param name="weightDecay">At least 0.</param>
    /// <exception cref="ArgumentException">A number is out of its range, or the tape has no parameters.</exception>
    public static Optimizer Adam(Tape tape, float learningRate, float beta1 = 0.9f, float beta2 = 0.999f, float epsilon = 1e-8f, float weightDecay = 0)
    {
        RequireParameters(tape);
        RequireRange(beta1 is >= 0 and < 1, beta1, nameof(beta1));
        RequireRange(beta2 is >= 0 and < 1, beta2, nameof(beta2));
        RequireRange(epsilon > 0 && float.IsFinite(epsilon), epsilon, nameof(epsilon));
        RequireRange(weightDecay >= 0 && float.IsFinite(weightDecay), weightDecay, nameof(weightDecay));
        var options = new AdamOptions(beta1, beta2, epsilon, weightDecay);
        IKernels kernels = tape.Device.Kernels;
        return new Optimizer(tape, learningRate, 2, step => (parameter, moments) =>
            kernels.AdamUpdate(options, step, parameter.Gradient!, moments[0], moments[1], parameter.Value));
    }

    /// <summary>Moves all parameters once. Their gradients must be there: <see cref="Tape.Backward"/> comes before.</summary>
    /// <exception cref="InvalidOperationException">No backward pass has been done, or parameters were recorded after this optimizer was made.</exception>
    public void Step()
    {
        if (tape.Parameters.Count != parameters.Length)
        {
            throw new InvalidOperationException(
                $"the tape has {tape.Parameters.Count} parameters, and had {parameters.Length} when the optimizer was made: make it after the last one");
        }

        for (int i = 0; i < parameters.Length; i++)
        {
            if (parameters[i].Gradient == null)
            {
                throw new InvalidOperationException($"parameter {i} has no gradient: run the tape's Forward and Backward before a step");
            }

            update(parameters[i], moments[i]);
        }

        tape.Device.Kernels.AdvanceStep(state);
    }

    /// <summary>Sets <see cref="LearningRate"/> and moves all parameters once. Inside <see cref="Device.Record"/> only with a rate that stays.</summary>
    /// <param name="rate">The learning rate.</param>
    public void Step(float rate)
    {
        LearningRate = rate;
        Step();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        state.Dispose();
        foreach (Tensor<float> moment in moments.SelectMany(of => of))
        {
            moment.Dispose();
        }
    }

    private static void RequireParameters(Tape tape)
    {
        ArgumentNullException.ThrowIfNull(tape);
        if (tape.Parameters.Count == 0)
        {
            throw new ArgumentException("the tape has no parameters yet: record the network first", nameof(tape));
        }
    }

    private static void RequireRate(float rate) => RequireRange(rate >= 0 && float.IsFinite(rate), rate, nameof(LearningRate));

    private static void RequireRange(bool inside, float value, string name)
    {
        if (!inside)
        {
            throw new ArgumentOutOfRangeException(name, value, "the value is out of its range");
        }
    }
}
