using CudaL2Net.Interop;

namespace CudaL2Net.Kernels.Cuda.Vendor;

/// <summary>
/// The passes of one convolution by cuDNN: NHWC, filters [out][kh][kw][in], in float32 (by FMAs, or with TensorFloat-32 on tensor cores) or with all tensors in
/// bfloat16. The first run of a pass measures cuDNN's algorithms on the tensors that it is given and keeps the fastest, so it must not be captured.
/// </summary>
internal sealed class VendorConvolution : IDisposable
{
    private readonly VendorLibraries libraries;
    private readonly Precision precision;
    private readonly CudaDnnConvolution convolution;
    private readonly CudaDnnAlgorithm?[] algorithms = new CudaDnnAlgorithm?[3];

    /// <summary>Describes it to cuDNN.</summary>
    public VendorConvolution(VendorLibraries libraries, in Conv2dGeometry g, Precision precision)
    {
        this.libraries = libraries;
        this.precision = precision;
        CudaDnnDataType type = precision == Precision.Bf16 ? CudaDnnDataType.BFloat16 : CudaDnnDataType.Float;
        convolution = new CudaDnnConvolution(
            new TensorDescriptor(type, g.Batch, g.Height, g.Width, g.InChannels),
            new FilterDescriptor(type, g.OutChannels, g.KernelHeight, g.KernelWidth, g.InChannels),
            new ConvolutionDescriptor(g.Stride, g.Padding, MathType(precision)),
            new TensorDescriptor(type, g.Batch, g.OutHeight, g.OutWidth, g.OutChannels));
        FloatY = type == CudaDnnDataType.Float
            ? convolution.Y
            : new TensorDescriptor(CudaDnnDataType.Float, g.Batch, g.OutHeight, g.OutWidth, g.OutChannels);
    }

    /// <summary>The output as float32, whatever the precision.</summary>
    public TensorDescriptor FloatY { get; }

    /// <summary>How a pass is done; null before its first run.</summary>
    public CudaDnnAlgorithm? Algorithm(CudaDnnConvolutionPass pass) => algorithms[(int)pass];

    /// <summary>Queues a pass.</summary>
    /// <param name="pass">The pass.</param>
    /// <param name="x">[n][h][w][in] on the device; written backward to the data.</param>
    /// <param name="filters">[out][kh][kw][in]; written backward to the filters.</param>
    /// <param name="y">[n][oh][ow][out]; written forward.</param>
    /// <exception cref="CudaLibraryException">cuDNN refuses it.</exception>
    /// <exception cref="NotSupportedException">cuDNN has no algorithm for it.</exception>
    /// <exception cref="InvalidOperationException">It is the first run, and it is being captured.</exception>
    public void Run(CudaDnnConvolutionPass pass, nint x, nint filters, nint y)
    {
        CudaDnnAlgorithm algorithm = algorithms[(int)pass] ??= Fastest(pass, x, filters, y);
        libraries.Dnn.Convolve(convolution, algorithm, x, filters, y, libraries.Workspace(algorithm.WorkspaceBytes));
    }

    /// <summary>How cuDNN is asked to multiply. TensorFloat-32 is what float32 tensors get by default; asked for tensor cores, cuDNN may answer with FMAs.</summary>
    internal static CudaDnnMathType MathType(Precision precision) => precision switch
    {
        Precision.Float32 => CudaDnnMathType.Fma,
        Precision.Tf32 => CudaDnnMathType.Default,
        _ => CudaDnnMathType.TensorOp,
    };

    public void Dispose()
    {
        convolution.X.Dispose();
        convolution.Filters.Dispose();
        convolution.Convolution.Dispose();
        convolution.Y.Dispose();
        FloatY.Dispose();
    }

    private CudaDnnAlgorithm Fastest(CudaDnnConvolutionPass pass, nint x, nint filters, nint y)
    {
        if (libraries.Stream.IsCapturing)
        {
            throw new InvalidOperationException("cuDNN's algorithms cannot be measured while a step is recorded: run it once before");
        }

        // What an algorithm may take for its own use; those that would need more are left out.
        nuint limit = (nuint)(libraries.Stream.Context.GetFreeDeviceMemorySize() / 4), most = 0;
        for (int number = 0; number < CudaDnnAlgorithm.Count(pass); number++)
        {
            if (libraries.Dnn.GetWorkspaceSize(pass, convolution, number) is { } bytes && bytes <= limit)
            {
                most = nuint.Max(most, bytes);
            }
        }

        IEnumerable<CudaDnnAlgorithm> found;
        using (CudaDeviceVariable<byte>? trial = most == 0 ? null : new CudaDeviceVariable<byte>(libraries.Stream, (long)most))
        {
            try
            {
                found = libraries.Dnn.FindAlgorithms(pass, convolution, x, filters, y, trial?.DevicePointer ?? 0, most);
            }
            catch (CudaLibraryException)
            {
                // It cannot be measured, for want of memory it may be; what cuDNN expects to be fast is still known.
                found = libraries.Dnn.GetAlgorithms(pass, convolution).Where(algorithm => algorithm.WorkspaceBytes <= limit);
            }
        }

        if (precision == Precision.Float32)
        {
            found = found
                .Where(algorithm => algorithm.MathType is CudaDnnMathType.Fma or CudaDnnMathType.Default)
                .Select(algorithm => algorithm with { MathType = CudaDnnMathType.Fma });
        }

        // In the order of their times where they were measured, else in cuDNN's own.
        return found.OrderBy(algorithm => algorithm.Milliseconds).Cast<CudaDnnAlgorithm?>().FirstOrDefault()
            ?? throw new NotSupportedException($"cuDNN {CudaDnn.GetVersion()} has no algorithm for this convolution in {precision}");
    }
}
