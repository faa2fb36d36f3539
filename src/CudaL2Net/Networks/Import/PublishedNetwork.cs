namespace CudaL2Net.Networks;

/// <summary>A network whose weights were published, and how its file is told from others.</summary>
/// <param name="Name">Its name in the library of networks.</param>
/// <param name="Title">Its name for people, with its paper.</param>
/// <param name="Program">The program whose files hold it.</param>
/// <param name="Prefixes">How the names of its first layers begin, where layers of other networks have the same sizes.</param>
internal sealed record PublishedNetwork(string Name, string Title, ForeignProgram Program, params string[] Prefixes)
{
    /// <summary>All, those first that a file is taken for.</summary>
    public static readonly PublishedNetwork[] All =
    [
        new("hardnet", "HardNet (Mishchuk et al., NIPS 2017)", ForeignProgram.PyTorch, "features."),
        new("sosnet", "SOSNet (Tian et al., CVPR 2019)", ForeignProgram.PyTorch, "layers.", "layer1.") { WholeDeviation = true },
        new("hynet", "HyNet (Tian et al., NeurIPS 2020)", ForeignProgram.PyTorch),
        new("tfeat", "TFeat (Balntas et al., BMVC 2016)", ForeignProgram.PyTorch) { WholeDeviation = true },
        new("l2net", "L2-Net (Tian, Fan and Wu, CVPR 2017)", ForeignProgram.MatConvNet),
        new("cs-l2net", "CS L2-Net (Tian, Fan and Wu, CVPR 2017)", ForeignProgram.MatConvNet) { OnRequest = true },
        new("tnet", "TNet (Kumar, Carneiro and Reid, CVPR 2016)", ForeignProgram.MatConvNet),
        new("deepdesc", "DeepDesc (Simo-Serra et al., ICCV 2015)", ForeignProgram.Torch7),
    ];

    /// <summary>Whether its authors divide by the patch's deviation with n, not n - 1 (PyTorch's instance normalization): the first filters make up for it.</summary>
    public bool WholeDeviation { get; init; }

    /// <summary>Whether it is taken only where the user names it.</summary>
    public bool OnRequest { get; init; }
}
