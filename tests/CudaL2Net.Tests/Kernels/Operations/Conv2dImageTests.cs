using CudaL2Net.Autograd;
using CudaL2Net.Kernels;
using CudaL2Net.Kernels.Cuda;
using CudaL2Net.Kernels.Cuda.Vendor;
using CudaL2Net.Tests.Interop;
using CudaL2Net.Tests.Reference;
using static CudaL2Net.Tests.Reference.Closeness;
using static CudaL2Net.Tests.Reference.StoredActivation;

namespace CudaL2Net.Tests.Kernels.Operations;

/// <summary>
/// The convolutions with activations as bf16 against double references of operands that are rounded in the same places. What is left is the rounding of
/// results, half a unit of the last of 8 bits, and of operands that lie next to the middle between two numbers. By the vendor's convolutions, too, on the
/// emulated device with its stand-in for cuDNN.
/// </summary>
[TestFixture(KernelSet.Own, Category = "Cuda")]
[TestFixture(KernelSet.Vendor, Category = "Cuda")]
public sealed class Conv2dImageTests(KernelSet set)
{
    private const double Tolerance = 5e-3;

    // Batch, halves, then the input's side, channels and stride.
    private static readonly object[] Shapes =
    [
        new object[] { 3, 1, 32, 32, 32, 1 },
        new object[] { 6, 2, 32, 32, 32, 1 },
        new object[] { 6, 2, 32, 32, 64, 2 },
        new object[] { 1, 1, 32, 32, 64, 2 },
        new object[] { 6, 2, 16, 64, 64, 1 },
        new object[] { 10, 2, 16, 64, 128, 2 },
        new object[] { 1, 1, 16, 64, 128, 2 },
        new object[] { 10, 2, 8, 128, 128, 1 },
        new object[] { 1, 1, 8, 128, 128, 1 },
    ];

    private bool IsVendor => set == KernelSet.Vendor;

    /// <summary>Skips the tests where there is no CUDA device.</summary>
    [OneTimeSetUp]
    public void RequireDevice()
    {
        CudaDriver.Require();
        if (IsVendor && !CudaDriver.Emulated)
        {
            Assert.Ignore("a test of how the vendor's libraries are called; how exactly they compute is theirs to choose");
        }
    }

    [TestCaseSource(nameof(Shapes))]
    public void ForwardMatchesTheReference(int batch, int halves, int side, int inChannels, int outChannels, int stride)
    {
        // One stage of shared memory and two; more units a block than stages and fewer.
        foreach (int shared in new[] { 1, 1 << 20 })
        {
            var layer = new Layer(batch, halves, side, inChannels, outChannels, stride, Learned: shared > 1, Relu: true);
            using CudaDevice device = Open(shared);
            Conv2dGeometry g = layer.Geometry;
            Tensor<ushort> y = Allocate<ushort>(device, batch, g.OutHeight, g.OutWidth, outChannels);
            Tensor<float> mean = Allocate<float>(device, halves, outChannels), inverse = Allocate<float>(device, halves, outChannels);
            Tensor<float> runningMean = Allocate<float>(device, outChannels), runningVariance = Allocate<float>(device, outChannels);
            float[] bias = Samples.Gaussian(9, outChannels);
            var options = new BatchNormOptions(halves, 1e-3f, 0.1f, Relu: true);
            Kernels(device).Conv2dForward(g, layer.Input(device), layer.Pack(device), Upload<float>(device, bias), y, options, mean, inverse, runningMean,
                runningVariance);

            double[] expected = Plain.Conv2d(g, layer.Normalized(), layer.RoundedFilters(), Samples.Widen(bias));
            // What cuDNN gives is rounded before the bias is added, and again then; the statistics are of what is stored.
            AssertClose(Widen(y), expected, IsVendor ? 2 * Tolerance : Tolerance);
            AssertStatistics(options, IsVendor ? Samples.Widen(Widen(y)) : expected, outChannels, mean, inverse, runningMean, runningVariance,
                IsVendor ? 1e-5 : 1e-3);
        }
    }

    [TestCaseSource(nameof(Shapes))]
    public void BackwardMatchesTheReference(int batch, int halves, int side, int inChannels, int outChannels, int stride)
    {
        foreach (int shared in new[] { 1, 1 << 20 })
        {
            var layer = new Layer(batch, halves, side, inChannels, outChannels, stride, Learned: shared > 1, Relu: true);
            Conv2dGeometry g = layer.Geometry;
            var output = new StoredActivation(20, batch, halves, g.OutHeight, outChannels, Learned: shared > 1, Relu: shared > 1);
            double[] gradient = RoundedSamples(30, output.Length);
            using CudaDevice device = Open(shared);
            Bf16Activation input = layer.Input(device);
            Tensor<float> dFilters = Allocate<float>(device, outChannels, 3, 3, inChannels);
            Tensor<ushort> dInput = Allocate<ushort>(device, batch, side, side, inChannels);
            Tensor<ushort> packed = layer.Pack(device);
            Forward(device, g, input, packed);
            double[] sums = output.Sums(gradient);
            Kernels(device).Conv2dBackward(g, input, packed, output.Upload(device, sums), new GradientParts(Bits(device, gradient), null), dFilters, dInput,
                gatherSums: true);

            double[] dy = Array.ConvertAll(output.Finished(gradient, sums), Rounded);
            AssertClose(dFilters.ToArray(), Plain.Conv2dBackwardFilter(g, layer.Normalized(), dy).Filters, Tolerance);
            double[] dx = Plain.Conv2dBackwardData(g, dy, layer.RoundedFilters());
            AssertClose(Widen(dInput), dx, Tolerance);
            AssertClose(input.Sums.ToArray(), layer.Stored.Sums(dx), Tolerance);

            // Without the gradient of the input, and without its sums.
            float[] filters = dFilters.ToArray();
            Kernels(device).Conv2dBackward(g, input, packed, output.Upload(device, sums), new GradientParts(Bits(device, gradient), null), dFilters, null,
                gatherSums: false);
            Assert.That(dFilters.ToArray(), Same.As(filters));
            ushort[] bits = dInput.ToArray();
            dInput.Clear();
            Kernels(device).Conv2dBackward(g, input, packed, output.Upload(device, sums), new GradientParts(Bits(device, gradient), null), dFilters, dInput,
                gatherSums: false);
            Assert.That(dInput.ToArray(), Same.As(bits));
        }
    }

    [TestCase(3, 1, 5, 8, 24, 2)]
    [TestCase(2, 2, 7, 24, 16, 1)]
    public void OtherShapesAreTheVendorsOnly(int batch, int halves, int side, int inChannels, int outChannels, int stride)
    {
        using CudaDevice device = Open(0);
        Assert.That(Kernels(device).TakesStored(new Conv2dGeometry(batch, side, side, inChannels, outChannels, 3, 3, stride, 1)), Is.EqualTo(IsVendor));
        if (IsVendor)
        {
            ForwardMatchesTheReference(batch, halves, side, inChannels, outChannels, stride);
            BackwardMatchesTheReference(batch, halves, side, inChannels, outChannels, stride);
        }
    }

    [Test]
    public void AGradientMayComeInTwoParts([Values] bool rounded)
    {
        var layer = new Layer(6, 2, 8, 128, 128, 1, Learned: false, Relu: true);
        var output = new StoredActivation(20, 6, 2, 8, 128, Learned: false, Relu: true);
        double[] part = RoundedSamples(30, output.Length), other = Samples.Widen(Samples.Gaussian(31, output.Length));
        double[] gradient = new double[output.Length];
        for (int i = 0; i < gradient.Length; i++)
        {
            gradient[i] = Rounded(other[i] + (rounded ? part[i] : 0));
        }

        using CudaDevice device = Open(0);
        Tensor<float> dFilters = Allocate<float>(device, 128, 3, 3, 128);
        Bf16Activation uploaded = output.Upload(device, new double[2 * 2 * 128]);
        Tensor<float> full = Upload<float>(device, Array.ConvertAll(other, value => (float)value));
        Bf16Activation input = layer.Input(device);
        Tensor<ushort> packed = layer.Pack(device);
        Forward(device, layer.Geometry, input, packed);
        Kernels(device).Conv2dBackward(layer.Geometry, input, packed, uploaded,
            new GradientParts(rounded ? Bits(device, part) : null, full), dFilters, null, gatherSums: false);
        double[] sums = output.Sums(gradient);
        AssertClose(uploaded.Sums.ToArray(), sums, Tolerance);
        AssertClose(dFilters.ToArray(), Plain.Conv2dBackwardFilter(layer.Geometry, layer.Normalized(), output.Finished(gradient, sums)).Filters, Tolerance);
    }

    [TestCase(1, 1)]
    [TestCase(14, 2)]
    public void PatchesAreReadByTheFirstLayer(int batch, int halves)
    {
        var g = new Conv2dGeometry(batch, 32, 32, 1, 32, 3, 3, 1, 1);
        float[] patches = Samples.Gaussian(1, batch * 1024), filters = Samples.Gaussian(2, 32 * 9), bias = Samples.Gaussian(3, 32);
        using CudaDevice device = Open(0);
        Tensor<ushort> y = Allocate<ushort>(device, batch, 32, 32, 32);
        Tensor<float> mean = Allocate<float>(device, halves, 32), inverse = Allocate<float>(device, halves, 32);
        Tensor<float> runningMean = Allocate<float>(device, 32), runningVariance = Allocate<float>(device, 32);
        var options = new BatchNormOptions(halves, 1e-3f, 0.1f, Relu: true);
        Tensor<float> uploaded = Upload<float>(device, patches);
        Kernels(device).Conv2dForward(g, uploaded, Upload<float>(device, filters), Upload<float>(device, bias), y, options, mean, inverse, runningMean,
            runningVariance);
        double[] expected = Plain.Conv2d(g, Samples.Widen(patches), Samples.Widen(filters), Samples.Widen(bias));
        AssertClose(Widen(y), expected, IsVendor ? 2 * Tolerance : Tolerance);
        AssertStatistics(options, IsVendor ? Samples.Widen(Widen(y)) : expected, 32, mean, inverse, runningMean, runningVariance, 1e-5);

        var output = new StoredActivation(20, batch, halves, 32, 32, Learned: true, Relu: true);
        double[] gradient = RoundedSamples(30, output.Length), sums = output.Sums(gradient);
        Tensor<float> dFilters = Allocate<float>(device, 32, 3, 3, 1);
        Kernels(device).Conv2dBackward(g, uploaded, output.Upload(device, sums), new GradientParts(Bits(device, gradient), null), dFilters);
        AssertClose(dFilters.ToArray(), Plain.Conv2dBackwardFilter(g, Samples.Widen(patches), output.Finished(gradient, sums)).Filters,
            IsVendor ? Tolerance : 2e-5);
    }

    /// <summary>The stages of a tape choose these kernels where they can, and read them by others where they must.</summary>
    [Test]
    public void StagesKeepActivationsAsBf16()
    {
        using Device device = Open(0);
        using var tape = new Tape(device);
        var options = new BatchNormOptions(2, 1e-3f, 0.1f, Relu: true);
        Variable Stage(Variable x, int outChannels, int stride) =>
            tape.ConvolutionBatchNorm(x, tape.Parameter(Upload<float>(device, Samples.Gaussian(1, outChannels * 9 * x.Shape[3]), outChannels, 3, 3, x.Shape[3])), null,
                stride, 1, options, null, null, Allocate<float>(device, outChannels), Allocate<float>(device, outChannels));

        Variable first = Stage(tape.Input(Upload<float>(device, Samples.Gaussian(2, 2 * 1024), 2, 32, 32, 1)), 32, 1);
        Variable second = Stage(first, 64, 2), third = Stage(first, 64, 2), other = Stage(second, 48, 1);
        Assert.That(first.Activation, Is.InstanceOf<Activation.DeferredBf16>());
        Assert.That(second.Activation, Is.InstanceOf<Activation.DeferredBf16>());
        Assert.That(third.Activation, Is.Not.InstanceOf<Activation.DeferredBf16>(), "the stored activation has one reader; the second one gets it written out");
        Assert.That(other.Activation is Activation.DeferredBf16, Is.EqualTo(IsVendor), "48 channels have no kernel of our own");
        foreach (Variable end in new[] { third, other })
        {
            Tensor<float> claimed = end.ClaimGradient();
            float[] given = Samples.Gaussian(5, end.Length);
            tape.RecordLoss($"given {tape.Losses.Count}", _ => claimed.Write(given));
        }

        tape.Forward();
        tape.Backward();
        Assert.That(tape.Parameters[0].Gradient!.ToArray(), Has.Some.Not.Zero.And.All.Matches<float>(float.IsFinite));
        Assert.That(Widen(first.RoundedGradient!), Has.Some.Not.Zero);
        Assert.That(first.Gradient!.ToArray(), Has.Some.Not.Zero);
    }

    /// <summary>Compute capability 8.6 has 99 KB of shared memory for a block: two stages of filters' operands do not fit.</summary>
    [TestCase(32, 32, 64, 2)]
    [TestCase(8, 128, 128, 1)]
    public void DevicesWithLessSharedMemoryGiveTheSameBits(int side, int inChannels, int outChannels, int stride)
    {
        if (IsVendor)
        {
            Assert.Ignore("a test of our own launches");
        }

        var layer = new Layer(2, 2, side, inChannels, outChannels, stride, Learned: false, Relu: true);
        using var emulated = new EmulatedDevice();
        float[][] larger = Run();
        emulated["compute"] = 86;
        float[][] smaller = Run();
        for (int i = 0; i < larger.Length; i++)
        {
            Assert.That(smaller[i], Same.As(larger[i]));
        }

        float[][] Run()
        {
            Conv2dGeometry g = layer.Geometry;
            var output = new StoredActivation(20, 2, 2, g.OutHeight, outChannels, Learned: false, Relu: true);
            double[] gradient = RoundedSamples(30, output.Length);
            using CudaDevice device = Open(0);
            Tensor<ushort> y = Allocate<ushort>(device, 2, g.OutHeight, g.OutWidth, outChannels), dInput = Allocate<ushort>(device, 2, side, side, inChannels);
            Tensor<float> mean = Allocate<float>(device, 2, outChannels), inverse = Allocate<float>(device, 2, outChannels);
            Tensor<float> running = Allocate<float>(device, outChannels), dFilters = Allocate<float>(device, outChannels, 3, 3, inChannels);
            Bf16Activation input = layer.Input(device);
            Tensor<ushort> packed = layer.Pack(device);
            Kernels(device).Conv2dForward(g, input, packed, null, y, new BatchNormOptions(2, 1e-3f, 0.1f, Relu: true), mean, inverse, running, running);
            Kernels(device).Conv2dBackward(g, input, packed, output.Upload(device, output.Sums(gradient)), new GradientParts(Bits(device, gradient), null),
                dFilters, dInput, gatherSums: true);
            return [Widen(y), mean.ToArray(), inverse.ToArray(), dFilters.ToArray(), Widen(dInput), input.Sums.ToArray()];
        }
    }

    [Test]
    public void OtherPrecisionsAndShapesAreLeftToOtherKernels()
    {
        using CudaDevice tf32 = Open(0, Precision.Tf32), bf16 = Open(0);
        var g = new Conv2dGeometry(2, 16, 16, 64, 64, 3, 3, 1, 1);
        Assert.That(Kernels(tf32).TakesStored(g), Is.False);
        Assert.That(Kernels(bf16).TakesStored(g), Is.True);
        Assert.That(Kernels(bf16).TakesStored(g with { Padding = 0 }), Is.EqualTo(IsVendor));
        Assert.That(Kernels(bf16).TakesStored(g with { Stride = 2 }), Is.EqualTo(IsVendor));
        Assert.That(Kernels(bf16).TakesStored(g with { InChannels = 1 }), Is.EqualTo(IsVendor));
        Assert.That(Kernels(bf16).TakesStored(g with { InChannels = 12 }), Is.False);
        Assert.That(Kernels(bf16).TakesStored(g with { OutChannels = 12 }), Is.False);
    }

    /// <summary>What a block does beside its own units never shows in an image: a block that loops over six gives the bits of six blocks. Sums are added in another
    /// order.</summary>
    [TestCase(32, 32, 32, 1)]
    [TestCase(32, 32, 64, 2)]
    [TestCase(16, 64, 64, 1)]
    [TestCase(16, 64, 128, 2)]
    [TestCase(8, 128, 128, 1)]
    public void BlocksThatLoopGiveTheSameImages(int side, int inChannels, int outChannels, int stride)
    {
        if (IsVendor)
        {
            Assert.Ignore("a test of our own launches");
        }

        const int Batch = 12;
        var layer = new Layer(Batch, 2, side, inChannels, outChannels, stride, Learned: false, Relu: true);
        Conv2dGeometry g = layer.Geometry;
        var output = new StoredActivation(20, Batch, 2, g.OutHeight, outChannels, Learned: false, Relu: true);
        double[] gradient = RoundedSamples(30, output.Length);
        (float[][] same, float[][] near) = Run(1);
        (float[][] others, float[][] close) = Run(64);
        for (int i = 0; i < same.Length; i++)
        {
            Assert.That(others[i], Is.EqualTo(same[i]));
            Assert.That(close[i], Is.EqualTo(near[i]).Within(1e-4f * near[i].Max(Math.Abs)));
        }

        (float[][] Images, float[][] Sums) Run(int multiprocessors)
        {
            using var device = new CudaDevice(0, Precision.Bf16) { Multiprocessors = multiprocessors };
            Tensor<ushort> y = Allocate<ushort>(device, Batch, g.OutHeight, g.OutWidth, outChannels), dInput = Allocate<ushort>(device, Batch, side, side, inChannels);
            Tensor<float> mean = Allocate<float>(device, 2, outChannels), inverse = Allocate<float>(device, 2, outChannels);
            Tensor<float> running = Allocate<float>(device, outChannels), dFilters = Allocate<float>(device, outChannels, 3, 3, inChannels);
            Bf16Activation input = layer.Input(device);
            Tensor<ushort> packed = layer.Pack(device);
            Kernels(device).Conv2dForward(g, input, packed, null, y, new BatchNormOptions(2, 1e-3f, 0.1f, Relu: true), mean, inverse, running, running);
            Kernels(device).Conv2dBackward(g, input, packed, output.Upload(device, output.Sums(gradient)), new GradientParts(Bits(device, gradient), null),
                dFilters, dInput, gatherSums: true);
            return ([Widen(y), Widen(dInput)], [mean.ToArray(), dFilters.ToArray()]);
        }
    }

    /// <summary>Lets go of the tensors of a test.</summary>
    [TearDown]
    public void LetGo() => StoredActivation.LetGo();

    private CudaDevice Open(int shared, Precision precision = Precision.Bf16)
    {
        CudaDevice device = IsVendor ? new VendorDevice(0, precision) : new CudaDevice(0, precision);
        device.SharedBytesOfMultiprocessor = shared;
        return device;
    }

    // The vendor's backward pass reads what the forward pass has normalized.
    private static void Forward(CudaDevice device, Conv2dGeometry g, Bf16Activation input, Tensor<ushort> packed)
    {
        Tensor<float> statistics = Allocate<float>(device, 4, 2, g.OutChannels);
        Kernels(device).Conv2dForward(g, input, packed, null, Allocate<ushort>(device, g.Batch, g.OutHeight, g.OutWidth, g.OutChannels),
            new BatchNormOptions(input.Normalization.Halves, 1e-3f, 0.1f, Relu: true), statistics.View(0, input.Normalization.Halves, g.OutChannels),
            statistics.View(2 * g.OutChannels, input.Normalization.Halves, g.OutChannels), statistics.View(4 * g.OutChannels, g.OutChannels),
            statistics.View(6 * g.OutChannels, g.OutChannels));
    }

    private static IStoredKernels Kernels(CudaDevice device) => device.StoredKernels!;

    private sealed record Layer(int Batch, int Halves, int Side, int InChannels, int OutChannels, int Stride, bool Learned, bool Relu)
    {
        private readonly float[] filters = Samples.Gaussian(7, OutChannels * 9 * InChannels);

        public Conv2dGeometry Geometry => new(Batch, Side, Side, InChannels, OutChannels, 3, 3, Stride, 1);

        public StoredActivation Stored { get; } = new(10, Batch, Halves, Side, InChannels, Learned, Relu);

        public Bf16Activation Input(CudaDevice device) => Stored.Upload(device, new double[Halves * 2 * InChannels]);

        public double[] Normalized() => Array.ConvertAll(Stored.Normalized(), Rounded);

        public double[] RoundedFilters() => Array.ConvertAll(filters, value => Rounded(value));

        public Tensor<ushort> Pack(CudaDevice device)
        {
            Tensor<ushort> packed = Allocate<ushort>(device, 2, filters.Length);
            Kernels(device).PackFilters(Geometry, Upload<float>(device, filters), packed);
            return packed;
        }
    }
}
