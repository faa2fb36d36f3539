namespace CudaL2Net.Evaluation.Results;

/// <summary>The sets of Brown's PhotoTour data.</summary>
public enum BrownSet
{
    /// <summary>Liberty.</summary>
    Liberty,

    /// <summary>Notredame.</summary>
    Notredame,

    /// <summary>Yosemite.</summary>
    Yosemite,
}

/// <summary>A row of a published table on Brown's data: FPR95 in percent, as printed.</summary>
/// <param name="Method">The method, as the paper names it.</param>
/// <param name="Source">Paper and table.</param>
/// <param name="Preset">The training preset that follows it; null where there is none (SIFT).</param>
/// <param name="IsBinary">Whether it compares bits.</param>
/// <param name="Fpr95">The six columns of <see cref="PublishedResults.Columns"/>, or none where the paper gives the mean alone.</param>
/// <param name="Mean">Their mean, as printed.</param>
public sealed record PublishedRow(string Method, string Source, string? Preset, bool IsBinary, IReadOnlyList<double> Fpr95, double Mean)
{
    /// <summary>FPR95 in percent for one training and test set; null where the paper does not give it.</summary>
    public double? Find(BrownSet train, BrownSet test)
    {
        for (int column = 0; column < Fpr95.Count; column++)
        {
            if (PublishedResults.Columns[column] == (train, test))
            {
                return Fpr95[column];
            }
        }

        return null;
    }
}

/// <summary>
/// What the papers report, as printed. L2-Net: Tian, Fan, Wu, "L2-Net: Deep Learning of Discriminative Patch Descriptor in Euclidean Space", CVPR 2017.
/// RAL-Net: Xu et al., "Robust Angular Local Descriptor Learning", ACCV 2018.
/// </summary>
public static class PublishedResults
{
    /// <summary>L2-Net's table 1.</summary>
    public const string L2NetTable1 = "L2-Net, table 1";

    /// <summary>RAL-Net's table 1.</summary>
    public const string RalNetTable1 = "RAL-Net, table 1";

    /// <summary>RAL-Net's table 2: strategy 1 (200,000 pairs), the mean of the six columns.</summary>
    public const string RalNetTable2 = "RAL-Net, table 2";

    /// <summary>The six columns of the tables on Brown's data: trained on, tested on.</summary>
    public static IReadOnlyList<(BrownSet Train, BrownSet Test)> Columns { get; } =
    [
        (BrownSet.Notredame, BrownSet.Liberty), (BrownSet.Yosemite, BrownSet.Liberty), (BrownSet.Liberty, BrownSet.Notredame),
        (BrownSet.Yosemite, BrownSet.Notredame), (BrownSet.Liberty, BrownSet.Yosemite), (BrownSet.Notredame, BrownSet.Yosemite),
    ];

    /// <summary>All rows, table by table. SIFT stands in L2-Net's; HardNet in RAL-Net's.</summary>
    public static IReadOnlyList<PublishedRow> Brown { get; } =
    [
        new("SIFT", L2NetTable1, null, false, [29.84, 29.84, 22.53, 22.53, 27.29, 27.29], 26.55),
        new("L2-Net", L2NetTable1, "l2net", false, [3.64, 5.29, 1.15, 1.62, 4.43, 3.30], 3.23),
        new("L2-Net+", L2NetTable1, "l2net+", false, [2.36, 4.70, 0.72, 1.29, 2.57, 1.71], 2.22),
        new("CS L2-Net", L2NetTable1, "cs-l2net", false, [2.55, 4.24, 0.87, 1.39, 3.81, 2.84], 2.61),
        new("CS L2-Net+", L2NetTable1, "cs-l2net+", false, [1.71, 3.87, 0.56, 1.09, 2.07, 1.30], 1.76),
        new("Binary L2-Net", L2NetTable1, "l2net", true, [10.3, 11.71, 6.37, 6.76, 13.5, 11.57], 10.03),
        new("Binary CS L2-Net+", L2NetTable1, "cs-l2net+", true, [4.01, 6.65, 1.90, 2.51, 5.61, 4.04], 4.12),
        new("HardNet", RalNetTable1, "hardnet-200k", false, [2.07, 3.70, 0.77, 1.22, 3.79, 3.33], 2.48),
        new("RAL-Net", RalNetTable1, "ral-200k", false, [1.46, 2.63, 0.51, 0.91, 1.95, 1.40], 1.48),
        new("HardNet+", RalNetTable1, "hardnet-5m+", false, [1.49, 2.51, 0.53, 0.78, 1.96, 1.84], 1.51),
        new("RAL-Net+", RalNetTable1, "ral-5m+", false, [1.30, 2.39, 0.37, 0.67, 1.52, 1.31], 1.26),
        new("L2Net / contrastive", RalNetTable2, "l2net-contrastive", false, [], 4.96),
        new("HardNet", RalNetTable2, "hardnet-200k", false, [], 2.48),
        new("HardNet / angular embedding", RalNetTable2, "hardnet-angular", false, [], 1.93),
        new("HardNet / robust form", RalNetTable2, "hardnet-robust", false, [], 1.87),
        new("RAL-Net", RalNetTable2, "ral-200k", false, [], 1.48),
    ];

    /// <summary>L2-Net trained on HPatches, tested on Brown's sets: FPR95 in percent by set (Liberty, Notredame, Yosemite).</summary>
    public static IReadOnlyList<(string Method, IReadOnlyList<double> Fpr95)> TrainedOnHPatches { get; } =
    [
        ("L2-Net", [4.16, 1.54, 4.41]), ("CS L2-Net+", [1.90, 0.73, 1.85]),
    ];

    /// <summary>The rows of a table.</summary>
    /// <param name="source"><see cref="L2NetTable1"/>, <see cref="RalNetTable1"/> or <see cref="RalNetTable2"/>.</param>
    public static IReadOnlyList<PublishedRow> OfTable(string source) => [.. Brown.Where(row => row.Source == source)];

    /// <summary>The set that a folder's name means: liberty, notredame or yosemite, case and underscores aside; null for any other name.</summary>
    /// <param name="name">The folder's name.</param>
    public static BrownSet? FindSet(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return name.Replace("_", string.Empty, StringComparison.Ordinal).ToLowerInvariant() switch
        {
            "liberty" => BrownSet.Liberty,
            "notredame" => BrownSet.Notredame,
            "yosemite" => BrownSet.Yosemite,
            _ => null,
        };
    }

    /// <summary>The papers' short form: Lib, ND, Yos.</summary>
    public static string ShortName(BrownSet set) => set switch { BrownSet.Liberty => "Lib", BrownSet.Notredame => "ND", _ => "Yos" };
}
