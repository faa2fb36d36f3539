using System.Runtime.InteropServices;

namespace CudaL2Net.Interop;

/// <summary>The passes of a convolution.</summary>
public enum CudaDnnConvolutionPass
{
    /// <summary>y from x and the filters.</summary>
    Forward,

    /// <summary>The gradient of x from the filters and that of y.</summary>
    BackwardData,

    /// <summary>The gradient of the filters from x and that of y.</summary>
    BackwardFilter,
}

/// <summary>The tensors of a convolution, or their gradients; a pass writes one of them.</summary>
/// <param name="X">[n][h][w][in].</param>
/// <param name="Filters">[out][kh][kw][in].</param>
/// <param name="Convolution">How one becomes the other.</param>
/// <param name="Y">[n][oh][ow][out].</param>
public sealed record CudaDnnConvolution(TensorDescriptor X, FilterDescriptor Filters, ConvolutionDescriptor Convolution, TensorDescriptor Y);

/// <summary>A way to do one pass of a convolution.</summary>
/// <param name="Pass">The pass.</param>
/// <param name="Number">cuDNN's number of it, among those of the pass.</param>
/// <param name="MathType">What it computes with.</param>
/// <param name="WorkspaceBytes">The workspace that it needs.</param>
/// <param name="Deterministic">Whether it always gives the same bits.</param>
/// <param name="Milliseconds">What it was measured to take; negative where it was not measured.</param>
public readonly record struct CudaDnnAlgorithm(
    CudaDnnConvolutionPass Pass, int Number, CudaDnnMathType MathType, nuint WorkspaceBytes, bool Deterministic, float Milliseconds)
{
    private static readonly string[][] Names =
    [
        ["IMPLICIT_GEMM", "IMPLICIT_PRECOMP_GEMM", "GEMM", "DIRECT", "FFT", "FFT_TILING", "WINOGRAD", "WINOGRAD_NONFUSED"],
        ["ALGO_0", "ALGO_1", "FFT", "FFT_TILING", "WINOGRAD", "WINOGRAD_NONFUSED"],
        ["ALGO_0", "ALGO_1", "FFT", "ALGO_3", "WINOGRAD", "WINOGRAD_NONFUSED", "FFT_TILING"],
    ];

    /// <summary>How many numbers a pass has.</summary>
    internal static int Count(CudaDnnConvolutionPass pass) => Names[(int)pass].Length;

    /// <summary>cuDNN's name, the part that tells it from the others of its pass.</summary>
    public string Name => (uint)Number < Names[(int)Pass].Length ? Names[(int)Pass][Number] : $"algorithm {Number}";

    /// <inheritdoc/>
    public override string ToString() => $"{Name}{MathType switch
    {
        CudaDnnMathType.TensorOp or CudaDnnMathType.TensorOpAllowConversion => ", tensor cores",
        CudaDnnMathType.Fma => ", FMA",
        _ => "",
    }}, {WorkspaceBytes / 1048576.0:0.#} MiB of workspace{(Deterministic ? "" : ", not deterministic")}";
}

/// <summary>cuDNN on a stream.</summary>
public sealed unsafe class CudaDnn : IDisposable
{
    private readonly CudaStream stream;
    private readonly CudaDnnHandle handle;
    private readonly ActivationDescriptor relu;

    /// <summary>Opens cuDNN.</summary>
    /// <exception cref="CudaLibraryException">It is not there, or does not run on this device.</exception>
    public CudaDnn(CudaStream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        this.stream = stream;
        VendorLibrary.Cudnn.Require();
        stream.Enter();
        handle = new CudaDnnHandle(stream.Context.Handle);
        Check(Cudnn.cudnnSetStream(handle.DangerousGetHandle(), stream.Handle.DangerousGetHandle()), nameof(Cudnn.cudnnSetStream));
        relu = new ActivationDescriptor();
    }

    /// <summary>The library's version; needs no device.</summary>
    /// <exception cref="CudaLibraryException">It is not there.</exception>
    public static Version GetVersion()
    {
        // From 9 on the minor version has two more digits.
        const int LongFrom = 10000;
        VendorLibrary.Cudnn.Require();
        int version = (int)Cudnn.cudnnGetVersion(), major = version >= LongFrom ? LongFrom : 1000;
        return new Version(version / major, version % major / 100, version % 100);
    }

    /// <summary>Measures the algorithms of a pass, which runs them: waits, and overwrites what the pass writes. Not while work is captured.</summary>
    /// <param name="pass">The pass.</param>
    /// <param name="convolution">The convolution.</param>
    /// <param name="x">The tensor or its gradient.</param>
    /// <param name="filters">The filters or their gradient.</param>
    /// <param name="y">The result or its gradient.</param>
    /// <param name="workspace">Memory that the algorithms may use.</param>
    /// <param name="workspaceBytes">Its size; algorithms that need more are left out.</param>
    /// <returns>Those that work, the fastest first.</returns>
    /// <exception cref="CudaLibraryException">cuDNN cannot measure them.</exception>
    public CudaDnnAlgorithm[] FindAlgorithms(
        CudaDnnConvolutionPass pass, CudaDnnConvolution convolution, nint x, nint filters, nint y, nint workspace, nuint workspaceBytes)
    {
        (nint dnn, nint xs, nint ws, nint how, nint ys) = Enter(convolution);
        int requested = 2 * CudaDnnAlgorithm.Count(pass), returned = 0;
        var results = new Cudnn.AlgorithmPerformance[requested];
        fixed (Cudnn.AlgorithmPerformance* found = results)
        {
            (int status, string call) = pass switch
            {
                CudaDnnConvolutionPass.Forward => (
                    Cudnn.cudnnFindConvolutionForwardAlgorithmEx(dnn, xs, x, ws, filters, how, ys, y, requested, &returned, found, workspace, workspaceBytes),
                    nameof(Cudnn.cudnnFindConvolutionForwardAlgorithmEx)),
                CudaDnnConvolutionPass.BackwardData => (
                    Cudnn.cudnnFindConvolutionBackwardDataAlgorithmEx(
                        dnn, ws, filters, ys, y, how, xs, x, requested, &returned, found, workspace, workspaceBytes),
                    nameof(Cudnn.cudnnFindConvolutionBackwardDataAlgorithmEx)),
                _ => (
                    Cudnn.cudnnFindConvolutionBackwardFilterAlgorithmEx(
                        dnn, xs, x, ys, y, how, ws, filters, requested, &returned, found, workspace, workspaceBytes),
                    nameof(Cudnn.cudnnFindConvolutionBackwardFilterAlgorithmEx)),
            };
            Check(status, call);
        }

        return Usable(pass, results.AsSpan(0, returned));
    }

    /// <summary>The algorithms of a pass in the order that the library expects them to be fast.</summary>
    /// <exception cref="CudaLibraryException">cuDNN has none.</exception>
    public CudaDnnAlgorithm[] GetAlgorithms(CudaDnnConvolutionPass pass, CudaDnnConvolution convolution)
    {
        (nint dnn, nint xs, nint ws, nint how, nint ys) = Enter(convolution);
        int requested = CudaDnnAlgorithm.Count(pass), returned = 0;
        var results = new Cudnn.AlgorithmPerformance[requested];
        fixed (Cudnn.AlgorithmPerformance* found = results)
        {
            (int status, string call) = pass switch
            {
                CudaDnnConvolutionPass.Forward => (
                    Cudnn.cudnnGetConvolutionForwardAlgorithm_v7(dnn, xs, ws, how, ys, requested, &returned, found),
                    nameof(Cudnn.cudnnGetConvolutionForwardAlgorithm_v7)),
                CudaDnnConvolutionPass.BackwardData => (
                    Cudnn.cudnnGetConvolutionBackwardDataAlgorithm_v7(dnn, ws, ys, how, xs, requested, &returned, found),
                    nameof(Cudnn.cudnnGetConvolutionBackwardDataAlgorithm_v7)),
                _ => (
                    Cudnn.cudnnGetConvolutionBackwardFilterAlgorithm_v7(dnn, xs, ys, how, ws, requested, &returned, found),
                    nameof(Cudnn.cudnnGetConvolutionBackwardFilterAlgorithm_v7)),
            };
            Check(status, call);
        }

        return Usable(pass, results.AsSpan(0, returned));
    }

    /// <summary>The workspace that an algorithm needs, in bytes; null where it cannot do this convolution.</summary>
    public nuint? GetWorkspaceSize(CudaDnnConvolutionPass pass, CudaDnnConvolution convolution, int algorithm)
    {
        (nint dnn, nint xs, nint ws, nint how, nint ys) = Enter(convolution);
        nuint bytes = 0;
        int status = pass switch
        {
            CudaDnnConvolutionPass.Forward => Cudnn.cudnnGetConvolutionForwardWorkspaceSize(dnn, xs, ws, how, ys, algorithm, &bytes),
            CudaDnnConvolutionPass.BackwardData => Cudnn.cudnnGetConvolutionBackwardDataWorkspaceSize(dnn, ws, ys, how, xs, algorithm, &bytes),
            _ => Cudnn.cudnnGetConvolutionBackwardFilterWorkspaceSize(dnn, xs, ys, how, ws, algorithm, &bytes),
        };
        return status == 0 ? bytes : null;
    }

    /// <summary>Queues a pass of a convolution.</summary>
    /// <param name="convolution">The convolution, which gets the algorithm's math type.</param>
    /// <param name="algorithm">How, and which pass.</param>
    /// <param name="x">The tensor or its gradient; written backward to the data.</param>
    /// <param name="filters">The filters or their gradient; written backward to the filters.</param>
    /// <param name="y">The result or its gradient; written forward.</param>
    /// <param name="workspace">Memory of at least as many bytes as the algorithm needs.</param>
    /// <exception cref="CudaLibraryException">cuDNN refuses it.</exception>
    public void Convolve(CudaDnnConvolution convolution, in CudaDnnAlgorithm algorithm, nint x, nint filters, nint y, nint workspace)
    {
        (nint dnn, nint xs, nint ws, nint how, nint ys) = Enter(convolution);
        convolution.Convolution.MathType = algorithm.MathType;
        float one = 1, zero = 0;
        nuint bytes = algorithm.WorkspaceBytes;
        (int status, string call) = algorithm.Pass switch
        {
            CudaDnnConvolutionPass.Forward => (
                Cudnn.cudnnConvolutionForward(dnn, &one, xs, x, ws, filters, how, algorithm.Number, workspace, bytes, &zero, ys, y),
                nameof(Cudnn.cudnnConvolutionForward)),
            CudaDnnConvolutionPass.BackwardData => (
                Cudnn.cudnnConvolutionBackwardData(dnn, &one, ws, filters, ys, y, how, algorithm.Number, workspace, bytes, &zero, xs, x),
                nameof(Cudnn.cudnnConvolutionBackwardData)),
            _ => (
                Cudnn.cudnnConvolutionBackwardFilter(dnn, &one, xs, x, ys, y, how, algorithm.Number, workspace, bytes, &zero, ws, filters),
                nameof(Cudnn.cudnnConvolutionBackwardFilter)),
        };
        Queued(status, call);
    }

    /// <summary>Queues db = the sum of dy over all but the channels.</summary>
    public void ConvolutionBackwardBias(TensorDescriptor dyDescriptor, nint dy, TensorDescriptor dbDescriptor, nint db)
    {
        float one = 1, zero = 0;
        Queued(
            Cudnn.cudnnConvolutionBackwardBias(Enter(), &one, dyDescriptor.Handle, dy, &zero, dbDescriptor.Handle, db),
            nameof(Cudnn.cudnnConvolutionBackwardBias));
    }

    /// <summary>Queues c += a, a repeated where it has one row or column.</summary>
    public void AddTensor(TensorDescriptor aDescriptor, nint a, TensorDescriptor cDescriptor, nint c)
    {
        float one = 1;
        Queued(Cudnn.cudnnAddTensor(Enter(), &one, aDescriptor.Handle, a, &one, cDescriptor.Handle, c), nameof(Cudnn.cudnnAddTensor));
    }

    /// <summary>Queues y = max(0, x); may be in place.</summary>
    public void ReluForward(TensorDescriptor descriptor, nint x, nint y)
    {
        float one = 1, zero = 0;
        Queued(
            Cudnn.cudnnActivationForward(Enter(), relu.Handle, &one, descriptor.Handle, x, &zero, descriptor.Handle, y), nameof(Cudnn.cudnnActivationForward));
    }

    /// <summary>Queues dx = dy where y is positive, else 0; may be in place.</summary>
    /// <param name="descriptor">All tensors.</param>
    /// <param name="y">The result of the forward call.</param>
    /// <param name="dy">Its gradient.</param>
    /// <param name="dx">Written.</param>
    public void ReluBackward(TensorDescriptor descriptor, nint y, nint dy, nint dx)
    {
        // cuDNN asks for the input, too, of which ReLU tells no more than its result does.
        float one = 1, zero = 0;
        nint shape = descriptor.Handle;
        Queued(
            Cudnn.cudnnActivationBackward(Enter(), relu.Handle, &one, shape, y, shape, dy, shape, y, &zero, shape, dx), nameof(Cudnn.cudnnActivationBackward));
    }

    /// <summary>The bytes of workspace of both directions of a batch normalization, and those that stay between them.</summary>
    public (nuint Workspace, nuint Reserve) GetBatchNormSizes(TensorDescriptor descriptor, TensorDescriptor statistics)
    {
        nint dnn = Enter(), shape = descriptor.Handle;
        nuint forward = 0, backward = 0, reserve = 0;
        Check(
            Cudnn.cudnnGetBatchNormalizationForwardTrainingExWorkspaceSize(
                dnn, Cudnn.BatchNormSpatialPersistent, Cudnn.BatchNormOnly, shape, 0, shape, statistics.Handle, 0, &forward),
            nameof(Cudnn.cudnnGetBatchNormalizationForwardTrainingExWorkspaceSize));
        Check(
            Cudnn.cudnnGetBatchNormalizationBackwardExWorkspaceSize(
                dnn, Cudnn.BatchNormSpatialPersistent, Cudnn.BatchNormOnly, shape, shape, shape, 0, shape, statistics.Handle, 0, &backward),
            nameof(Cudnn.cudnnGetBatchNormalizationBackwardExWorkspaceSize));
        Check(
            Cudnn.cudnnGetBatchNormalizationTrainingExReserveSpaceSize(
                dnn, Cudnn.BatchNormSpatialPersistent, Cudnn.BatchNormOnly, 0, shape, &reserve),
            nameof(Cudnn.cudnnGetBatchNormalizationTrainingExReserveSpaceSize));
        return (nuint.Max(forward, backward), reserve);
    }

    /// <summary>Queues a batch normalization with the batch's own statistics.</summary>
    /// <param name="descriptor">x and y.</param>
    /// <param name="statistics">[1][1][1][c], what is kept for each channel.</param>
    /// <param name="x">The input.</param>
    /// <param name="y">Written.</param>
    /// <param name="scale">[c].</param>
    /// <param name="shift">[c].</param>
    /// <param name="momentum">Weight of this batch in the running statistics.</param>
    /// <param name="runningMean">[c], moved.</param>
    /// <param name="runningVariance">[c], moved, with the unbiased variance.</param>
    /// <param name="epsilon">Added to the variance.</param>
    /// <param name="mean">[c], written.</param>
    /// <param name="inverseDeviation">[c], written.</param>
    /// <param name="memory">Workspace and reserve of at least the sizes asked for.</param>
    public void BatchNormForward(TensorDescriptor descriptor, TensorDescriptor statistics, nint x, nint y, nint scale, nint shift, double momentum,
        nint runningMean, nint runningVariance, double epsilon, nint mean, nint inverseDeviation, in CudaDnnBatchNormMemory memory)
    {
        float one = 1, zero = 0;
        nint shape = descriptor.Handle;
        Queued(
            Cudnn.cudnnBatchNormalizationForwardTrainingEx(
                Enter(), Cudnn.BatchNormSpatialPersistent, Cudnn.BatchNormOnly, &one, &zero, shape, x, 0, 0, shape, y, statistics.Handle, scale, shift, momentum,
                runningMean, runningVariance, epsilon, mean, inverseDeviation, 0, memory.Workspace, memory.WorkspaceBytes, memory.Reserve, memory.ReserveBytes),
            nameof(Cudnn.cudnnBatchNormalizationForwardTrainingEx));
    }

    /// <summary>Queues the gradients of a batch normalization.</summary>
    /// <param name="descriptor">x, dy and dx.</param>
    /// <param name="statistics">As in the forward call.</param>
    /// <param name="x">The forward call's input.</param>
    /// <param name="dy">The gradient of its result.</param>
    /// <param name="dx">Written; not in place.</param>
    /// <param name="scale">[c].</param>
    /// <param name="dScale">[c], written.</param>
    /// <param name="dShift">[c], written.</param>
    /// <param name="add">Whether dScale and dShift are added to instead.</param>
    /// <param name="epsilon">As in the forward call.</param>
    /// <param name="mean">From the forward call.</param>
    /// <param name="inverseDeviation">From the forward call.</param>
    /// <param name="memory">The workspace, and the forward call's reserve.</param>
    public void BatchNormBackward(TensorDescriptor descriptor, TensorDescriptor statistics, nint x, nint dy, nint dx, nint scale, nint dScale, nint dShift,
        bool add, double epsilon, nint mean, nint inverseDeviation, in CudaDnnBatchNormMemory memory)
    {
        float one = 1, zero = 0;
        nint shape = descriptor.Handle;
        Queued(
            Cudnn.cudnnBatchNormalizationBackwardEx(
                Enter(), Cudnn.BatchNormSpatialPersistent, Cudnn.BatchNormOnly, &one, &zero, &one, add ? &one : &zero, shape, x, 0, 0, shape, dy, 0, 0, shape, dx,
                statistics.Handle, scale, 0, dScale, dShift, epsilon, mean, inverseDeviation, 0, memory.Workspace, memory.WorkspaceBytes, memory.Reserve,
                memory.ReserveBytes),
            nameof(Cudnn.cudnnBatchNormalizationBackwardEx));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        relu.Dispose();
        handle.Dispose();
    }

    /// <summary>Throws unless a status is success.</summary>
    internal static void Check(int status, string call)
    {
        if (status != 0)
        {
            string text = Marshal.PtrToStringUTF8(Cudnn.cudnnGetErrorString(status)) ?? "unknown to this version";
            throw new CudaLibraryException("cuDNN", call, status, $"{call} failed: {text} (status {status}), cuDNN {GetVersion()}");
        }
    }

    private static CudaDnnAlgorithm[] Usable(CudaDnnConvolutionPass pass, ReadOnlySpan<Cudnn.AlgorithmPerformance> results)
    {
        var usable = new List<CudaDnnAlgorithm>();
        foreach (Cudnn.AlgorithmPerformance result in results)
        {
            if (result.Status == 0)
            {
                usable.Add(new CudaDnnAlgorithm(pass, result.Algorithm, (CudaDnnMathType)result.MathType, result.WorkspaceBytes, result.Deterministic != 0,
                    result.Milliseconds));
            }
        }

        return [.. usable];
    }

    private nint Enter()
    {
        ObjectDisposedException.ThrowIf(handle.IsClosed, this);
        stream.Enter();
        return handle.DangerousGetHandle();
    }

    private (nint Dnn, nint X, nint Filters, nint Convolution, nint Y) Enter(CudaDnnConvolution convolution) =>
        (Enter(), convolution.X.Handle, convolution.Filters.Handle, convolution.Convolution.Handle, convolution.Y.Handle);

    private void Queued(int status, string call)
    {
        Check(status, call);
        stream.Launched(new LaunchRecord(call, default, default, 0));
    }

    private sealed class CudaDnnHandle : ContextChild
    {
        public CudaDnnHandle(ContextHandle context)
            : base(context)
        {
            nint made;
            Check(Cudnn.cudnnCreate(&made), nameof(Cudnn.cudnnCreate));
            Own(made);
        }

        protected override CudaError Release() => Cudnn.cudnnDestroy(handle) == 0 ? CudaError.Success : CudaError.InvalidValue;
    }
}

/// <summary>Device memory of a batch normalization.</summary>
/// <param name="Workspace">Used during a call.</param>
/// <param name="WorkspaceBytes">Its size.</param>
/// <param name="Reserve">Stays as it is from the forward to the backward call.</param>
/// <param name="ReserveBytes">Its size.</param>
public readonly record struct CudaDnnBatchNormMemory(nint Workspace, nuint WorkspaceBytes, nint Reserve, nuint ReserveBytes);
