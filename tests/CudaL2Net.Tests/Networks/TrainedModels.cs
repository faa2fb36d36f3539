using CudaL2Net.Data;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using CudaL2Net.Tests.Training;
using CudaL2Net.Training;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace CudaL2Net.Tests.Networks;

/// <summary>Short trainings of described networks, and what their models give elsewhere.</summary>
internal static class TrainedModels
{
    /// <summary>Patches with all views: those of 64 x 64 pixels hold each pixel of 32 x 32 four times.</summary>
    public static PatchSet Data(int points)
    {
        PatchSet small = TrainingData.Blobs(points);
        var large = new byte[small.Count * PatchSet.LargeArea];
        for (int i = 0; i < large.Length; i++)
        {
            (int patch, int pixel) = Math.DivRem(i, PatchSet.LargeArea);
            large[i] = small.Pixels[(patch * PatchSet.Area) + (pixel / 128 * 32) + (pixel % 64 / 2)];
        }

        var centres = new byte[small.Pixels.Length];
        PatchResize.CropCentre(large, PatchSet.LargeSide, centres);
        return new PatchSet(small.Pixels, small.PointIds, centres, null, large);
    }

    /// <summary>Settings of a short training.</summary>
    public static TrainingOptions Options(Network network, int steps, LossOptions? loss = null, float rate = 2e-3f) => new()
    {
        Preset = "own",
        Network = network,
        Loss = loss ?? new LossOptions(),
        Optimizer = new OptimizerOptions { Kind = OptimizerKind.Adam, LearningRate = rate, WeightDecay = 0 },
        Batch = 6,
        PairsPerEpoch = 24,
        Steps = steps,
    };

    /// <summary>Trains, in one go or stopped and taken up again; returns the model's file and the losses that were reported.</summary>
    public static (string Model, List<float> Losses) Train(
        Device device, TrainingOptions options, PatchSet data, string folder, int? stopAfter = null, ModelFile? initial = null)
    {
        var losses = new List<float>();
        int done = 0;
        if (stopAfter is { } step)
        {
            using var stopped = new Trainer(options, data, null, device, folder, new TrainerSetup { InitialModel = initial });
            using var stop = new CancellationTokenSource();
            TrainingResult part = stopped.Run(new Collect(progress =>
            {
                losses.Add(progress.Loss);
                if (progress.Step >= step)
                {
                    stop.Cancel();
                }
            }), stop.Token);

            // A GPU reports a step while it is at the next ones.
            done = part.Steps;
            Assert.That(part.Completed, Is.False);
            Assert.That(done, Is.InRange(step, step + 1));
        }

        using var trainer = new Trainer(options, data, null, device, folder, new TrainerSetup { Resume = stopAfter is not null, InitialModel = initial });
        Assert.That(trainer.StepsDone, Is.EqualTo(done));
        TrainingResult result = trainer.Run(new Collect(progress => losses.Add(progress.Loss)));
        Assert.That(result.Completed);
        return (result.ModelPath!, losses);
    }

    /// <summary>What ONNX Runtime gives for an exported model.</summary>
    /// <param name="file">The ONNX file.</param>
    /// <param name="side">The patches' side.</param>
    /// <param name="inputs">Names, and patches [n][side][side].</param>
    public static float[] RunOnnx(string file, int side, params (string Name, byte[] Patches)[] inputs)
    {
        using var session = new InferenceSession(file);
        Assert.That(session.InputNames, Is.EqualTo(inputs.Select(input => input.Name)));
        NamedOnnxValue[] values = [.. inputs.Select(input => NamedOnnxValue.CreateFromTensor(
            input.Name, new DenseTensor<float>(Array.ConvertAll(input.Patches, value => (float)value), [input.Patches.Length / side / side, 1, side, side])))];
        using IDisposableReadOnlyCollection<DisposableNamedOnnxValue> results = session.Run(values);
        return [.. results.Single().AsTensor<float>()];
    }

    private sealed class Collect(Action<TrainingProgress> action) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => action(value);
    }
}
