using CudaL2Net.Evaluation.Protocols;
using CudaL2Net.Evaluation.Results;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Imaging.Sequences;
using CudaL2Net.Imaging.Sources.Scenes;
using CudaL2Net.Kernels;

namespace CudaL2Net.Tests.Imaging.Sequences;

public sealed class SyntheticSequencesTests
{
    private string folder = string.Empty;

    [SetUp]
    public void MakeFolder() => folder = Directory.CreateTempSubdirectory("synthetic").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(folder, recursive: true);

    [Test]
    public void SiftMatchesThemAndStrongerChangesAreHarder()
    {
        using Device device = Device.Open("cpu");
        IReadOnlyList<ImageSequence> sequences = SyntheticSequences.Write(folder);
        MethodResult sift = new SequenceEvaluation(device, 400).Evaluate(sequences, [new SiftDescriber()]).Methods[0];
        Assert.That(sift.Sequences.Keys, Is.EqualTo(new[] { "blur", "jpeg", "light", "viewpoint", "zoom-rotation" }));
        Assert.That(sift.Pairs, Has.Count.EqualTo(25));
        Assert.That(sift.Pairs.Select(pair => pair.Correspondences), Is.All.GreaterThan(20));
        Assert.That(sift.Mean, Is.InRange(0.3, 0.9));
        foreach (string name in new[] { "jpeg", "viewpoint" })
        {
            double[] precisions = [.. sift.Pairs.Where(pair => pair.Sequence == name).Select(pair => pair.AveragePrecision!.Value)];
            Assert.That(precisions[^1], Is.LessThan(precisions[0]), name);
        }
    }

    [Test]
    public void SameSetSameBytesOtherSetOthers()
    {
        string first = Path.Combine(folder, "a"), second = Path.Combine(folder, "b"), other = Path.Combine(folder, "c");
        SceneRenderer renderer = SyntheticSequences.NewRenderer();
        SyntheticSequences.WriteOne(renderer, first, 1, 0);
        SyntheticSequences.WriteOne(SyntheticSequences.NewRenderer(), second, 1, 0);
        SyntheticSequences.WriteOne(renderer, other, 1, 1);
        string[] files = [.. Directory.GetFiles(first, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(first, file))];
        Assert.That(files, Has.Length.EqualTo(11));
        foreach (string file in files)
        {
            byte[] bytes = File.ReadAllBytes(Path.Combine(first, file));
            Assert.That(File.ReadAllBytes(Path.Combine(second, file)), Same.As(bytes), file);
            Assert.That(File.ReadAllBytes(Path.Combine(other, file)), Is.Not.EqualTo(bytes), file);
        }
    }
}
