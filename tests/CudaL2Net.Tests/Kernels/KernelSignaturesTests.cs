using System.Text;
using CudaL2Net.Kernels;
using CudaL2Net.Kernels.Cuda;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Kernels;

/// <summary>What kernels take, as their PTX declares it, and that a launch that gives something else is refused.</summary>
public sealed unsafe class KernelSignaturesTests
{
    private const string Sample = """
        .version 7.0
        .target sm_80
        .address_size 64
        .visible .entry _mixed$1(
            .param .u64 _mixed_param_0,
            .param .f32 _mixed_param_1,
            .param .align 8 .b8 _mixed_param_2[296],
            .param .u64 .ptr .global .align 16 _mixed_param_3,
            .param .u8 _mixed_param_4
        )
        .maxntid 256, 1, 1
        {
            ret;
        }
        .entry empty()
        { ret; }
        .visible .entry bare
        { ret; }
        """;

    [Test]
    public void ParametersAreReadInOrder()
    {
        var signatures = new KernelSignatures("sample.ptx", Encoding.UTF8.GetBytes(Sample));
        Assert.That(signatures.Kernels, Is.EqualTo(new[] { "_mixed$1", "empty", "bare" }));
        Assert.That(signatures.Of("_mixed$1"), Is.EqualTo(new[] { 8, 4, 296, 8, 1 }));
        Assert.That(signatures.Of("empty"), Is.Empty);
        Assert.That(signatures.Of("bare"), Is.Empty);
        Assert.That(() => signatures.Of("missing"), Throws.InvalidOperationException.With.Message.EqualTo(
            "sample.ptx has no kernel missing: it has _mixed$1, bare, empty"));
    }

    [TestCase(".param .texref t")]
    [TestCase(".param .align 8 .b8 t[many]")]
    public void AParameterOfUnknownSizeIsAnError(string parameter)
    {
        byte[] ptx = Encoding.UTF8.GetBytes($".visible .entry kernel(\n{parameter}\n)\n{{ ret; }}");
        Assert.That(() => new KernelSignatures("odd.ptx", ptx), Throws.TypeOf<InvalidDataException>().With.Message.Contains(parameter));
    }

    [Test]
    public void ConstantsAreRead()
    {
        var signatures = new KernelSignatures("sample.ptx", """
            .visible .const .align 4 .u32 threads = 128;
            .visible .const .align 4 .b8 shape[16] = {3, 0, 0, 0, 112, 17, 1, 0, 255, 255, 255, 255};
            .const .align 4 .b8 unset[8];
            .visible .entry kernel() { ret; }
            """u8);
        Assert.That(signatures.Constant("threads"), Is.EqualTo(new[] { 128 }));
        Assert.That(signatures.Constant("shape"), Is.EqualTo(new[] { 3, 70_000, -1, 0 }), "zeros at the end need not stand there");
        Assert.That(() => signatures.Constant("unset"), Throws.InvalidOperationException.With.Message.Contains("sample.ptx has no constant unset: it has shape, threads"));
    }

    [TestCase(".b8 shape[4] = {1, 2, 3, 4, 5}")]
    [TestCase(".b8 shape[4] = {one}")]
    public void AConstantThatIsNoNumbersIsAnError(string declaration)
    {
        byte[] ptx = Encoding.UTF8.GetBytes($".visible .const .align 4 {declaration};");
        Assert.That(() => new KernelSignatures("odd.ptx", ptx), Throws.TypeOf<InvalidDataException>().With.Message.Contains(declaration));
    }

    [Test]
    public void CountAndSizesOfTheArgumentsAreCompared()
    {
        var structure = (A: 1L, B: 2f);
        KernelArgument[] fitting = [(void*)null, 1.5f, KernelArgument.Structure(&structure), 3, true];
        int[] parameters = [8, 4, sizeof((long, float)), 4, 4];
        Assert.That(() => KernelSignatures.Require("f.ptx", "k", parameters, fitting), Throws.Nothing);
        Assert.That(() => KernelSignatures.Require("f.ptx", "k", parameters, fitting.AsSpan(1)), Throws.InvalidOperationException.With.Message.Contains(
            "the kernel k of f.ptx: the kernel takes 5 parameters of [8, 4, 16, 4, 4] bytes, the launch gives 4 parameters of [4, 16, 4, 4] bytes"));
        KernelArgument[] wide = [.. fitting.AsSpan(0, 3), 3L, fitting[4]];
        Assert.That(() => KernelSignatures.Require("f.ptx", "k", parameters, wide), Throws.InvalidOperationException.With.Message.Contains("[8, 4, 16, 8, 4]"));
    }

    [Test]
    [Category("Cuda")]
    public void ALaunchOfAKernelOfAnotherBuildIsRefused()
    {
        CudaDriver.Require();
        using var folder = new TemporaryFolder();
        using (Stream built = typeof(Device).Assembly.GetManifestResourceStream("CudaL2Net.Kernels.relu.ptx")!)
        {
            string ptx = new StreamReader(built).ReadToEnd();
            File.WriteAllText(Path.Combine(folder.Path, "relu.ptx"), ptx.Replace(".u32 relu_forward_param_2", ".u64 relu_forward_param_2", StringComparison.Ordinal));
        }

        Environment.SetEnvironmentVariable(KernelFiles.FolderVariable, folder.Path);
        try
        {
            using Device device = Device.Open("cuda");
            using Tensor<float> x = device.Upload<float>([1, -2, 3]), y = device.Allocate<float>(3), dx = device.Allocate<float>(3);
            Assert.That(() => device.Kernels.ReluForward(x, y), Throws.InvalidOperationException.With.Message.Contains("relu_forward")
                .And.Message.Contains("relu.ptx").And.Message.Contains("[8, 8, 8]").And.Message.Contains("[8, 8, 4]"));
            device.Kernels.ReluBackward(x, x, dx);
            Assert.That(dx.ToArray(), Is.EqualTo(new float[] { 1, 0, 3 }), "the other kernel of the file fits");
        }
        finally
        {
            Environment.SetEnvironmentVariable(KernelFiles.FolderVariable, null);
        }
    }
}
