namespace CudaL2Net.Reference;

internal static partial class Plain
{
    public static double[] Tanh(double[] x) => Array.ConvertAll(x, Math.Tanh);

    public static double[] TanhGradient(double[] x, double[] dy) => [.. x.Zip(dy, (v, g) => g / (Math.Cosh(v) * Math.Cosh(v)))];
}
