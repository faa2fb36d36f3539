namespace CudaL2Net.Kernels.Cuda;

// The kernels are patches.cu's.
internal partial class CudaDevice
{
    public void GatherPatches(Tensor<byte> patches, Tensor<int> indices, Tensor<StepParameters> step, in GatherOptions options, Tensor<float>? meanImage,
        Tensor<float> output)
    {
        RequireLength(step, 1, nameof(step));
        int rows = output.Shape[0];
        uint symmetries = options.Augmentation switch { PatchAugmentation.Dihedral => 7, PatchAugmentation.TransposeFlip => 3, _ => 0 };
        Tensor<float>? subtracted = options.Normalization == PatchNormalization.L2Net ? meanImage : null;
        Launch("patches", "gather_patches", RowBlocks(rows), 256, 0, patches, indices, step, symmetries, options.Seed, DeviationEpsilon(options.Normalization),
            subtracted, output, rows);
    }

    /// <summary>Normalizes patches in order, as they are.</summary>
    private void NormalizePatches(Tensor<byte> patches, PatchNormalization normalization, Tensor<float>? meanImage, Tensor<float> output)
    {
        int rows = output.Shape[0];
        Tensor<float>? subtracted = normalization == PatchNormalization.L2Net ? meanImage : null;
        Launch("patches", "normalize_patches", RowBlocks(rows), 256, 0, patches, DeviationEpsilon(normalization), subtracted, output, rows);
    }

    private static float DeviationEpsilon(PatchNormalization normalization) => normalization == PatchNormalization.L2Net ? 1e-12f : 1e-7f;
}
