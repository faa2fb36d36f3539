using CudaL2Net.Kernels;

namespace CudaL2Net.Bench.Operations;

/// <summary>What an operation costs at least, whatever computes it.</summary>
/// <param name="Bytes">Bytes that must be read from memory and written to it.</param>
/// <param name="Operations">Operations: two a multiply-add, one an addition, multiplication, comparison or root; of bits one a 32-bit population
/// count.</param>
/// <param name="Arithmetic">The kind that bounds it.</param>
/// <param name="Counting">How both were counted.</param>
internal readonly record struct Work(long Bytes, long Operations, Arithmetic Arithmetic, string Counting)
{
    private const int FloatBytes = sizeof(float);

    /// <summary>Work on each of a number of values.</summary>
    /// <param name="values">The values.</param>
    /// <param name="bytes">Bytes of each.</param>
    /// <param name="operations">Operations of each.</param>
    /// <param name="counting">What these are.</param>
    public static Work PerValue(long values, int bytes, int operations, string counting) =>
        new(values * bytes, values * operations, Arithmetic.Float32, $"a value: {bytes} bytes ({counting}), {operations} operations");

    /// <summary>The forward pass of a convolution.</summary>
    public static Work Forward(in Conv2dGeometry g, Arithmetic arithmetic) =>
        new(FloatBytes * (Input(g) + Filters(g) + Output(g)), 2 * g.MultiplyAdds, arithmetic,
            "reads x and filters, writes y; 2 n oh ow out kh kw in, margins included");

    /// <summary>The gradient of a convolution's input.</summary>
    public static Work BackwardData(in Conv2dGeometry g, Arithmetic arithmetic) =>
        new(FloatBytes * (Output(g) + Filters(g) + Input(g)), 2 * g.MultiplyAdds, arithmetic, "reads dy and filters, writes dx; operations as forward");

    /// <summary>The gradient of a convolution's filters.</summary>
    public static Work BackwardFilter(in Conv2dGeometry g, Arithmetic arithmetic) =>
        new(FloatBytes * (Input(g) + Output(g) + Filters(g)), 2 * g.MultiplyAdds, arithmetic, "reads x and dy, writes dfilters; operations as forward");

    /// <summary>The forward pass with the normalizations before and after it.</summary>
    public static Work FusedForward(in Conv2dGeometry g, Arithmetic arithmetic) =>
        Forward(g, arithmetic) with { Counting = "reads x and filters, writes y; those of the convolution alone" };

    /// <summary>The gradient of the normalized input, with the sums of the normalization before it where they are wanted.</summary>
    public static Work FusedBackwardData(in Conv2dGeometry g, bool sums, Arithmetic arithmetic) => new(
        FloatBytes * ((2 * Output(g)) + Filters(g) + ((sums ? 2 : 1) * Input(g))),
        2 * g.MultiplyAdds,
        arithmetic,
        $"reads y, its gradient and filters{(sums ? ", and x for its sums" : string.Empty)}, writes dx; those of the convolution alone");

    /// <summary>The gradient of the filters, from the gradient of the normalized output.</summary>
    public static Work FusedBackwardFilter(in Conv2dGeometry g, Arithmetic arithmetic) => new(
        FloatBytes * (Input(g) + (2 * Output(g)) + Filters(g)),
        2 * g.MultiplyAdds,
        arithmetic,
        "reads x, y and the gradient of y, writes dfilters; those of the convolution alone");

    /// <summary>A pass of a convolution that keeps activations as bf16, with the normalizations before and after it.</summary>
    /// <param name="g">Sizes.</param>
    /// <param name="inputs">How often a map like the input is read or written.</param>
    /// <param name="outputs">How often one like the output is.</param>
    /// <param name="products">1 forward, 1 for one gradient, 2 for both.</param>
    /// <param name="counting">What is read and written.</param>
    public static Work Images(in Conv2dGeometry g, int inputs, int outputs, int products, string counting) => new(
        // Patches, of one channel, are float32.
        ((g.InChannels == 1 ? FloatBytes : sizeof(ushort)) * inputs * Input(g)) + (sizeof(ushort) * outputs * Output(g)) + (FloatBytes * Filters(g)),
        2 * products * g.MultiplyAdds,
        g.InChannels == 1 ? Arithmetic.Float32 : Arithmetic.Bf16,
        $"{counting}; those of the convolution alone");

    /// <summary>Matrix products over a batch of pairs, and the reading and writing of [2p][q].</summary>
    /// <param name="pairs">p.</param>
    /// <param name="width">q.</param>
    /// <param name="products">Matrix products of 2 p p q operations: 1 for a value, 3 with its gradient.</param>
    public static Work OfPairs(int pairs, int width, int products) => new(
        FloatBytes * (products > 1 ? 4L : 2L) * pairs * width,
        2L * products * pairs * pairs * width,
        Arithmetic.Float32,
        products > 1 ? "reads and writes [2p][q]; 3 products of 2 p p q" : "reads [2p][q]; 2 p p q");

    /// <summary>The correlations of q dimensions over both halves, and their gradient.</summary>
    public static Work OfDimensions(int pairs, int width) => new(
        FloatBytes * 4L * pairs * width,
        8L * pairs * width * width,
        Arithmetic.Float32,
        "reads and writes [2p][q]; on both halves 2 products of 2 p q q");

    /// <summary>The nearest and second nearest of m targets for each of n queries.</summary>
    public static Work NearestEuclidean(int queries, int targets, int width, Arithmetic arithmetic) => new(
        (FloatBytes * ((long)queries + targets) * width) + (16L * queries),
        2L * queries * targets * width,
        arithmetic,
        "reads queries and targets, writes 16 bytes per query; 2 n m d");

    /// <summary>The same by Hamming distance.</summary>
    public static Work NearestHamming(int queries, int targets, int bits) => new(
        (((long)queries + targets) * bits / 8) + (16L * queries),
        (long)queries * targets * (bits / 32),
        Arithmetic.Popcount,
        "reads queries and targets, writes 16 bytes per query; n m bits / 32 counts");

    /// <summary>The network's forward pass for patches, bytes in and descriptors out.</summary>
    public static Work Describe(int patches, Arithmetic arithmetic) => new(
        (patches * (1024L + (FloatBytes * 128))) + (FloatBytes * L2NetLayers.Of(1).Sum(Filters)),
        2 * patches * L2NetLayers.MultiplyAdds,
        arithmetic,
        "reads bytes and weights, writes descriptors; 2 operations a multiply-add of all layers");

    /// <summary>A training step: three passes of each convolution but the first layer's gradient of its input.</summary>
    public static Work TrainingStep(int patches, Arithmetic arithmetic) => new(
        0,
        2 * patches * ((3 * L2NetLayers.MultiplyAdds) - L2NetLayers.Of(1)[0].MultiplyAdds),
        arithmetic,
        "3 passes of each convolution but the first layer's gradient of its input, 2 operations a multiply-add");

    private static long Input(in Conv2dGeometry g) => (long)g.Batch * g.Height * g.Width * g.InChannels;

    private static long Output(in Conv2dGeometry g) => (long)g.Batch * g.OutHeight * g.OutWidth * g.OutChannels;

    private static long Filters(Conv2dGeometry g) => (long)g.OutChannels * g.KernelHeight * g.KernelWidth * g.InChannels;
}
