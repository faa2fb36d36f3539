namespace CudaL2Net.Kernels.Cuda;

// The kernels are patches.cu's, and they say how many threads take a patch of each side.
internal partial class CudaDevice
{
    public void GatherPatches(Tensor<byte> patches, Tensor<int> indices, Tensor<StepParameters> step, in GatherOptions options, Tensor<float>? meanImage,
        Tensor<float> output)
    {
        int rows = output.Shape[0], side = output.Shape[1], count = patches.Shape[0];
        uint symmetries = options.Augmentation switch { PatchAugmentation.Dihedral => 7, PatchAugmentation.TransposeFlip => 3, _ => 0 };
        int form = options.Normalization switch { PatchNormalization.Fixed => 2, PatchNormalization.Centred => 1, _ => 0 };
        Tensor<float>? subtracted = options.TakesMeanImage ? meanImage : null;
        float factor = 1 / options.Deviation;
        if (side == 32)
        {
            Launch("patches", "gather_patches", RowBlocks(rows), 256, 0, patches, indices, step, symmetries, options.Seed, form, (float)options.Epsilon,
                options.Mean, factor, subtracted, output, rows, indices.Length, count);
        }
        else
        {
            Launch("patches", "gather_patches_64", Blocks(128L * rows, 128), 128, 0, patches, indices, step, symmetries, options.Seed, form,
                (float)options.Epsilon, options.Mean, factor, subtracted, output, rows, indices.Length, count);
        }
    }

    /// <summary>Normalizes patches of 32 x 32 in order, as they are, per patch.</summary>
    private void NormalizePatches(Tensor<byte> patches, PatchNormalization normalization, Tensor<float>? meanImage, Tensor<float> output)
    {
        var options = new GatherOptions(normalization, PatchAugmentation.None, 0);
        int rows = output.Shape[0];
        Tensor<float>? subtracted = options.TakesMeanImage ? meanImage : null;
        Launch("patches", "normalize_patches", RowBlocks(rows), 256, 0, patches, (float)options.Epsilon, subtracted, output, rows);
    }
}
