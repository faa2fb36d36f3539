using System.Numerics;

namespace CudaL2Net.Kernels.Cpu;

// SGD: v = momentum v + (1 - dampening) (g + decay w), the first step v = g + decay w; w -= rate v.
// AdamW: m = b1 m + (1 - b1) g, s = b2 s + (1 - b2) g^2, w = (1 - rate decay) w - rate (m / (1 - b1^t)) / (sqrt(s / (1 - b2^t)) + epsilon), t = step + 1.
// One pass over gradient, state and weights: bound by memory. The factors that depend on the step are computed once, in double.
internal sealed unsafe partial class CpuDevice
{
    public void SgdUpdate(in SgdOptions options, Tensor<StepParameters> step, Tensor<float> gradient, Tensor<float> velocity, Tensor<float> parameter)
    {
        StepParameters now = *step.Pointer;
        var body = new SgdBody
        {
            Momentum = now.Step == 0 ? 0 : options.Momentum,
            Share = now.Step == 0 ? 1 : 1 - options.Dampening,
            Decay = options.WeightDecay,
            Rate = now.LearningRate,
            Gradient = gradient.Pointer,
            Velocity = velocity.Pointer,
            Parameter = parameter.Pointer,
        };
        ForChunks(parameter.Length, ElementChunk, body);
    }

    public void AdamUpdate(
        in AdamOptions options, Tensor<StepParameters> step, Tensor<float> gradient, Tensor<float> firstMoment, Tensor<float> secondMoment,
        Tensor<float> parameter)
    {
        StepParameters now = *step.Pointer;
        double t = now.Step + 1.0;
        var body = new AdamBody
        {
            Beta1 = options.Beta1,
            Beta2 = options.Beta2,
            Epsilon = options.Epsilon,
            Shrink = (float)(1 - ((double)now.LearningRate * options.WeightDecay)),
            Rate = (float)(now.LearningRate / (1 - Math.Pow(options.Beta1, t))),
            RootFactor = (float)(1 / Math.Sqrt(1 - Math.Pow(options.Beta2, t))),
            Gradient = gradient.Pointer,
            First = firstMoment.Pointer,
            Second = secondMoment.Pointer,
            Parameter = parameter.Pointer,
        };
        ForChunks(parameter.Length, ElementChunk, body);
    }

    private struct SgdBody : IChunkBody
    {
        public float Momentum;
        public float Share;
        public float Decay;
        public float Rate;
        public float* Gradient;
        public float* Velocity;
        public float* Parameter;

        public readonly void Run(int start, int end)
        {
            int i = start;
            for (; i <= end - Vector<float>.Count; i += Vector<float>.Count)
            {
                Vector<float> w = Vector.Load(Parameter + i);
                Vector<float> v = (Momentum * Vector.Load(Velocity + i)) + (Share * (Vector.Load(Gradient + i) + (Decay * w)));
                v.Store(Velocity + i);
                (w - (Rate * v)).Store(Parameter + i);
            }

            for (; i < end; i++)
            {
                float v = (Momentum * Velocity[i]) + (Share * (Gradient[i] + (Decay * Parameter[i])));
                Velocity[i] = v;
                Parameter[i] -= Rate * v;
            }
        }
    }

    private struct AdamBody : IChunkBody
    {
        public float Beta1;
        public float Beta2;
        public float Epsilon;
        public float Shrink;
        public float Rate;
        public float RootFactor;
        public float* Gradient;
        public float* First;
        public float* Second;
        public float* Parameter;

        public readonly void Run(int start, int end)
        {
            int i = start;
            for (; i <= end - Vector<float>.Count; i += Vector<float>.Count)
            {
                Vector<float> g = Vector.Load(Gradient + i);
                Vector<float> first = (Beta1 * Vector.Load(First + i)) + ((1 - Beta1) * g);
                Vector<float> second = (Beta2 * Vector.Load(Second + i)) + ((1 - Beta2) * g * g);
                first.Store(First + i);
                second.Store(Second + i);
                Vector<float> root = (RootFactor * Vector.SquareRoot(second)) + new Vector<float>(Epsilon);
                ((Shrink * Vector.Load(Parameter + i)) - (Rate * first / root)).Store(Parameter + i);
            }

            for (; i < end; i++)
            {
                float g = Gradient[i];
                First[i] = (Beta1 * First[i]) + ((1 - Beta1) * g);
                Second[i] = (Beta2 * Second[i]) + ((1 - Beta2) * g * g);
                float root = (RootFactor * MathF.Sqrt(Second[i])) + Epsilon;
                Parameter[i] = (Shrink * Parameter[i]) - (Rate * First[i] / root);
            }
        }
    }
}
