using CudaL2Net.Interop;

namespace CudaL2Net.Kernels.Cuda.Vendor;

/// <summary>cuDNN and cuBLAS on one stream, and the memory that their calls may use meanwhile.</summary>
internal sealed class VendorLibraries : IDisposable
{
    private readonly List<CudaDeviceVariable<byte>> workspaces = [];

    /// <summary>Opens both.</summary>
    /// <exception cref="CudaLibraryException">One is not there, or does not run on this device.</exception>
    public VendorLibraries(CudaStream stream)
    {
        Stream = stream;
        Dnn = new CudaDnn(stream);
        try
        {
            Blas = new CudaBlas(stream);
        }
        catch
        {
            Dnn.Dispose();
            throw;
        }
    }

    public CudaStream Stream { get; }

    public CudaDnn Dnn { get; }

    public CudaBlas Blas { get; }

    /// <summary>Memory for one call, until the next asks. It grows, though not while work is captured; what was given out before stays, for a recorded step may
    /// still use it.</summary>
    public nint Workspace(nuint bytes)
    {
        if (bytes == 0)
        {
            return 0;
        }

        if (workspaces.Count == 0 || bytes > (nuint)workspaces[^1].SizeInBytes)
        {
            workspaces.Add(new CudaDeviceVariable<byte>(Stream, (long)bytes));
        }

        return workspaces[^1].DevicePointer;
    }

    public void Dispose()
    {
        Blas.Dispose();
        Dnn.Dispose();
        workspaces.ForEach(workspace => workspace.Dispose());
        workspaces.Clear();
    }
}
