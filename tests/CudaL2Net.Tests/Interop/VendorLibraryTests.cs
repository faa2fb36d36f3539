using CudaL2Net.Interop;
using CudaL2Net.Kernels;
using CudaL2Net.Kernels.Cuda;
using CudaL2Net.Kernels.Cuda.Vendor;

namespace CudaL2Net.Tests.Interop;

/// <summary>What goes wrong with cuBLAS and cuDNN, and what is said of it; the stand-ins are as strict as they are, and stricter.</summary>
[Category("Cuda")]
public sealed class VendorLibraryTests
{
    private EmulatedDevice emulated = null!;

    [SetUp]
    public void RequireEmulator() => emulated = new EmulatedDevice();

    [TearDown]
    public void PutBack()
    {
        emulated.Dispose();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Assert.That((emulated["contexts"], emulated["libraryObjects"]), Is.EqualTo((0, 0)), "contexts, and what the libraries made, are given back");
    }

    [Test]
    public void AMissingLibraryIsNamedWithWhatToDo()
    {
        CudaLibraryException? error = Assert.Throws<CudaLibraryException>(() => VendorLibrary.Cublas.Load("no/such/libcublas.so"));
        Assert.That(error!.Message, Does.StartWith("cuBLAS was not found: no/such/libcublas.so").And.Contain("CUDAL2NET_CUBLAS"));
        Assert.That((error.Library, error.Call), Is.EqualTo(("cuBLAS", (string?)null)));
        try
        {
            VendorLibrary.Cudnn.Load(null);
        }
        catch (CudaLibraryException usual)
        {
            Assert.That(usual.Message, Does.Contain("pip install nvidia-cudnn-cu12").And.Contain("CUDAL2NET_CUDNN").And.Contain("9").And.Contain("8"));
        }
    }

    [Test]
    public void VersionsNeedNoDevice()
    {
        emulated["devices"] = 0;
        Assert.That((CudaBlas.GetVersion(), CudaDnn.GetVersion()), Is.EqualTo((new Version(12, 4, 5), new Version(9, 1, 0))));
    }

    [Test]
    public void ARefusalNamesCallStatusAndVersion()
    {
        CudaLibraryException? error = Assert.Throws<CudaLibraryException>(() => new TensorDescriptor(CudaDnnDataType.Float, 0, 1, 1, 1));
        Assert.That(error!.Message, Is.EqualTo("cudnnSetTensor4dDescriptor failed: CUDNN_STATUS_BAD_PARAM (status 2000), cuDNN 9.1.0"));
        Assert.That((error.Library, error.Call, error.Status), Is.EqualTo(("cuDNN", "cudnnSetTensor4dDescriptor", 2000)));

        using var device = (CudaDevice)Device.Open("cuda");
        using var blas = new CudaBlas(device.Stream);
        using Tensor<float> matrix = device.Allocate<float>(4, 4);
        nint data = Address(matrix);
        var narrow = new CudaBlasMatrix(data, CudaDataType.Float32, 3);
        error = Assert.Throws<CudaLibraryException>(() => blas.Gemm(4, 4, 4, narrow, narrow, narrow));
        Assert.That(error!.Message, Does.StartWith("cublasGemmEx failed: CUBLAS_STATUS_INVALID_VALUE").And.EndWith("cuBLAS 12.4.5"));
    }

    [Test]
    public void MemoryThatIsTooSmallIsRefused()
    {
        using var device = (CudaDevice)Device.Open("cuda");
        using var libraries = new VendorLibraries(device.Stream);
        using var x = new TensorDescriptor(CudaDnnDataType.Float, 2, 5, 5, 3);
        using var filters = new FilterDescriptor(CudaDnnDataType.Float, 4, 3, 3, 3);
        using var how = new ConvolutionDescriptor(1, 1, CudaDnnMathType.Fma);
        using var y = new TensorDescriptor(CudaDnnDataType.Float, 2, 5, 5, 4);
        using var other = new TensorDescriptor(CudaDnnDataType.Float, 2, 5, 5, 5);
        using Tensor<float> input = device.Allocate<float>(2, 5, 5, 3), bank = device.Allocate<float>(4, 3, 3, 3), output = device.Allocate<float>(2, 5, 5, 4);
        using Tensor<float> small = device.Allocate<float>(100);
        var convolution = new CudaDnnConvolution(x, filters, how, y);
        nuint needed = libraries.Dnn.GetWorkspaceSize(CudaDnnConvolutionPass.Forward, convolution, 1)!.Value;
        var algorithm = new CudaDnnAlgorithm(CudaDnnConvolutionPass.Forward, 1, CudaDnnMathType.Fma, needed, true, 0);
        nint workspace = libraries.Workspace(needed);
        void Convolve(CudaDnnConvolution described, CudaDnnAlgorithm chosen, Tensor<float> result) =>
            libraries.Dnn.Convolve(described, chosen, Address(input), Address(bank), Address(result), workspace);
        Assert.That(() => Convolve(convolution, algorithm, output), Throws.Nothing);
        Assert.That(() => Convolve(convolution, algorithm with { WorkspaceBytes = needed - 1 }, output), Refused("cudnnConvolutionForward"), "workspace");
        Assert.That(() => Convolve(convolution with { Y = other }, algorithm, output), Refused("cudnnConvolutionForward"), "shape");
        Assert.That(() => Convolve(convolution, algorithm, small), Refused("cudnnConvolutionForward"), "output");
        Assert.That(() => Convolve(convolution, algorithm with { Number = 5 }, output), Refused("cudnnConvolutionForward"), "algorithm");
        how.Dispose();
        Assert.That(() => Convolve(convolution, algorithm, output), Throws.InstanceOf<ObjectDisposedException>());
    }

    [Test]
    public void AlgorithmsAreNotMeasuredInACapture()
    {
        using var device = (CudaDevice)Device.Open("cuda");
        using var libraries = new VendorLibraries(device.Stream);
        var g = new Conv2dGeometry(1, 4, 4, 2, 3, 3, 3, 1, 1);
        using var convolution = new VendorConvolution(libraries, g, Precision.Float32);
        using Tensor<float> x = device.Allocate<float>(1, 4, 4, 2), filters = device.Allocate<float>(3, 3, 3, 2), y = device.Allocate<float>(1, 4, 4, 3);
        void Run() => convolution.Run(CudaDnnConvolutionPass.Forward, Address(x), Address(filters), Address(y));
        device.Stream.BeginCapture();
        Assert.That(Run, Throws.InvalidOperationException.With.Message.Contains("run it once before"));
        device.Stream.AbandonCapture();
        Assert.That(convolution.Algorithm(CudaDnnConvolutionPass.Forward), Is.Null);
        Run();
        device.Stream.BeginCapture();
        Run();
        using CudaGraph graph = device.Stream.EndCapture();
        Assert.That(graph.NodeCount, Is.EqualTo(1));
        Assert.That(convolution.Algorithm(CudaDnnConvolutionPass.Forward)!.Value.ToString(), Does.StartWith("IMPLICIT_PRECOMP_GEMM, FMA"));
    }

    [Test]
    public void WhereTheVendorsKernelsCannotTrainIsSaid()
    {
        Assert.That(() => Device.Open("cpu", kernels: KernelSet.Vendor), Throws.ArgumentException.With.Message.Contains("need a GPU"));
        Assert.That(() => Device.Open("auto", kernels: KernelSet.Vendor), Throws.ArgumentException.With.Message.Contains("need a GPU"));
        Assert.That(() => Device.Open("cuda", 0, Precision.Int8, KernelSet.Vendor), Throws.ArgumentException.With.Message.Contains("int8 is for describing"));
        using Device device = Device.Open("cuda", 0, Precision.Bf16, KernelSet.Vendor);
        Assert.That(device.Description, Does.EndWith("bf16, cuDNN 9.1.0, cuBLAS 12.4.5"));
    }

    private static unsafe nint Address(Tensor<float> tensor) => (nint)tensor.Pointer;

    private static NUnit.Framework.Constraints.Constraint Refused(string call) =>
        Throws.TypeOf<CudaLibraryException>().With.Property(nameof(CudaLibraryException.Call)).EqualTo(call);
}
