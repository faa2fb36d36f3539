using System.Runtime.InteropServices;

namespace CudaL2Net.Interop;

/// <summary>
/// The entry points of cuDNN that are in use: only such as 8 and 9 both have. NVIDIA's headers were not at hand; signatures, values and the layout of
/// <see cref="AlgorithmPerformance"/> were checked against public bindings that were generated from the headers of 8.2 and of 9 (they agree), the meaning of
/// arguments against NVIDIA's reference.
/// </summary>
internal static unsafe partial class Cudnn
{
    /// <summary>What the imports call it.</summary>
    public const string Library = "cudnn";

    public const int FormatNhwc = 1, CrossCorrelation = 1, ActivationRelu = 1, PropagateNan = 1, BatchNormSpatialPersistent = 2, BatchNormOnly = 0;

    [LibraryImport(Library)]
    public static partial nuint cudnnGetVersion();

    [LibraryImport(Library)]
    public static partial nint cudnnGetErrorString(int status);

    [LibraryImport(Library)]
    public static partial int cudnnCreate(nint* handle);

    [LibraryImport(Library)]
    public static partial int cudnnDestroy(nint handle);

    [LibraryImport(Library)]
    public static partial int cudnnSetStream(nint handle, nint stream);

    [LibraryImport(Library)]
    public static partial int cudnnCreateTensorDescriptor(nint* descriptor);

    [LibraryImport(Library)]
    public static partial int cudnnSetTensor4dDescriptor(nint descriptor, int format, int type, int n, int c, int h, int w);

    [LibraryImport(Library)]
    public static partial int cudnnDestroyTensorDescriptor(nint descriptor);

    [LibraryImport(Library)]
    public static partial int cudnnCreateFilterDescriptor(nint* descriptor);

    [LibraryImport(Library)]
    public static partial int cudnnSetFilter4dDescriptor(nint descriptor, int type, int format, int k, int c, int h, int w);

    [LibraryImport(Library)]
    public static partial int cudnnDestroyFilterDescriptor(nint descriptor);

    [LibraryImport(Library)]
    public static partial int cudnnCreateConvolutionDescriptor(nint* descriptor);

    [LibraryImport(Library)]
    public static partial int cudnnSetConvolution2dDescriptor(nint descriptor, int paddingHeight, int paddingWidth, int strideHeight, int strideWidth,
        int dilationHeight, int dilationWidth, int mode, int computeType);

    [LibraryImport(Library)]
    public static partial int cudnnSetConvolutionMathType(nint descriptor, int mathType);

    [LibraryImport(Library)]
    public static partial int cudnnDestroyConvolutionDescriptor(nint descriptor);

    [LibraryImport(Library)]
    public static partial int cudnnCreateActivationDescriptor(nint* descriptor);

    [LibraryImport(Library)]
    public static partial int cudnnSetActivationDescriptor(nint descriptor, int mode, int nanPropagation, double coefficient);

    [LibraryImport(Library)]
    public static partial int cudnnDestroyActivationDescriptor(nint descriptor);

    [LibraryImport(Library)]
    public static partial int cudnnFindConvolutionForwardAlgorithmEx(nint handle, nint xDescriptor, nint x, nint wDescriptor, nint w, nint convolution,
        nint yDescriptor, nint y, int requested, int* returned, AlgorithmPerformance* results, nint workspace, nuint workspaceBytes);

    [LibraryImport(Library)]
    public static partial int cudnnFindConvolutionBackwardDataAlgorithmEx(nint handle, nint wDescriptor, nint w, nint dyDescriptor, nint dy, nint convolution,
        nint dxDescriptor, nint dx, int requested, int* returned, AlgorithmPerformance* results, nint workspace, nuint workspaceBytes);

    [LibraryImport(Library)]
    public static partial int cudnnFindConvolutionBackwardFilterAlgorithmEx(nint handle, nint xDescriptor, nint x, nint dyDescriptor, nint dy, nint convolution,
        nint dwDescriptor, nint dw, int requested, int* returned, AlgorithmPerformance* results, nint workspace, nuint workspaceBytes);

    [LibraryImport(Library)]
    public static partial int cudnnGetConvolutionForwardAlgorithm_v7(nint handle, nint xDescriptor, nint wDescriptor, nint convolution, nint yDescriptor,
        int requested, int* returned, AlgorithmPerformance* results);

    [LibraryImport(Library)]
    public static partial int cudnnGetConvolutionBackwardDataAlgorithm_v7(nint handle, nint wDescriptor, nint dyDescriptor, nint convolution, nint dxDescriptor,
        int requested, int* returned, AlgorithmPerformance* results);

    [LibraryImport(Library)]
    public static partial int cudnnGetConvolutionBackwardFilterAlgorithm_v7(nint handle, nint xDescriptor, nint dyDescriptor, nint convolution,
        nint dwDescriptor, int requested, int* returned, AlgorithmPerformance* results);

    [LibraryImport(Library)]
    public static partial int cudnnGetConvolutionForwardWorkspaceSize(nint handle, nint xDescriptor, nint wDescriptor, nint convolution, nint yDescriptor,
        int algorithm, nuint* bytes);

    [LibraryImport(Library)]
    public static partial int cudnnGetConvolutionBackwardDataWorkspaceSize(nint handle, nint wDescriptor, nint dyDescriptor, nint convolution,
        nint dxDescriptor, int algorithm, nuint* bytes);

    [LibraryImport(Library)]
    public static partial int cudnnGetConvolutionBackwardFilterWorkspaceSize(nint handle, nint xDescriptor, nint dyDescriptor, nint convolution,
        nint dwDescriptor, int algorithm, nuint* bytes);

    [LibraryImport(Library)]
    public static partial int cudnnConvolutionForward(nint handle, void* alpha, nint xDescriptor, nint x, nint wDescriptor, nint w, nint convolution,
        int algorithm, nint workspace, nuint workspaceBytes, void* beta, nint yDescriptor, nint y);

    [LibraryImport(Library)]
    public static partial int cudnnConvolutionBackwardData(nint handle, void* alpha, nint wDescriptor, nint w, nint dyDescriptor, nint dy, nint convolution,
        int algorithm, nint workspace, nuint workspaceBytes, void* beta, nint dxDescriptor, nint dx);

    [LibraryImport(Library)]
    public static partial int cudnnConvolutionBackwardFilter(nint handle, void* alpha, nint xDescriptor, nint x, nint dyDescriptor, nint dy, nint convolution,
        int algorithm, nint workspace, nuint workspaceBytes, void* beta, nint dwDescriptor, nint dw);

    [LibraryImport(Library)]
    public static partial int cudnnConvolutionBackwardBias(nint handle, void* alpha, nint dyDescriptor, nint dy, void* beta, nint dbDescriptor, nint db);

    [LibraryImport(Library)]
    public static partial int cudnnAddTensor(nint handle, void* alpha, nint aDescriptor, nint a, void* beta, nint cDescriptor, nint c);

    [LibraryImport(Library)]
    public static partial int cudnnActivationForward(nint handle, nint activation, void* alpha, nint xDescriptor, nint x, void* beta, nint yDescriptor, nint y);

    [LibraryImport(Library)]
    public static partial int cudnnActivationBackward(nint handle, nint activation, void* alpha, nint yDescriptor, nint y, nint dyDescriptor, nint dy,
        nint xDescriptor, nint x, void* beta, nint dxDescriptor, nint dx);

    [LibraryImport(Library)]
    public static partial int cudnnGetBatchNormalizationForwardTrainingExWorkspaceSize(nint handle, int mode, int operations, nint xDescriptor,
        nint zDescriptor, nint yDescriptor, nint statisticsDescriptor, nint activation, nuint* bytes);

    [LibraryImport(Library)]
    public static partial int cudnnGetBatchNormalizationBackwardExWorkspaceSize(nint handle, int mode, int operations, nint xDescriptor, nint yDescriptor,
        nint dyDescriptor, nint dzDescriptor, nint dxDescriptor, nint statisticsDescriptor, nint activation, nuint* bytes);

    [LibraryImport(Library)]
    public static partial int cudnnGetBatchNormalizationTrainingExReserveSpaceSize(nint handle, int mode, int operations, nint activation, nint xDescriptor,
        nuint* bytes);

    [LibraryImport(Library)]
    public static partial int cudnnBatchNormalizationForwardTrainingEx(nint handle, int mode, int operations, void* alpha, void* beta, nint xDescriptor, nint x,
        nint zDescriptor, nint z, nint yDescriptor, nint y, nint statisticsDescriptor, nint scale, nint shift, double averageFactor, nint runningMean,
        nint runningVariance, double epsilon, nint savedMean, nint savedInverseDeviation, nint activation, nint workspace, nuint workspaceBytes, nint reserve,
        nuint reserveBytes);

    [LibraryImport(Library)]
    public static partial int cudnnBatchNormalizationBackwardEx(nint handle, int mode, int operations, void* alphaData, void* betaData, void* alphaParameters,
        void* betaParameters, nint xDescriptor, nint x, nint yDescriptor, nint y, nint dyDescriptor, nint dy, nint dzDescriptor, nint dz, nint dxDescriptor,
        nint dx, nint statisticsDescriptor, nint scale, nint shift, nint dScale, nint dShift, double epsilon, nint savedMean, nint savedInverseDeviation,
        nint activation, nint workspace, nuint workspaceBytes, nint reserve, nuint reserveBytes);

    /// <summary><c>cudnnConvolution...AlgoPerf_t</c>, the same for all three passes: 48 bytes.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct AlgorithmPerformance
    {
        public int Algorithm;
        public int Status;
        public float Milliseconds;
        public nuint WorkspaceBytes;
        public int Deterministic;
        public int MathType;
        public fixed int Reserved[3];
    }
}
