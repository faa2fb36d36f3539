using System.Numerics;

namespace CudaL2Net.Kernels.Cpu;

// z = a x + b y + c, z = x y, y = value, and exp, log and the root. All but exp and log are bound by memory: plain vector loops over chunks that the threads
// share. exp and log are taken element by element, so that an element has the same bits wherever it lies.
internal sealed unsafe partial class CpuDevice
{
    public void Fill(float value, Tensor<float> y) => new Span<float>(y.Pointer, y.Length).Fill(value);

    public void Combine(float a, Tensor<float> x, float b, Tensor<float>? y, float c, Tensor<float> z)
    {
        var body = new CombineBody { A = a, X = x.Pointer, B = b, Y = y == null ? null : y.Pointer, C = c, Z = z.Pointer };
        ForChunks(x.Length, ElementChunk, body);
    }

    public void Multiply(Tensor<float> x, Tensor<float> y, Tensor<float> z)
    {
        ForChunks(x.Length, ElementChunk, new MultiplyBody { X = x.Pointer, Y = y.Pointer, Z = z.Pointer });
    }

    public void FunctionForward(ElementFunction function, Tensor<float> x, Tensor<float> y)
    {
        ForChunks(x.Length, ElementChunk, new FunctionForwardBody { Function = function, X = x.Pointer, Y = y.Pointer });
    }

    public void FunctionBackward(ElementFunction function, Tensor<float> x, Tensor<float> y, Tensor<float> dy, Tensor<float> dx)
    {
        var body = new FunctionBackwardBody { Function = function, X = x.Pointer, Y = y.Pointer, Dy = dy.Pointer, Dx = dx.Pointer };
        ForChunks(x.Length, ElementChunk, body);
    }

    private struct CombineBody : IChunkBody
    {
        public float A;
        public float* X;
        public float B;
        public float* Y;
        public float C;
        public float* Z;

        public readonly void Run(int start, int end)
        {
            int i = start;
            var c = new Vector<float>(C);
            if (Y == null)
            {
                for (; i <= end - Vector<float>.Count; i += Vector<float>.Count)
                {
                    ((A * Vector.Load(X + i)) + c).Store(Z + i);
                }

                for (; i < end; i++)
                {
                    Z[i] = (A * X[i]) + C;
                }

                return;
            }

            for (; i <= end - Vector<float>.Count; i += Vector<float>.Count)
            {
                ((A * Vector.Load(X + i)) + (B * Vector.Load(Y + i)) + c).Store(Z + i);
            }

            for (; i < end; i++)
            {
                Z[i] = (A * X[i]) + (B * Y[i]) + C;
            }
        }
    }

    private struct MultiplyBody : IChunkBody
    {
        public float* X;
        public float* Y;
        public float* Z;

        public readonly void Run(int start, int end)
        {
            int i = start;
            for (; i <= end - Vector<float>.Count; i += Vector<float>.Count)
            {
                (Vector.Load(X + i) * Vector.Load(Y + i)).Store(Z + i);
            }

            for (; i < end; i++)
            {
                Z[i] = X[i] * Y[i];
            }
        }
    }

    private struct FunctionForwardBody : IChunkBody
    {
        public ElementFunction Function;
        public float* X;
        public float* Y;

        public readonly void Run(int start, int end)
        {
            for (int i = start; i < end; i++)
            {
                Y[i] = Function switch
                {
                    ElementFunction.Exp => MathF.Exp(X[i]),
                    ElementFunction.Log => MathF.Log(X[i]),
                    _ => MathF.Sqrt(X[i]),
                };
            }
        }
    }

    private struct FunctionBackwardBody : IChunkBody
    {
        public ElementFunction Function;
        public float* X;
        public float* Y;
        public float* Dy;
        public float* Dx;

        public readonly void Run(int start, int end)
        {
            for (int i = start; i < end; i++)
            {
                Dx[i] = Function switch
                {
                    ElementFunction.Exp => Dy[i] * Y[i],
                    ElementFunction.Log => Dy[i] / X[i],
                    _ => 0.5f * Dy[i] / Y[i],
                };
            }
        }
    }
}
