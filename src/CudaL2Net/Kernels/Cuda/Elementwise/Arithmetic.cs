namespace CudaL2Net.Kernels.Cuda;

internal partial class CudaDevice
{
    public void Fill(float value, Tensor<float> y) => Launch("elementwise", "fill", Blocks((y.Length + 3L) / 4), 256, 0, value, y, y.Length);

    public void Combine(float a, Tensor<float> x, float b, Tensor<float>? y, float c, Tensor<float> z)
    {
        Launch("elementwise", "combine", Blocks((x.Length + 3L) / 4), 256, 0, a, x, b, y, c, z, x.Length);
    }

    public void Multiply(Tensor<float> x, Tensor<float> y, Tensor<float> z)
    {
        Launch("elementwise", "multiply", Blocks((x.Length + 3L) / 4), 256, 0, x, y, z, x.Length);
    }

    public void FunctionForward(ElementFunction function, Tensor<float> x, Tensor<float> y)
    {
        Launch("elementwise", "function_forward", Blocks((x.Length + 3L) / 4), 256, 0, (int)function, x, y, x.Length);
    }

    public void FunctionBackward(ElementFunction function, Tensor<float> x, Tensor<float> y, Tensor<float> dy, Tensor<float> dx)
    {
        Launch("elementwise", "function_backward", Blocks((x.Length + 3L) / 4), 256, 0, (int)function, x, y, dy, dx, x.Length);
    }
}
