using CudaL2Net.Imaging.Data;

namespace CudaL2Net.Tests.Imaging.Data;

public sealed class HPatchesTasksTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void MakeFolder() => folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    [Test]
    public void RandomNumbersAreNumPys()
    {
        var random = new NumpyRandom(42);
        int[] drawn = [.. Enumerable.Range(0, 10).Select(_ => random.UpTo(99))];
        Assert.That(drawn, Is.EqualTo(new[] { 51, 92, 14, 71, 60, 20, 82, 86, 74, 74 }), "randint(0, 100, 10)");
        int[] items = new int[10];
        new NumpyRandom(42).TwoOf(items);
        Assert.That(items, Is.EqualTo(new[] { 8, 1, 5, 0, 7, 2, 9, 4, 3, 6 }), "permutation(10)");
        Assert.That(new NumpyRandom(5489).NextUInt(), Is.EqualTo(3499211612), "the Mersenne Twister's first number");
    }

    // Drawn with another program (Python) by the rule of the benchmark's python code.
    [Test]
    public void PairsAreDrawnInTheOrderOfThePythonCode()
    {
        WriteThree();
        VerificationPairs pairs = new HPatchesTasks(HPatchesDataset.Open(folder.Path), "full").Verification(6);
        (int S, int T1, int I1, int T2, int I2, int So, int Io)[] expected =
        [
            (2, 4, 4, 2, 7, 0, 8), (0, 0, 10, 2, 9, 0, 11), (2, 2, 1, 0, 7, 1, 3), (2, 0, 1, 2, 5, 2, 8), (0, 0, 5, 4, 2, 0, 0), (0, 4, 11, 2, 10, 1, 0),
        ];
        Assert.That(pairs.Matches, Is.EqualTo(expected.Select(x => new HPatchesPair(new(x.S, x.T1, x.I1), new(x.S, x.T2, x.I1)))));
        Assert.That(pairs.IntraNegatives, Is.EqualTo(expected.Select(x => new HPatchesPair(new(x.S, x.T1, x.I1), new(x.S, x.T2, x.I2)))));
        Assert.That(pairs.InterNegatives, Is.EqualTo(expected.Select(x => new HPatchesPair(new(x.S, x.T1, x.I1), new(x.So, x.T2, x.Io)))));
    }

    [Test]
    public void DrawnQueriesAndDistractorsShowSomethingAndDoNotRepeat()
    {
        WriteThree(flatRow: 5);
        RetrievalTask task = new HPatchesTasks(HPatchesDataset.Open(folder.Path), "full").Retrieval(8, 100);
        Assert.That(task.Queries, Has.Length.EqualTo(8).And.Unique);
        Assert.That(task.Distractors, Has.Length.EqualTo(12 + 7 + 9 - 3 - 8).And.Unique, "all that are neither flat nor queries");
        Assert.That(task.Queries.Intersect(task.Distractors), Is.Empty);
        Assert.That(task.Queries.Concat(task.Distractors), Has.None.Matches<HPatchesPatch>(patch => patch.Row == 5 || patch.Image != 0));
        Assert.That(task.Source, Does.Contain("seed 42"));
    }

    [Test]
    public void TaskFilesAreTakenWhereTheyAre([Values("", "tasks")] string place)
    {
        WriteThree();
        Directory.CreateDirectory(folder["tasks"]);
        HPatchesFolder.WriteTasks(Path.Combine(folder.Path, place), "full", ["i_a", "v_b", "v_c"], [12, 7, 9], 10, 4, 6);
        var tasks = new HPatchesTasks(HPatchesDataset.Open(folder.Path), "full");
        VerificationPairs pairs = tasks.Verification();
        RetrievalTask retrieval = tasks.Retrieval();
        Assert.That((pairs.Matches.Length, pairs.IntraNegatives.Length, pairs.InterNegatives.Length), Is.EqualTo((10, 10, 10)));
        Assert.That((retrieval.Queries.Length, retrieval.Distractors.Length), Is.EqualTo((4, 6)));
        Assert.That(pairs.Source, Does.Contain("verif_pos_split-full.csv"));
        Assert.That(tasks.Verification(5).Matches, Has.Length.EqualTo(5));
        string[] line = File.ReadAllLines(Path.Combine(folder.Path, place, "verif_neg_inter_split-full.csv"))[4].Split(',');
        HPatchesPair pair = pairs.InterNegatives[3];
        string[] found =
        [
            tasks.Sequences[pair.First.Sequence], $"{pair.First.Image}", $"{pair.First.Row}",
            tasks.Sequences[pair.Second.Sequence], $"{pair.Second.Image}", $"{pair.Second.Row}",
        ];
        Assert.That(found, Is.EqualTo(line));
    }

    [TestCase("i_a,0,3,i_a,1", "6 fields")]
    [TestCase("i_x,0,3,i_a,1,3", "'i_x'")]
    [TestCase("i_a,6,3,i_a,1,3", "'6'")]
    [TestCase("i_a,0,12,i_a,1,3", "'12'")]
    [TestCase("i_a,0,-1,i_a,1,3", "'-1'")]
    public void DamagedLinesAreNamed(string line, string explanation)
    {
        WriteThree();
        HPatchesFolder.WriteTasks(folder.Path, "full", ["i_a", "v_b", "v_c"], [12, 7, 9], 10, 4, 6);
        string path = folder["verif_neg_intra_split-full.csv"];
        File.WriteAllLines(path, [.. File.ReadAllLines(path).Take(7), line]);
        Assert.That(
            () => new HPatchesTasks(HPatchesDataset.Open(folder.Path), "full").Verification(),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("verif_neg_intra_split-full.csv, line 8").And.Message.Contains(explanation));
    }

    [Test]
    public void MissingAndEmptyTaskFilesAreNamed()
    {
        WriteThree();
        HPatchesFolder.WriteTasks(folder.Path, "full", ["i_a", "v_b", "v_c"], [12, 7, 9], 10, 4, 6);
        var tasks = new HPatchesTasks(HPatchesDataset.Open(folder.Path), "full");
        File.WriteAllText(folder["retr_queries_split-full.csv"], "s,idx\n");
        Assert.That(() => tasks.Retrieval(), Throws.TypeOf<InvalidDataException>().With.Message.Contains("retr_queries"));
        File.WriteAllText(folder["retr_queries_split-full.csv"], "i_a,1\n");
        Assert.That(() => tasks.Retrieval(), Throws.TypeOf<InvalidDataException>().With.Message.Contains("line 1"));
        File.Delete(folder["retr_queries_split-full.csv"]);
        Assert.That(() => tasks.Retrieval(), Throws.TypeOf<FileNotFoundException>().With.Message.Contains("retr_queries_split-full.csv is missing"));
    }

    [Test]
    public void SplitsComeFromTheirFileOrFromTheNames()
    {
        WriteThree();
        var data = HPatchesDataset.Open(folder.Path);
        Assert.That(data.ReadTestSequences("full"), Is.EqualTo(new[] { "i_a", "v_b", "v_c" }));
        Assert.That(data.ReadTestSequences("illum"), Is.EqualTo(new[] { "i_a" }));
        Assert.That(data.ReadTestSequences("view"), Is.EqualTo(new[] { "v_b", "v_c" }));
        Assert.That(() => data.ReadTestSequences("a"), Throws.TypeOf<FileNotFoundException>().With.Message.Contains("splits.json"));
        File.WriteAllText(folder["splits.json"], """{"a": {"test": ["v_c", "i_a"]}, "b": {"test": ["v_c", "v_c"]}}""");
        Assert.That(data.ReadTestSequences("a"), Is.EqualTo(new[] { "v_c", "i_a" }));
        Assert.That(() => data.ReadTestSequences("b"), Throws.TypeOf<InvalidDataException>().With.Message.Contains("twice"));
        Assert.That(() => data.ReadTestSequences("c"), Throws.TypeOf<InvalidDataException>().With.Message.Contains("'c'"));
    }

    [Test]
    [Category("Data")]
    public void TheOfficialQueriesAreOfTheSequencesDrawnHere()
    {
        string? root = Environment.GetEnvironmentVariable("CUDAL2NET_DATA");
        string path = Path.Combine(root ?? string.Empty, "hpatches", "tasks", "retr_queries_split-a.csv");
        if (root is null || !File.Exists(path))
        {
            Assert.Ignore("set CUDAL2NET_DATA to a folder with hpatches/tasks/retr_queries_split-a.csv");
        }

        using var splits = System.Text.Json.JsonDocument.Parse(File.ReadAllBytes(Path.Combine(root!, "hpatches", "tasks", "splits.json")));
        string[] test = [.. splits.RootElement.GetProperty("a").GetProperty("test").EnumerateArray().Select(name => name.GetString()!)];
        string[] official = [.. File.ReadAllLines(path).Skip(1).Select(line => line.Split(',')[0])];
        var random = new NumpyRandom(HPatchesTasks.Seed);
        int drawn = 0;
        foreach (string sequence in official)
        {
            // Patches that show too little fell out, so some draws have no query; each query has its draw.
            do
            {
                drawn++;
            }
            while (test[random.UpTo(test.Length - 1)] != sequence);
        }

        Assert.That((official.Length, drawn), Is.EqualTo((10_000, 12_155)));
    }

    private void WriteThree(int flatRow = -1)
    {
        HPatchesFolder.Write(folder["i_a"], 12, seed: 1, flatRow);
        HPatchesFolder.Write(folder["v_b"], 7, seed: 2, flatRow);
        HPatchesFolder.Write(folder["v_c"], 9, seed: 3, flatRow);
    }
}
