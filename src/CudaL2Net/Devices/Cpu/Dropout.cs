using CudaL2Net.Operations;
using CudaL2Net.Tensors;

namespace CudaL2Net.Devices.Cpu;

// y = x m / (1 - rate), m in {0, 1}. Element e is dropped where word e mod 4 of Philox draw e div 4 of (seed, Dropout, step), as a number in [0, 1), is below
// the rate. One draw gives four elements; nothing is stored for the backward pass, which draws the same mask again.
internal sealed unsafe partial class CpuDevice
{
    public void Dropout(in DropoutOptions options, Tensor<StepParameters> step, Tensor<float> x, Tensor<float> y)
    {
        RequireSameLength(x, y);
        RequireLength(step, 1, nameof(step));
        var body = new DropoutBody
        {
            Seed = options.Seed,
            Step = step.Pointer->Step,
            Rate = options.Rate,
            Factor = 1 / (1 - options.Rate),
            X = x.Pointer,
            Y = y.Pointer,
        };
        ForChunks(x.Length, ElementChunk, body);
    }

    private struct DropoutBody : IChunkBody
    {
        public ulong Seed;
        public uint Step;
        public float Rate;
        public float Factor;
        public float* X;
        public float* Y;

        public readonly void Run(int start, int end)
        {
            int i = start;
            for (; i <= end - 4; i += 4)
            {
                (uint a, uint b, uint c, uint d) = Philox.Draw(Seed, DrawPurpose.Dropout, Step, (ulong)(i / 4));
                Y[i] = Keep(a) * X[i];
                Y[i + 1] = Keep(b) * X[i + 1];
                Y[i + 2] = Keep(c) * X[i + 2];
                Y[i + 3] = Keep(d) * X[i + 3];
            }

            if (i < end)
            {
                (uint a, uint b, uint c, _) = Philox.Draw(Seed, DrawPurpose.Dropout, Step, (ulong)(i / 4));
                ReadOnlySpan<uint> words = [a, b, c];
                for (int word = 0; i < end; i++, word++)
                {
                    Y[i] = Keep(words[word]) * X[i];
                }
            }
        }

        private readonly float Keep(uint bits) => Philox.ToUnit(bits) < Rate ? 0 : Factor;
    }
}
