using CudaL2Net.Kernels;

namespace CudaL2Net.Autograd;

/// <summary>A value on a tape and, where it is wanted, the gradient of the loss with respect to it.</summary>
public sealed class Variable
{
    private readonly Tensor<float>? sharedGradient;
    private readonly List<Tensor<float>> extraGradients = [];
    private readonly int[] shape;
    private Tensor<float>? value;
    private bool read;

    internal Variable(Tape tape, Activation activation, bool needsGradient, Tensor<float>? sharedGradient = null)
    {
        Tape = tape;
        Activation = activation;
        this.sharedGradient = sharedGradient;
        shape = activation.Shape.ToArray();
        value = activation is Activation.Written ? activation.WriteOut(tape) : null;
        NeedsGradient = needsGradient;
    }

    /// <summary>The extent of each dimension, slowest first.</summary>
    public ReadOnlySpan<int> Shape => shape;

    /// <summary>The number of elements.</summary>
    public int Length => shape.Aggregate(1, (product, extent) => product * extent);

    /// <summary>
    /// The value; the tape overwrites it on every replay unless it is an input or a parameter. Operations take it when they are recorded, not when they run: a
    /// value that was not going to be stored is stored from then on.
    /// </summary>
    public Tensor<float> Value => value ??= Activation.WriteOut(Tape);

    /// <summary>Whether the loss's gradient reaches this variable.</summary>
    public bool NeedsGradient { get; }

    /// <summary>
    /// The gradient, shaped like the value; null where none is needed, and before the first <see cref="Tape.Backward"/> also where no operation reads the
    /// variable. Parameters hold it after <see cref="Tape.Backward"/>; that of an intermediate value may be overwritten when the gradient of its own input is
    /// computed in place.
    /// </summary>
    public Tensor<float>? Gradient { get; private set; }

    /// <summary>The tape that it is on.</summary>
    internal Tape Tape { get; }

    /// <summary>Whether the memory of the value was given back.</summary>
    internal bool IsDisposed => value is { IsDisposed: true };

    /// <summary>How the value is kept.</summary>
    internal Activation Activation { get; }

    /// <summary>The part of the gradient that comes as bf16, from the one reader that takes the activation as it is stored; null where there is none.</summary>
    internal Tensor<ushort>? RoundedGradient { get; private set; }

    /// <summary>Whether a single operation reads this variable's gradient into being.</summary>
    internal bool HasOneReader => extraGradients.Count == 0;

    /// <summary>Whether the operation that computed the gradient has gathered the deferred activation's sums, too.</summary>
    internal bool SumsGathered { get; set; }

    /// <summary><see cref="ClaimGradient"/> where the gradient is needed, else null.</summary>
    internal Tensor<float>? ClaimIfNeeded() => NeedsGradient ? ClaimGradient() : null;

    /// <summary>Memory that one reader of this variable overwrites with its part of the gradient. The tape adds the parts of several readers.</summary>
    internal Tensor<float> ClaimGradient()
    {
        read = true;
        if (Gradient == null)
        {
            return Gradient = sharedGradient ?? Tape.Own(Tape.Device.Allocate<float>(shape));
        }

        Tensor<float> part = Tape.Own(Tape.Device.Allocate<float>(shape));
        extraGradients.Add(part);
        return part;
    }

    /// <summary>Memory that the one reader of a stored activation overwrites with its part of the gradient.</summary>
    internal Tensor<ushort> ClaimRoundedGradient()
    {
        read = true;
        return RoundedGradient = Tape.Own(Tape.Device.Allocate<ushort>(shape));
    }

    /// <summary>Adds the parts of all readers, in the order of their recording. What nobody reads has a gradient of zeros.</summary>
    internal void SumGradients()
    {
        if (!read)
        {
            Gradient ??= sharedGradient ?? Tape.Own(Tape.Device.Allocate<float>(shape));
            Gradient.Clear();
        }

        foreach (Tensor<float> part in extraGradients)
        {
            Tape.Device.Kernels.Add(part, Gradient!);
        }
    }
}
