using CudaL2Net.Data;
using CudaL2Net.Interop;
using CudaL2Net.Kernels;
using CudaL2Net.Matching;
using CudaL2Net.Networks;
using CudaL2Net.Tests.Interop;
using CudaL2Net.Tests.Networks;
using CudaL2Net.Tests.Training;
using CudaL2Net.Training;

namespace CudaL2Net.Tests.SamplePrograms;

/// <summary>The C# of docs/embedding.md: every block of the page stands in a test here, line by line.</summary>
public sealed class EmbeddingPageTests
{
    [Test]
    public void EveryBlockOfThePageIsHere()
    {
        string page = File.ReadAllText(Path.Combine(Repository.Folder, "docs", "embedding.md"));
        string[] here = Lines(File.ReadAllText(Path.Combine(Repository.Folder, "tests", "CudaL2Net.Tests", "SamplePrograms", "EmbeddingPageTests.cs")));
        string[][] blocks = [.. page.ReplaceLineEndings("\n").Split("```csharp\n").Skip(1).Select(block => Lines(block.Split("```")[0]))];
        Assert.That(blocks, Has.Length.EqualTo(4));
        foreach (string[] block in blocks)
        {
            Assert.That(Enumerable.Range(0, here.Length).Any(i => here.Skip(i).Take(block.Length).SequenceEqual(block)), string.Join("\n", block));
        }

        static string[] Lines(string text) => [.. text.ReplaceLineEndings("\n").Split('\n').Select(line => line.Trim()).Where(line => line.Length > 0)];
    }

    [Test]
    public void PatchesAreDescribedAndMatched()
    {
        byte[] first = TrainingData.Blobs(6, views: 1).Pixels, second = [.. first.Select(pixel => (byte)(pixel / 2))];
        using var console = new StringWriter();
        TextWriter before = Console.Out;
        Console.SetOut(console);
        try
        {
            using Device device = Device.Open();                       // a GPU where there is one
            using PatchModel model = PatchModel.LoadDefault(device);
            DescriptorSet a = DescriptorSet.FromValues(model.Describe(first, 32), model.Dimension);   // [n][32][32] grey bytes
            DescriptorSet b = DescriptorSet.FromValues(model.Describe(second, 32), model.Dimension);
            DescriptorMatch[] matches = new DescriptorSearch(device).Match(a, b, new MatchOptions(Mutual: true, Ratio: 0.9));
            foreach (DescriptorMatch match in matches)
            {
                Console.WriteLine($"{match.Query} {match.Target} {match.Distance}");
            }
        }
        finally
        {
            Console.SetOut(before);
        }

        string[] lines = console.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        Assert.That(lines.Select(line => string.Join(" ", line.Split(' ')[..2])), Is.EqualTo(Enumerable.Range(0, 6).Select(i => $"{i} {i}")), "half the contrast");
    }

    [Test]
    public void PatchesAreCutFromAnImageInMemory()
    {
        const int width = 90, height = 70, stride = 280;
        byte[] pixels = [.. Enumerable.Range(0, height * stride).Select(i => (byte)(i * i / 97))];
        using Device device = Device.Open("cpu");
        using PatchModel model = PatchModel.LoadDefault(device);
        var image = new ImageView(pixels, width, height, stride, channels: 3);
        PatchKeypoint[] keypoints = [new(X: 61.5f, Y: 40, Size: 6, Angle: 30), new(X: 20, Y: 33.25f, Size: 9, Angle: 0)];
        byte[] patches = ImagePatches.Cut(image, keypoints, model.PatchScale, side: 64);
        float[] descriptors = model.Describe(patches, 64);
        Assert.That(descriptors, Has.Length.EqualTo(2 * 128).And.None.NaN);
        Assert.That(descriptors.AsSpan(0, 128).SequenceEqual(descriptors.AsSpan(128)), Is.False);
    }

    [Test]
    public void ATrainingIsInMemory()
    {
        byte[] patches = TrainingData.Blobs(24).Pixels;
        int[] pointIds = TrainingData.Blobs(24).PointIds;
        TrainingOptions options = TrainedModels.Options(TestNetworks.Small, 20);
        var pairs = new ValidationPairs(TrainingData.Blobs(30, seed: 2));
        var progress = new Steps();
        CancellationToken cancel = CancellationToken.None;
        using Device device = Device.Open("cpu");
        PatchSet training = PatchSet.From(patches, 32, pointIds);
        var setup = new TrainerSetup
        {
            ReportInterval = 1,
            ValidationInterval = 5,
            Validate = (network, progress) => pairs.Evaluate(network).Fpr95 > 0.01,    // false stops the training
        };
        using var trainer = new Trainer(options, training, validation: null, device, setup);
        TrainingResult result = trainer.Run(progress, cancel);
        byte[] file = result.Model.ToBytes(), checkpoint = trainer.ToCheckpoint();
        using var model = new PatchModel(result.Model, device);
        Assert.That(progress.Seen, Is.EqualTo(Enumerable.Range(1, result.Steps)));
        Assert.That(result.Steps % 5, Is.Zero);
        Assert.That(ModelFile.Read(new MemoryStream(file), "bytes").Metadata["training_steps"], Is.EqualTo($"{result.Steps}"));
        using var resumed = new Trainer(options, training, validation: null, device, new TrainerSetup { Checkpoint = checkpoint });
        Assert.That(resumed.StepsDone, Is.EqualTo(result.Steps));
        Assert.That(model.Describe(patches, 32), Has.None.NaN);
    }

    [Test]
    [Category("Cuda")]
    public void PatchesAreDescribedOnAStreamOfOtherCode()
    {
        using var emulated = new EmulatedDevice();
        const int count = 1;
        byte[] pixels = TrainingData.Blobs(count, views: 1).Pixels;
        ForeignContext.Current = 0;
        using var theirs = new ForeignContext();
        nint theirStream = theirs.Stream, patchPointer = theirs.Allocate<byte>(pixels.Length, pixels), descriptorPointer = theirs.Allocate<float>(count * 128);
        {
            using Device device = Device.OpenCuda(CudaStream.FromHandle(theirStream));
            using PatchModel model = PatchModel.LoadDefault(device);
            using Tensor<byte> patches = device.Wrap<byte>(patchPointer, count, 32, 32);
            using Tensor<float> descriptors = device.Wrap<float>(descriptorPointer, count, model.Dimension);
            model.Describe(patches, descriptors);                      // queued on their stream
            Assert.That(emulated["pending"], Is.Positive);
        }

        Assert.That(theirs.Read<float>(descriptorPointer, count * 128).Sum(value => value * value), Is.EqualTo(1).Within(1e-4));
        theirs.Free(patchPointer);
        theirs.Free(descriptorPointer);
    }

    private sealed class Steps : IProgress<TrainingProgress>
    {
        public List<int> Seen { get; } = [];

        public void Report(TrainingProgress value) => Seen.Add(value.Step);
    }
}
