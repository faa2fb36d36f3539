using System.Runtime.InteropServices;

namespace CudaL2Net.Interop;

/// <summary>The entry points of cuBLAS that are in use. Signatures and values are those of <c>cublas_api.h</c> of CUDA 11.8; versions 12 and 13 have the same.
/// </summary>
internal static unsafe partial class Cublas
{
    /// <summary>What the imports call it.</summary>
    public const string Library = "cublas";

    public const int DefaultMath = 0, NoTranspose = 0, Transpose = 1, DefaultAlgorithm = -1;

    public const int MajorVersion = 0, MinorVersion = 1, PatchLevel = 2;

    [LibraryImport(Library)]
    public static partial int cublasGetProperty(int type, int* value);

    [LibraryImport(Library)]
    public static partial nint cublasGetStatusName(int status);

    [LibraryImport(Library)]
    public static partial nint cublasGetStatusString(int status);

    [LibraryImport(Library)]
    public static partial int cublasCreate_v2(nint* handle);

    [LibraryImport(Library)]
    public static partial int cublasDestroy_v2(nint handle);

    [LibraryImport(Library)]
    public static partial int cublasSetStream_v2(nint handle, nint stream);

    [LibraryImport(Library)]
    public static partial int cublasSetMathMode(nint handle, int mode);

    [LibraryImport(Library)]
    public static partial int cublasSetWorkspace_v2(nint handle, nint workspace, nuint bytes);

    [LibraryImport(Library)]
    public static partial int cublasGemmEx(nint handle, int transposeA, int transposeB, int m, int n, int k, void* alpha, nint a, int aType, int aPitch, nint b,
        int bType, int bPitch, void* beta, nint c, int cType, int cPitch, int computeType, int algorithm);

    [LibraryImport(Library)]
    public static partial int cublasGemmStridedBatchedEx(nint handle, int transposeA, int transposeB, int m, int n, int k, void* alpha, nint a, int aType,
        int aPitch, long aStride, nint b, int bType, int bPitch, long bStride, void* beta, nint c, int cType, int cPitch, long cStride, int batch,
        int computeType, int algorithm);
}
