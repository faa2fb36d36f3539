using CudaL2Net.Tensors;

namespace CudaL2Net.Devices.Cpu;

/// <summary>A loop body over a range of elements or rows, without managed state.</summary>
internal interface IChunkBody
{
    /// <summary>Does the elements from <paramref name="start"/> up to, not including, <paramref name="end"/>.</summary>
    void Run(int start, int end);
}

/// <summary>Loops cut into chunks of a fixed size, so that what a chunk computes does not depend on the number of threads.</summary>
internal sealed unsafe partial class CpuDevice
{
    /// <summary>Elements a thread takes at a time in loops that are bound by memory: large enough to hide the hand-out, small enough to stay in the
    /// cache.</summary>
    private const int ElementChunk = 1 << 14;

    private void ForChunks<TBody>(int length, int chunk, TBody body)
        where TBody : unmanaged, IChunkBody =>
        pool.For((int)(((long)length + chunk - 1) / chunk), new ChunkJob<TBody> { Body = body, Length = length, Chunk = chunk });

    private static void RequireSameLength(Tensor<float> a, Tensor<float> b)
    {
        if (a.Length != b.Length)
        {
            throw new ArgumentException($"tensors of {a.Length} and {b.Length} elements must have the same size");
        }
    }

    private static void RequireLength<T>(Tensor<T> tensor, int length, string name)
        where T : unmanaged
    {
        if (tensor.Length != length)
        {
            throw new ArgumentException($"{name} has {tensor.Length} elements, expected {length}", name);
        }
    }

    /// <summary>p of a batch of 2p rows, and the number of values in a row.</summary>
    private static (int Pairs, int Width) PairShape(Tensor<float> batch)
    {
        int rows = batch.Shape.IsEmpty ? 0 : batch.Shape[0];
        if (rows == 0 || rows % 2 != 0)
        {
            throw new ArgumentException($"a batch of pairs needs an even number of rows, at least 2, but this one has {rows}", nameof(batch));
        }

        return (rows / 2, batch.Length / rows);
    }

    private struct ChunkJob<TBody> : IParallelJob
        where TBody : unmanaged, IChunkBody
    {
        public TBody Body;
        public int Length;
        public int Chunk;

        public void Run(int index, int worker)
        {
            int start = index * Chunk;
            Body.Run(start, (int)Math.Min((long)start + Chunk, Length));
        }
    }
}
