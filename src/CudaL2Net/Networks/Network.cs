using CudaL2Net.Data;
using CudaL2Net.Kernels;

namespace CudaL2Net.Networks;

/// <summary>
/// A network as data: what it takes, the layers of its towers, and what comes out. It is read from JSON (<see cref="NetworkFile"/>), stands in every model
/// file, and is all that training, describing, export and benchmarks know of a network.
/// </summary>
public sealed record Network
{
    /// <summary>Its name, for people.</summary>
    public required string Name { get; init; }

    /// <summary>What it is, in one sentence, or empty.</summary>
    public string About { get; init; } = "";

    /// <summary>The patches it takes.</summary>
    public NetworkInput Input { get; init; } = new();

    /// <summary>The towers; their outputs are put one behind the other.</summary>
    public required IReadOnlyList<Tower> Towers { get; init; }

    /// <summary>What comes out.</summary>
    public NetworkHead Head { get; init; } = new();

    /// <summary>Whether it scores pairs of patches and describes no single one.</summary>
    public bool ScoresPairs => Head.Kind == HeadKind.Score;

    /// <summary>What a set of patches must hold for this network, besides the patches as 32 x 32 pixels.</summary>
    public PatchParts Parts => Towers.Aggregate(PatchParts.None, (parts, tower) => parts | (tower.View switch
    {
        PatchView.Centre => PatchParts.Centres,
        PatchView.Whole when Input.Side == 64 => PatchParts.Large,
        _ => PatchParts.None,
    }));

    /// <summary>Whether two networks compute the same; names do not count.</summary>
    public bool IsSameAs(Network other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return NetworkFile.Write(this with { Name = "", About = "" }) == NetworkFile.Write(other with { Name = "", About = "" });
    }

    /// <summary>This network with every layer replaced, those of the head, too.</summary>
    /// <param name="replace">Given a layer, its replacement.</param>
    public Network With(Func<Layer, Layer> replace) => this with
    {
        Towers = [.. Towers.Select(tower => tower with { Layers = [.. tower.Layers.Select(replace)] })],
        Head = Head with { Layers = [.. Head.Layers.Select(replace)] },
    };
}

/// <summary>The patches that a network takes.</summary>
/// <param name="Side">Rows and columns of a patch: 32 or 64.</param>
/// <param name="Channels">1 for a network that sees one patch, 2 for one that sees both patches of a pair as channels.</param>
/// <param name="Normalization">How bytes become numbers.</param>
/// <param name="Mean">For <see cref="PatchNormalization.Fixed"/>: what is subtracted.</param>
/// <param name="Deviation">For <see cref="PatchNormalization.Fixed"/> and <see cref="PatchNormalization.Centred"/>: the divisor.</param>
/// <param name="MeanImage">Whether a mean image, made of the training set, is subtracted first. L2-Net's normalization always does.</param>
public sealed record NetworkInput(int Side = 32, int Channels = 1, PatchNormalization Normalization = default, float Mean = 0, float Deviation = 1,
    bool MeanImage = false)
{
    /// <summary>Whether a mean image is a part of the model.</summary>
    internal bool HasMeanImage => MeanImage || Normalization == PatchNormalization.L2Net;
}

/// <summary>A tower: layers on a view of the patch.</summary>
public sealed record Tower
{
    /// <summary>What it sees of the patch.</summary>
    public PatchView View { get; init; }

    /// <summary>Whether training changes it; a frozen tower comes from a trained model.</summary>
    public bool Trained { get; init; } = true;

    /// <summary>The layers, from the input on.</summary>
    public required IReadOnlyList<Layer> Layers { get; init; }
}

/// <summary>What comes out of a network.</summary>
public enum HeadKind
{
    /// <summary>The towers' outputs are the descriptor.</summary>
    Descriptor,

    /// <summary>A number for a pair of patches: the larger, the more alike.</summary>
    Score,
}

/// <summary>How descriptors are compared.</summary>
public enum DescriptorComparison
{
    /// <summary>Euclidean distance.</summary>
    L2,

    /// <summary>The angle between descriptors: they are made unit vectors when they are given out.</summary>
    Cosine,

    /// <summary>Hamming distance of their signs.</summary>
    Hamming,
}

/// <summary>The end of a network.</summary>
public sealed record NetworkHead
{
    /// <summary>What comes out.</summary>
    public HeadKind Kind { get; init; }

    /// <summary>For descriptors: how they are compared.</summary>
    public DescriptorComparison Comparison { get; init; }

    /// <summary>For descriptors: whether every tower ends in a unit vector. Losses on angles need it.</summary>
    public bool UnitVectors { get; init; } = true;

    /// <summary>For scores: the layers behind the towers, the last of which has one output. They see the towers' outputs of a two-channel network, or those of
    /// both patches, one behind the other.</summary>
    public IReadOnlyList<Layer> Layers { get; init; } = [];
}
