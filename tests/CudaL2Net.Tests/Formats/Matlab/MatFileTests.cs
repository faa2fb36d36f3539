using CudaL2Net.Formats.Matlab;

namespace CudaL2Net.Tests.Formats.Matlab;

public sealed class MatFileTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void MakeFolder() => folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    [Test]
    public void ArraysTextsCellsAndStructsAreRead([Values] bool compressed)
    {
        IReadOnlyDictionary<string, MatValue> variables = Read(MatFiles.Of(
            compressed,
            ("a", new MatFiles.Array([1, 2, 3, 4, 5, 6], 2, 3)),
            ("t", "text"),
            ("n", 7.0),
            ("c", new object[] { "one", new Dictionary<string, object> { ["x"] = 1.0, ["y"] = new object[] { "deep" } } })));
        var array = (MatArray)variables["a"];
        Assert.That((array.Shape, array.Values, array.IsText), Is.EqualTo((new[] { 2, 3 }, new float[] { 1, 2, 3, 4, 5, 6 }, false)));
        Assert.That(((MatArray)variables["t"]).Text, Is.EqualTo("text"));
        Assert.That(((MatArray)variables["n"]).Values, Is.EqualTo(new[] { 7f }));
        var cell = (MatCell)variables["c"];
        Assert.That(((MatArray)cell.Items[0]).Text, Is.EqualTo("one"));
        Assert.That(((MatArray)((MatCell)cell.Items[1].Field("y")!).Items[0]).Text, Is.EqualTo("deep"));
        Assert.That((cell.Items[1].Field("z"), cell.Items[0].Field("z")), Is.EqualTo(((MatValue?)null, (MatValue?)null)));
    }

    [TestCase(1, 1, new byte[] { 255 }, -1)]
    [TestCase(2, 1, new byte[] { 255 }, 255)]
    [TestCase(3, 2, new byte[] { 254, 255 }, -2)]
    [TestCase(4, 2, new byte[] { 1, 1 }, 257)]
    [TestCase(5, 4, new byte[] { 253, 255, 255, 255 }, -3)]
    [TestCase(6, 4, new byte[] { 0, 0, 1, 0 }, 65536)]
    [TestCase(12, 8, new byte[] { 252, 255, 255, 255, 255, 255, 255, 255 }, -4)]
    [TestCase(13, 8, new byte[] { 5, 0, 0, 0, 0, 0, 0, 0 }, 5)]
    [TestCase(9, 8, new byte[] { 0, 0, 0, 0, 0, 0, 248, 63 }, 1.5)]
    public void NumbersAreReadInEveryTypeThatStoresThem(int type, int size, byte[] bytes, double expected)
    {
        Assert.That(bytes, Has.Length.EqualTo(size));
        IReadOnlyDictionary<string, MatValue> read = Read([.. MatFiles.Of(false), .. MatFiles.Matrix(6, "x", [1, 1], MatFiles.Element(type, bytes))]);
        Assert.That(((MatArray)read["x"]).Values, Is.EqualTo(new[] { (float)expected }));
    }

    [Test]
    public void TextOfUtf8AndWhatIsNotReadDoNotHideTheRest()
    {
        IReadOnlyDictionary<string, MatValue> read = Read([
            .. MatFiles.Of(false), .. MatFiles.Matrix(4, "t", [1, 2], MatFiles.Element(16, "\u00e4\u20ac"u8.ToArray())), .. MatFiles.Matrix(5, "sparse", [2, 2], []),
            .. MatFiles.Matrix("n", 3.0)]);
        Assert.That(((MatArray)read["t"]).Text, Is.EqualTo("\u00e4\u20ac"));
        Assert.That((read["sparse"].GetType(), ((MatArray)read["n"]).Values[0]), Is.EqualTo((typeof(MatOther), 3f)));
    }

    [Test]
    public void FilesOfScipyAndOfH5pyHoldTheSame()
    {
        string golden = Path.Combine(Repository.Folder, "tests", "golden");
        IReadOnlyDictionary<string, MatValue> five = MatFile.Read(Path.Combine(golden, "small5.mat")), seven = MatFile.Read(Path.Combine(golden, "small73.mat"));
        Assert.That(seven.Keys, Is.EquivalentTo(five.Keys));
        Assert.That((((MatArray)five["note"]).Text, ((MatArray)seven["note"]).Text), Is.EqualTo(("by scipy", "by h5py")));
        foreach (string variable in new[] { "net", "netCen", "pixMean", "pixMeanCen", "empty" })
        {
            Same(five[variable], seven[variable], variable);
        }

        var filters = (MatArray)((MatCell)((MatCell)seven["net"].Field("layers")!).Items[0].Field("weights")!).Items[0];
        Assert.That(filters.Shape, Is.EqualTo(new[] { 32, 32, 1, 3 }));
        Assert.That(filters.Values.Max(Math.Abs), Is.InRange(0.05f, 0.1f));

        static void Same(MatValue a, MatValue b, string where)
        {
            switch ((a, b))
            {
                case (MatArray x, MatArray y):
                    Assert.That((y.IsText, y.Values), Is.EqualTo((x.IsText, x.Values)), where);
                    Assert.That(y.Shape.Where(size => size != 1), Is.EqualTo(x.Shape.Where(size => size != 1)), where);
                    break;
                case (MatCell x, MatCell y):
                    Assert.That(y.Items, Has.Count.EqualTo(x.Items.Count), where);
                    for (int i = 0; i < x.Items.Count; i++)
                    {
                        Same(x.Items[i], y.Items[i], $"{where}{{{i}}}");
                    }

                    break;
                case (MatStruct x, MatStruct y):
                    Assert.That(y.Fields.Keys, Is.EquivalentTo(x.Fields.Keys), where);
                    foreach (string field in x.Fields.Keys)
                    {
                        Same(x.Fields[field], y.Fields[field], $"{where}.{field}");
                    }

                    break;
                default:
                    Assert.Fail($"{where}: {a.GetType().Name} and {b.GetType().Name}");
                    break;
            }
        }
    }

    [Test]
    public void CutsOfEveryKindAreNoticed([Values("small5.mat", "small73.mat")] string name)
    {
        byte[] whole = File.ReadAllBytes(Path.Combine(Repository.Folder, "tests", "golden", name));
        foreach (int length in Enumerable.Range(0, 60).Select(i => whole.Length * i / 60).Append(whole.Length - 1).Except([128]))
        {
            Refused(whole[..length], "");
        }
    }

    [Test]
    public void HostileFilesAreRefused()
    {
        byte[] header = MatFiles.Of(false);
        Refused("MATLAB 4"u8.ToArray(), "HDF5 signature");
        Refused([.. header[..126], (byte)'M', (byte)'I'], "big-endian");
        Refused([.. header, .. MatFiles.Matrix(6, "x", [1 << 20, 1 << 20], MatFiles.Element(2, [1]))], "more elements");
        Refused([.. header, .. MatFiles.Matrix(6, "x", [-1, 1], MatFiles.Element(2, [1]))], "size -1");
        Refused([.. header, .. MatFiles.Matrix(6, "x", [2, 1], MatFiles.Element(2, [1]))], "2 elements");
        Refused([.. header, .. MatFiles.Matrix(6, "x", [1, 1], MatFiles.Element(99, [1]))], "type 99");
        Refused([.. header, .. MatFiles.Packed([14, 0, 0, 0, 0, 0, 0, 120, 1])], "claim to be");
        byte[] noise = new byte[1 << 17];
        new Random(1).NextBytes(noise);
        Refused([.. header, .. MatFiles.Packed([14, 0, 0, 0, .. BitConverter.GetBytes(1 << 27), .. noise])], "far more content");
        Refused([.. header, .. MatFiles.Packed([.. BitConverter.GetBytes(14), 200, 0, 0, 0, 1, 2])], "too early");
        byte[] deep = MatFiles.Matrix("", 1.0);
        for (int i = 0; i < 60; i++)
        {
            deep = MatFiles.Matrix(1, "", [1, 1], deep);
        }

        Refused([.. header, .. deep], "deep");
        Assert.That(() => MatFile.Read(folder["none.mat"]), Throws.TypeOf<FileNotFoundException>().With.Message.Contains("none.mat"));
    }

    // Small nodes may lie in one another, so that a file of a megabyte could hold thousands of millions of names.
    [Test]
    public void ATreeOfOneLeafManyTimesIsRefused()
    {
        const int Start = 512, RootTree = Start + 80, Entries = ushort.MaxValue;
        byte[] whole = File.ReadAllBytes(Path.Combine(Repository.Folder, "tests", "golden", "small73.mat"));
        int tree = (int)BitConverter.ToInt64(whole, RootTree);
        byte[] leaf = whole[(Start + tree + 32)..(Start + tree + 40)];
        byte[] address = BitConverter.GetBytes(whole.Length - (long)Start);
        Refused(
            [
                .. Replaced(whole, BitConverter.GetBytes((long)tree), address), .. "TREE"u8, 0, 0, .. BitConverter.GetBytes((ushort)Entries), .. new byte[16],
                .. Enumerable.Repeat((byte[])[0, 0, 0, 0, 0, 0, 0, 0, .. leaf], Entries).SelectMany(entry => entry),
            ],
            "in one another");

        static byte[] Replaced(byte[] bytes, byte[] from, byte[] to)
        {
            byte[] replaced = [.. bytes];
            for (int at = replaced.AsSpan().IndexOf(from); at >= 0; at = replaced.AsSpan().IndexOf(from))
            {
                to.CopyTo(replaced, at);
            }

            return replaced;
        }
    }

    // Every byte of the superblock, of headers and trees, changed in several ways: an error with the name, or a result.
    [Test]
    public void DamageToHdf5NeverEndsInAnotherException()
    {
        byte[] whole = File.ReadAllBytes(Path.Combine(Repository.Folder, "tests", "golden", "small73.mat"));
        int refused = 0;
        for (int at = 512; at < 6000; at += 3)
        {
            byte[] damaged = [.. whole];
            damaged[at] = (byte)(at % 2 == 0 ? damaged[at] ^ 255 : damaged[at] + 1);
            File.WriteAllBytes(folder["m.mat"], damaged);
            try
            {
                MatFile.Read(folder["m.mat"]);
            }
            catch (InvalidDataException error) when (error.Message.Contains("m.mat", StringComparison.Ordinal))
            {
                refused++;
            }
        }

        Assert.That(refused, Is.GreaterThan(300));
    }

    private IReadOnlyDictionary<string, MatValue> Read(byte[] file)
    {
        File.WriteAllBytes(folder["m.mat"], file);
        return MatFile.Read(folder["m.mat"]);
    }

    private void Refused(byte[] file, string reason)
    {
        File.WriteAllBytes(folder["m.mat"], file);
        Assert.That(() => MatFile.Read(folder["m.mat"]), Throws.TypeOf<InvalidDataException>().With.Message.Contains("m.mat").And.Message.Contains(reason), $"{file.Length} bytes");
    }
}
