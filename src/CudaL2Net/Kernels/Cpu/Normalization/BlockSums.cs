using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace CudaL2Net.Kernels.Cpu;

/// <summary>
/// Sums over blocks of pixels, each taken while the block is still in the cache: the statistics of the normalization that follows, or, where the pixels are the
/// gradient of a normalized activation, the two sums of its own gradient. Blocks are added in order, so that a sum does not depend on the number of threads.
/// </summary>
[SkipLocalsInit]
internal unsafe struct BlockSums
{
    private const int Lanes = 16;

    /// <summary>[blocks][2][channels], or null where no sums are wanted: the mean and the squares about it; or the sums of m and m (x - mean).</summary>
    public float* Partial;

    /// <summary>Channels.</summary>
    public int Channels;

    /// <summary>The activation whose gradient the pixels are; its X is null for statistics.</summary>
    public ActivationReader Activation;

    /// <summary>Takes the sums of a block.</summary>
    /// <param name="block">Which.</param>
    /// <param name="half">The half of the batch that it belongs to.</param>
    /// <param name="pixels">The first pixel of all.</param>
    /// <param name="first">The block's first pixel.</param>
    /// <param name="count">Its pixels.</param>
    public readonly void Gather(int block, int half, float* pixels, nint first, int count)
    {
        if (Partial == null)
        {
            return;
        }

        float* sums = Partial + ((nint)2 * block * Channels);
        if (Activation.X == null)
        {
            Moments(pixels + (first * Channels), count, sums);
        }
        else
        {
            GradientSums(Activation.X + (first * Channels), pixels + (first * Channels),
                Activation.Coefficients + ((nint)half * ActivationReader.Kinds * Channels), count, sums);
        }
    }

    private readonly void Moments(float* x, int count, float* sums)
    {
        int c = 0;
        for (; c + Lanes <= Channels; c += Lanes)
        {
            Vector512<float> sum0 = Vector512<float>.Zero, sum1 = sum0, sum2 = sum0, sum3 = sum0;
            float* p = x + c;
            int i = 0;
            for (; i + 4 <= count; i += 4, p += 4 * Channels)
            {
                sum0 += Vector512.Load(p);
                sum1 += Vector512.Load(p + Channels);
                sum2 += Vector512.Load(p + (2 * Channels));
                sum3 += Vector512.Load(p + (3 * Channels));
            }

            for (; i < count; i++, p += Channels)
            {
                sum0 += Vector512.Load(p);
            }

            Vector512<float> mean = ((sum0 + sum1) + (sum2 + sum3)) / Vector512.Create((float)count);
            sum0 = sum1 = sum2 = sum3 = Vector512<float>.Zero;
            p = x + c;
            i = 0;
            for (; i + 4 <= count; i += 4, p += 4 * Channels)
            {
                Vector512<float> d0 = Vector512.Load(p) - mean, d1 = Vector512.Load(p + Channels) - mean;
                Vector512<float> d2 = Vector512.Load(p + (2 * Channels)) - mean, d3 = Vector512.Load(p + (3 * Channels)) - mean;
                sum0 = Vector512.FusedMultiplyAdd(d0, d0, sum0);
                sum1 = Vector512.FusedMultiplyAdd(d1, d1, sum1);
                sum2 = Vector512.FusedMultiplyAdd(d2, d2, sum2);
                sum3 = Vector512.FusedMultiplyAdd(d3, d3, sum3);
            }

            for (; i < count; i++, p += Channels)
            {
                Vector512<float> d = Vector512.Load(p) - mean;
                sum0 = Vector512.FusedMultiplyAdd(d, d, sum0);
            }

            mean.Store(sums + c);
            ((sum0 + sum1) + (sum2 + sum3)).Store(sums + Channels + c);
        }

        for (; c < Channels; c++)
        {
            double sum = 0, squares = 0;
            for (int i = 0; i < count; i++)
            {
                sum += x[((nint)i * Channels) + c];
            }

            double mean = sum / count;
            for (int i = 0; i < count; i++)
            {
                double d = x[((nint)i * Channels) + c] - mean;
                squares += d * d;
            }

            sums[c] = (float)mean;
            sums[Channels + c] = (float)squares;
        }
    }

    private readonly void GradientSums(float* x, float* gradient, float* coefficients, int count, float* sums)
    {
        int c = 0;
        for (; c + Lanes <= Channels; c += Lanes)
        {
            Vector512<float> mean = Vector512.Load(coefficients + c), factor = Vector512.Load(coefficients + Channels + c);
            Vector512<float> shift = Activation.Relu
                ? Vector512.Load(coefficients + (ActivationReader.Shift * Channels) + c)
                : Vector512.Create(float.PositiveInfinity);
            Vector512<float> sum = Vector512<float>.Zero, product = sum, sum1 = sum, product1 = sum;
            float* p = x + c;
            float* g = gradient + c;
            int i = 0;
            for (; i + 2 <= count; i += 2, p += 2 * Channels, g += 2 * Channels)
            {
                Vector512<float> d = Vector512.Load(p) - mean, d1 = Vector512.Load(p + Channels) - mean;
                Vector512<float> m = Masked(Vector512.Load(g), d, factor, shift), m1 = Masked(Vector512.Load(g + Channels), d1, factor, shift);
                sum += m;
                sum1 += m1;
                product = Vector512.FusedMultiplyAdd(m, d, product);
                product1 = Vector512.FusedMultiplyAdd(m1, d1, product1);
            }

            if (i < count)
            {
                Vector512<float> d = Vector512.Load(p) - mean, m = Masked(Vector512.Load(g), d, factor, shift);
                sum += m;
                product = Vector512.FusedMultiplyAdd(m, d, product);
            }

            (sum + sum1).Store(sums + c);
            (product + product1).Store(sums + Channels + c);
        }

        for (; c < Channels; c++)
        {
            float mean = coefficients[c], factor = coefficients[Channels + c], shift = coefficients[(ActivationReader.Shift * Channels) + c];
            double sum = 0, product = 0;
            for (int i = 0; i < count; i++)
            {
                nint at = ((nint)i * Channels) + c;
                float d = x[at] - mean, m = Activation.Relu && MathF.FusedMultiplyAdd(d, factor, shift) <= 0 ? 0 : gradient[at];
                sum += m;
                product += m * d;
            }

            sums[c] = (float)sum;
            sums[Channels + c] = (float)product;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Masked(Vector512<float> gradient, Vector512<float> d, Vector512<float> factor, Vector512<float> shift) =>
        gradient & Vector512.GreaterThan(Vector512.FusedMultiplyAdd(d, factor, shift), Vector512<float>.Zero);
}
