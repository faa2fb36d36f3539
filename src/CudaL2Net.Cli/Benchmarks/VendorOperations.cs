using CudaL2Net.Devices.Cuda.Vendor;
using CudaL2Net.Interop;
using CudaL2Net.Operations;
using CudaL2Net.Tensors;

namespace CudaL2Net.Cli.Benchmarks;

/// <summary>A vendor's way to do the same.</summary>
/// <param name="Run">Queues it once.</param>
/// <param name="Name">Whose it is, and how it is done; known once it has run.</param>
internal sealed record VendorRun(Action Run, Func<string> Name);

/// <summary>What cuDNN and cuBLAS can do of our operations, on random tensors of their own in the device's precision.</summary>
internal static unsafe class VendorOperations
{
    // Of a product whose matrix of results would be larger there is no run.
    private const long MostResults = 1L << 30;

    /// <summary>One pass of a convolution by cuDNN's fastest algorithm, without the normalizations around it.</summary>
    /// <returns>Null where cuDNN is not wanted, or has no algorithm.</returns>
    public static VendorRun? Convolution(TensorSet set, Conv2dGeometry g, CudaDnnConvolutionPass pass)
    {
        if (set.Vendor is not { } libraries)
        {
            return null;
        }

        nint x = Random(set, g.Batch * g.Height * g.Width * g.InChannels);
        nint filters = Random(set, g.OutChannels * g.KernelHeight * g.KernelWidth * g.InChannels);
        nint y = Random(set, g.Batch * g.OutHeight * g.OutWidth * g.OutChannels);
        var convolution = set.Own(new VendorConvolution(libraries, g, set.Device.Precision));
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
    /// <returns>Null where cuBLAS is not wanted, or the products are too large to be stored.</returns>
    public static VendorRun? Products(TensorSet set, params (int Rows, int Columns, int Depth)[] shapes)
    {
        if (set.Vendor is not { } libraries || shapes.Any(shape => (long)shape.Rows * shape.Columns > MostResults))
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
    /// <returns>Null where cuDNN is not wanted.</returns>
    public static VendorRun? BatchNorm(TensorSet set, BatchNormOptions options, Tensor<float> x, bool backward)
    {
        if (set.Vendor is not { } libraries)
        {
            return null;
        }

        int channels = x.Shape[^1];
        (Tensor<float> mean, Tensor<float> inverse) = (set.Empty<float>(options.Sides, channels), set.Empty<float>(options.Sides, channels));
        (Tensor<float> runningMean, Tensor<float> runningVariance) = (set.Empty<float>(channels), set.Empty<float>(channels));
        Tensor<float> y = set.Empty<float>(x.Shape);
        var norms = new VendorBatchNorms(libraries);
        Action forward = () => norms.Forward(options, x, null, null, mean, inverse, runningMean, runningVariance, y);
        Func<string> name = () => $"cuDNN {CudaDnn.GetVersion()}: a call a side, ReLU by itself";
        if (!backward)
        {
            return new VendorRun(forward, name);
        }

        forward();
        Tensor<float> dy = set.Gaussian(x.Shape), dx = set.Empty<float>(x.Shape), scratch = set.Empty<float>(x.Shape);
        return new VendorRun(() => norms.Backward(options, x, null, mean, inverse, dy, dx, null, null, Address(scratch)), name);
    }

    // Random numbers of the device's precision.
    private static nint Random(TensorSet set, int length)
    {
        if (set.Device.Precision != Precision.Bf16)
        {
            return Address(set.Gaussian(length));
        }

        Tensor<ushort> rounded = set.Empty<ushort>(length);
        using var source = new TensorSet(set.Device);
        float[] values = source.Gaussian(Math.Min(length, 1 << 18)).ToArray();
        ushort[] block = Array.ConvertAll(values, value => (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16));
        TensorSet.Fill(rounded, block);
        return (nint)rounded.Pointer;
    }

    private static nint Address(Tensor<float> tensor) => (nint)tensor.Pointer;
}
