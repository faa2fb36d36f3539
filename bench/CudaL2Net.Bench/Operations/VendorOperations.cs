using CudaL2Net.Interop;
using CudaL2Net.Kernels;
using CudaL2Net.Kernels.Cuda;
using CudaL2Net.Kernels.Cuda.Vendor;

namespace CudaL2Net.Bench.Operations;

/// <summary>A vendor's way to do the same.</summary>
/// <param name="Run">Queues it once.</param>
/// <param name="Name">Whose it is, and how it is done; known once it has run.</param>
internal sealed record VendorRun(Action Run, Func<string> Name);

/// <summary>What cuDNN and cuBLAS can do of our operations, on a device's stream, with random tensors of their own in the device's precision.</summary>
/// <param name="device">The device, which must outlive this.</param>
internal sealed unsafe class VendorOperations(CudaDevice device) : IDisposable
{
    // Of a product whose matrix of results would be larger there is no run.
    private const long MostResults = 1L << 28;

    private readonly VendorLibraries libraries = new(device.Stream);

    // Finding the fastest algorithm takes longer than a measurement.
    private readonly Dictionary<Conv2dGeometry, VendorConvolution> convolutions = [];

    /// <summary>One pass of a convolution by cuDNN's fastest algorithm, without the normalizations around it.</summary>
    /// <returns>Null where cuDNN has no algorithm for it.</returns>
    public VendorRun? Convolution(TensorSet set, Conv2dGeometry g, CudaDnnConvolutionPass pass)
    {
        nint x = Random(set, g.Batch * g.Height * g.Width * g.InChannels);
        nint filters = Random(set, g.OutChannels * g.KernelHeight * g.KernelWidth * g.InChannels);
        nint y = Random(set, g.Batch * g.OutHeight * g.OutWidth * g.OutChannels);
        if (!convolutions.TryGetValue(g, out VendorConvolution? convolution))
        {
            convolutions.Add(g, convolution = new VendorConvolution(libraries, g, device.Precision));
        }

        Action run = () => convolution.Run(pass, x, filters, y);
        try
        {
            run();
        }
        catch (NotSupportedException)
        {
            return null;
        }

        return new VendorRun(run, () => $"cuDNN {CudaDnn.GetVersion()}: {convolution.Algorithm(pass)}");
    }

    /// <summary>Matrix products by cuBLAS in float32, one after another, and nothing of what is made of them.</summary>
    /// <returns>Null where the products are too large to be stored.</returns>
    public VendorRun? Products(TensorSet set, params (int Rows, int Columns, int Depth)[] shapes)
    {
        if (shapes.Any(shape => (long)shape.Rows * shape.Columns > MostResults))
        {
            return null;
        }

        Action[] products =
        [
            .. shapes.Select(shape =>
            {
                nint a = Address(set.Gaussian(shape.Rows, shape.Depth)), b = Address(set.Gaussian(shape.Columns, shape.Depth));
                nint c = Address(set.Empty<float>(shape.Rows, shape.Columns));
                var product = new VendorProduct(libraries, shape.Rows, shape.Columns, shape.Depth);
                return (Action)(() => product.Run(a, b, c));
            }),
        ];
        string count = shapes.Length == 1 ? "its product" : $"its {shapes.Length} products";
        return new VendorRun(() => Array.ForEach(products, product => product()), () => $"cuBLAS {CudaBlas.GetVersion()}: {count} alone");
    }

    /// <summary>Batch normalization and ReLU by cuDNN, side by side.</summary>
    public VendorRun BatchNorm(TensorSet set, BatchNormOptions options, Tensor<float> x, bool backward)
    {
        int channels = x.Shape[^1];
        (Tensor<float> mean, Tensor<float> inverse) = (set.Empty<float>(options.Halves, channels), set.Empty<float>(options.Halves, channels));
        (Tensor<float> runningMean, Tensor<float> runningVariance) = (set.Empty<float>(channels), set.Empty<float>(channels));
        Tensor<float> y = set.Empty<float>(x.Shape);
        var norms = new VendorBatchNorms(libraries);
        Action forward = () => norms.Forward(options, x, null, null, mean, inverse, runningMean, runningVariance, y);
        Func<string> name = () => $"cuDNN {CudaDnn.GetVersion()}: one call per half, ReLU by itself";
        if (!backward)
        {
            return new VendorRun(forward, name);
        }

        forward();
        Tensor<float> dy = set.Gaussian(x.Shape), dx = set.Empty<float>(x.Shape), scratch = set.Empty<float>(x.Shape);
        return new VendorRun(() => norms.Backward(options, x, null, mean, inverse, dy, dx, null, null, Address(scratch)), name);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (VendorConvolution convolution in convolutions.Values)
        {
            convolution.Dispose();
        }

        libraries.Dispose();
    }

    // Random numbers of the device's precision.
    private nint Random(TensorSet set, int length) =>
        device.Precision == Precision.Bf16 ? (nint)set.Bf16(length).Pointer : Address(set.Gaussian(length));

    private static nint Address(Tensor<float> tensor) => (nint)tensor.Pointer;
}
