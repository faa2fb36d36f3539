using CudaL2Net.Evaluation.Protocols;
using CudaL2Net.Evaluation.Results;
using CudaL2Net.Imaging.Data;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Kernels;
using CudaL2Net.Tests.Imaging.Data;
using CudaL2Net.Tests.Imaging.Description;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Evaluation.Protocols;

public sealed class HPatchesEvaluationTests
{
    private static readonly string[] Sequences = ["v_d", "i_a", "v_c", "i_b"];

    private TemporaryFolder folder = null!;
    private Device device = null!;

    [OneTimeSetUp]
    public void WriteData()
    {
        device = Device.Open("cpu");
        folder = new TemporaryFolder();
        int[] rows = [45, 30, 40, 25];
        for (int s = 0; s < Sequences.Length; s++)
        {
            HPatchesFolder.Write(folder[Sequences[s]], rows[s], seed: s + 1, flatRow: 3);
        }

        HPatchesFolder.WriteTasks(folder.Path, "a", Sequences, rows, pairs: 60, queries: 15, distractors: 118);
    }

    [OneTimeTearDown]
    public void RemoveData()
    {
        device.Dispose();
        folder.Dispose();
    }

    [Test]
    public void EveryScoreEqualsAPlainSecondImplementation([Values(0, 1, 2, 3)] int which)
    {
        IPatchDescriber method = new IPatchDescriber[] { new FewPixels(6, 20), new FewPixels(2, 60), new FewBits(), new Constant() }[which];
        EvaluationRun run = Evaluate(new HPatchesOptions(), method);
        var plain = new PlainHPatches(folder.Path, "a", Sequences, method);

        (double Python, double Matlab, double Auc)[] verification = [.. plain.Verification()];
        Check("verification, mAP", verification.Select(score => score.Python), mean: true);
        Check("verification, mAP (MATLAB)", verification.Select(score => score.Matlab), mean: true);
        Check("verification, AUC", verification.Select(score => score.Auc), mean: true);

        Check("matching, mAP", Columns(kind => level => plain.Matching(level, kind).Python));
        Check("matching, mAP (MATLAB)", Columns(kind => level => plain.Matching(level, kind).Matlab));
        for (int level = 0; level < 3; level++)
        {
            Check($"matching, mAP by sequence, {HPatchesEvaluation.Levels[level]}", Sequences.Select(name => plain.Matching(name, level).Python), mean: true);
        }

        // The pool of 100 ends within the distractors, the larger ones take all of them.
        Check("retrieval, mAP among 20000", Columns(kind => level => plain.Retrieval(level, 20_000, kind).Python));
        Check("retrieval, mAP among 20000 (MATLAB)", Columns(kind => level => plain.Retrieval(level, 20_000, kind).Matlab));
        double small = Enumerable.Range(0, 3).Average(level => plain.Retrieval(level, 100).Python);
        double large = Enumerable.Range(0, 3).Average(level => plain.Retrieval(level, 20_000).Python);
        Check("retrieval, mAP by pool size", [small, .. Enumerable.Repeat(large, 6)], mean: true);

        ScoreTable summary = run.Tables[0];
        Assert.That(summary.Columns, Is.EqualTo(new[] { "verification", "matching", "retrieval" }));
        double[] means = [verification.Average(score => score.Python), Enumerable.Range(0, 3).Average(level => plain.Matching(level).Python), large];
        Assert.That(summary.Rows[0].Values, Is.EqualTo(means).Within(1e-9));
        Assert.That(run.Curves, Has.Count.EqualTo(6));

        void Check(string title, IEnumerable<double> expected, bool mean = false)
        {
            double[] values = [.. expected];
            ScoreTable table = run.Tables.Single(table => table.Title == title);
            Assert.That(table.Rows[0].Values, Is.EqualTo(mean ? [.. values, values.Average()] : values).Within(1e-9), title);
            Assert.That(table.Columns, Has.Count.EqualTo(table.Rows[0].Values.Count));
        }

        // Easy, hard, tough, illum, view, mean.
        static IEnumerable<double> Columns(Func<string, Func<int, double>> score) => Enumerable.Range(0, 3).Select(score(""))
            .Concat(new[] { "i_", "v_", "" }.Select(kind => Enumerable.Range(0, 3).Average(score(kind))));
    }

    [Test]
    public void PerfectDescriptorsScoreOne()
    {
        EvaluationRun run = Evaluate(new HPatchesOptions(), new RawDescriber());

        // The flat row of a sequence is the same in all of its strips, and in every other sequence.
        Assert.That(run.Tables[0].Rows[0].Values[1], Is.EqualTo(1).Within(1e-9));
        Assert.That(run.Tables[0].Rows[0].Values[0], Is.GreaterThan(0.95));
        Assert.That(run.Tables[0].Rows[0].Values[2], Is.GreaterThan(0.95));
    }

    [Test]
    public void DescriptorsThatDoNotFitIntoMemoryScoreTheSame()
    {
        var method = new FewPixels(2, 60);
        EvaluationRun once = Evaluate(new HPatchesOptions { Tasks = HPatchesTask.Verification }, method);
        foreach (long limit in new[] { 1L, 2 * 6 * 70 * 2 * sizeof(float) })
        {
            EvaluationRun parts = Evaluate(new HPatchesOptions { Tasks = HPatchesTask.Verification, MemoryLimit = limit }, method);
            Assert.That(parts.ToCsv(), Is.EqualTo(once.ToCsv()));
        }
    }

    [Test]
    public void ScoresOfPairsTakePartInVerificationAlone()
    {
        var method = new FewPixels(2, 60);
        EvaluationRun described = Evaluate(new HPatchesOptions(), method);
        foreach (long limit in new[] { 1L, long.MaxValue })
        {
            EvaluationRun both = Evaluate(new HPatchesOptions { MemoryLimit = limit }, method, new ScoreOf(method));
            foreach (ScoreTable table in both.Tables.Where(table => table.Title.StartsWith("verification", StringComparison.Ordinal)))
            {
                Assert.That(table.Rows.Select(row => row.Method), Is.EqualTo(new[] { method.Name, "score" }));
                Assert.That(table.Rows[1].Values, Is.EqualTo(described.Tables.Single(other => other.Title == table.Title).Rows[0].Values), table.Title);
            }

            Assert.That(both.Tables[0].Rows[1].Values.Skip(1), Is.EqualTo(new double?[] { null, null }));
            Assert.That(both.Tables[0].Rows[0].Values, Is.EqualTo(described.Tables[0].Rows[0].Values));
            Assert.That(both.Tables.Single(table => table.Title == "matching, mAP").Rows, Has.Count.EqualTo(1));
            Assert.That(both.Settings["left out"], Does.Contain("matching and retrieval of score"));
            Assert.That((both.Methods[1].Dimension, both.Methods[1].IsBinary), Is.EqualTo((0, false)));
        }

        EvaluationRun alone = Evaluate(new HPatchesOptions(), new ScoreOf(method));
        Assert.That(alone.Tables[0].Columns, Is.EqualTo(new[] { "verification" }));
        Assert.That(alone.Tables[0].Rows[0].Values[0], Is.EqualTo(described.Tables[0].Rows[0].Values[0]));
        Assert.That(() => Evaluate(new HPatchesOptions { Tasks = HPatchesTask.Matching | HPatchesTask.Retrieval }, new ScoreOf(method)),
            Throws.ArgumentException.With.Message.Contains("score scores pairs"));
    }

    [Test]
    public void TasksAndMethodsMayBeChosen()
    {
        EvaluationRun run = Evaluate(new HPatchesOptions { Tasks = HPatchesTask.Matching, Split = "view" }, new FewBits(), new Constant());
        Assert.That(run.Tables.Select(table => table.Title), Has.All.Contains("mAP").Or.Contains("right"));
        Assert.That(run.Tables[0].Columns, Is.EqualTo(new[] { "matching" }));
        ScoreTable overall = run.Tables.Single(table => table.Title == "matching, mAP");
        Assert.That(overall.Rows.Select(row => row.Method), Is.EqualTo(new[] { "16 bits", "constant" }));
        Assert.That((overall.Rows[0].Values[3], overall.Rows[0].Values[4]), Is.EqualTo(((double?)null, overall.Rows[0].Values[5])));
        Assert.That(run.Curves, Is.Empty);
        Assert.That(run.Tables.Single(table => table.Title == "matching, mAP by sequence, easy").Columns, Is.EqualTo(new[] { "v_c", "v_d", "mean" }));
    }

    [Test]
    public void DrawnTasksTakeThePlaceOfMissingFiles()
    {
        var options = new HPatchesOptions { Split = "full", Pairs = 100, Queries = 10, Distractors = 30 };
        EvaluationRun run = Evaluate(options, new FewPixels(6, 20));
        Assert.That(run.Settings["verification pairs"], Does.Contain("seed 42").And.Contain("100"));
        Assert.That(run.Settings["retrieval patches"], Does.Contain("10 queries"));
        Assert.That(run.Tables.SelectMany(table => table.Rows[0].Values), Is.All.InRange(0.0, 1.0));
    }

    [Test]
    public void DamagedStripsAreNamed()
    {
        string path = folder["i_b/t4.png"];
        byte[] whole = File.ReadAllBytes(path);
        try
        {
            File.WriteAllBytes(path, whole[..(whole.Length / 2)]);
            Assert.That(() => Evaluate(new HPatchesOptions(), new FewBits()), Throws.TypeOf<InvalidDataException>().With.Message.Contains("t4.png"));
            HPatchesFolder.WriteStrip(path, HPatchesFolder.MakeStrip(24, 8));
            Assert.That(
                () => Evaluate(new HPatchesOptions(), new FewBits()),
                Throws.TypeOf<InvalidDataException>().With.Message.Contains("t4.png").And.Message.Contains("24"));
        }
        finally
        {
            File.WriteAllBytes(path, whole);
        }
    }

    [Test]
    public void DescriptorsInTheBenchmarksFormScoreLikeTheMethodThatMadeThem([Values(',', ';', '\t', ' ')] char separator)
    {
        using TemporaryFolder descriptors = WriteDescriptors(separator);
        EvaluationRun run = Evaluate(new HPatchesOptions(), new FewPixels(6, 20), new HPatchesDescriptors("stored", descriptors.Path));
        foreach (ScoreTable table in run.Tables)
        {
            Assert.That(table.Rows[1].Method, Is.EqualTo("stored"));
            Assert.That(table.Rows[1].Values, Is.EqualTo(table.Rows[0].Values), table.Title);
        }

        Assert.That(run.Methods[1], Is.EqualTo(new EvaluatedMethod("stored", 6, IsBinary: false)));
        Assert.That(run.Curves, Has.Count.EqualTo(12));
    }

    [Test]
    public void DescriptorFilesThatDoNotFitAreNamed()
    {
        using TemporaryFolder descriptors = WriteDescriptors(',');
        string path = descriptors["i_b/t4.csv"], whole = File.ReadAllText(path);
        Refused(whole[..whole.LastIndexOf(',')], "t4.csv", "line 25", "5 numbers", "6");
        Refused(whole[..whole.LastIndexOf('\n', whole.Length - 2)] + "\n\n", "t4.csv", "line 25", "''");
        Refused(whole[..(whole.Length / 2)].TrimEnd('\n')[..^12], "t4.csv");
        Refused(whole + "1,2,3,4,5,6\n", "t4.csv", "more lines", "25");
        Refused("1,2,3,4,5,6\n", "t4.csv", "1 lines", "25");
        Refused("1,2,3,4,5,nan\n" + whole, "t4.csv", "line 1", "'nan'");
        Refused("0,5;1;2\n" + whole, "t4.csv", "line 1", "'0,5'");
        File.WriteAllText(path, whole + "\n \n");
        Assert.That(() => Evaluate(new HPatchesOptions(), new HPatchesDescriptors("stored", descriptors.Path)), Throws.Nothing);
        File.Delete(path);
        Assert.That(
            () => Evaluate(new HPatchesOptions(), new HPatchesDescriptors("stored", descriptors.Path)),
            Throws.TypeOf<FileNotFoundException>().With.Message.Contains("t4.csv").And.Message.Contains("16 strips"));
        Assert.That(() => new HPatchesDescriptors("stored", folder.Path), Throws.TypeOf<FileNotFoundException>().With.Message.Contains("ref.csv"));
        Assert.That(() => new HPatchesDescriptors("stored", folder["none"]), Throws.TypeOf<DirectoryNotFoundException>().With.Message.Contains("none"));

        void Refused(string text, params string[] words)
        {
            File.WriteAllText(path, text);
            string message = Assert.Throws<InvalidDataException>(() => Evaluate(new HPatchesOptions(), new HPatchesDescriptors("stored", descriptors.Path)))!.Message;
            Assert.That(words, Is.All.Matches<string>(word => message.Contains(word!, StringComparison.Ordinal)), message);
        }
    }

    [Test]
    public void CancellationStops() => Assert.That(
        () => new HPatchesEvaluation(HPatchesDataset.Open(folder.Path), device, new HPatchesOptions())
            .Evaluate([new FewBits()], cancellation: new CancellationToken(canceled: true)),
        Throws.InstanceOf<OperationCanceledException>());

    // Those of FewPixels(6, 20).
    private TemporaryFolder WriteDescriptors(char separator)
    {
        var descriptors = new TemporaryFolder();
        var data = HPatchesDataset.Open(folder.Path);
        foreach (string sequence in Sequences)
        {
            Directory.CreateDirectory(descriptors[sequence]);
            foreach (string name in HPatchesDataset.StripNames)
            {
                PatchStrip strip = data.ReadStrip(sequence, name);
                IEnumerable<string> lines = new FewPixels(6, 20).Describe(strip.Pixels, strip.Side).Values!.Chunk(6).Select(row => string.Join(separator, row));
                File.WriteAllLines(descriptors[$"{sequence}/{name}.csv"], lines);
            }
        }

        return descriptors;
    }

    private EvaluationRun Evaluate(HPatchesOptions options, params IPatchMethod[] methods) =>
        new HPatchesEvaluation(HPatchesDataset.Open(folder.Path), device, options).Evaluate(methods);
}
