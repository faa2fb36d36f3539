using CudaL2Net.Kernels;

namespace CudaL2Net.Autograd;

/// <summary>
/// Operations with static shapes, recorded once and replayed at every step without allocating. <see cref="Forward"/> runs them in order, <see cref="Backward"/>
/// their gradients in reverse. Losses write their gradients in the forward pass already, weighted, so that several losses simply add.
/// </summary>
/// <remarks>
/// A tape is recorded by one thread. Its passes may be asked for by several, and run one after the other; whether a <see cref="Backward"/> finds the values of
/// its own <see cref="Forward"/> is then the callers' business. Other tapes and networks may work on the device meanwhile. Disposing does not wait: a pass in
/// another thread then ends with <see cref="ObjectDisposedException"/>.
/// </remarks>
public sealed class Tape(Device device) : IDisposable
{
    private readonly List<Node> nodes = [];
    private readonly List<IDisposable> owned = [];
    private readonly List<Variable> parameters = [];
    private readonly List<RecordedLoss> losses = [];
    private volatile bool disposed;

    /// <summary>The device that the operations run on.</summary>
    public Device Device { get; } = device;

    /// <summary>All parameters, in the order of their recording.</summary>
    public IReadOnlyList<Variable> Parameters => parameters;

    /// <summary>The recorded losses. Each has a name of its own.</summary>
    public IReadOnlyList<RecordedLoss> Losses => losses;

    /// <summary>A value from outside that needs no gradient. The caller keeps the tensor.</summary>
    /// <exception cref="ArgumentException">The tensor is of another device, is empty, or is a view that does not begin at a multiple of 16 bytes.</exception>
    public Variable Input(Tensor<float> value)
    {
        Require.On(this, value);
        return new Variable(this, new Activation.Written(value), needsGradient: false);
    }

    /// <summary>A value from outside whose gradient is wanted. The caller keeps the tensor.</summary>
    /// <exception cref="ArgumentException">The tensor is of another device, is empty, or is a view that does not begin at a multiple of 16 bytes.</exception>
    public Variable Parameter(Tensor<float> value) => AddParameter(value, null);

    /// <summary>Computes all values, losses and the losses' own gradients.</summary>
    /// <exception cref="ObjectDisposedException">The tape, its device, or a tensor that it uses has been disposed of.</exception>
    public void Forward()
    {
        using DeviceGate.Entry entry = Device.Enter();
        ThrowIfDisposed();
        foreach (Node node in nodes)
        {
            node.Forward();
            ThrowIfDisposed();
        }
    }

    /// <summary>Computes the gradients of all variables that need one; <see cref="Forward"/> must have run.</summary>
    /// <exception cref="ObjectDisposedException">The tape, its device, or a tensor that it uses has been disposed of.</exception>
    public void Backward()
    {
        using DeviceGate.Entry entry = Device.Enter();
        ThrowIfDisposed();
        for (int i = nodes.Count - 1; i >= 0; i--)
        {
            Node node = nodes[i];
            if (node.Backward != null)
            {
                node.Output.SumGradients();
                node.Backward();
                ThrowIfDisposed();
            }
        }

        foreach (Variable parameter in parameters)
        {
            parameter.SumGradients();
        }
    }

    /// <summary>The sum of all losses of the last <see cref="Forward"/>. Waits for it.</summary>
    public double TotalLoss() => losses.Sum(loss => (double)loss.Value.ToArray()[0]);

    /// <inheritdoc/>
    public void Dispose()
    {
        disposed = true;
        Device.WhenFree(Release);
    }

    /// <summary>A value from outside whose gradient is wanted.</summary>
    /// <param name="value">The value, which the caller keeps.</param>
    /// <param name="gradient">Memory for its gradient, which the caller keeps, too; null where the tape makes it.</param>
    internal Variable AddParameter(Tensor<float> value, Tensor<float>? gradient)
    {
        Require.On(this, value);
        var variable = new Variable(this, new Activation.Written(value), needsGradient: true, gradient);
        parameters.Add(variable);
        return variable;
    }

    /// <summary>Memory for the result of an operation.</summary>
    /// <param name="shape">The result's shape.</param>
    /// <param name="needsGradient">Whether a gradient will be asked of it.</param>
    /// <param name="sharedGradient">Memory that may hold the result's gradient: that of the operation's input, where the one turns into the other in
    /// place.</param>
    internal Variable Result(ReadOnlySpan<int> shape, bool needsGradient, Tensor<float>? sharedGradient = null) =>
        new(this, new Activation.Written(Own(Device.Allocate<float>(shape))), needsGradient, sharedGradient);

    /// <summary>A result that lies in memory of its input.</summary>
    /// <param name="value">That memory.</param>
    /// <param name="needsGradient">Whether a gradient will be asked of it.</param>
    /// <param name="sharedGradient">Memory that holds the result's gradient; null where the tape makes it.</param>
    internal Variable View(Tensor<float> value, bool needsGradient, Tensor<float>? sharedGradient = null) =>
        new(this, new Activation.Written(value), needsGradient, sharedGradient);

    /// <summary>A result that its readers compute.</summary>
    internal Variable Deferred(Activation activation, bool needsGradient) => new(this, activation, needsGradient);

    /// <summary>Records that an activation is written out; what it is computed from must have been recorded before.</summary>
    internal Tensor<float> WriteOut(ReadOnlySpan<int> shape, Action<Tensor<float>> normalize)
    {
        Tensor<float> value = Own(Device.Allocate<float>(shape));
        Record(new Variable(this, new Activation.Written(value), needsGradient: false), () => normalize(value), null);
        return value;
    }

    /// <summary>Frees <paramref name="resource"/> with the tape.</summary>
    internal T Own<T>(T resource)
        where T : IDisposable
    {
        if (disposed)
        {
            resource.Dispose();
            ThrowIfDisposed();
        }

        owned.Add(resource);
        return resource;
    }

    /// <summary>Appends an operation.</summary>
    /// <param name="output">What it computes.</param>
    /// <param name="forward">Computes the output.</param>
    /// <param name="backward">Overwrites the claimed gradients of its inputs; null where none is needed.</param>
    internal void Record(Variable output, Action forward, Action? backward) => nodes.Add(new Node(output, forward, backward));

    /// <summary>Appends a loss, whose action computes the value and the claimed gradient of its input.</summary>
    /// <param name="name">Its name in logs.</param>
    /// <param name="compute">Given the tensor, [1], for the weighted value.</param>
    /// <exception cref="ArgumentException">A loss of that name is recorded already.</exception>
    internal void RecordLoss(string name, Action<Tensor<float>> compute)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (losses.Exists(loss => loss.Name == name))
        {
            throw new ArgumentException($"a loss named '{name}' is recorded already: give each a name of its own", nameof(name));
        }

        Tensor<float> value = Own(Device.Allocate<float>(1));
        losses.Add(new RecordedLoss(name, value));
        nodes.Add(new Node(new Variable(this, new Activation.Written(value), needsGradient: false), () => compute(value), null));
    }

    /// <summary>Throws if the tape or its device has been disposed of.</summary>
    internal void ThrowIfDisposed()
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        Device.ThrowIfDisposed();
    }

    private void Release()
    {
        foreach (IDisposable resource in owned)
        {
            resource.Dispose();
        }

        owned.Clear();
        nodes.Clear();
    }

    private sealed record Node(Variable Output, Action Forward, Action? Backward);
}

/// <summary>A loss on a <see cref="Tape"/>.</summary>
/// <param name="Name">Its name in logs.</param>
/// <param name="Value">[1], the weighted value; the tape overwrites it in every <see cref="Tape.Forward"/>.</param>
public sealed record RecordedLoss(string Name, Tensor<float> Value);
