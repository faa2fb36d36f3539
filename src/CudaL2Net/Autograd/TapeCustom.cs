namespace CudaL2Net.Autograd;

/// <summary>Operations of your own, as recorded on a <see cref="Tape"/>.</summary>
public static class TapeCustom
{
    /// <summary>Records an operation of your own.</summary>
    /// <remarks>
    /// On the CPU both passes may compute anything. On CUDA they may read tensors to the host and write them, too, but not inside
    /// <see cref="Kernels.Device.Record"/>: a recorded pass is replayed without the host, so no host work may be inside. Before the first backward pass the
    /// gradients are filled with NaN, and afterwards looked at: what the operation forgot to write is an error.
    /// </remarks>
    /// <param name="tape">The tape.</param>
    /// <param name="inputs">What it reads.</param>
    /// <param name="shape">The shape of its result: at least one dimension, each at least 1.</param>
    /// <param name="forward">Computes <see cref="CustomOperation.Output"/> from <see cref="CustomOperation.Inputs"/>.</param>
    /// <param name="backward">Computes <see cref="CustomOperation.InputGradients"/>; null only where no input needs a gradient.</param>
    /// <returns>The result, [shape].</returns>
    /// <exception cref="ArgumentException">An input is of another tape, the shape is empty, or one needs a gradient and there is no backward pass.</exception>
    public static Variable Custom(this Tape tape, IReadOnlyList<Variable> inputs, IReadOnlyList<int> shape, Action<CustomOperation> forward,
        Action<CustomOperation>? backward) => CustomOperation.Record(tape, inputs, shape, forward, backward);
}
