namespace CudaL2Net.Kernels.Cuda;

internal unsafe partial class CudaDevice : IPackKernels
{
    public void PackPatches(nint source, in PatchLayout layout, Tensor<byte> patches)
    {
        int n = patches.Shape[0], side = patches.Shape[1];
        Launch("pack_patches", "pack_patches", Blocks(patches.Length / 4), 256, 0, (void*)source, layout.PatchStride, layout.RowStride, layout.PixelStride, layout.Side,
            layout.Floats, layout.Factor, n, side, patches);
    }
}
