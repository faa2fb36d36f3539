using CudaL2Net.Data;
using CudaL2Net.Kernels;
using CudaL2Net.Numerics;

namespace CudaL2Net.Networks;

/// <summary>
/// A network ready to use: grey patches in, descriptors or bit strings out; or, for networks that score pairs, both patches of each pair in and scores out.
/// </summary>
/// <remarks>
/// Many threads may describe with one network, and with several networks of one device, at once; each gets what it would get alone. They take turns, block by
/// block on the CPU and call by call on a GPU, for one block already uses the whole device. Disposing does not wait: a description in another thread then ends
/// with <see cref="ObjectDisposedException"/>.
/// </remarks>
public sealed partial class PatchModel : IDisposable
{
    private const string DefaultModel = "CudaL2Net.Networks.Pretrained.l2net-synthetic.safetensors";

    private readonly ShapedNetwork network;
    private readonly TowerRunner[] towers;
    private readonly TapePlan? pairs;
    private readonly Device device;
    private readonly Parallelism parallel;
    private volatile bool disposed;

    /// <summary>Lays a model out on a device.</summary>
    /// <exception cref="ArgumentException">The network's layers do not fit.</exception>
    public PatchModel(ModelFile file, Device device)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(device);
        File = file;
        this.device = device;
        network = ShapedNetwork.Of(file.Network);
        parallel = new Parallelism(device.Threads);
        pairs = file.Network.ScoresPairs ? new TapePlan(device, network, file.Weights) : null;
        towers = pairs != null ? [] : [.. network.Towers.Select((_, t) => new TowerRunner(device, network, file.Weights, t))];
    }

    /// <summary>The network, its weights and metadata.</summary>
    public ModelFile File { get; }

    /// <summary>The network.</summary>
    public Network Network => File.Network;

    /// <summary>Whether the network scores pairs (<see cref="Score(ReadOnlySpan{byte}, ReadOnlySpan{byte}, int)"/>) and describes no single patch.</summary>
    public bool ScoresPairs => pairs != null;

    /// <summary>Values of a descriptor; 0 where the network scores pairs.</summary>
    public int Dimension => ScoresPairs ? 0 : network.Dimension;

    /// <summary>The side of patches that are best cut for this network: 32 or 64.</summary>
    public int PatchSide => Network.Input.Side;

    /// <summary>The patch's side in an image, in diameters of the keypoint it is cut at.</summary>
    public double PatchScale => File.PatchScale;

    /// <summary>What the model file says about itself: preset, training data, steps.</summary>
    public IReadOnlyDictionary<string, string> Metadata => File.Metadata;

    /// <summary>Loads a model.</summary>
    /// <param name="path">A safetensors file written by this library.</param>
    /// <param name="device">Where it will run.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is damaged or no model; the text says what is wrong.</exception>
    public static PatchModel Load(string path, Device device) => new(ModelFile.Read(path), device);

    /// <summary>The model in the box; its metadata says what it was trained on.</summary>
    public static PatchModel LoadDefault(Device device) => new(ReadDefault(), device);

    /// <summary>The file of the model in the box.</summary>
    public static ModelFile ReadDefault()
    {
        using Stream stream = typeof(PatchModel).Assembly.GetManifestResourceStream(DefaultModel)
            ?? throw new InvalidOperationException("the library was built without its model");
        return ModelFile.Read(stream, "the model in the box");
    }

    /// <summary>An untrained network, for comparison.</summary>
    /// <param name="network">The network.</param>
    /// <param name="seed">Seed of the weights.</param>
    /// <param name="device">Where it will run.</param>
    public static PatchModel CreateRandom(Network network, ulong seed, Device device) => new(ModelFile.Untrained(network, seed), device);

    /// <summary>Describes patches.</summary>
    /// <param name="patches">n x side x side grey values, row by row.</param>
    /// <param name="side">32, 64 or 65; for networks whose input has side 64, 64 or 65.</param>
    /// <returns>[n][<see cref="Dimension"/>]: the towers' outputs, one behind the other.</returns>
    /// <exception cref="ArgumentException">The side is not taken, or the bytes are no whole number of patches.</exception>
    /// <exception cref="ObjectDisposedException">The network or its device has been disposed of.</exception>
    /// <exception cref="InvalidDataException">A descriptor is not finite, or zero; the text names the model and the first such patch.</exception>
    /// <exception cref="InvalidOperationException">The network scores pairs.</exception>
    public float[] Describe(ReadOnlySpan<byte> patches, int side)
    {
        var descriptors = new float[checked(Count(patches, side) * Dimension)];
        Describe(patches, side, descriptors);
        return descriptors;
    }

    /// <summary>Describes patches into given memory.</summary>
    /// <param name="patches">n x side x side grey values, row by row.</param>
    /// <param name="side">32, 64 or 65; for networks whose input has side 64, 64 or 65.</param>
    /// <param name="descriptors">[n][<see cref="Dimension"/>].</param>
    /// <exception cref="ArgumentException">The side is not taken, or the sizes do not agree.</exception>
    /// <exception cref="ObjectDisposedException">The network or its device has been disposed of.</exception>
    /// <exception cref="InvalidDataException">A descriptor is not finite, or zero; the text names the model and the first such patch.</exception>
    /// <exception cref="InvalidOperationException">The network scores pairs.</exception>
    public void Describe(ReadOnlySpan<byte> patches, int side, Span<float> descriptors)
    {
        RequireDescriptors();
        int count = Count(patches, side);
        if (descriptors.Length != (long)count * Dimension)
        {
            throw new ArgumentException($"{count} patches need {(long)count * Dimension} floats for descriptors, not {descriptors.Length}");
        }

        Describe(patches, side, descriptors, signs: default);
        MakeUnitVectors(descriptors);
        RequireUsable(descriptors, patches, side);
    }

    /// <summary>Describes all patches of a set.</summary>
    /// <param name="patches">The set; see <see cref="Networks.Network.Parts"/> for what it must hold.</param>
    /// <returns>[n][<see cref="Dimension"/>].</returns>
    /// <exception cref="ArgumentException">The set lacks a part that the network sees.</exception>
    /// <exception cref="ObjectDisposedException">The network or its device has been disposed of.</exception>
    /// <exception cref="InvalidDataException">A descriptor is not finite, or zero; the text names the model and the first such patch.</exception>
    /// <exception cref="InvalidOperationException">The network scores pairs.</exception>
    public float[] Describe(PatchSet patches)
    {
        ArgumentNullException.ThrowIfNull(patches);
        RequireDescriptors();
        var descriptors = new float[checked(patches.Count * Dimension)];
        foreach (TowerRunner tower in towers)
        {
            tower.Describe(patches.View(tower.View, PatchSide), patches.Count, descriptors.AsSpan(tower.FirstValue), Dimension);
        }

        MakeUnitVectors(descriptors);
        for (int i = 0; i < patches.Count; i++)
        {
            (bool finite, bool zero) = DescriptorCheck.Of(descriptors.AsSpan(i * Dimension, Dimension));
            if (!finite || (zero && !towers.All(tower => DescriptorCheck.IsUniform(Row(patches.View(tower.View, PatchSide), i)))))
            {
                throw Unusable(i, finite);
            }
        }

        return descriptors;

        ReadOnlySpan<byte> Row(byte[] view, int i) => view.AsSpan(i * (view.Length / patches.Count), view.Length / patches.Count);
    }

    /// <summary>Describes patches by the signs of the float descriptor (Binary L2-Net).</summary>
    /// <param name="patches">n x side x side grey values, row by row.</param>
    /// <param name="side">32, 64 or 65; for networks whose input has side 64, 64 or 65.</param>
    /// <returns>[n][<see cref="Dimension"/> / 8]: bit j of byte k is dimension 8k + j, set where the value is above 0.</returns>
    /// <exception cref="ArgumentException">The side is not taken, or the bytes are no whole number of patches.</exception>
    /// <exception cref="ObjectDisposedException">The network or its device has been disposed of.</exception>
    /// <exception cref="InvalidDataException">The descriptor of a patch is not finite, or zero.</exception>
    /// <exception cref="InvalidOperationException">The network scores pairs, or has a tower whose values do not fill whole bytes.</exception>
    public byte[] DescribeBinary(ReadOnlySpan<byte> patches, int side)
    {
        RequireSigns();
        int count = Count(patches, side), width = Dimension / 8, area = side * side;
        var signs = new byte[checked(count * width)];
        if (!Network.Head.UnitVectors)
        {
            const int Block = 512;
            for (int first = 0; first < count; first += Block)
            {
                int block = Math.Min(Block, count - first);
                SignBits.Pack(Describe(patches.Slice(first * area, block * area), side, first), signs.AsSpan(first * width, block * width));
            }

            return signs;
        }

        Describe(patches, side, descriptors: default, signs);

        // A unit vector with a value that is not finite has none above 0, as hardly any other: its values tell.
        for (int i = 0; i < count; i++)
        {
            if (!signs.AsSpan(i * width, width).ContainsAnyExcept((byte)0))
            {
                Describe(patches.Slice(i * area, area), side, i);
            }
        }

        return signs;
    }

    /// <summary>Scores pairs of patches: the larger, the more alike.</summary>
    /// <param name="first">n x side x side grey values: the first patches of the pairs.</param>
    /// <param name="second">As many: the second ones.</param>
    /// <param name="side">32, 64 or 65; for networks whose input has side 64, 64 or 65.</param>
    /// <returns>[n].</returns>
    /// <exception cref="ArgumentException">The side is not taken, or the numbers of patches differ.</exception>
    /// <exception cref="ObjectDisposedException">The network or its device has been disposed of.</exception>
    /// <exception cref="InvalidDataException">A score is not finite; the text names the model and the first such pair.</exception>
    /// <exception cref="InvalidOperationException">The network describes patches.</exception>
    public float[] Score(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, int side)
    {
        TapePlan scorer = RequireScores();
        int count = Count(first, side);
        if (first.Length != second.Length)
        {
            throw new ArgumentException($"{count} first patches and {Count(second, side)} second ones make no pairs");
        }

        var scores = new float[count];
        scorer.Score(Views(first, count, side), Views(second, count, side), count, scores);
        RequireFinite(scores);
        return scores;
    }

    /// <summary>Scores pairs of a set's patches.</summary>
    /// <param name="patches">The set; see <see cref="Networks.Network.Parts"/> for what it must hold.</param>
    /// <param name="first">[n]: indices of the first patches.</param>
    /// <param name="second">[n]: indices of the second ones.</param>
    /// <returns>[n].</returns>
    /// <exception cref="ArgumentException">The set lacks a part that the network sees, or the numbers of indices differ.</exception>
    /// <exception cref="ObjectDisposedException">The network or its device has been disposed of.</exception>
    /// <exception cref="InvalidDataException">A score is not finite; the text names the model and the first such pair.</exception>
    /// <exception cref="InvalidOperationException">The network describes patches.</exception>
    public float[] Score(PatchSet patches, ReadOnlySpan<int> first, ReadOnlySpan<int> second)
    {
        ArgumentNullException.ThrowIfNull(patches);
        TapePlan scorer = RequireScores();
        if (first.Length != second.Length)
        {
            throw new ArgumentException($"{first.Length} first patches and {second.Length} second ones make no pairs");
        }

        var scores = new float[first.Length];
        const int Block = 1024;
        for (int done = 0; done < scores.Length; done += Block)
        {
            int rows = Math.Min(Block, scores.Length - done);
            PatchSet a = patches.Select(first.Slice(done, rows)), b = patches.Select(second.Slice(done, rows));
            scorer.Score(Of(a), Of(b), rows, scores.AsSpan(done, rows));
        }

        RequireFinite(scores);
        return scores;

        ReadOnlyMemory<byte>[] Of(PatchSet part) => [.. Network.Towers.Select(tower => (ReadOnlyMemory<byte>)part.View(tower.View, PatchSide))];
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
        Array.ForEach(towers, tower => tower.Dispose());
        pairs?.Dispose();
    }

    // Between unit vectors Euclidean distance puts neighbours in the order of their angles. Towers that end in unit vectors give rows of one length.
    private bool NeedsUnitVectors => Network.Head.Comparison == DescriptorComparison.Cosine && !Network.Head.UnitVectors;

    private void RequireDescriptors()
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        if (ScoresPairs)
        {
            throw new InvalidOperationException($"the network {Network.Name} scores pairs of patches and has no descriptors: use Score");
        }
    }

    private void RequireSigns()
    {
        RequireDescriptors();
        if (towers.FirstOrDefault(tower => tower.Width % 8 != 0) is { } odd)
        {
            throw new InvalidOperationException($"the signs of a tower's {odd.Width} values do not fill whole bytes");
        }
    }

    private TapePlan RequireScores()
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        return pairs ?? throw new InvalidOperationException(
            $"the network {Network.Name} gives descriptors, not scores of pairs: compare what Describe gives");
    }

    // Only damaged weights give others. But of one grey, as a tower may see a patch, a network without biases makes zeros.
    private void RequireUsable(ReadOnlySpan<float> descriptors, ReadOnlySpan<byte> patches, int side, int firstPatch = 0)
    {
        int area = side * side;
        for (int i = 0; i < descriptors.Length / Dimension; i++)
        {
            (bool finite, bool zero) = DescriptorCheck.Of(descriptors.Slice(i * Dimension, Dimension));
            if (!finite || (zero && !IsBlank(patches.Slice(i * area, area), side)))
            {
                throw Unusable(firstPatch + i, finite);
            }
        }
    }

    private bool IsBlank(ReadOnlySpan<byte> patch, int side)
    {
        foreach (Tower tower in Network.Towers)
        {
            if (!DescriptorCheck.IsUniform(View(patch, 1, side, tower.View)))
            {
                return false;
            }
        }

        return true;
    }

    private InvalidDataException Unusable(int patch, bool finite) => new(
        $"{File.Source}: the descriptor of patch {patch} (counted from 0) {(finite ? "is zero" : "has values that are not finite")}: the weights are damaged or of no "
            + "use. Take another model.");

    private void RequireFinite(ReadOnlySpan<float> scores)
    {
        for (int i = 0; i < scores.Length; i++)
        {
            if (!float.IsFinite(scores[i]))
            {
                throw new InvalidDataException(
                    $"{File.Source}: the score of pair {i} (counted from 0) is {scores[i]}: the weights are damaged or of no use. Take another model.");
            }
        }
    }

    private void MakeUnitVectors(Span<float> descriptors)
    {
        if (!NeedsUnitVectors)
        {
            return;
        }

        for (int start = 0; start < descriptors.Length; start += Dimension)
        {
            Span<float> values = descriptors.Slice(start, Dimension);
            double squares = 0;
            foreach (float value in values)
            {
                squares += (double)value * value;
            }

            double factor = 1 / Math.Sqrt(squares + 1e-10);
            for (int i = 0; i < values.Length; i++)
            {
                values[i] = (float)(values[i] * factor);
            }
        }
    }

    /// <summary>Describes some of the patches of a call, from <paramref name="firstPatch"/> on.</summary>
    private float[] Describe(ReadOnlySpan<byte> patches, int side, int firstPatch)
    {
        var descriptors = new float[checked(Count(patches, side) * Dimension)];
        Describe(patches, side, descriptors, signs: default);
        RequireUsable(descriptors, patches, side, firstPatch);
        return descriptors;
    }

    /// <summary>Takes patches through the towers, whose results stand beside each other in a row of the output: values or, where memory for them is given,
    /// signs.</summary>
    private void Describe(ReadOnlySpan<byte> patches, int side, Span<float> descriptors, Span<byte> signs)
    {
        int count = Count(patches, side);
        bool binary = descriptors.IsEmpty;
        if (side == PatchSide && towers is [{ View: PatchView.Whole } only])
        {
            if (binary)
            {
                only.DescribeSigns(patches, count, signs, Dimension / 8);
            }
            else
            {
                only.Describe(patches, count, descriptors, Dimension);
            }

            return;
        }

        // A block that fills the device, and no more at once, keeps the resized copies small.
        int most = towers.Max(tower => tower.Block);
        for (int first = 0; first < count; first += most)
        {
            int block = Math.Min(most, count - first);
            ReadOnlySpan<byte> source = patches.Slice(first * side * side, block * side * side);
            foreach (TowerRunner tower in towers)
            {
                byte[] view = View(source, block, side, tower.View);
                if (binary)
                {
                    tower.DescribeSigns(view, block, signs[((first * (Dimension / 8)) + (tower.FirstValue / 8))..], Dimension / 8);
                }
                else
                {
                    tower.Describe(view, block, descriptors[((first * Dimension) + tower.FirstValue)..], Dimension);
                }
            }
        }
    }

    private ReadOnlyMemory<byte>[] Views(ReadOnlySpan<byte> patches, int count, int side)
    {
        var views = new ReadOnlyMemory<byte>[Network.Towers.Count];
        for (int t = 0; t < views.Length; t++)
        {
            views[t] = View(patches, count, side, Network.Towers[t].View);
        }

        return views;
    }

    /// <summary>A tower's view of patches of any side that is taken.</summary>
    private unsafe byte[] View(ReadOnlySpan<byte> patches, int count, int side, PatchView view)
    {
        const int Chunk = 64;
        int to = view == PatchView.Whole ? PatchSide : PatchSide / 2, area = side * side;
        var pixels = new byte[count * to * to];
        fixed (byte* source = patches)
        {
            byte* first = source;
            parallel.For((count + Chunk - 1) / Chunk, chunk =>
            {
                int start = chunk * Chunk, rows = Math.Min(Chunk, count - start);
                Resize(new(first + ((long)start * area), rows * area), pixels.AsSpan(start * to * to, rows * to * to));
            });
        }

        return pixels;

        void Resize(ReadOnlySpan<byte> from, Span<byte> resized)
        {
            switch (view)
            {
                case PatchView.Centre:
                    PatchResize.CropCentre(from, side, resized);
                    break;
                case PatchView.Whole when to == 64:
                    PatchResize.ToLarge(from, side, resized);
                    break;
                default:
                    PatchResize.Reduce(from, side, resized);
                    break;
            }
        }
    }

    private int Count(ReadOnlySpan<byte> patches, int side)
    {
        RequireSide(side);
        int count = patches.Length / (side * side);
        return count * side * side == patches.Length ? count
            : throw new ArgumentException($"{patches.Length} bytes are no whole number of {side} x {side} patches");
    }

    /// <summary>Throws unless the network takes patches of this side.</summary>
    /// <exception cref="ArgumentException">It does not.</exception>
    internal void RequireSide(int side)
    {
        if (!PatchResize.Supports(side))
        {
            throw new ArgumentException($"patches of {side} x {side} pixels: expected 32 x 32, 64 x 64 or 65 x 65");
        }

        if (side < PatchSide)
        {
            throw new ArgumentException($"patches of {side} x {side} pixels: the network {Network.Name} takes patches of {PatchSide} x {PatchSide} or 65 x 65");
        }
    }
}
