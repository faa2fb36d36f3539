using CudaL2Net.Autograd;
using CudaL2Net.Formats;
using CudaL2Net.Networks;

namespace CudaL2Net.Training;

/// <summary>What a training run may have besides options and data.</summary>
public sealed record TrainerSetup
{
    /// <summary>Go on from the folder's checkpoint, if it has one.</summary>
    public bool Resume { get; init; }

    /// <summary>For a run in memory: the checkpoint to go on from, as <see cref="Trainer.ToCheckpoint"/> gave it.</summary>
    public byte[]? Checkpoint { get; init; }

    /// <summary>Steps from one report of the progress to the next, at least 1; null: a hundredth of the run, at most 50.</summary>
    public int? ReportInterval { get; init; }

    /// <summary>Steps from one validation to the next, of FPR95 and by <see cref="Validate"/>, at least 1; null: a twentieth of the run.</summary>
    public int? ValidationInterval { get; init; }

    /// <summary>Called every <see cref="ValidationInterval"/> steps, and at the end, with the network as it is, on the training's device; false stops the
    /// training. The network is disposed of afterwards; its <see cref="PatchModel.File"/> may be kept.</summary>
    public Func<PatchModel, TrainingProgress, bool>? Validate { get; init; }

    /// <summary>Train for about this long: the steps that fit are found from a few trial steps. Null: as many as the options say.</summary>
    public TimeSpan? Duration { get; init; }

    /// <summary>A model to start from; centre-surround networks need one.</summary>
    public ModelFile? InitialModel { get; init; }

    /// <summary>What is minimized in place of the options' loss; null: the options' loss. A checkpoint does not hold it: resume with the same one.</summary>
    public Objective? Objective { get; init; }

    /// <summary>The side of the data's patches in their images, in diameters of their keypoints; stored in the model.</summary>
    public double PatchScale { get; init; } = 10;

    /// <summary>What the data is, for people; stored in the model.</summary>
    public string DataDescription { get; init; } = "";

    /// <summary>The time between checkpoints.</summary>
    public TimeSpan CheckpointInterval { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>The lock on the run's folder, where the caller has it already; else the trainer takes one of its own.</summary>
    internal FolderLock? Lock { get; init; }
}
