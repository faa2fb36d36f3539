namespace CudaL2Net.Kernels;

/// <summary>Reads patches where a caller's program has them: offered by devices with memory of their own. In the host's memory the host does it.</summary>
internal interface IPackKernels
{
    /// <summary>Makes the bytes that a network takes, as PatchResize does; of floats NaN becomes 0.</summary>
    /// <param name="source">The first pixel, in the device's memory.</param>
    /// <param name="layout">How the patches lie.</param>
    /// <param name="patches">[n][side][side], side 32 or 64 and at most the layout's, written.</param>
    void PackPatches(nint source, in PatchLayout layout, Tensor<byte> patches);
}
