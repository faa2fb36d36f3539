using System.Numerics;

namespace CudaL2Net.Kernels.Cpu;

// The channels of two rows side by side. A row of x is one piece of work: it is in two rows of y, in the first or in the second half of the channels.
internal sealed unsafe partial class CpuDevice
{
    public void PairChannelsForward(Tensor<float> x, Tensor<float> y) =>
        pool.For(x.Shape[0], new PairChannelsJob { Geometry = PairChannelsGeometry.Of(x.Shape, y.Shape), X = x.Pointer, Y = y.Pointer });

    public void PairChannelsBackward(Tensor<float> dy, Tensor<float> dx) =>
        pool.For(dx.Shape[0], new PairChannelsJob { Geometry = PairChannelsGeometry.Of(dx.Shape, dy.Shape), X = dx.Pointer, Y = dy.Pointer, Backward = true });

    private struct PairChannelsJob : IParallelJob
    {
        public PairChannelsGeometry Geometry;
        public float* X;
        public float* Y;
        public bool Backward;

        public readonly void Run(int index, int worker)
        {
            int channels = Geometry.Channels;
            nint length = Geometry.RowLength;
            (int matching, int other) = Geometry.RowsOf(index);
            int half = index < Geometry.Pairs ? 0 : channels;
            float* x = X + (index * length), first = Y + (2 * matching * length) + half, second = Y + (2 * other * length) + half;
            for (int pixel = 0; pixel < Geometry.Pixels; pixel++, x += channels, first += 2 * channels, second += 2 * channels)
            {
                if (Backward)
                {
                    Sum(first, second, x, channels);
                }
                else
                {
                    var values = new ReadOnlySpan<float>(x, channels);
                    values.CopyTo(new Span<float>(first, channels));
                    values.CopyTo(new Span<float>(second, channels));
                }
            }
        }

        private static void Sum(float* a, float* b, float* sum, int count)
        {
            int i = 0;
            for (; i <= count - Vector<float>.Count; i += Vector<float>.Count)
            {
                (Vector.Load(a + i) + Vector.Load(b + i)).Store(sum + i);
            }

            for (; i < count; i++)
            {
                sum[i] = a[i] + b[i];
            }
        }
    }
}
