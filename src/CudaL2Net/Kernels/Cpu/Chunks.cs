namespace CudaL2Net.Kernels.Cpu;

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
