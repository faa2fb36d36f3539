namespace CudaL2Net.Tests.Reference;

/// <summary>Checks gradients of functions in double precision by central differences.</summary>
internal static class FiniteDifferences
{
    /// <summary>Asserts that <paramref name="gradient"/> is the gradient of <paramref name="function"/> at <paramref name="x"/>, in every element.</summary>
    /// <param name="function">A scalar function of the whole array.</param>
    /// <param name="x">Where; restored afterwards.</param>
    /// <param name="gradient">What is checked.</param>
    /// <param name="step">Half the distance between the two points of a difference.</param>
    /// <param name="tolerance">Largest error relative to the gradient's largest element, or to 0.01 where all are smaller.</param>
    public static void Check(Func<double[], double> function, double[] x, double[] gradient, double step = 1e-5, double tolerance = 1e-6)
    {
        Assert.That(gradient, Has.Length.EqualTo(x.Length));
        var numeric = new double[x.Length];
        for (int i = 0; i < x.Length; i++)
        {
            double kept = x[i];
            x[i] = kept + step;
            double above = function(x);
            x[i] = kept - step;
            double below = function(x);
            x[i] = kept;
            numeric[i] = (above - below) / (2 * step);
        }

        double scale = Math.Max(numeric.Max(Math.Abs), 1e-2);
        for (int i = 0; i < x.Length; i++)
        {
            Assert.That(gradient[i], Is.EqualTo(numeric[i]).Within(tolerance * scale), $"element {i} of {x.Length}");
        }
    }

    /// <summary>Sum of products: turns an operation with many outputs into a scalar function whose output gradient is <paramref name="weights"/>.</summary>
    public static double Dot(double[] weights, double[] values)
    {
        double sum = 0;
        for (int i = 0; i < weights.Length; i++)
        {
            sum += weights[i] * values[i];
        }

        return sum;
    }
}
