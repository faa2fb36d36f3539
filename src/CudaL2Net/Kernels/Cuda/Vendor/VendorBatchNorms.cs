using System.Runtime.CompilerServices;
using CudaL2Net.Interop;

namespace CudaL2Net.Kernels.Cuda.Vendor;

/// <summary>
/// Batch normalizations by cuDNN, one call per half, and ReLU by another: for float32 it has no call that does both. From the forward to the backward pass it
/// wants memory of its own and the result, so each normalization is remembered by the tensor that its means are written to.
/// </summary>
internal sealed unsafe class VendorBatchNorms(VendorLibraries libraries)
{
    private readonly ConditionalWeakTable<Tensor<float>, Remembered> remembered = [];

    /// <summary>As <see cref="IKernels.BatchNormForward"/>.</summary>
    public void Forward(in BatchNormOptions options, Tensor<float> x, Tensor<float>? scale, Tensor<float>? shift, Tensor<float> mean,
        Tensor<float> inverseDeviation, Tensor<float> runningMean, Tensor<float> runningVariance, Tensor<float> y)
    {
        if (!remembered.TryGetValue(mean, out Remembered? norm) || !norm.Fits(x, options))
        {
            norm = new Remembered(libraries, x, options);
            remembered.AddOrUpdate(mean, norm);
        }

        norm.Result = y;
        for (int half = 0; half < options.Halves; half++)
        {
            libraries.Dnn.BatchNormForward(norm.Half, norm.Statistics, norm.Part(x, half), norm.Part(y, half), Address(scale) ?? norm.Ones,
                Address(shift) ?? norm.Zeros, options.Momentum, (nint)runningMean.Pointer, (nint)runningVariance.Pointer, options.Epsilon,
                norm.Channels(mean, half), norm.Channels(inverseDeviation, half), norm.Memory(half));
        }

        if (options.Relu)
        {
            libraries.Dnn.ReluForward(norm.Whole, (nint)y.Pointer, (nint)y.Pointer);
        }
    }

    /// <summary>As <see cref="IKernels.BatchNormBackward"/>, after the forward call with the same tensors, whose result is still what it was.</summary>
    /// <param name="options">As in the forward call.</param>
    /// <param name="x">The forward call's input.</param>
    /// <param name="scale">As in the forward call.</param>
    /// <param name="mean">From the forward call.</param>
    /// <param name="inverseDeviation">From the forward call.</param>
    /// <param name="dy">The gradient of the output.</param>
    /// <param name="dx">The gradient of the input; may be the same memory as <paramref name="dy"/>.</param>
    /// <param name="dScale">[c], or null.</param>
    /// <param name="dShift">[c], or null.</param>
    /// <param name="scratch">Memory like x.</param>
    public void Backward(in BatchNormOptions options, Tensor<float> x, Tensor<float>? scale, Tensor<float> mean, Tensor<float> inverseDeviation,
        Tensor<float> dy, Tensor<float> dx, Tensor<float>? dScale, Tensor<float>? dShift, nint scratch)
    {
        if (!remembered.TryGetValue(mean, out Remembered? norm) || !norm.Fits(x, options) || norm.Result == null)
        {
            throw new InvalidOperationException("cuDNN's batch normalization has no backward pass without the forward pass before it");
        }

        // cuDNN does not say that its backward pass can be done in place.
        nint gradient = (nint)dy.Pointer;
        if (options.Relu)
        {
            libraries.Dnn.ReluBackward(norm.Whole, (nint)norm.Result.Pointer, gradient, scratch);
            gradient = scratch;
        }
        else if (dx.Pointer == dy.Pointer)
        {
            libraries.Stream.CopyOnDeviceAsync(scratch, gradient, (nuint)dy.Length * sizeof(float));
            gradient = scratch;
        }

        for (int half = 0; half < options.Halves; half++)
        {
            libraries.Dnn.BatchNormBackward(norm.Half, norm.Statistics, norm.Part(x, half), gradient + norm.Offset(half), norm.Part(dx, half),
                Address(scale) ?? norm.Ones, Address(dScale) ?? norm.UnwantedScale, Address(dShift) ?? norm.UnwantedShift, half > 0, options.Epsilon,
                norm.Channels(mean, half), norm.Channels(inverseDeviation, half), norm.Memory(half));
        }
    }

    private static nint? Address(Tensor<float>? tensor) => tensor == null ? null : (nint)tensor.Pointer;

    /// <summary>One normalization. What it holds is freed by finalizers when its tensors are gone.</summary>
    private sealed class Remembered
    {
        private readonly VendorLibraries libraries;
        private readonly BatchNormOptions options;
        private readonly int length;
        private readonly int channels;
        private readonly nuint workspaceBytes;
        private readonly nuint reserveBytes;

        // [4][c]: ones, zeros, and two for gradients that nobody wants.
        private readonly CudaDeviceVariable<float> affine;
        private readonly CudaDeviceVariable<byte>? reserve;

        public Remembered(VendorLibraries libraries, Tensor<float> x, in BatchNormOptions options)
        {
            this.libraries = libraries;
            this.options = options;
            ReadOnlySpan<int> shape = x.Shape;
            (length, channels) = (x.Length, shape[^1]);
            (int height, int width) = shape.Length == 4 ? (shape[1], shape[2]) : (1, 1);
            int images = length / (height * width * channels);
            Half = new TensorDescriptor(CudaDnnDataType.Float, images / options.Halves, height, width, channels);
            Whole = new TensorDescriptor(CudaDnnDataType.Float, images, height, width, channels);
            Statistics = new TensorDescriptor(CudaDnnDataType.Float, 1, 1, 1, channels);
            (workspaceBytes, reserveBytes) = libraries.Dnn.GetBatchNormSizes(Half, Statistics);
            affine = new CudaDeviceVariable<float>(libraries.Stream, 4L * channels);
            var values = new float[4 * channels];
            values.AsSpan(0, channels).Fill(1);
            affine.CopyToDevice(values);
            reserve = reserveBytes == 0 ? null : new CudaDeviceVariable<byte>(libraries.Stream, options.Halves * (long)Aligned(reserveBytes));
        }

        public TensorDescriptor Half { get; }

        public TensorDescriptor Whole { get; }

        public TensorDescriptor Statistics { get; }

        public Tensor<float>? Result { get; set; }

        public nint Ones => affine.DevicePointer;

        public nint Zeros => Ones + (channels * sizeof(float));

        public nint UnwantedScale => Zeros + (channels * sizeof(float));

        public nint UnwantedShift => UnwantedScale + (channels * sizeof(float));

        public bool Fits(Tensor<float> x, in BatchNormOptions wanted) => x.Length == length && x.Shape[^1] == channels && wanted == options;

        /// <summary>Where a half begins, in bytes.</summary>
        public nint Offset(int half) => (nint)((long)half * (length / options.Halves) * sizeof(float));

        public nint Part(Tensor<float> tensor, int half) => (nint)tensor.Pointer + Offset(half);

        public nint Channels(Tensor<float> tensor, int half) => (nint)(tensor.Pointer + ((long)half * channels));

        public CudaDnnBatchNormMemory Memory(int half) => new(libraries.Workspace(workspaceBytes), workspaceBytes,
            reserve == null ? 0 : reserve.DevicePointer + (nint)((nuint)half * Aligned(reserveBytes)), reserveBytes);

        private static nuint Aligned(nuint bytes) => (bytes + 255) / 256 * 256;
    }
}
