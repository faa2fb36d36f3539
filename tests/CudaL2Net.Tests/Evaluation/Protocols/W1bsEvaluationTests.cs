using CudaL2Net.Evaluation.Measures;
using CudaL2Net.Evaluation.Protocols;
using CudaL2Net.Evaluation.Results;
using CudaL2Net.Imaging.Data;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Tests.Imaging.Data;

namespace CudaL2Net.Tests.Evaluation.Protocols;

public sealed class W1bsEvaluationTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void MakeFolder() => folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    [Test]
    public void ScoresAreThoseOfThePairsAndMeansOverSubsets()
    {
        W1bsFolder.Write(Path.Combine(folder["data"], "W1BS"), "G", "map2photo");
        var data = W1bsDataset.Open(folder.Path);
        Assert.That(data.Subsets.Select(subset => $"{subset.Name}: {string.Join(' ', subset.Pairs.Select(pair => pair.Name))}"),
            Is.EqualTo(new[] { "G: pair0 pair1", "map2photo: pair0 pair1" }));
        IPatchDescriber[] methods = [new SiftDescriber(), new RawDescriber()];
        EvaluationRun run = W1bsEvaluation.Evaluate(data, methods);
        for (int m = 0; m < methods.Length; m++)
        {
            double[][] expected = [.. data.Subsets.Select(subset => subset.Pairs.Select(pair => Score(methods[m], pair).AveragePrecision).ToArray())];
            double?[] ap = [.. run.Tables[0].Rows[m].Values];
            Assert.That(ap, Is.EqualTo(new[] { expected[0].Average(), expected[1].Average(), expected.Average(one => one.Average()) }).Within(1e-12));
            Assert.That(ap[2], Is.InRange(0.3, 1));
            double[] mauc = [.. data.Subsets.Select(subset => subset.Pairs.Average(pair => Score(methods[m], pair).Mauc))];
            Assert.That(run.Tables[1].Rows[m].Values, Is.EqualTo(new[] { mauc[0], mauc[1], mauc.Average() }).Within(1e-12));
        }

        Assert.That(run.Tables[0].Columns, Is.EqualTo(new[] { "G", "map2photo", "mean" }));
        Assert.That(run.Tables.Single(table => table.Title == "rows by pair").Rows[0].Values, Is.All.EqualTo(W1bsFolder.Rows));
        Assert.That(run.Tables[1].Measure, Does.Contain("0 for a perfect descriptor"));
    }

    [Test]
    public void AnyOfTheThreeFoldersIsTaken()
    {
        W1bsFolder.Write(folder["W1BS"], "A", "S");
        Assert.That(W1bsDataset.Open(folder.Path).Subsets, Has.Count.EqualTo(2));
        Assert.That(W1bsDataset.Open(folder["W1BS"]).Subsets, Has.Count.EqualTo(2));
        Assert.That(W1bsDataset.Open(Path.Combine(folder["W1BS"], "S")).Subsets.Single().Name, Is.EqualTo("S"));
    }

    [Test]
    public void WhatIsMissingIsNamed()
    {
        Assert.That(() => W1bsDataset.Open(folder["none"]), Throws.TypeOf<DirectoryNotFoundException>().With.Message.Contains("none"));
        Assert.That(() => W1bsDataset.Open(folder.Path), Throws.TypeOf<InvalidDataException>().With.Message.Contains("no W1BS data"));
        W1bsFolder.Write(folder.Path, "A");
        string second = Path.Combine(folder["A"], "2", "pair1.bmp");
        byte[] strip = File.ReadAllBytes(second);
        File.Delete(second);
        Assert.That(() => W1bsDataset.Open(folder.Path), Throws.TypeOf<FileNotFoundException>().With.Message.Contains(second));
        File.WriteAllBytes(second, strip);
        File.Move(Path.Combine(folder["A"], "1", "pair0.bmp"), folder["elsewhere"]);
        Assert.That(() => W1bsDataset.Open(folder.Path), Throws.TypeOf<FileNotFoundException>().With.Message.Contains(Path.Combine("1", "pair0.bmp")));
        Directory.Delete(Path.Combine(folder["A"], "1"), recursive: true);
        Assert.That(() => W1bsDataset.Open(folder.Path), Throws.TypeOf<DirectoryNotFoundException>().With.Message.Contains(Path.Combine("A", "1")));
    }

    [Test]
    public void DamagedStripsAreNamed()
    {
        W1bsFolder.Write(folder.Path, "A");
        string second = Path.Combine(folder["A"], "2", "pair1.bmp");
        var data = W1bsDataset.Open(folder.Path);
        byte[] strip = File.ReadAllBytes(second);
        W1bsFolder.WriteStrip(second, new byte[65 * 65 * 3]);
        Assert.That(() => W1bsEvaluation.Evaluate(data, [new RawDescriber()]), Throws.TypeOf<InvalidDataException>().With.Message.Contains(second).And.Message.Contains("3 patches"));
        W1bsFolder.WriteStrip(second, new byte[65 * 100]);
        Assert.That(() => W1bsEvaluation.Evaluate(data, [new RawDescriber()]), Throws.TypeOf<InvalidDataException>().With.Message.Contains(second));
        File.WriteAllBytes(second, strip[..(strip.Length / 2)]);
        Assert.That(() => W1bsEvaluation.Evaluate(data, [new RawDescriber()]), Throws.TypeOf<InvalidDataException>().With.Message.Contains(second));
    }

    private static W1bsScore Score(IPatchDescriber method, W1bsPair pair)
    {
        (PatchStrip first, PatchStrip second) = pair.Read();
        return W1bsScore.Of(method.Describe(first.Pixels, first.Side), method.Describe(second.Pixels, second.Side));
    }
}
