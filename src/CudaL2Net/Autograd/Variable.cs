using CudaL2Net.Tensors;

namespace CudaL2Net.Autograd;

/// <summary>A value on a tape and, where it is wanted, the gradient of the loss with respect to it.</summary>
public sealed class Variable
{
    private readonly Tape tape;
    private readonly Tensor<float>? sharedGradient;
    private readonly List<Tensor<float>> extraGradients = [];

    internal Variable(Tape tape, Tensor<float> value, bool needsGradient, Tensor<float>? sharedGradient = null)
    {
        this.tape = tape;
        this.sharedGradient = sharedGradient;
        Value = value;
        NeedsGradient = needsGradient;
    }

    /// <summary>The value; the tape overwrites it on every replay unless it is an input or a parameter.</summary>
    public Tensor<float> Value { get; }

    /// <summary>Whether the loss's gradient reaches this variable.</summary>
    public bool NeedsGradient { get; }

    /// <summary>
    /// The gradient, shaped like the value; null where none is needed or no operation read the variable. Parameters hold it after <see cref="Tape.Backward"/>;
    /// that of an intermediate value may be overwritten when the gradient of its own input is computed in place.
    /// </summary>
    public Tensor<float>? Gradient { get; private set; }

    /// <summary>Memory that one reader of this variable overwrites with its part of the gradient. The tape adds the parts of several readers.</summary>
    internal Tensor<float> ClaimGradient()
    {
        if (Gradient == null)
        {
            return Gradient = sharedGradient ?? tape.Own(tape.Device.Allocate<float>(Value.Shape));
        }

        Tensor<float> part = tape.Own(tape.Device.Allocate<float>(Value.Shape));
        extraGradients.Add(part);
        return part;
    }

    /// <summary>Adds the parts of all readers, in the order of their recording.</summary>
    internal void SumGradients()
    {
        foreach (Tensor<float> part in extraGradients)
        {
            tape.Device.Kernels.Add(part, Gradient!);
        }
    }
}
