using System.Numerics;
using System.Runtime.Intrinsics;
using CudaL2Net.Numerics;

namespace CudaL2Net.Kernels.Cpu;

// y = x m / (1 - rate), m in {0, 1}. Element e is dropped where word e mod 4 of Philox draw layer 2^32 + e div 4 of (seed, Dropout, step), as a number in
// [0, 1), is below the rate. Eight draws at a time in the lanes of a vector give 32 elements. Nothing is stored for the backward pass, which draws the same
// mask again.
internal sealed unsafe partial class CpuDevice
{
    public void Dropout(in DropoutOptions options, Tensor<StepParameters> step, Tensor<float> x, Tensor<float> y)
    {
        var body = new DropoutBody
        {
            Seed = options.Seed,
            Step = step.Pointer->Step,
            FirstDraw = (ulong)options.Layer << 32,
            Rate = options.Rate,
            Factor = 1 / (1 - options.Rate),
            X = x.Pointer,
            Y = y.Pointer,
        };
        ForChunks(x.Length, ElementChunk, body);
    }

    private struct DropoutBody : IChunkBody
    {
        /// <summary>Elements of eight draws; a chunk starts at a multiple of it.</summary>
        private const int Block = 32;

        public ulong Seed;
        public uint Step;
        public ulong FirstDraw;
        public float Rate;
        public float Factor;
        public float* X;
        public float* Y;

        public readonly void Run(int start, int end)
        {
            int* words = stackalloc int[Block];
            for (int i = start; i < end; i += Block)
            {
                DrawBlock(FirstDraw + ((ulong)i / 4), (ulong*)words);
                int count = Math.Min(Block, end - i), k = 0;
                for (; k <= count - Vector<float>.Count; k += Vector<float>.Count)
                {
                    // 24 bits fit a signed word, and a float exactly.
                    Vector<float> draw = Vector.ConvertToSingle(Vector.ShiftRightLogical(Vector.Load(words + k), 8)) * (1f / 16777216f);
                    Vector<float> kept = Factor * Vector.Load(X + i + k);
                    Vector.ConditionalSelect(Vector.LessThan(draw, new Vector<float>(Rate)), Vector<float>.Zero, kept).Store(Y + i + k);
                }

                for (; k < count; k++)
                {
                    Y[i + k] = Philox.ToUnit((uint)words[k]) < Rate ? 0 : Factor * X[i + k];
                }
            }
        }

        /// <summary><see cref="Philox.Draw"/> for eight indices in the lanes of 64 bits; the four words of each, one draw after the other.</summary>
        private readonly void DrawBlock(ulong index, ulong* words)
        {
            Vector512<ulong> low = Vector512.Create(0xFFFFFFFFUL), indices = Vector512.Create(index) + Vector512.Create(0UL, 1, 2, 3, 4, 5, 6, 7);
            Vector512<ulong> c0 = indices & low, c1 = indices >>> 32, c2 = Vector512.Create((ulong)Step), c3 = Vector512.Create((ulong)DrawPurpose.Dropout);
            uint k0 = (uint)Seed, k1 = (uint)(Seed >> 32);
            for (int round = 0; round < 10; round++)
            {
                Vector512<ulong> p0 = c0 * Vector512.Create(0xD2511F53UL), p1 = c2 * Vector512.Create(0xCD9E8D57UL);
                c0 = (p1 >>> 32) ^ c1 ^ Vector512.Create((ulong)k0);
                c2 = (p0 >>> 32) ^ c3 ^ Vector512.Create((ulong)k1);
                c1 = p1 & low;
                c3 = p0 & low;
                k0 += 0x9E3779B9u;
                k1 += 0xBB67AE85u;
            }

            Vector512<ulong> first = c0 | (c1 << 32), second = c2 | (c3 << 32);
            for (int draw = 0; draw < Vector512<ulong>.Count; draw++)
            {
                words[2 * draw] = first[draw];
                words[(2 * draw) + 1] = second[draw];
            }
        }
    }
}
