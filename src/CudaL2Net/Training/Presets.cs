using CudaL2Net.Kernels;
using CudaL2Net.Networks;

namespace CudaL2Net.Training;

/// <summary>The papers' settings by name, their ablations, and a short training for demonstrations.</summary>
public static class Presets
{
    private static readonly OptimizerOptions HardNetSgd = new() { LearningRate = 10, Dampening = 0.9f };

    private static readonly LossOptions Ral = new() { Triplet = TripletLoss.Tanh, Metric = DescriptorDistance.Angular, Scale = 2, NearDuplicate = 6.4e-5f };

    private static TrainingOptions HardNet200K => new() { Preset = "hardnet-200k", Optimizer = HardNetSgd };

    private static TrainingOptions HardNet5M => HardNet200K with { Preset = "hardnet-5m", Batch = 1024, PairsPerEpoch = 5_000_000, Epochs = 10 };

    private static TrainingOptions L2Net => new()
    {
        Preset = "l2net",
        Network = NetworkFile.Find("l2net"),
        Loss = new LossOptions { Family = LossFamily.L2Net },
        Optimizer = new OptimizerOptions { LearningRate = 0.01f, Schedule = LearningRateSchedule.Drops },
        Sampling = SamplingKind.Progressive,
    };

    // Made when asked for: to read a network takes its time.
    private static readonly (string Name, string Description, Func<TrainingOptions> Make)[] Base =
    [
        ("quick", "a short training for demonstrations: HardNet's loss, Adam, 300 steps of 128 pairs", () => new TrainingOptions
        {
            Preset = "quick",
            Network = NetworkSettings.Change(NetworkFile.Find("hardnet"), new LossOptions(), "dropout", "0"),
            Optimizer = new OptimizerOptions { Kind = OptimizerKind.Adam, LearningRate = 2e-3f, WeightDecay = 0 },
            Steps = 300,
        }),
        ("l2net", "L2-Net (CVPR 2017): E1 + E2 + E3, progressive sampling", () => L2Net),
        ("cs-l2net", "CS L2-Net: fine-tunes the central tower of a trained L2-Net (needs --init MODEL)", () => L2Net with { Preset = "cs-l2net",
            Network = NetworkFile.Find("cs-l2net") }),
        ("hardnet-200k", "HardNet, strategy 1: 200,000 pairs an epoch, batch 128, 50 epochs", () => HardNet200K),
        ("hardnet-5m", "HardNet, strategy 2: 5,000,000 pairs an epoch, batch 1024, 10 epochs", () => HardNet5M),
        ("ral-200k", "RAL-Net, strategy 1: 200,000 pairs an epoch, batch 128, 50 epochs", () => HardNet200K with { Preset = "ral-200k", Loss = Ral }),
        ("ral-5m", "RAL-Net, strategy 2: 5,000,000 pairs an epoch, batch 512, 10 epochs", () => HardNet5M with { Preset = "ral-5m", Batch = 512, Loss = Ral }),
        ("hardnet-angular", "RAL-Net's table 2: cosine distance with a margin", () => HardNet200K with { Preset = "hardnet-angular",
            Loss = new LossOptions { Metric = DescriptorDistance.Angular, NearDuplicate = 6.4e-5f } }),
        ("hardnet-robust", "RAL-Net's table 2: Euclidean distance in the robust (tanh) form", () => HardNet200K with { Preset = "hardnet-robust",
            Loss = new LossOptions { Triplet = TripletLoss.Tanh } }),
        ("l2net-contrastive", "RAL-Net's table 2: contrastive loss on cosines (margin 1 in distance 2 (1 - cos))", () => HardNet200K with { Preset = "l2net-contrastive",
            Loss = Ral with { Triplet = TripletLoss.Contrastive } }),
        ("hardnet-softmax", "HardNet's code: softmax of the positive against the hardest negative", () => HardNet200K with { Preset = "hardnet-softmax",
            Loss = new LossOptions { Triplet = TripletLoss.Softmax } }),
        ("l2net-no-dif", "L2-Net's figure 3: without E3", () => L2Net with { Preset = "l2net-no-dif", Loss = L2Net.Loss with { IntermediateLayers = [] } }),
        ("l2net-dif-all", "L2-Net's figure 3: E3 after every batch normalization", () => L2Net with { Preset = "l2net-dif-all",
            Loss = L2Net.Loss with { IntermediateLayers = [1, 2, 3, 4, 5, 6, 7] } }),
        ("l2net-affine", "L2-Net's figure 3: learned scale and shift but before E3",
            () => (L2Net with { Preset = "l2net-affine" }).With("learnedAffine", "true")),
        ("l2net-no-compact", "L2-Net without E2, which the paper reports not to converge", () => L2Net with { Preset = "l2net-no-compact",
            Loss = L2Net.Loss with { Compactness = false } }),
    ];

    /// <summary>The names and what each is; every name also exists with a <c>+</c> behind it, for augmentation.</summary>
    public static IReadOnlyList<Preset> All { get; } = [.. Base.Select(preset => new Preset(preset.Name, preset.Description))];

    /// <summary>The options of a preset.</summary>
    /// <param name="name">One of <see cref="All"/>, with or without a <c>+</c>.</param>
    /// <exception cref="ArgumentException">There is none of that name; the message lists them.</exception>
    public static TrainingOptions Find(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        bool augmented = name.EndsWith('+');
        string plain = name.TrimEnd('+');
        TrainingOptions? options = Base.FirstOrDefault(preset => preset.Name == plain).Make?.Invoke();
        if (options is null)
        {
            throw new ArgumentException(
                $"unknown preset '{name}'; the presets are {string.Join(", ", All.Select(preset => preset.Name))}, each also with + for augmentation");
        }

        return augmented
            ? options with
            {
                Preset = plain + "+",
                Augmentation = options.Loss.Family == LossFamily.L2Net ? PatchAugmentation.Dihedral
                : PatchAugmentation.TransposeFlip
            }
            : options;
    }
}

/// <summary>Settings that have a name.</summary>
/// <param name="Name">What <see cref="Presets.Find"/> takes.</param>
/// <param name="Description">One line for people.</param>
public sealed record Preset(string Name, string Description);
