using CudaL2Net.Kernels;

namespace CudaL2Net.Autograd;

/// <summary>What an operation of your own reads and writes; see <see cref="TapeCustom.Custom"/>. The tensors are the same ones in every pass.</summary>
public sealed class CustomOperation
{
    private readonly Variable result;
    private readonly Tensor<float>?[] gradients;
    private bool verified;

    private CustomOperation(Tape tape, Tensor<float>[] inputs, Tensor<float>?[] gradients, Variable result)
    {
        Device = tape.Device;
        Inputs = inputs;
        this.gradients = gradients;
        this.result = result;
    }

    /// <summary>Where it runs.</summary>
    public Device Device { get; }

    /// <summary>The values of the inputs, in the order that they were given in. Only read them.</summary>
    public IReadOnlyList<Tensor<float>> Inputs { get; }

    /// <summary>The result. The forward pass overwrites all of it; the backward pass may read it.</summary>
    public Tensor<float> Output => result.Value;

    /// <summary>In the backward pass: the gradient of the loss with respect to <see cref="Output"/>. Only read it.</summary>
    /// <exception cref="InvalidOperationException">No backward pass has come yet.</exception>
    public Tensor<float> OutputGradient =>
        result.Gradient ?? throw new InvalidOperationException("the gradient of the output is there in the backward pass only");

    /// <summary>In the backward pass: memory for the gradient of each input, which it overwrites with its part. Null for inputs that need none. The tape adds
    /// the parts of all operations that read an input.</summary>
    public IReadOnlyList<Tensor<float>?> InputGradients => gradients;

    /// <inheritdoc cref="TapeCustom.Custom"/>
    internal static Variable Record(Tape tape, IReadOnlyList<Variable> inputs, IReadOnlyList<int> shape, Action<CustomOperation> forward,
        Action<CustomOperation>? backward)
    {
        ArgumentNullException.ThrowIfNull(tape);
        ArgumentNullException.ThrowIfNull(inputs);
        ArgumentNullException.ThrowIfNull(forward);
        tape.ThrowIfDisposed();
        foreach (Variable input in inputs)
        {
            Require.On(tape, input, nameof(inputs));
        }

        ArgumentNullException.ThrowIfNull(shape);
        Require.Within(shape.Count, 1, int.MaxValue, nameof(shape));
        foreach (int extent in shape)
        {
            Require.Within(extent, 1, int.MaxValue, nameof(shape));
        }

        bool needsGradient = inputs.Any(input => input.NeedsGradient);
        if (needsGradient && backward == null)
        {
            throw new ArgumentException("an input needs a gradient: give the backward pass as well", nameof(backward));
        }

        Tensor<float>[] values = [.. inputs.Select(input => input.Value)];
        Tensor<float>?[] gradients = [.. inputs.Select(input => input.ClaimIfNeeded())];
        Variable result = tape.Result([.. shape], needsGradient);
        var operation = new CustomOperation(tape, values, gradients, result);
        tape.Record(result, () => forward(operation), needsGradient ? () => operation.Backward(backward!) : null);
        return result;
    }

    private void Backward(Action<CustomOperation> backward)
    {
        if (verified)
        {
            backward(this);
            return;
        }

        foreach (Tensor<float>? gradient in gradients)
        {
            if (gradient != null)
            {
                Device.Kernels.Fill(float.NaN, gradient);
            }
        }

        backward(this);
        for (int i = 0; i < gradients.Length; i++)
        {
            if (gradients[i] is { } gradient && Array.FindIndex(gradient.ToArray(), float.IsNaN) is var element and >= 0)
            {
                throw new InvalidOperationException(
                    $"the backward pass of an operation of your own left element {element} of the gradient of input {i} unwritten, or made it NaN");
            }
        }

        verified = true;
    }
}
