using CudaL2Net.Kernels.Cpu;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Kernels;

public sealed class WorkerPoolTests
{
    [TestCase(1, 1)]
    [TestCase(1, 5)]
    [TestCase(3, 1)]
    [TestCase(3, 5)]
    public void ALoopAfterTheEndSaysSo(int threads, int items)
    {
        var pool = new WorkerPool(threads);
        pool.Dispose();
        pool.Dispose();
        Threads.Run(() => Assert.That(() => pool.For(items, new Failing { At = -1 }), Throws.TypeOf<ObjectDisposedException>()));
    }

    [TestCase(1)]
    [TestCase(3)]
    public void TheExceptionOfAJobIsPassedOnAndThePoolGoesOn(int threads)
    {
        using var pool = new WorkerPool(threads);
        for (int at = 0; at < 20; at++)
        {
            Threads.Run(() => Assert.That(() => pool.For(20, new Failing { At = at }), Throws.TypeOf<NotFiniteNumberException>()));
            Threads.Run(() => pool.For(20, new Failing { At = -1 }));
        }
    }

    private struct Failing : IParallelJob
    {
        public int At;

        public readonly void Run(int index, int worker)
        {
            if (index == At)
            {
                throw new NotFiniteNumberException();
            }
        }
    }
}
