using CudaL2Net.Interop;

namespace CudaL2Net.Kernels.Cuda.Vendor;

/// <summary>
/// A GPU that trains with NVIDIA's kernels, to compare with: convolutions and (in float32 and tf32) batch normalization by cuDNN, matrix products of losses by
/// cuBLAS; all else, describing too, is done as on any <see cref="CudaDevice"/>. Nothing is fused that cuDNN does not fuse. The fastest algorithms need not give
/// the same bits again, nor be chosen again.
/// </summary>
internal sealed unsafe partial class VendorDevice : CudaDevice, IKernels
{
    private readonly VendorLibraries libraries;
    private readonly Dictionary<Conv2dGeometry, VendorConvolution> convolutions = [];
    private readonly VendorBatchNorms batchNorms;
    private readonly Dictionary<int, TensorDescriptor> channels = [];

    /// <summary>Opens a GPU.</summary>
    /// <exception cref="CudaException">There is no driver or no such device, or the device is too old.</exception>
    /// <exception cref="CudaLibraryException">cuBLAS or cuDNN is not there.</exception>
    public VendorDevice(int ordinal, Precision precision, int threads = 0)
        : base(ordinal, precision, threads)
    {
        try
        {
            using DeviceGate.Entry entry = Enter();
            libraries = new VendorLibraries(Stream);
            batchNorms = new VendorBatchNorms(libraries);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public override string Description => $"{base.Description}, cuDNN {CudaDnn.GetVersion()}, cuBLAS {CudaBlas.GetVersion()}";

    public override KernelSet KernelSet => KernelSet.Vendor;

    public override IReadOnlyList<string> ChosenAlgorithms
    {
        get
        {
            using (Enter())
            {
                return
                [
                    .. from entry in convolutions
                       let g = entry.Key
                       from pass in Enum.GetValues<CudaDnnConvolutionPass>()
                       where entry.Value.Algorithm(pass) != null
                       select $"cuDNN, {g.KernelHeight}x{g.KernelWidth} convolution of {g.Batch}x{g.Height}x{g.Width}x{g.InChannels} to {g.OutChannels}, {pass}: "
                           + entry.Value.Algorithm(pass),
                ];
            }
        }
    }

    internal override IFusedKernels? FusedKernels => null;

    void IKernels.Conv2dForward(in Conv2dGeometry geometry, Tensor<float> x, Tensor<float> filters, Tensor<float>? bias, Tensor<float> y)
    {
        VendorConvolution convolution = Run(CudaDnnConvolutionPass.Forward, geometry, x, filters, y);
        if (bias != null)
        {
            libraries.Dnn.AddTensor(Channels(geometry.OutChannels), (nint)bias.Pointer, convolution.FloatY, (nint)y.Pointer);
        }
    }

    void IKernels.Conv2dBackwardData(in Conv2dGeometry geometry, Tensor<float> dy, Tensor<float> filters, Tensor<float> dx) =>
        Run(CudaDnnConvolutionPass.BackwardData, geometry, dx, filters, dy);

    void IKernels.Conv2dBackwardFilter(in Conv2dGeometry geometry, Tensor<float> x, Tensor<float> dy, Tensor<float> dFilters, Tensor<float>? dBias)
    {
        VendorConvolution convolution = Run(CudaDnnConvolutionPass.BackwardFilter, geometry, x, dFilters, dy);
        if (dBias != null)
        {
            libraries.Dnn.ConvolutionBackwardBias(convolution.FloatY, (nint)dy.Pointer, Channels(geometry.OutChannels), (nint)dBias.Pointer);
        }
    }

    void IKernels.BatchNormForward(in BatchNormOptions options, Tensor<float> x, Tensor<float>? scale, Tensor<float>? shift, Tensor<float> mean,
        Tensor<float> inverseDeviation, Tensor<float> runningMean, Tensor<float> runningVariance, Tensor<float> y)
    {
        batchNorms.Forward(options, x, scale, shift, mean, inverseDeviation, runningMean, runningVariance, y);
    }

    void IKernels.BatchNormBackward(in BatchNormOptions options, Tensor<float> x, Tensor<float>? scale, Tensor<float>? shift, Tensor<float> mean,
        Tensor<float> inverseDeviation, Tensor<float> dy, Tensor<float> dx, Tensor<float>? dScale, Tensor<float>? dShift)
    {
        batchNorms.Backward(options, x, scale, mean, inverseDeviation, dy, dx, dScale, dShift, (nint)Scratch((nuint)x.Length * sizeof(float)));
    }

    private protected override void Release()
    {
        foreach (VendorConvolution convolution in convolutions.Values)
        {
            convolution.Dispose();
        }

        convolutions.Clear();
        foreach (TensorDescriptor descriptor in channels.Values)
        {
            descriptor.Dispose();
        }

        channels.Clear();
        foreach ((_, Tensor<ushort> input) in inputs)
        {
            input.Dispose();
        }

        inputs.Clear();
        libraries?.Dispose();
        base.Release();
    }

    // The losses' products are float32 in every precision, as this library's own are.
    private protected override void RowProducts(
        in ProductOperand a, int rows, in ProductOperand b, int columns, int depth, int range, float* output, int batches = 1)
    {
        VendorProduct.Factor Factor(in ProductOperand operand) => new((nint)operand.Data, operand.Pitch, !operand.ByDepth, operand.Batch);
        new VendorProduct(libraries, rows, columns, depth).Run(Factor(a), Factor(b), (nint)output, batches);
    }

    // A sum is not cut into ranges: how to do it is the library's business.
    private protected override int ProductRange(int tiles, int depth) => depth;

    /// <summary>A pass of a convolution of float32 tensors; for bf16 cuDNN is given rounded ones.</summary>
    private VendorConvolution Run(CudaDnnConvolutionPass pass, in Conv2dGeometry g, Tensor<float> x, Tensor<float> filters, Tensor<float> y)
    {
        VendorConvolution convolution = Convolution(g, filters.Length);
        if (Precision != Precision.Bf16)
        {
            convolution.Run(pass, (nint)x.Pointer, (nint)filters.Pointer, (nint)y.Pointer);
            return convolution;
        }

        Tensor<float>[] tensors = [x, filters, y];
        ushort** rounded = stackalloc ushort*[3];
        rounded[0] = (ushort*)Scratch((nuint)((Aligned(x.Length) + Aligned(filters.Length) + Aligned(y.Length)) * sizeof(ushort)));
        int result = pass == CudaDnnConvolutionPass.Forward ? 2 : pass == CudaDnnConvolutionPass.BackwardData ? 0 : 1;
        for (int i = 0; i < 3; i++)
        {
            rounded[i] = i == 0 ? rounded[0] : rounded[i - 1] + Aligned(tensors[i - 1].Length);
            if (i != result)
            {
                Round(tensors[i].Pointer, rounded[i], tensors[i].Length);
            }
        }

        convolution.Run(pass, (nint)rounded[0], (nint)rounded[1], (nint)rounded[2]);
        Widen(rounded[result], tensors[result].Pointer, tensors[result].Length);
        return convolution;
    }

    private VendorConvolution Convolution(in Conv2dGeometry g, int filters)
    {
        if (filters != g.OutChannels * g.KernelHeight * g.KernelWidth * g.InChannels)
        {
            throw new ArgumentException($"the bank of filters has {filters} elements, which does not fit {g}", nameof(filters));
        }

        if (!convolutions.TryGetValue(g, out VendorConvolution? convolution))
        {
            convolution = new VendorConvolution(libraries, g, Precision);
            convolutions.Add(g, convolution);
        }

        return convolution;
    }

    private TensorDescriptor Channels(int count)
    {
        if (!channels.TryGetValue(count, out TensorDescriptor? descriptor))
        {
            descriptor = new TensorDescriptor(CudaDnnDataType.Float, 1, 1, 1, count);
            channels.Add(count, descriptor);
        }

        return descriptor;
    }
}
