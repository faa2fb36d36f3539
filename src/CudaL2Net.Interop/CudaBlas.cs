using System.Runtime.InteropServices;

namespace CudaL2Net.Interop;

/// <summary>The numbers of a matrix (<c>cudaDataType_t</c>).</summary>
public enum CudaDataType
{
    /// <summary>float32.</summary>
    Float32 = 0,

    /// <summary>bfloat16.</summary>
    BFloat16 = 14,
}

/// <summary>What a product computes with (<c>cublasComputeType_t</c>). Sums are float32 in all of them.</summary>
public enum CudaBlasComputeType
{
    /// <summary>Products of the numbers as they are.</summary>
    Float32 = 68,

    /// <summary>float32 numbers rounded to TensorFloat-32.</summary>
    Float32FastTf32 = 77,
}

/// <summary>A matrix in device memory, column-major as cuBLAS has them.</summary>
/// <param name="Data">Its address.</param>
/// <param name="Type">Its numbers.</param>
/// <param name="LeadingDimension">Elements from one column to the next.</param>
/// <param name="Transposed">Whether a factor is its transpose.</param>
/// <param name="Stride">Elements from one matrix of a batch to the next.</param>
public readonly record struct CudaBlasMatrix(nint Data, CudaDataType Type, int LeadingDimension, bool Transposed = false, long Stride = 0);

/// <summary>cuBLAS on a stream, with a workspace of its own, so that its calls can be captured.</summary>
public sealed unsafe class CudaBlas : IDisposable
{
    // What NVIDIA's guide recommends for Hopper; older devices need less.
    private const int WorkspaceBytes = 32 << 20;

    private readonly CudaStream stream;
    private readonly CudaBlasHandle handle;
    private readonly CudaDeviceVariable<byte> workspace;

    /// <summary>Opens cuBLAS.</summary>
    /// <exception cref="CudaLibraryException">It is not there, or does not run on this device.</exception>
    /// <exception cref="CudaException">There is not enough memory.</exception>
    public CudaBlas(CudaStream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        this.stream = stream;
        VendorLibrary.Cublas.Require();
        stream.Enter();
        handle = new CudaBlasHandle(stream.Context.Handle);
        nint opened = handle.DangerousGetHandle();
        Check(Cublas.cublasSetStream_v2(opened, stream.Handle.DangerousGetHandle()), nameof(Cublas.cublasSetStream_v2));
        Check(Cublas.cublasSetMathMode(opened, Cublas.DefaultMath), nameof(Cublas.cublasSetMathMode));

        // After the stream, for setting a stream takes the workspace away.
        workspace = new CudaDeviceVariable<byte>(stream, WorkspaceBytes);
        Check(Cublas.cublasSetWorkspace_v2(opened, workspace.DevicePointer, WorkspaceBytes), nameof(Cublas.cublasSetWorkspace_v2));
    }

    /// <summary>The library's version; needs no device.</summary>
    /// <exception cref="CudaLibraryException">It is not there.</exception>
    public static Version GetVersion()
    {
        VendorLibrary.Cublas.Require();
        return new Version(Property(Cublas.MajorVersion), Property(Cublas.MinorVersion), Property(Cublas.PatchLevel));

        static int Property(int type)
        {
            int value = 0;
            _ = Cublas.cublasGetProperty(type, &value);
            return value;
        }
    }

    /// <summary>Queues C = A B for one matrix or a batch of them.</summary>
    /// <param name="m">Rows of A and C.</param>
    /// <param name="n">Columns of B and C.</param>
    /// <param name="k">Columns of A, rows of B.</param>
    /// <param name="a">[m][k].</param>
    /// <param name="b">[k][n].</param>
    /// <param name="c">[m][n], written.</param>
    /// <param name="compute">What it computes with.</param>
    /// <param name="batch">Matrices.</param>
    /// <exception cref="CudaLibraryException">cuBLAS refuses it.</exception>
    public void Gemm(int m, int n, int k, in CudaBlasMatrix a, in CudaBlasMatrix b, in CudaBlasMatrix c,
        CudaBlasComputeType compute = CudaBlasComputeType.Float32, int batch = 1)
    {
        stream.Enter();
        ObjectDisposedException.ThrowIf(handle.IsClosed, this);
        nint opened = handle.DangerousGetHandle();
        float one = 1, zero = 0;
        int transposeA = a.Transposed ? Cublas.Transpose : Cublas.NoTranspose, transposeB = b.Transposed ? Cublas.Transpose : Cublas.NoTranspose;
        if (batch == 1)
        {
            int status = Cublas.cublasGemmEx(opened, transposeA, transposeB, m, n, k, &one, a.Data, (int)a.Type, a.LeadingDimension, b.Data, (int)b.Type,
                b.LeadingDimension, &zero, c.Data, (int)c.Type, c.LeadingDimension, (int)compute, Cublas.DefaultAlgorithm);
            Check(status, nameof(Cublas.cublasGemmEx));
        }
        else
        {
            int status = Cublas.cublasGemmStridedBatchedEx(opened, transposeA, transposeB, m, n, k, &one, a.Data, (int)a.Type, a.LeadingDimension, a.Stride,
                b.Data, (int)b.Type, b.LeadingDimension, b.Stride, &zero, c.Data, (int)c.Type, c.LeadingDimension, c.Stride, batch, (int)compute,
                Cublas.DefaultAlgorithm);
            Check(status, nameof(Cublas.cublasGemmStridedBatchedEx));
        }

        stream.Launched(new LaunchRecord($"cuBLAS {m} x {n} x {k}", default, default, 0));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        handle.Dispose();
        workspace.Dispose();
    }

    /// <summary>Throws unless a status is success.</summary>
    internal static void Check(int status, string call)
    {
        if (status != 0)
        {
            string name = Marshal.PtrToStringUTF8(Cublas.cublasGetStatusName(status)) ?? $"status {status}";
            string text = Marshal.PtrToStringUTF8(Cublas.cublasGetStatusString(status)) ?? "unknown to this version";
            throw new CudaLibraryException("cuBLAS", call, status, $"{call} failed: {name} ({text}), cuBLAS {GetVersion()}");
        }
    }

    private sealed class CudaBlasHandle : ContextChild
    {
        public CudaBlasHandle(ContextHandle context)
            : base(context)
        {
            nint made;
            Check(Cublas.cublasCreate_v2(&made), nameof(Cublas.cublasCreate_v2));
            Own(made);
        }

        protected override CudaError Release() => Cublas.cublasDestroy_v2(handle) == 0 ? CudaError.Success : CudaError.InvalidValue;
    }
}
