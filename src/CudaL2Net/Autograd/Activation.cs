using CudaL2Net.Kernels;

namespace CudaL2Net.Autograd;

/// <summary>How the value of a variable is kept: written out, or as what its readers compute it from.</summary>
internal abstract class Activation
{
    /// <summary>The extent of each dimension.</summary>
    public abstract ReadOnlySpan<int> Shape { get; }

    /// <summary>The value as floats. What is not written out is recorded to be, after all that the tape has recorded so far.</summary>
    public abstract Tensor<float> WriteOut(Tape tape);

    /// <summary>Floats in memory.</summary>
    public sealed class Written(Tensor<float> value) : Activation
    {
        public override ReadOnlySpan<int> Shape => value.Shape;

        public override Tensor<float> WriteOut(Tape tape) => value;
    }

    /// <summary>A normalized activation that its readers compute, see <see cref="IFusedKernels"/>.</summary>
    public sealed class Deferred(NormalizedActivation stored) : Activation
    {
        public NormalizedActivation Stored => stored;

        public override ReadOnlySpan<int> Shape => stored.X.Shape;

        public override Tensor<float> WriteOut(Tape tape)
        {
            IFusedKernels kernels = tape.Device.FusedKernels!;
            return tape.WriteOut(stored.X.Shape, value => kernels.Normalize(stored.X, stored.Normalization, value));
        }
    }

    /// <summary>The same, stored as bf16, see <see cref="IStoredKernels"/>.</summary>
    public sealed class DeferredBf16(Bf16Activation stored) : Activation
    {
        public Bf16Activation Stored => stored;

        public override ReadOnlySpan<int> Shape => stored.X.Shape;

        public override Tensor<float> WriteOut(Tape tape)
        {
            IStoredKernels kernels = tape.Device.StoredKernels!;
            return tape.WriteOut(stored.X.Shape, value => kernels.Normalize(stored.X, stored.Normalization, value));
        }
    }
}
