namespace CudaL2Net.Kernels.Cuda;

internal unsafe partial class CudaDevice
{
    public void FilterResponseNormForward(float epsilon, Tensor<float> x, Tensor<float>? scale, Tensor<float>? shift, Tensor<float>? threshold,
        Tensor<float> inverse, Tensor<float> y)
    {
        var response = new Response(x, epsilon, scale, shift, threshold);
        Launch("filter_response_norm", "filter_response_norm_forward", ResponseGrid(x), 256, 0, x, inverse, y, KernelArgument.Structure(&response));
    }

    public void FilterResponseNormBackward(Tensor<float> x, Tensor<float>? scale, Tensor<float>? shift, Tensor<float>? threshold, Tensor<float> inverse,
        Tensor<float> dy, Tensor<float>? dx, Tensor<float>? dScale, Tensor<float>? dShift, Tensor<float>? dThreshold)
    {
        var response = new Response(x, 0, scale, shift, threshold);
        bool learned = dScale != null || dShift != null || dThreshold != null;
        void* partial = learned ? Scratch(3 * (nuint)inverse.Length * sizeof(float)) : null;
        Launch("filter_response_norm", "filter_response_norm_backward", ResponseGrid(x), 256, 0, x, inverse, dy, dx, partial,
            KernelArgument.Structure(&response));
        if (learned)
        {
            Launch("filter_response_norm", "filter_response_norm_parameters", ((3 * response.Channels) + 7) / 8, 256, 0, partial, x.Shape[0],
                response.Channels, dScale, dShift, dThreshold);
        }
    }

    /// <summary>A block for an image and 32 channels.</summary>
    private static Grid ResponseGrid(Tensor<float> x) => new(x.Shape[0], (x.Shape[^1] + 31) / 32);

    /// <summary><c>Response</c> of filter_response_norm.cu.</summary>
    private readonly struct Response(Tensor<float> x, float epsilon, Tensor<float>? scale, Tensor<float>? shift, Tensor<float>? threshold)
    {
        public readonly int Pixels = x.Length / (x.Shape[0] * x.Shape[^1]), Channels = x.Shape[^1];
        public readonly float Epsilon = epsilon;
        public readonly float* Scale = scale == null ? null : scale.Pointer, Shift = shift == null ? null : shift.Pointer;
        public readonly float* Threshold = threshold == null ? null : threshold.Pointer;
    }
}
