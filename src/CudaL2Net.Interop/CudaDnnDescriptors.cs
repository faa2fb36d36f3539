namespace CudaL2Net.Interop;

/// <summary>The numbers of a tensor (<c>cudnnDataType_t</c>).</summary>
public enum CudaDnnDataType
{
    /// <summary>float32.</summary>
    Float = 0,

    /// <summary>bfloat16.</summary>
    BFloat16 = 9,
}

/// <summary>What a convolution may compute with (<c>cudnnMathType_t</c>).</summary>
public enum CudaDnnMathType
{
    /// <summary>What the library thinks best: for float32 on Ampere and later that is TensorFloat-32.</summary>
    Default = 0,

    /// <summary>Tensor cores, numbers as they are.</summary>
    TensorOp = 1,

    /// <summary>Tensor cores, numbers rounded for them.</summary>
    TensorOpAllowConversion = 2,

    /// <summary>Fused multiply-adds only: float32 stays float32.</summary>
    Fma = 3,
}

/// <summary>A description that cuDNN keeps; needs no context.</summary>
public abstract unsafe class CudaDnnDescriptor : IDisposable
{
    private readonly DescriptorHandle handle;

    private protected CudaDnnDescriptor(delegate*<nint*, int> create, delegate*<nint, int> destroy, string call)
    {
        VendorLibrary.Cudnn.Require();
        nint made;
        CudaDnn.Check(create(&made), call);
        handle = new DescriptorHandle(made, destroy);
    }

    /// <summary>The library's name for it.</summary>
    internal nint Handle
    {
        get
        {
            ObjectDisposedException.ThrowIf(handle.IsClosed, this);
            return handle.DangerousGetHandle();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        handle.Dispose();
        GC.SuppressFinalize(this);
    }

    private sealed class DescriptorHandle : System.Runtime.InteropServices.SafeHandle
    {
        private readonly delegate*<nint, int> destroy;

        public DescriptorHandle(nint made, delegate*<nint, int> destroy)
            : base(0, ownsHandle: true)
        {
            this.destroy = destroy;
            SetHandle(made);
        }

        public override bool IsInvalid => handle == 0;

        protected override bool ReleaseHandle() => destroy(handle) == 0;
    }
}

/// <summary>A tensor [n][h][w][c], densely packed.</summary>
public sealed unsafe class TensorDescriptor : CudaDnnDescriptor
{
    /// <summary>Describes it.</summary>
    /// <param name="type">Its numbers.</param>
    /// <param name="n">Images.</param>
    /// <param name="h">Rows.</param>
    /// <param name="w">Columns.</param>
    /// <param name="c">Channels.</param>
    public TensorDescriptor(CudaDnnDataType type, int n, int h, int w, int c)
        : base(&Cudnn.cudnnCreateTensorDescriptor, &Cudnn.cudnnDestroyTensorDescriptor, nameof(Cudnn.cudnnCreateTensorDescriptor)) =>
        CudaDnn.Check(
            Cudnn.cudnnSetTensor4dDescriptor(Handle, Cudnn.FormatNhwc, (int)type, n, c, h, w), nameof(Cudnn.cudnnSetTensor4dDescriptor));
}

/// <summary>A bank of filters [out][kh][kw][in].</summary>
public sealed unsafe class FilterDescriptor : CudaDnnDescriptor
{
    /// <summary>Describes it.</summary>
    /// <param name="type">Its numbers.</param>
    /// <param name="outChannels">Filters.</param>
    /// <param name="height">Rows.</param>
    /// <param name="width">Columns.</param>
    /// <param name="inChannels">Channels.</param>
    public FilterDescriptor(CudaDnnDataType type, int outChannels, int height, int width, int inChannels)
        : base(&Cudnn.cudnnCreateFilterDescriptor, &Cudnn.cudnnDestroyFilterDescriptor, nameof(Cudnn.cudnnCreateFilterDescriptor)) =>
        CudaDnn.Check(
            Cudnn.cudnnSetFilter4dDescriptor(Handle, (int)type, Cudnn.FormatNhwc, outChannels, inChannels, height, width),
            nameof(Cudnn.cudnnSetFilter4dDescriptor));
}

/// <summary>A cross-correlation with zero padding; sums are float32.</summary>
public sealed unsafe class ConvolutionDescriptor : CudaDnnDescriptor
{
    /// <summary>Describes it.</summary>
    /// <param name="stride">Step of the output grid on the input.</param>
    /// <param name="padding">Zeros on each side.</param>
    /// <param name="math">What it may compute with.</param>
    public ConvolutionDescriptor(int stride, int padding, CudaDnnMathType math)
        : base(&Cudnn.cudnnCreateConvolutionDescriptor, &Cudnn.cudnnDestroyConvolutionDescriptor, nameof(Cudnn.cudnnCreateConvolutionDescriptor))
    {
        CudaDnn.Check(
            Cudnn.cudnnSetConvolution2dDescriptor(
                Handle, padding, padding, stride, stride, 1, 1, Cudnn.CrossCorrelation, (int)CudaDnnDataType.Float),
            nameof(Cudnn.cudnnSetConvolution2dDescriptor));
        MathType = math;
    }

    /// <summary>What it may compute with.</summary>
    public CudaDnnMathType MathType
    {
        get;
        set
        {
            CudaDnn.Check(Cudnn.cudnnSetConvolutionMathType(Handle, (int)value), nameof(Cudnn.cudnnSetConvolutionMathType));
            field = value;
        }
    }
}

/// <summary>ReLU.</summary>
public sealed unsafe class ActivationDescriptor : CudaDnnDescriptor
{
    /// <summary>Describes it.</summary>
    public ActivationDescriptor()
        : base(&Cudnn.cudnnCreateActivationDescriptor, &Cudnn.cudnnDestroyActivationDescriptor, nameof(Cudnn.cudnnCreateActivationDescriptor)) =>
        CudaDnn.Check(
            Cudnn.cudnnSetActivationDescriptor(Handle, Cudnn.ActivationRelu, Cudnn.PropagateNan, 0), nameof(Cudnn.cudnnSetActivationDescriptor));
}
