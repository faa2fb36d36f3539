using CudaL2Net.Data;
using CudaL2Net.Evaluation.Protocols;
using CudaL2Net.Evaluation.Results;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using CudaL2Net.Tests.Data;
using CudaL2Net.Tests.Imaging.Description;
using CudaL2Net.Tests.Networks;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Evaluation.Protocols;

public sealed class BrownEvaluationTests
{
    [Test]
    public void EqualsAPlainSecondImplementationForEveryKindOfMethod()
    {
        using var folder = new TemporaryFolder();
        byte[] first = BrownFolder.Write(folder["liberty"], 290, pairs: 200, flat: [3, 4, 5, 260]);
        byte[] second = BrownFolder.Write(folder["yosemite"], 60, pairs: 80);
        using Device device = Device.Open("cpu");
        using PatchModel model = PatchModel.CreateRandom(TestNetworks.L2Net, 1, device);
        IPatchDescriber[] methods =
        [
            new ModelDescriber("net", model), new ModelDescriber("bits", model, binary: true), new SiftDescriber(), new RootSiftDescriber(), new RawDescriber(),
            new FewPixels(2, 60),
        ];
        EvaluationRun run = BrownEvaluation.Evaluate(BrownEvaluation.OpenAll(folder.Path), methods);
        Assert.That(run.Tables.Select(table => table.Title), Is.EqualTo(new[] { "FPR95", "AUC", "AP" }));
        for (int m = 0; m < methods.Length; m++)
        {
            (double, bool)[][] sets = [Pairs(folder["liberty"], first, methods[m]), Pairs(folder["yosemite"], second, methods[m])];
            foreach (ScoreTable table in run.Tables)
            {
                double[] expected = [.. sets.Select(pairs => Score(pairs, table.Title))];
                Assert.That(table.Rows[m].Values, Is.EqualTo([.. expected, expected.Average()]).Within(1e-9), $"{methods[m].Name}, {table.Title}");
            }
        }
    }

    [Test]
    public void ScoresOfPairsCountLikeTheDistancesThatTheyAreTheNegativesOf()
    {
        using var folder = new TemporaryFolder();
        BrownFolder.Write(folder["liberty"], 290, pairs: 2200);
        var method = new FewPixels(2, 60);
        EvaluationRun run = BrownEvaluation.Evaluate(BrownEvaluation.OpenAll(folder.Path), [method, new ScoreOf(method)], examples: 3);
        foreach (ScoreTable table in run.Tables)
        {
            Assert.That(table.Rows[1].Values, Is.EqualTo(table.Rows[0].Values), table.Title);
        }

        Assert.That(run.Curves[1].MatchDistances, Is.EqualTo(run.Curves[0].MatchDistances));
        Assert.That(run.Methods.Select(one => one.Dimension), Is.EqualTo(new[] { method.Dimension, 0 }));
        Assert.That(run.Galleries[1].HardestMatches.Select(pair => pair.Distance), Is.EqualTo(run.Galleries[0].HardestMatches.Select(pair => pair.Distance)));
    }

    [Test]
    public void PerfectAndConstantDescriptorsGiveTheEndsOfTheScale()
    {
        using var folder = new TemporaryFolder();
        BrownFolder.Write(folder["liberty"], 60, pairs: 40);
        EvaluationRun run = BrownEvaluation.Evaluate(BrownEvaluation.OpenAll(folder["liberty"]), [new RawDescriber(), new Constant()]);
        Assert.That(run.Tables.Select(table => table.Rows[0].Values[0]), Is.EqualTo(new[] { 0.0, 1, 1 }).Within(1e-12), "patches of a point are nearly alike");
        Assert.That(run.Tables[1].Rows[1].Values[0], Is.EqualTo(0.5));
        Assert.That(run.Tables[0].Best(0), Is.Zero);
        Assert.That(run.Tables[1].Best(0), Is.EqualTo(1).Within(1e-12));
        VerificationCurve curve = run.Curves[0];
        Assert.That((curve.MatchDistances.Length, curve.NonMatchDistances.Length), Is.EqualTo((20, 20)));
        Assert.That(curve.MatchDistances.Max(), Is.LessThan(curve.NonMatchDistances.Min()));
    }

    [Test]
    public void SetsAreFoundInTheFolderOrAboveThem()
    {
        using var folder = new TemporaryFolder();
        BrownFolder.Write(folder["b"], 30);
        BrownFolder.Write(folder["a"], 30);
        Directory.CreateDirectory(folder["c"]);
        Assert.That(BrownEvaluation.OpenAll(folder.Path).Select(BrownEvaluation.NameOf), Is.EqualTo(new[] { "a", "b" }));
        Assert.That(BrownEvaluation.OpenAll(folder["b"]).Select(BrownEvaluation.NameOf), Is.EqualTo(new[] { "b" }));
        Assert.That(() => BrownEvaluation.OpenAll(folder["none"]), Throws.TypeOf<DirectoryNotFoundException>().With.Message.Contains("none"));
        Assert.That(() => BrownEvaluation.OpenAll(folder["c"]), Throws.TypeOf<FileNotFoundException>().With.Message.Contains("info.txt"));
    }

    [Test]
    public void DamagedMosaicsAndListsAreNamed()
    {
        using var folder = new TemporaryFolder();
        BrownFolder.Write(folder["a"], 30);
        IReadOnlyList<BrownDataset> sets = BrownEvaluation.OpenAll(folder.Path);
        File.WriteAllText(folder["a/one-kind.txt"], "0 100 0 1 100 0 0\n");
        Assert.That(() => BrownEvaluation.Evaluate(sets, [new RawDescriber()], "one-kind.txt"),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("one-kind.txt").And.Message.Contains("non-matches"));
        byte[] mosaic = File.ReadAllBytes(folder["a/patches0000.bmp"]);
        File.WriteAllBytes(folder["a/patches0000.bmp"], mosaic[..5000]);
        Assert.That(() => BrownEvaluation.Evaluate(sets, [new RawDescriber()]), Throws.TypeOf<InvalidDataException>().With.Message.Contains("patches0000.bmp"));
        Assert.That(() => BrownEvaluation.Evaluate(sets, [new RawDescriber(), new RawDescriber()]), Throws.ArgumentException.With.Message.Contains("'raw'"));
    }

    private static (double Distance, bool Match)[] Pairs(string set, byte[] patches, IPatchDescriber method)
    {
        float[][] rows = PlainScores.Rows(method.Describe(patches, 64));
        return [.. File.ReadAllLines(Path.Combine(set, "m50_100000_100000_0.txt")).Select(text =>
        {
            int[] fields = [.. text.Split(' ').Select(int.Parse)];
            return (PlainScores.Euclidean(rows[fields[0]], rows[fields[3]]), fields[1] == fields[4]);
        })];
    }

    private static double Score((double Distance, bool Match)[] pairs, string title) => title switch
    {
        "FPR95" => PlainScores.Fpr95(pairs),
        "AUC" => PlainScores.Auc(pairs),
        _ => PlainScores.TrapezoidAp(pairs, pairs.Count(pair => pair.Match)),
    };
}
