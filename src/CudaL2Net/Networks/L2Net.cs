using CudaL2Net.Data;
using CudaL2Net.Kernels;
using CudaL2Net.Numerics;

namespace CudaL2Net.Networks;

/// <summary>A descriptor network ready to use: grey patches in, unit vectors or bit strings out.</summary>
/// <remarks>
/// Many threads may describe with one network, and with several networks of one device, at once; each gets what it would get alone. They take turns, block by
/// block on the CPU and call by call on a GPU, for one block already uses the whole device. Disposing does not wait: a description in another thread then ends
/// with <see cref="ObjectDisposedException"/>.
/// </remarks>
public sealed class L2Net : IDisposable
{
    private const string DefaultModel = "CudaL2Net.Networks.Pretrained.l2net-synthetic.safetensors";

    private readonly INetworkPlan[] plans;
    private volatile bool disposed;

    private delegate void TowerCall<T>(INetworkPlan plan, ReadOnlySpan<byte> patches, Span<T> output, int stride);

    /// <summary>Lays a model out on a device.</summary>
    public L2Net(ModelFile file, Device device)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(device);
        File = file;
        plans = [.. file.Towers.Select(tower => device.Kernels.Plan(tower.Fold()))];
    }

    /// <summary>The weights and metadata.</summary>
    public ModelFile File { get; }

    /// <summary>The network.</summary>
    public Architecture Architecture => File.Architecture;

    /// <summary>Values of a descriptor: 128, or 256 for centre-surround.</summary>
    public int Dimension => plans.Length * TowerDimension;

    /// <summary>The side of patches that are best cut for this network: 32, or 64 for centre-surround.</summary>
    public int PatchSide => Architecture == Architecture.L2Net ? 32 : 64;

    /// <summary>The patch's side in a picture, in diameters of the keypoint it is cut at.</summary>
    public double PatchScale => File.PatchScale;

    /// <summary>What the model file says about itself: preset, training data, steps.</summary>
    public IReadOnlyDictionary<string, string> Metadata => File.Metadata;

    private static int TowerDimension => TowerLayer.All[^1].OutChannels;

    /// <summary>Loads a model.</summary>
    /// <param name="path">A safetensors file written by this library.</param>
    /// <param name="device">Where it will run.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is damaged or no model; the text says what is wrong.</exception>
    public static L2Net Load(string path, Device device) => new(ModelFile.Read(path), device);

    /// <summary>The model in the box; its metadata says what it was trained on.</summary>
    public static L2Net LoadDefault(Device device)
    {
        using Stream stream = typeof(L2Net).Assembly.GetManifestResourceStream(DefaultModel)
            ?? throw new InvalidOperationException("the library was built without its model");
        return new L2Net(ModelFile.Read(stream, "the model in the box"), device);
    }

    /// <summary>An untrained network, for comparison.</summary>
    /// <param name="architecture">The network.</param>
    /// <param name="seed">Seed of the weights.</param>
    /// <param name="device">Where it will run.</param>
    public static L2Net CreateRandom(Architecture architecture, ulong seed, Device device)
    {
        TowerWeights[] towers = [.. Enumerable.Range(0, architecture == Architecture.L2Net ? 1 : 2).Select(t => TowerWeights.Initialize(TowerSettings.Default,
            seed, t))];
        return new L2Net(new ModelFile(architecture, towers, 10, new Dictionary<string, string> { ["preset"] = "untrained" }), device);
    }

    /// <summary>Describes patches.</summary>
    /// <param name="patches">n x side x side grey values, row by row.</param>
    /// <param name="side">32, 64 or 65 (64 or 65 for centre-surround).</param>
    /// <returns>[n][<see cref="Dimension"/>]. Unit vectors; for centre-surround two unit vectors after one another.</returns>
    /// <exception cref="ArgumentException">The side is not taken, or the bytes are no whole number of patches.</exception>
    /// <exception cref="ObjectDisposedException">The network or its device has been disposed of.</exception>
    public float[] Describe(ReadOnlySpan<byte> patches, int side)
    {
        var descriptors = new float[Count(patches, side) * Dimension];
        Describe(patches, side, descriptors);
        return descriptors;
    }

    /// <summary>Describes patches into given memory.</summary>
    /// <param name="patches">n x side x side grey values, row by row.</param>
    /// <param name="side">32, 64 or 65 (64 or 65 for centre-surround).</param>
    /// <param name="descriptors">[n][<see cref="Dimension"/>].</param>
    /// <exception cref="ArgumentException">The side is not taken, or the sizes do not agree.</exception>
    /// <exception cref="ObjectDisposedException">The network or its device has been disposed of.</exception>
    public void Describe(ReadOnlySpan<byte> patches, int side, Span<float> descriptors)
    {
        int count = Count(patches, side);
        if (descriptors.Length != count * Dimension)
        {
            throw new ArgumentException($"{count} patches need {count * Dimension} floats for descriptors, not {descriptors.Length}");
        }

        Describe(patches, side, descriptors, TowerDimension, static (plan, input, output, stride) => plan.Describe(input, output, stride));
    }

    /// <summary>Describes all patches of a set.</summary>
    /// <param name="patches">The set; a centre-surround network needs one with centres.</param>
    /// <returns>[n][<see cref="Dimension"/>].</returns>
    /// <exception cref="ArgumentException">The network is centre-surround and the set has no centres.</exception>
    /// <exception cref="ObjectDisposedException">The network or its device has been disposed of.</exception>
    public float[] Describe(PatchSet patches)
    {
        ArgumentNullException.ThrowIfNull(patches);
        ObjectDisposedException.ThrowIf(disposed, this);
        var descriptors = new float[patches.Count * Dimension];
        plans[0].Describe(patches.Pixels, descriptors, Dimension);
        if (plans.Length > 1)
        {
            plans[1].Describe(patches.Centres ?? throw new ArgumentException("a centre-surround network needs patches with centres"),
                descriptors.AsSpan(TowerDimension), Dimension);
        }

        return descriptors;
    }

    /// <summary>Describes patches by the signs of the float descriptor (Binary L2-Net).</summary>
    /// <param name="patches">n x side x side grey values, row by row.</param>
    /// <param name="side">32, 64 or 65 (64 or 65 for centre-surround).</param>
    /// <returns>[n][<see cref="Dimension"/> / 8]: bit j of byte k is dimension 8k + j, set where the value is above 0.</returns>
    /// <exception cref="ArgumentException">The side is not taken, or the bytes are no whole number of patches.</exception>
    /// <exception cref="ObjectDisposedException">The network or its device has been disposed of.</exception>
    public byte[] DescribeBinary(ReadOnlySpan<byte> patches, int side)
    {
        var signs = new byte[Count(patches, side) * Dimension / 8];
        Describe<byte>(patches, side, signs, TowerDimension / 8, static (plan, input, output, stride) => plan.DescribeSigns(input, output, stride));
        return signs;
    }

    /// <summary>The signs of float descriptors, packed.</summary>
    /// <param name="descriptors">Any number of descriptors whose dimension is a multiple of 8.</param>
    /// <returns>A bit for each value: bit j of byte k is value 8k + j, set where it is above 0.</returns>
    public static byte[] Binarize(ReadOnlySpan<float> descriptors)
    {
        if (descriptors.Length % 8 != 0)
        {
            throw new ArgumentException($"{descriptors.Length} values do not fill whole bytes of bits");
        }

        var bits = new byte[descriptors.Length / 8];
        SignBits.Pack(descriptors, bits);
        return bits;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        disposed = true;
        foreach (INetworkPlan plan in plans)
        {
            plan.Dispose();
        }
    }

    /// <summary>Takes patches through the towers, whose results stand beside each other in a row of the output.</summary>
    private void Describe<T>(ReadOnlySpan<byte> patches, int side, Span<T> output, int towerWidth, TowerCall<T> describe)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        int count = Count(patches, side), width = plans.Length * towerWidth;
        if (side == PatchSet.Side && Architecture == Architecture.L2Net)
        {
            describe(plans[0], patches, output, width);
            return;
        }

        // A thousand patches at a time keep the resized copies small.
        const int Block = 1024;
        var resized = new byte[Math.Min(count, Block) * PatchSet.Area];
        for (int first = 0; first < count; first += Block)
        {
            int block = Math.Min(Block, count - first);
            for (int tower = 0; tower < plans.Length; tower++)
            {
                ReadOnlySpan<byte> source = patches.Slice(first * side * side, block * side * side);
                Span<byte> input = resized.AsSpan(0, block * PatchSet.Area);
                if (tower == 0)
                {
                    PatchResize.Reduce(source, side, input);
                }
                else
                {
                    PatchResize.CropCentre(source, side, input);
                }

                describe(plans[tower], input, output[((first * width) + (tower * towerWidth))..], width);
            }
        }
    }

    private int Count(ReadOnlySpan<byte> patches, int side)
    {
        if (!PatchResize.Supports(side))
        {
            throw new ArgumentException($"patches of {side} x {side} pixels: expected 32 x 32, 64 x 64 or 65 x 65");
        }

        int count = patches.Length / (side * side);
        return count * side * side == patches.Length ? count
            : throw new ArgumentException($"{patches.Length} bytes are no whole number of {side} x {side} patches");
    }
}
