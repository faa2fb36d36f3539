namespace CudaL2Net.Reference;

internal static partial class Plain
{
    public static double[] Linear(int rows, double[] x, double[] weights, double[]? bias)
    {
        int inputs = x.Length / rows, outputs = weights.Length / inputs;
        var y = new double[rows * outputs];
        for (int i = 0; i < y.Length; i++)
        {
            (int row, int o) = (i / outputs, i % outputs);
            y[i] = (bias?[o] ?? 0) + Enumerable.Range(0, inputs).Sum(k => x[(row * inputs) + k] * weights[(o * inputs) + k]);
        }

        return y;
    }

    public static (double[] X, double[] Weights, double[] Bias) LinearGradient(int rows, double[] x, double[] weights, double[] dy)
    {
        int inputs = x.Length / rows, outputs = weights.Length / inputs;
        double[] dx = new double[x.Length], dWeights = new double[weights.Length], dBias = new double[outputs];
        for (int i = 0; i < dy.Length; i++)
        {
            (int row, int o) = (i / outputs, i % outputs);
            dBias[o] += dy[i];
            for (int k = 0; k < inputs; k++)
            {
                dx[(row * inputs) + k] += dy[i] * weights[(o * inputs) + k];
                dWeights[(o * inputs) + k] += dy[i] * x[(row * inputs) + k];
            }
        }

        return (dx, dWeights, dBias);
    }
}
