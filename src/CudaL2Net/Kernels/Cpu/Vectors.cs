using System.Numerics;

namespace CudaL2Net.Kernels.Cpu;

/// <summary>Arithmetic on rows of floats, for kernels that work row by row.</summary>
internal static unsafe class Vectors
{
    /// <summary>a . b</summary>
    public static float Dot(float* a, float* b, int length)
    {
        Vector<float> even = Vector<float>.Zero, odd = Vector<float>.Zero;
        int i = 0;
        for (; i <= length - (2 * Vector<float>.Count); i += 2 * Vector<float>.Count)
        {
            even = Vector.MultiplyAddEstimate(Vector.Load(a + i), Vector.Load(b + i), even);
            odd = Vector.MultiplyAddEstimate(Vector.Load(a + i + Vector<float>.Count), Vector.Load(b + i + Vector<float>.Count), odd);
        }

        float sum = Vector.Sum(even + odd);
        for (; i < length; i++)
        {
            sum += a[i] * b[i];
        }

        return sum;
    }

    /// <summary>The sum of a row.</summary>
    public static float Sum(float* a, int length)
    {
        Vector<float> even = Vector<float>.Zero, odd = Vector<float>.Zero;
        int i = 0;
        for (; i <= length - (2 * Vector<float>.Count); i += 2 * Vector<float>.Count)
        {
            even += Vector.Load(a + i);
            odd += Vector.Load(a + i + Vector<float>.Count);
        }

        float sum = Vector.Sum(even + odd);
        for (; i < length; i++)
        {
            sum += a[i];
        }

        return sum;
    }

    /// <summary>y = factor x</summary>
    public static void Scale(float factor, float* x, float* y, int length)
    {
        int i = 0;
        for (; i <= length - Vector<float>.Count; i += Vector<float>.Count)
        {
            (factor * Vector.Load(x + i)).Store(y + i);
        }

        for (; i < length; i++)
        {
            y[i] = factor * x[i];
        }
    }

    /// <summary>|a - b|^2 from the differences, which keeps its digits where a and b are close.</summary>
    public static float SquaredDistance(float* a, float* b, int length)
    {
        Vector<float> even = Vector<float>.Zero, odd = Vector<float>.Zero;
        int i = 0;
        for (; i <= length - (2 * Vector<float>.Count); i += 2 * Vector<float>.Count)
        {
            Vector<float> d = Vector.Load(a + i) - Vector.Load(b + i);
            Vector<float> e = Vector.Load(a + i + Vector<float>.Count) - Vector.Load(b + i + Vector<float>.Count);
            even = Vector.MultiplyAddEstimate(d, d, even);
            odd = Vector.MultiplyAddEstimate(e, e, odd);
        }

        float sum = Vector.Sum(even + odd);
        for (; i < length; i++)
        {
            sum += (a[i] - b[i]) * (a[i] - b[i]);
        }

        return sum;
    }

    /// <summary>y += factor x</summary>
    public static void AddScaled(float factor, float* x, float* y, int length)
    {
        int i = 0;
        for (; i <= length - Vector<float>.Count; i += Vector<float>.Count)
        {
            (Vector.Load(y + i) + (factor * Vector.Load(x + i))).Store(y + i);
        }

        for (; i < length; i++)
        {
            y[i] += factor * x[i];
        }
    }

    /// <summary>da += factor (a - b) and db -= factor (a - b)</summary>
    public static void AddScaledDifference(float factor, float* a, float* b, float* da, float* db, int length)
    {
        int i = 0;
        for (; i <= length - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector<float> d = factor * (Vector.Load(a + i) - Vector.Load(b + i));
            (Vector.Load(da + i) + d).Store(da + i);
            (Vector.Load(db + i) - d).Store(db + i);
        }

        for (; i < length; i++)
        {
            float d = factor * (a[i] - b[i]);
            da[i] += d;
            db[i] -= d;
        }
    }

    /// <summary>y = first x + second z; y may be x or z.</summary>
    public static void Combine(float first, float* x, float second, float* z, float* y, int length)
    {
        int i = 0;
        for (; i <= length - Vector<float>.Count; i += Vector<float>.Count)
        {
            ((first * Vector.Load(x + i)) + (second * Vector.Load(z + i))).Store(y + i);
        }

        for (; i < length; i++)
        {
            y[i] = (first * x[i]) + (second * z[i]);
        }
    }
}
