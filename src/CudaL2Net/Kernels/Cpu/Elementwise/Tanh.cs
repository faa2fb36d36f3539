using System.Numerics;

namespace CudaL2Net.Kernels.Cpu;

// y = tanh(x); dx = dy (1 - y^2), from the output alone. The same steps as portable_math.cuh on the GPU, so an element has the same bits wherever it lies:
// below 0.55 an odd polynomial, above 1 - 2 / (e^(2 |x|) + 1). The largest error is 2.1 ulp. The last elements go through a full vector, too.
internal sealed unsafe partial class CpuDevice
{
    public void TanhForward(Tensor<float> x, Tensor<float> y)
    {
        ForChunks(x.Length, ElementChunk, new TanhForwardBody { X = x.Pointer, Y = y.Pointer });
    }

    public void TanhBackward(Tensor<float> y, Tensor<float> dy, Tensor<float> dx)
    {
        ForChunks(y.Length, ElementChunk, new TanhBackwardBody { Y = y.Pointer, Dy = dy.Pointer, Dx = dx.Pointer });
    }

    private static Vector<float> Tanh(Vector<float> x)
    {
        Vector<float> magnitude = Vector.Abs(x), square = x * x;
        Vector<float> p = Vector.FusedMultiplyAdd(new Vector<float>(1.57394409e-2f), square, new Vector<float>(-5.23025580e-2f));
        p = Vector.FusedMultiplyAdd(p, square, new Vector<float>(1.33152977e-1f));
        p = Vector.FusedMultiplyAdd(p, square, new Vector<float>(-3.33327681e-1f)) * square;
        Vector<float> small = Vector.FusedMultiplyAdd(p, x, x);
        Vector<float> bounded = Vector.ConditionalSelect(Vector.GreaterThan(magnitude, new Vector<float>(10)), new Vector<float>(10), magnitude);
        Vector<float> large = Vector.CopySign(Vector<float>.One - (new Vector<float>(2) / (ExpOfSmall(bounded + bounded) + Vector<float>.One)), x);
        return Vector.ConditionalSelect(Vector.LessThan(magnitude, new Vector<float>(0.55f)), small, Vector.ConditionalSelect(Vector.Equals(x, x), large, x));
    }

    /// <summary>e^x for 0 &lt;= x &lt;= 20; anything for a NaN.</summary>
    private static Vector<float> ExpOfSmall(Vector<float> x)
    {
        // Adding 1.5 x 2^23 rounds to an integer, which then stands in the lowest bits.
        var shift = new Vector<float>(12582912f);
        Vector<float> t = Vector.FusedMultiplyAdd(x, new Vector<float>(1.44269504f), shift), whole = t - shift;
        Vector<int> exponent = (Vector.AsVectorInt32(t) & new Vector<int>(0x7fffff)) - new Vector<int>(0x400000);
        Vector<float> rest = Vector.FusedMultiplyAdd(whole, new Vector<float>(-0.693145752f), x);
        rest = Vector.FusedMultiplyAdd(whole, new Vector<float>(-1.42860677e-6f), rest);
        Vector<float> p = Vector.FusedMultiplyAdd(new Vector<float>(1.37805939e-3f), rest, new Vector<float>(8.37312452e-3f));
        p = Vector.FusedMultiplyAdd(p, rest, new Vector<float>(4.16695364e-2f));
        p = Vector.FusedMultiplyAdd(p, rest, new Vector<float>(1.66664720e-1f));
        p = Vector.FusedMultiplyAdd(p, rest, new Vector<float>(4.99999851e-1f));
        p = Vector.FusedMultiplyAdd(p, rest, Vector<float>.One);
        p = Vector.FusedMultiplyAdd(p, rest, Vector<float>.One);
        return p * Vector.AsVectorSingle(Vector.ShiftLeft(exponent + new Vector<int>(127), 23));
    }

    private struct TanhForwardBody : IChunkBody
    {
        public float* X;
        public float* Y;

        public readonly void Run(int start, int end)
        {
            int i = start;
            for (; i <= end - Vector<float>.Count; i += Vector<float>.Count)
            {
                Tanh(Vector.Load(X + i)).Store(Y + i);
            }

            if (i < end)
            {
                float* last = stackalloc float[Vector<float>.Count];
                new ReadOnlySpan<float>(X + i, end - i).CopyTo(new Span<float>(last, end - i));
                Tanh(Vector.Load(last)).Store(last);
                new ReadOnlySpan<float>(last, end - i).CopyTo(new Span<float>(Y + i, end - i));
            }
        }
    }

    private struct TanhBackwardBody : IChunkBody
    {
        public float* Y;
        public float* Dy;
        public float* Dx;

        public readonly void Run(int start, int end)
        {
            int i = start;
            for (; i <= end - Vector<float>.Count; i += Vector<float>.Count)
            {
                Vector<float> y = Vector.Load(Y + i);
                (Vector.Load(Dy + i) * Vector.FusedMultiplyAdd(-y, y, Vector<float>.One)).Store(Dx + i);
            }

            for (; i < end; i++)
            {
                Dx[i] = Dy[i] * MathF.FusedMultiplyAdd(-Y[i], Y[i], 1);
            }
        }
    }
}
