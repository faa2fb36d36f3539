using System.Numerics;

namespace CudaL2Net.Kernels.Cpu;

// y = max(0, x); dx = dy where x > 0, else 0. Bound by memory: plain vector loops over chunks that the threads share.
internal sealed unsafe partial class CpuDevice
{
    public void ReluForward(Tensor<float> x, Tensor<float> y)
    {
        ForChunks(x.Length, ElementChunk, new ReluForwardBody { X = x.Pointer, Y = y.Pointer });
    }

    public void ReluBackward(Tensor<float> x, Tensor<float> dy, Tensor<float> dx)
    {
        ForChunks(x.Length, ElementChunk, new ReluBackwardBody { X = x.Pointer, Dy = dy.Pointer, Dx = dx.Pointer });
    }

    private struct ReluForwardBody : IChunkBody
    {
        public float* X;
        public float* Y;

        public readonly void Run(int start, int end)
        {
            int i = start;
            for (; i <= end - Vector<float>.Count; i += Vector<float>.Count)
            {
                Vector.Max(Vector.Load(X + i), Vector<float>.Zero).Store(Y + i);
            }

            for (; i < end; i++)
            {
                Y[i] = Math.Max(X[i], 0);
            }
        }
    }

    private struct ReluBackwardBody : IChunkBody
    {
        public float* X;
        public float* Dy;
        public float* Dx;

        public readonly void Run(int start, int end)
        {
            int i = start;
            for (; i <= end - Vector<float>.Count; i += Vector<float>.Count)
            {
                Vector<int> positive = Vector.GreaterThan(Vector.Load(X + i), Vector<float>.Zero);
                Vector.ConditionalSelect(positive, Vector.Load(Dy + i), Vector<float>.Zero).Store(Dx + i);
            }

            for (; i < end; i++)
            {
                Dx[i] = X[i] > 0 ? Dy[i] : 0;
            }
        }
    }
}
