
namespace CudaL2Net.Kernels.Cpu;

/// <summary>Patches by index, turned and normalized, see <see cref="PatchNormalization"/>. A patch is one piece of work.</summary>
internal sealed unsafe partial class CpuDevice
{
    public void GatherPatches(Tensor<byte> patches, Tensor<int> indices, Tensor<StepParameters> step, in GatherOptions options, Tensor<float>? meanImage,
        Tensor<float> output)
    {
        int rows = output.Shape[0], side = output.Shape[1];
        pool.For(rows, new GatherJob
        {
            Options = options,
            Patches = patches.Pointer,
            PatchCount = patches.Shape[0],
            Indices = indices.Pointer,
            IndexCount = indices.Length,
            Offset = step.Pointer->BatchOffset,
            Step = step.Pointer->Step,
            Pairs = Math.Max(rows / 2, 1),
            Side = side,
            MeanImage = meanImage == null ? null : meanImage.Pointer,
            Output = output.Pointer,
        });
    }

    /// <summary>Normalizes a patch in place.</summary>
    /// <param name="patch">[area], pixels in 0..255.</param>
    /// <param name="area">Its pixels.</param>
    /// <param name="options">How; augmentation and seed do not matter.</param>
    /// <param name="meanImage">[area], or null.</param>
    internal static void NormalizePatch(float* patch, int area, in GatherOptions options, float* meanImage)
    {
        if (meanImage != null && options.TakesMeanImage)
        {
            for (int i = 0; i < area; i++)
            {
                patch[i] -= meanImage[i];
            }
        }

        if (options.Normalization == PatchNormalization.Fixed)
        {
            Scale(patch, area, options.Mean, 1.0 / options.Deviation);
            return;
        }

        // Bytes and their squares are added exactly in double, so a flat patch has deviation 0 and nothing else does.
        double sum = 0, squares = 0;
        for (int i = 0; i < area; i++)
        {
            sum += patch[i];
        }

        double mean = sum / area;
        if (options.Normalization == PatchNormalization.Centred)
        {
            Scale(patch, area, mean, 1.0 / options.Deviation);
            return;
        }

        for (int i = 0; i < area; i++)
        {
            double d = patch[i] - mean;
            squares += d * d;
        }

        Scale(patch, area, mean, 1 / (Math.Sqrt(squares / (area - 1)) + options.Epsilon));
    }

    private static void Scale(float* patch, int area, double mean, double scale)
    {
        for (int i = 0; i < area; i++)
        {
            patch[i] = (float)((patch[i] - mean) * scale);
        }
    }

    private struct GatherJob : IParallelJob
    {
        public GatherOptions Options;
        public byte* Patches;
        public int* Indices;
        public int PatchCount, IndexCount, Offset;
        public uint Step;
        public int Pairs, Side;
        public float* MeanImage, Output;

        public readonly void Run(int index, int worker)
        {
            float* to = Output + ((nint)index * Side * Side);
            long place = (long)Offset + index;
            int patch = place >= 0 && place < IndexCount ? Indices[place] : -1;
            if (patch < 0 || patch >= PatchCount)
            {
                // Nothing is read where nothing is, and the loss shows it.
                new Span<float>(to, Side * Side).Fill(float.NaN);
                return;
            }

            byte* from = Patches + ((nint)patch * Side * Side);
            int symmetry = PatchSymmetry.Draw(Options.Augmentation, Options.Seed, Step, index % Pairs);
            PatchSymmetry.Steps(symmetry, Side, out int start, out int right, out int down);
            for (int row = 0; row < Side; row++)
            {
                byte* source = from + start + (row * down);
                for (int column = 0; column < Side; column++)
                {
                    to[(row * Side) + column] = source[column * right];
                }
            }

            NormalizePatch(to, Side * Side, Options, MeanImage);
        }
    }
}
