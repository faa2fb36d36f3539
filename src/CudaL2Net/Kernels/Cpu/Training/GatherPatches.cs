
namespace CudaL2Net.Kernels.Cpu;

/// <summary>Patches by index, turned and normalized: x' = (x - mean) / (deviation + epsilon) over each patch.</summary>
internal sealed unsafe partial class CpuDevice
{
    public void GatherPatches(Tensor<byte> patches, Tensor<int> indices, Tensor<StepParameters> step, in GatherOptions options, Tensor<float>? meanImage,
        Tensor<float> output)
    {
        int rows = output.Shape[0];
        pool.For(rows, new GatherJob
        {
            Options = options,
            Patches = patches.Pointer,
            Indices = indices.Pointer + step.Pointer->BatchOffset,
            Step = step.Pointer->Step,
            Pairs = rows / 2,
            MeanImage = meanImage == null ? null : meanImage.Pointer,
            Output = output.Pointer,
        });
    }

    /// <summary>Makes a patch zero-mean with unit deviation (n - 1), in place; a flat patch becomes zeros.</summary>
    internal static void NormalizePatch(float* patch, PatchNormalization normalization, float* meanImage)
    {
        if (meanImage != null && normalization == PatchNormalization.L2Net)
        {
            for (int i = 0; i < FoldedNetwork.InputArea; i++)
            {
                patch[i] -= meanImage[i];
            }
        }

        // Bytes and their squares are added exactly in double, so a flat patch has deviation 0 and nothing else does.
        double sum = 0, squares = 0;
        for (int i = 0; i < FoldedNetwork.InputArea; i++)
        {
            sum += patch[i];
        }

        double mean = sum / FoldedNetwork.InputArea;
        for (int i = 0; i < FoldedNetwork.InputArea; i++)
        {
            double d = patch[i] - mean;
            squares += d * d;
        }

        double scale = 1 / (Math.Sqrt(squares / (FoldedNetwork.InputArea - 1)) + (normalization == PatchNormalization.L2Net ? 1e-12 : 1e-7));
        for (int i = 0; i < FoldedNetwork.InputArea; i++)
        {
            patch[i] = (float)((patch[i] - mean) * scale);
        }
    }

    private struct GatherJob : IParallelJob
    {
        public GatherOptions Options;
        public byte* Patches;
        public int* Indices;
        public uint Step;
        public int Pairs;
        public float* MeanImage, Output;

        public readonly void Run(int index, int worker)
        {
            byte* from = Patches + ((nint)Indices[index] * FoldedNetwork.InputArea);
            float* to = Output + ((nint)index * FoldedNetwork.InputArea);
            int symmetry = PatchSymmetry.Draw(Options.Augmentation, Options.Seed, Step, index % Pairs);
            PatchSymmetry.Steps(symmetry, out int start, out int right, out int down);
            for (int row = 0; row < FoldedNetwork.InputSide; row++)
            {
                byte* source = from + start + (row * down);
                for (int column = 0; column < FoldedNetwork.InputSide; column++)
                {
                    to[(row * FoldedNetwork.InputSide) + column] = source[column * right];
                }
            }

            NormalizePatch(to, Options.Normalization, MeanImage);
        }
    }
}
