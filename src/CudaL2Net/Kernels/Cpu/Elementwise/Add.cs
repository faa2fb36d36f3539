using System.Numerics;

namespace CudaL2Net.Kernels.Cpu;

// y += x, element by element. Moves 12 bytes an addition: bound by memory, so plain vector loops over chunks that the threads share.
internal sealed unsafe partial class CpuDevice
{
    public void Add(Tensor<float> x, Tensor<float> y)
    {
        ForChunks(x.Length, ElementChunk, new AddBody { X = x.Pointer, Y = y.Pointer });
    }

    private struct AddBody : IChunkBody
    {
        public float* X;
        public float* Y;

        public readonly void Run(int start, int end)
        {
            int i = start;
            for (; i <= end - Vector<float>.Count; i += Vector<float>.Count)
            {
                (Vector.Load(Y + i) + Vector.Load(X + i)).Store(Y + i);
            }

            for (; i < end; i++)
            {
                Y[i] += X[i];
            }
        }
    }
}
