using CudaL2Net.Interop;
using CudaL2Net.Kernels;
using CudaL2Net.Kernels.Cuda;
using CudaL2Net.Kernels.Cuda.Vendor;
using CudaL2Net.Tests.Reference;
using static CudaL2Net.Tests.Reference.Closeness;

namespace CudaL2Net.Tests.Kernels.Operations;

/// <summary>
/// Convolutions by cuDNN and products by cuBLAS in every precision, against the double reference. Where operands have no more bits than the precision, nothing is
/// lost but in the rounding of a bfloat16 result.
/// </summary>
[TestFixture(Precision.Float32, Category = "Cuda")]
[TestFixture(Precision.Tf32, Category = "Cuda")]
[TestFixture(Precision.Bf16, Category = "Cuda")]
public sealed unsafe class VendorOperationsTests(Precision precision)
{
    private static readonly Conv2dGeometry[] Geometries =
    [
        new(1, 9, 11, 1, 32, 3, 3, 1, 1),
        new(3, 5, 6, 5, 33, 2, 5, 3, 2),
        new(2, 10, 7, 32, 64, 3, 3, 2, 1),
        new(5, 8, 8, 64, 128, 8, 8, 1, 0),
        new(1, 1, 1, 1, 1, 1, 1, 1, 0),
    ];

    private CudaDevice device = null!;
    private VendorLibraries libraries = null!;

    [SetUp]
    public void Open()
    {
        CudaDriver.Require();
        if (!CudaDriver.Emulated)
        {
            Assert.Ignore("a test of how the vendor's libraries are called; how exactly they compute is theirs to choose");
        }

        device = (CudaDevice)Device.Open("cuda");
        libraries = new VendorLibraries(device.Stream);
    }

    [TearDown]
    public void Close()
    {
        libraries?.Dispose();
        device?.Dispose();
    }

    [TestCaseSource(nameof(Geometries))]
    public void ConvolutionsMatchTheReference(object geometry)
    {
        var g = (Conv2dGeometry)geometry;
        float[] x = Operand(1, g.Batch * g.Height * g.Width * g.InChannels), dy = Operand(3, g.Batch * g.OutHeight * g.OutWidth * g.OutChannels);
        float[] filters = Operand(2, g.OutChannels * g.KernelHeight * g.KernelWidth * g.InChannels);
        using var convolution = new VendorConvolution(libraries, g, precision);
        AssertPass(CudaDnnConvolutionPass.Forward, x, filters, null, Plain.Conv2d(g, Samples.Widen(x), Samples.Widen(filters), null));
        AssertPass(CudaDnnConvolutionPass.BackwardData, null, filters, dy, Plain.Conv2dBackwardData(g, Samples.Widen(dy), Samples.Widen(filters)));
        AssertPass(CudaDnnConvolutionPass.BackwardFilter, x, null, dy, Plain.Conv2dBackwardFilter(g, Samples.Widen(x), Samples.Widen(dy)).Filters);

        // The operand that is not given is the result.
        void AssertPass(CudaDnnConvolutionPass pass, float[]? images, float[]? bank, float[]? output, double[] expected)
        {
            using var a = new Memory(device, precision, images ?? new float[expected.Length]);
            using var b = new Memory(device, precision, bank ?? new float[expected.Length]);
            using var c = new Memory(device, precision, output ?? new float[expected.Length]);

            // The second run is of the algorithm that the first has chosen.
            for (int run = 0; run < 2; run++)
            {
                convolution.Run(pass, a.Address, b.Address, c.Address);
            }

            AssertClose((images == null ? a : bank == null ? b : c).Read(), expected, precision == Precision.Bf16 ? 1.0 / 256 : 1e-5);
            Assert.That(convolution.Algorithm(pass)!.Value.MathType, Is.EqualTo(VendorConvolution.MathType(precision)));
            Assert.That((ulong)convolution.Algorithm(pass)!.Value.WorkspaceBytes, Is.Positive, "the faster algorithm needs a workspace");
        }
    }

    [TestCase(1, 1, 1)]
    [TestCase(33, 65, 130)]
    [TestCase(128, 16, 8192)]
    public void ProductsMatchTheReference(int rows, int columns, int depth)
    {
        float[] a = Operand(1, rows * depth), b = Operand(2, columns * depth);
        double[] expected = new double[rows * columns];
        for (int i = 0; i < expected.Length; i++)
        {
            expected[i] = Enumerable.Range(0, depth).Sum(k => (double)a[(i / columns * depth) + k] * b[(i % columns * depth) + k]);
        }

        using var first = new Memory(device, precision, a);
        using var second = new Memory(device, precision, b);
        using Tensor<float> c = device.Allocate<float>(rows, columns);
        new VendorProduct(libraries, rows, columns, depth, precision).Run(first.Address, second.Address, (nint)c.Pointer);
        AssertClose(c.ToArray(), expected);
    }

    private float[] Operand(ulong seed, int count) => Array.ConvertAll(Samples.Gaussian(seed, count), value =>
    {
        int dropped = precision == Precision.Float32 ? 0 : precision == Precision.Tf32 ? 13 : 16;
        return BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(value) >> dropped << dropped);
    });

    /// <summary>Numbers in device memory, as bfloat16 for that precision.</summary>
    private sealed class Memory : IDisposable
    {
        private readonly Tensor<float>? wide;
        private readonly Tensor<ushort>? narrow;

        public Memory(Device device, Precision precision, float[] values)
        {
            if (precision == Precision.Bf16)
            {
                narrow = device.Upload<ushort>(Array.ConvertAll(values, value => (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16)));
            }
            else
            {
                wide = device.Upload<float>(values);
            }
        }

        public nint Address => wide == null ? (nint)narrow!.Pointer : (nint)wide.Pointer;

        public float[] Read() => wide?.ToArray() ?? Array.ConvertAll(narrow!.ToArray(), value => BitConverter.UInt32BitsToSingle((uint)value << 16));

        public void Dispose()
        {
            wide?.Dispose();
            narrow?.Dispose();
        }
    }
}
