using System.Diagnostics;
using System.Globalization;
using CudaL2Net.Autograd;
using CudaL2Net.Data;
using CudaL2Net.Formats;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;

namespace CudaL2Net.Training;

/// <summary>
/// Trains a network. With a folder it keeps files there: <c>model.safetensors</c> at the end, <c>checkpoint.safetensors</c> from time to time,
/// <c>metrics.jsonl</c> with a line for every report. Without one all stays in memory: the model is in the result, <see cref="ToCheckpoint"/> gives what a later run
/// goes on from. A run that was stopped or killed goes on from its checkpoint and ends with the same bytes as one that was not.
/// </summary>
public sealed class Trainer : IDisposable
{
    private readonly TrainingOptions options;
    private readonly Objective objective;
    private readonly PatchSet training;
    private readonly ValidationPairs? validation;
    private readonly Device device;
    private readonly RunFiles? files;
    private readonly TrainerSetup setup;
    private readonly TrainingHealth health;
    private readonly ShapedNetwork network;
    private readonly string fingerprint;
    private readonly BatchSampler sampler;
    private readonly TrainingStep step;
    private readonly int[] epochRows;
    private readonly StepParameters[] schedule;
    private int done;
    private int loadedEpoch = -1;
    private float firstLoss = float.NaN;

    /// <summary>Prepares a run, or takes one up again.</summary>
    /// <param name="options">The settings.</param>
    /// <param name="training">The training set; centre-surround networks need one with centres.</param>
    /// <param name="validation">Patches for FPR95 during the training, or null.</param>
    /// <param name="device">Where it runs.</param>
    /// <param name="folder">Where its files go; made if it is not there.</param>
    /// <param name="setup">What a run may have besides.</param>
    /// <exception cref="ArgumentException">An option is out of range, or the data does not suit it.</exception>
    /// <exception cref="IOException">The folder holds a run already and <see cref="TrainerSetup.Resume"/> is not set, or cannot be written.</exception>
    /// <exception cref="InvalidDataException">The checkpoint is damaged, or of other options or data.</exception>
    public Trainer(TrainingOptions options, PatchSet training, PatchSet? validation, Device device, string folder, TrainerSetup? setup = null)
        : this(options, training, validation, device, FilesIn(folder), setup)
    {
    }

    /// <summary>Prepares a run in memory, or takes one up again (<see cref="TrainerSetup.Checkpoint"/>). No file is touched.</summary>
    /// <param name="options">The settings.</param>
    /// <param name="training">The training set.</param>
    /// <param name="validation">Patches for FPR95 during the training, or null.</param>
    /// <param name="device">Where it runs.</param>
    /// <param name="setup">What a run may have besides.</param>
    /// <exception cref="ArgumentException">An option is out of range, or the data does not suit it.</exception>
    /// <exception cref="InvalidDataException">The checkpoint is damaged, or of other options or data.</exception>
    public Trainer(TrainingOptions options, PatchSet training, PatchSet? validation, Device device, TrainerSetup? setup = null)
        : this(options, training, validation, device, (RunFiles?)null, setup)
    {
    }

    private Trainer(TrainingOptions options, PatchSet training, PatchSet? validation, Device device, RunFiles? files, TrainerSetup? setup)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(training);
        ArgumentNullException.ThrowIfNull(device);
        setup ??= new TrainerSetup();
        Require(setup, files);
        objective = setup.Objective ?? options.Loss.Create();
        options.Validate(objective);
        if (device.Precision == Precision.Int8)
        {
            throw new ArgumentException("int8 is for describing: train in bf16, tf32 or float32, and describe with the model in int8", nameof(device));
        }

        this.options = options;
        this.training = training;
        this.device = device;
        this.files = files;
        this.setup = setup;
        health = new TrainingHealth(options, files?.Folder);
        foreach (Tower tower in options.Network.Towers)
        {
            training.View(tower.View, options.Network.Input.Side);
            validation?.View(tower.View, options.Network.Input.Side);
        }

        this.validation = validation == null ? null : new ValidationPairs(validation);
        sampler = new BatchSampler(training, options);
        if (files != null)
        {
            Directory.CreateDirectory(files.Folder);
        }

        fingerprint = Checkpoint.Fingerprint(training);
        Checkpoint? checkpoint = files != null ? files.FindCheckpoint(setup.Resume)
            : setup.Checkpoint is { } bytes ? Checkpoint.Read(bytes, "the checkpoint in memory") : null;
        checkpoint?.RequireSame(options, device.Precision, fingerprint);
        TotalSteps = checkpoint?.TotalSteps ?? options.Steps ?? checked(options.Epochs * sampler.StepsPerEpoch);
        (Network start, NetworkWeights weights) = checkpoint == null
            ? StartingWeights.Of(options, training, setup.InitialModel)
            : checkpoint.Start();
        network = ShapedNetwork.Of(start);
        epochRows = new int[sampler.StepsPerEpoch * 2 * options.Batch];
        schedule = new StepParameters[sampler.StepsPerEpoch];
        step = Prepare(weights);
        if (checkpoint != null)
        {
            checkpoint.Restore(step.Moments);
            done = checkpoint.Step;
            firstLoss = checkpoint.FirstLoss;
            OtherDevice = done > 0 && checkpoint.Device != DeviceKind ? checkpoint.Device : null;
            LacksDigest = !checkpoint.Model.HasDigest;
        }
        else if (setup.Duration is { } duration)
        {
            // The trial steps are forgotten, so that the run itself depends on its seed and number of steps alone.
            LoadEpoch(0, 0, _ => 0);
            TotalSteps = TrialSteps.Within(duration, step, device);
            step.Dispose();
            step = Prepare(weights);
            loadedEpoch = -1;
        }
    }

    /// <summary>Steps in all.</summary>
    public int TotalSteps { get; }

    /// <summary>Steps done, those before a resumption included.</summary>
    public int StepsDone => done;

    /// <summary>The kind of device, cpu or cuda, that the steps before a resumption were done on, if it is another one: then the run will not end with the
    /// bytes of one that was not stopped.</summary>
    public string? OtherDevice { get; }

    /// <summary>Whether the run goes on from a checkpoint of an earlier version, without a digest: damage to it may go unnoticed.</summary>
    public bool LacksDigest { get; }

    /// <summary>The time between checkpoints.</summary>
    public TimeSpan CheckpointInterval => setup.CheckpointInterval;

    private string DeviceKind => device.Name.Split(':')[0] + (device.KernelSet == KernelSet.Vendor ? " with the vendor's kernels" : "");

    /// <summary>Reports come every this many steps, at the same steps whether resumed or not.</summary>
    private int ReportInterval => setup.ReportInterval ?? Math.Clamp(TotalSteps / 100, 1, 50);

    private int ValidationInterval => setup.ValidationInterval ?? Math.Max(ReportInterval, (TotalSteps + 19) / 20);

    /// <summary>Trains to the end, or until <paramref name="stop"/> is set or <see cref="TrainerSetup.Validate"/> says so; then saves.</summary>
    /// <exception cref="TrainingCollapsedException">The loss is not finite, or the descriptors have become alike; the last checkpoint stays as it
    /// was.</exception>
    /// <exception cref="IOException">A file cannot be written, or another process writes in the folder; the last checkpoint stays as it was.</exception>
    public TrainingResult Run(IProgress<TrainingProgress>? progress = null, CancellationToken stop = default)
    {
        using FolderLock? ownLock = files != null && setup.Lock is null ? FolderLock.Take(files.Folder) : null;
        using StreamWriter? metrics = files?.OpenMetrics(done);
        if (done == 0)
        {
            Save();
        }

        double? fpr95 = null;
        float loss = float.NaN;
        int reportedAt = done;
        (int Step, float Rate)? asked = null;
        var watch = Stopwatch.StartNew();
        var saved = Stopwatch.StartNew();
        bool enough = false;
        while (done < TotalSteps && !enough && !stop.IsCancellationRequested)
        {
            float rate = RunStep(done);
            done++;
            bool last = done == TotalSteps;
            bool validate = (validation != null || setup.Validate != null) && (last || done % ValidationInterval == 0);
            if (done == 1 || last || validate || done % ReportInterval == 0)
            {
                // A report that is not there by now is waited for, while the device is busy with the steps after it.
                Report(validate: false);
                step.QueueReading();
                asked = (done, rate);
            }

            bool save = files != null && !last && saved.Elapsed >= CheckpointInterval;
            if (asked != null && (validate || last || save || step.ReadingIsReady))
            {
                Report(validate);
            }

            if (save)
            {
                Save();
                saved.Restart();
                watch.Restart();
                reportedAt = done;
            }
        }

        Report(validate: false);
        bool completed = done == TotalSteps;
        if (completed && float.IsNaN(loss))
        {
            // Resumed behind the last step: only the files were missing.
            fpr95 = Validate();
        }

        Save();
        ModelFile model = Model(completed ? fpr95 : null, unfinished: !completed && !enough);
        if (completed && files != null)
        {
            model.Write(files.Model);
        }

        return new TrainingResult(completed, done, TotalSteps, loss, fpr95, model, completed ? files?.Model : null, files?.Checkpoint);

        // Takes the reading that was asked for, if one was.
        void Report(bool validate)
        {
            if (asked is not { } at)
            {
                return;
            }

            asked = null;
            StepReading reading = step.TakeReading();
            loss = reading.Loss;
            firstLoss = at.Step == 1 ? loss : firstLoss;
            health.Check(reading, at.Step, firstLoss);
            double seconds = watch.Elapsed.TotalSeconds, speed = (at.Step - reportedAt) * 2.0 * options.Batch / seconds;
            double? measured = validate ? Validate() : null;
            if (measured is { } now)
            {
                fpr95 = now;
                health.Check(now, done, TotalSteps);
            }

            metrics?.WriteLine(RunFiles.MetricsLine(
                at.Step, (at.Step - 1) / sampler.StepsPerEpoch, (long)at.Step * options.Batch, reading, at.Rate, speed, measured));
            metrics?.Flush();
            var report = new TrainingProgress(at.Step, TotalSteps, loss, at.Rate, speed, fpr95,
                TimeSpan.FromSeconds((TotalSteps - at.Step) * 2.0 * options.Batch / speed))
            { Fpr95IsNew = measured is not null, Terms = reading.Terms };
            progress?.Report(report);
            enough = validate && setup.Validate is { } ask && !Ask(ask, report);
            reportedAt = at.Step;
            watch.Restart();
        }
    }

    /// <summary>All that decides how the training goes on, as bytes: what <see cref="TrainerSetup.Checkpoint"/> takes; also a model file. To be asked for before or after
    /// <see cref="Run"/>, or in a report or validation.</summary>
    /// <exception cref="TrainingCollapsedException">A weight is not finite.</exception>
    /// <exception cref="ObjectDisposedException">This has been disposed of.</exception>
    public byte[] ToCheckpoint() => Now().ToBytes();

    /// <inheritdoc/>
    public void Dispose() => step.Dispose();

    private static RunFiles FilesIn(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        return new RunFiles(folder);
    }

    private static void Require(TrainerSetup setup, RunFiles? files)
    {
        if (setup.ReportInterval is < 1 || setup.ValidationInterval is < 1)
        {
            throw new ArgumentException(
                $"reports every {setup.ReportInterval} steps and validations every {setup.ValidationInterval}: at least 1, or null", nameof(setup));
        }

        if (files != null && setup.Checkpoint != null)
        {
            throw new ArgumentException("a checkpoint in memory is for a run in memory: leave out the folder, or set Resume to go on from the folder's", nameof(setup));
        }

        if (files == null && setup.Resume)
        {
            throw new ArgumentException("a run in memory goes on from the bytes in Checkpoint: set them in place of Resume", nameof(setup));
        }
    }

    private bool Ask(Func<PatchModel, TrainingProgress, bool> ask, TrainingProgress report)
    {
        using var model = new PatchModel(Model(report.Fpr95IsNew ? report.Fpr95 : null), device);
        return ask(model, report);
    }

    private TrainingStep Prepare(NetworkWeights weights)
    {
        try
        {
            return PrepareBatch(options.Batch);
        }
        catch (OutOfMemoryException error)
        {
            string fitting = FittingBatch.Describe(device, batch => PrepareBatch(batch).Dispose());
            throw new OutOfMemoryException($"{error.Message}; a batch of {options.Batch} pairs does not fit{fitting}", error);
        }

        // An epoch of smaller batches has more steps.
        TrainingStep PrepareBatch(int batch)
        {
            int steps = Math.Max(1, (int)((long)schedule.Length * options.Batch / batch));
            return new TrainingStep(device, options with { Batch = batch }, objective, training, network, weights, steps);
        }
    }

    /// <summary>Queues a step; returns its learning rate.</summary>
    private float RunStep(int index)
    {
        int epoch = index / schedule.Length, next = index % schedule.Length;
        if (epoch != loadedEpoch)
        {
            LoadEpoch(epoch, next, LearningRate);
        }

        step.Run();
        return schedule[next].LearningRate;
    }

    private void LoadEpoch(int epoch, int next, Func<int, float> rate)
    {
        sampler.Draw(epoch, epochRows);
        for (int i = 0; i < schedule.Length; i++)
        {
            int index = (epoch * schedule.Length) + i;
            schedule[i] = new StepParameters { Step = (uint)index, BatchOffset = i * 2 * options.Batch, LearningRate = rate(index) };
        }

        step.LoadEpoch(epochRows, schedule, next);
        loadedEpoch = epoch;
    }

    private float LearningRate(int index)
    {
        OptimizerOptions optimizer = options.Optimizer;
        return optimizer.Schedule == LearningRateSchedule.Linear
            ? optimizer.LearningRate * Math.Max(0f, 1f - ((float)index / TotalSteps))
            : optimizer.LearningRate * MathF.Pow(0.1f, index / sampler.StepsPerEpoch / optimizer.EpochsPerDrop);
    }

    private double? Validate()
    {
        if (validation == null)
        {
            return null;
        }

        using var model = new PatchModel(Model(null), device);
        return validation.Evaluate(model).Fpr95;
    }

    private ModelFile Model(double? fpr95, bool unfinished = false)
    {
        var metadata = new Dictionary<string, string>
        {
            ["preset"] = options.Preset,
            ["training_data"] = setup.DataDescription,
            ["training_points"] = sampler.Points.ToString(CultureInfo.InvariantCulture),
            ["training_steps"] = done.ToString(CultureInfo.InvariantCulture),
            ["training_pairs"] = ((long)done * options.Batch).ToString(CultureInfo.InvariantCulture),
            ["training_options"] = options.ToJson(),
        };
        if (fpr95 is { } value)
        {
            metadata["validation_fpr95"] = value.ToString("R", CultureInfo.InvariantCulture);
        }

        if (unfinished)
        {
            new TrainingPosition(done, TotalSteps).Write(metadata);
        }

        return new ModelFile(network.Network, step.Download(), setup.PatchScale, metadata);
    }

    private void Save()
    {
        if (files != null)
        {
            Now().Write(files.Checkpoint);
        }
        else
        {
            health.Check(step.Download(), done);
        }
    }

    private Checkpoint Now()
    {
        ModelFile model = Model(null);
        health.Check(model.Weights, done);
        return new Checkpoint(model, [.. step.Moments.Select(moment => moment.ToArray())], options, fingerprint, done, TotalSteps, firstLoss, DeviceKind,
            device.Precision);
    }
}
