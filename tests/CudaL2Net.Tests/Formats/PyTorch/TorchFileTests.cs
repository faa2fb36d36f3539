using System.IO.Compression;
using System.Text;
using CudaL2Net.Formats.PyTorch;

namespace CudaL2Net.Tests.Formats.PyTorch;

public sealed class TorchFileTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void MakeFolder() => folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    [Test]
    public void BothFormatsGiveTheTensorsByNameWithTheirShapes([Values] bool zip)
    {
        Write(zip, [TorchFiles.Floats("conv.weight", "10", [1, 2, 3, 4, 5, 6], 2, 3), TorchFiles.Floats("conv.bias", "2", [-1.5f], 1)]);
        IReadOnlyDictionary<string, TorchTensor> tensors = TorchFile.Read(folder["m.pth"]);
        Assert.That(tensors.Keys, Is.EqualTo(new[] { "conv.weight", "conv.bias" }));
        Assert.That(tensors["conv.weight"].Shape.ToArray(), Is.EqualTo(new[] { 2, 3 }));
        Assert.That(tensors["conv.weight"].ToFloats(), Is.EqualTo(new float[] { 1, 2, 3, 4, 5, 6 }));
        Assert.That(tensors["conv.bias"].ToFloats(), Is.EqualTo(new[] { -1.5f }));
    }

    [Test]
    public void ViewsOfAStorageFollowOffsetAndStrides([Values] bool zip)
    {
        byte[] bytes = [.. Enumerable.Range(0, 12).SelectMany(i => BitConverter.GetBytes((float)i))];
        Write(zip, [
            new("turned", "FloatStorage", "0", bytes, 12, 1, [3, 2], [1, 4]),
            new("row", "FloatStorage", "0", bytes, 12, 8, [4], [1]),
            new("number", "FloatStorage", "0", bytes, 12, 7, [], []),
            new("empty", "FloatStorage", "0", bytes, 12, 0, [0, 3], [3, 1]),
        ]);
        IReadOnlyDictionary<string, TorchTensor> tensors = TorchFile.Read(folder["m.pth"]);
        Assert.That(tensors["turned"].ToFloats(), Is.EqualTo(new float[] { 1, 5, 2, 6, 3, 7 }));
        Assert.That(tensors["row"].ToFloats(), Is.EqualTo(new float[] { 8, 9, 10, 11 }));
        Assert.That((tensors["number"].ToFloats()[0], tensors["number"].Shape.Length, tensors["empty"].ToFloats().Length), Is.EqualTo((7f, 0, 0)));
    }

    [Test]
    public void EveryElementTypeBecomesFloats()
    {
        (string Storage, byte[] Bytes, int Size)[] types =
        [
            ("DoubleStorage", BitConverter.GetBytes(-2.5), 8), ("HalfStorage", BitConverter.GetBytes((Half)(-2.5)), 2), ("BFloat16Storage", [0x20, 0xc0], 2),
            ("LongStorage", BitConverter.GetBytes(-2L), 8), ("IntStorage", BitConverter.GetBytes(-2), 4), ("ShortStorage", BitConverter.GetBytes((short)-2), 2),
            ("CharStorage", [0xfe], 1), ("ByteStorage", [0xfe], 1), ("BoolStorage", [1], 1),
        ];
        Write(false, types.Select((type, i) => new TorchFiles.Entry(type.Storage, type.Storage, $"{i}", type.Bytes, 1, 0, [1], [1])));
        IReadOnlyDictionary<string, TorchTensor> tensors = TorchFile.Read(folder["m.pth"]);
        Assert.That(types.Select(type => tensors[type.Storage].ToFloats()[0]), Is.EqualTo(new[] { -2.5f, -2.5f, -2.5f, -2, -2, -2, -2, 254, 1 }));
    }

    [TestCase(true, "state_dict")]
    [TestCase(false, "model")]
    [TestCase(true, "model_state_dict")]
    [TestCase(false, "net")]
    [TestCase(true, "encoder")]
    public void DictionariesInCheckpointsAreFound(bool zip, string name)
    {
        Write(zip, [TorchFiles.Floats("w", "0", [4], 1)], pickle => TorchFiles.Under(name, pickle));
        Assert.That(TorchFile.Read(folder["m.pth"])["w"].ToFloats(), Is.EqualTo(new float[] { 4 }));
    }

    [Test]
    public void DictionariesInDictionariesAreFoundAndPrefixesOfAllNamesDropped([Values] bool zip)
    {
        TorchFiles.Entry[] entries = [TorchFiles.Floats("module.a.weight", "0", [4], 1), TorchFiles.Floats("module.b", "1", [5], 1)];
        Write(zip, entries, pickle => TorchFiles.Under("net", TorchFiles.Under("state_dict", pickle)));
        Assert.That(TorchFile.Read(folder["m.pth"]).Keys, Is.EqualTo(new[] { "a.weight", "b" }));
        Write(zip, [.. entries, TorchFiles.Floats("other", "2", [6], 1)]);
        Assert.That(TorchFile.Read(folder["m.pth"]).Keys, Is.EqualTo(new[] { "module.a.weight", "module.b", "other" }));
    }

    [Test]
    public void OfSeveralNetworksNoneIsGuessed()
    {
        Write(true, [TorchFiles.Floats("w", "0", [4], 1)], pickle => TorchFiles.Dictionary(("generator", pickle), ("discriminator", pickle)));
        Refused("generator", "discriminator", "one network");
        Write(true, [TorchFiles.Floats("w", "0", [4], 1)], pickle => TorchFiles.Dictionary(("generator", pickle), ("optimizer", pickle)));
        Assert.That(TorchFile.Read(folder["m.pth"]).Keys, Is.EqualTo(new[] { "w" }));
    }

    [Test]
    public void EveryWholeNumberIsReadInEveryFormThatPythonWrites([Values("int", "long1", "long4", "text")] string form)
    {
        // Python 2 writes a long as LONG1, and an integer beyond 32 bits as text.
        byte[] Number(int value) => form switch
        {
            "long1" => value == 0 ? [0x8a, 0] : [0x8a, 9, .. BitConverter.GetBytes((long)value), 0],
            "long4" => [0x8b, 8, 0, 0, 0, .. BitConverter.GetBytes((long)value)],
            "text" => [(byte)'I', .. Encoding.ASCII.GetBytes($"{value}\n")],
            _ => TorchFiles.Number(value),
        };
        byte[] bytes = [.. Enumerable.Range(0, 6).SelectMany(i => BitConverter.GetBytes((float)i))];
        Write(true, [new("w", "FloatStorage", "0", bytes, 6, 1, [2, 2], [1, 2])], _ => TorchFiles.Dictionary(
            ("w", TorchFiles.Tensor(new("w", "FloatStorage", "0", bytes, 6, 1, [2, 2], [1, 2]), Number)), ("epoch", Number(70_000)), ("nothing", Number(0))));
        Assert.That(TorchFile.Read(folder["m.pth"])["w"].ToFloats(), Is.EqualTo(new float[] { 1, 3, 2, 4 }));
    }

    [Test]
    public void AnOrderedDictionaryIsReadAsPython2WritesIt([Values] bool zip)
    {
        // OrderedDict([["w", tensor], ["b", tensor]]): a call with a list of lists.
        TorchFiles.Entry w = TorchFiles.Floats("w", "0", [1, 2], 2), b = TorchFiles.Floats("b", "1", [3], 1);
        byte[] Pair(TorchFiles.Entry entry) =>
            [(byte)']', (byte)'(', (byte)'U', 1, (byte)entry.Name[0], .. TorchFiles.Tensor(entry, TorchFiles.Number), (byte)'e'];
        Write(zip, [w, b], _ =>
            [.. TorchFiles.Global("collections", "OrderedDict"), (byte)']', (byte)'(', .. Pair(w), .. Pair(b), (byte)'e', 0x85, (byte)'R']);
        IReadOnlyDictionary<string, TorchTensor> tensors = TorchFile.Read(folder["m.pth"]);
        Assert.That(tensors["w"].ToFloats().Concat(tensors["b"].ToFloats()), Is.EqualTo(new float[] { 1, 2, 3 }));
    }

    [Test]
    public void WhatStandsBesideTheWeightsIsIgnored([Values] bool zip)
    {
        // numpy.float64(1.5), argparse.Namespace(lr=2), an object of an old class, a set, what torch.save keeps of a module's source, a view of a storage.
        byte[] type = [.. TorchFiles.Global("numpy", "dtype"), .. TorchFiles.Text("f8"), (byte)'K', 0, (byte)'K', 1, 0x87, (byte)'R', (byte)'K', 3, 0x85, (byte)'b'];
        byte[] scalar = [.. TorchFiles.Global("numpy.core.multiarray", "scalar"), .. type, (byte)'U', 8, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0x86, (byte)'R'];
        byte[] space = [.. TorchFiles.Global("argparse", "Namespace"), (byte)')', 0x81, (byte)'}', .. TorchFiles.Text("lr"), (byte)'K', 2, (byte)'s', (byte)'b'];
        byte[] old = [(byte)'(', .. TorchFiles.Global("my.code", "Settings"), (byte)'K', 1, (byte)'o', (byte)'}', (byte)'b'];
        byte[] set = [.. TorchFiles.Global("__builtin__", "set"), (byte)']', (byte)'K', 1, (byte)'a', 0x85, (byte)'R'];
        byte[] list = [.. TorchFiles.Global("collections", "deque"), (byte)')', (byte)'R', (byte)'(', (byte)'K', 1, (byte)'e'];
        byte[] source = [(byte)'(', .. TorchFiles.Text("module"), .. TorchFiles.Global("my.code", "Net"), .. TorchFiles.Text("class Net"), (byte)'t', (byte)'Q'];
        Write(zip, [TorchFiles.Floats("w", "0", [4], 1)], pickle => TorchFiles.Dictionary(
            ("best", scalar), ("args", space), ("old", old), ("set", set), ("history", list), ("source", source), ("state_dict", pickle)));
        Assert.That(TorchFile.Read(folder["m.pth"])["w"].ToFloats(), Is.EqualTo(new float[] { 4 }));
    }

    [Test]
    public void NothingIsExecuted([Values] bool zip)
    {
        // os.system("touch ran"): what a hostile pickle does, beside the weights and in their place.
        byte[] hostile = [.. TorchFiles.Global("os", "system"), .. TorchFiles.Text($"touch {folder["ran"]}"), 0x85, (byte)'R'];
        Write(zip, [TorchFiles.Floats("w", "0", [4], 1)], pickle => [.. hostile, (byte)'0', .. pickle]);
        Assert.That(TorchFile.Read(folder["m.pth"])["w"].ToFloats(), Is.EqualTo(new float[] { 4 }));
        Write(zip, [TorchFiles.Floats("w", "0", [4], 1)], _ => hostile);
        Refused("os.system", "without running");
        Assert.That(File.Exists(folder["ran"]), Is.False);
    }

    [Test]
    public void ObjectsAndWholeModulesAreRefused()
    {
        Write(true, [TorchFiles.Floats("w", "0", [4], 1)], _ => TorchFiles.Global("torch.nn.modules.container", "Sequential"));
        Refused("torch.nn.modules.container.Sequential", "state_dict()");
        Write(true, [TorchFiles.Floats("w", "0", [4], 1)], _ => [(byte)'K', 1]);
        Refused("no dictionary of tensors");
        Write(false, [TorchFiles.Floats("w", "0", [4], 1)], _ => [0x97]);
        Refused("0x97");
    }

    [Test]
    public void TensorsThatShareAStorageTakeNoMemoryUntilTheyAreAskedFor()
    {
        const int Names = 2000, Elements = 200_000;
        byte[] bytes = new byte[Elements * sizeof(float)];
        Write(true, Enumerable.Range(0, Names).Select(i => new TorchFiles.Entry($"{i}", "FloatStorage", "0", bytes, Elements, 0, [Elements], [1])));
        long before = GC.GetAllocatedBytesForCurrentThread();
        IReadOnlyDictionary<string, TorchTensor> tensors = TorchFile.Read(folder["m.pth"]);
        Assert.That((tensors.Count, tensors["1999"].ToFloats().Length), Is.EqualTo((Names, Elements)));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(20_000_000));
    }

    [Test]
    public void ATensorHasAtMost32Dimensions([Values(32, 33, 100_000)] int rank)
    {
        int[] ones = [.. Enumerable.Repeat(1, rank)];
        Write(true, [new("w", "FloatStorage", "0", new byte[4], 1, 0, ones, ones)]);
        if (rank > 32)
        {
            Refused($"{rank} dimensions");
        }
        else
        {
            Assert.That(TorchFile.Read(folder["m.pth"])["w"].Count, Is.EqualTo(1));
        }
    }

    [TestCase(0xffff_ffff)]
    [TestCase(0x7fff_ffff)]
    public void SizesThatTheFileCannotHaveAreRefused(long size)
    {
        Write(true, [TorchFiles.Floats("w", "0", [4], 1)]);
        byte[] file = File.ReadAllBytes(folder["m.pth"]);
        for (int at = 0; (at = IndexOf(file, "PK\u0001\u0002"u8, at)) >= 0; at++)
        {
            BitConverter.TryWriteBytes(file.AsSpan(at + 20), (uint)size);
            BitConverter.TryWriteBytes(file.AsSpan(at + 24), (uint)size);
        }

        File.WriteAllBytes(folder["m.pth"], file);
        Refused();
    }

    [Test]
    public void AFileOfAnotherKindIsNamed()
    {
        File.WriteAllText(folder["m.pth"], "version https://git-lfs.github.com/spec/v1");
        Refused("Git LFS", "git lfs pull");
        File.WriteAllBytes(folder["m.pth"], [0x93, .. "NUMPY"u8, 1, 0]);
        Refused("a NumPy file");
    }

    [Test]
    public void ADictionaryThatHoldsItselfEndsTheSearch()
    {
        // d = {}; d["net"] = d; d["x"] = d
        byte[] recall = [(byte)'h', 9];
        Write(true, [TorchFiles.Floats("w", "0", [4], 1)], _ =>
            [(byte)'}', (byte)'q', 9, (byte)'(', .. TorchFiles.Text("net"), .. recall, .. TorchFiles.Text("x"), .. recall, (byte)'u']);
        Refused("no dictionary of tensors");
    }

    [TestCase(5, 0, 1, "beyond")]
    [TestCase(4, 0, 2, "beyond")]
    [TestCase(2, 3, 1, "beyond")]
    [TestCase(2, 0, 100, "beyond")]
    [TestCase(8, 0, 0, "needs more")]
    [TestCase(2, -1, 1, "beyond")]
    [TestCase(2, 0, -1, "impossible")]
    [TestCase(2, int.MaxValue, int.MaxValue, "beyond")]
    [TestCase(-1, 0, 1, "impossible")]
    public void TensorsMustLieInTheirStorage(int size, int offset, int stride, string explanation)
    {
        Write(true, [new("w", "FloatStorage", "0", new byte[16], 4, offset, [size], [stride])]);
        Refused(explanation);
    }

    [Test]
    public void SizesAndStridesWhoseProductsDoNotFitAreRefused()
    {
        int[] large = [.. Enumerable.Repeat(int.MaxValue, 32)];
        Write(true, [new("w", "FloatStorage", "0", new byte[16], 4, 0, large, large)]);
        Refused("beyond");
    }

    [Test]
    public void EveryCutIsExplained([Values] bool zip)
    {
        Write(zip, [TorchFiles.Floats("w", "0", [1, 2, 3, 4], 2, 2)]);
        byte[] whole = File.ReadAllBytes(folder["m.pth"]);
        for (int length = 0; length < whole.Length; length += 1 + (length / 40))
        {
            File.WriteAllBytes(folder["m.pth"], whole[..length]);
            Refused();
        }
    }

    [Test]
    public void NoByteThatIsWrongEscapesTheChecks([Values] bool zip)
    {
        Write(zip, [TorchFiles.Floats("w", "0", [1, 2, 3, 4], 2, 2)]);
        byte[] whole = File.ReadAllBytes(folder["m.pth"]);
        var random = new Random(1);
        for (int i = 0; i < whole.Length; i++)
        {
            byte[] damaged = [.. whole];
            damaged[i] ^= (byte)(1 + random.Next(255));
            File.WriteAllBytes(folder["m.pth"], damaged);
            Assert.That(Outcome(), Is.EqualTo("read").Or.EqualTo(nameof(InvalidDataException)), $"byte {i}");
        }

        string Outcome()
        {
            try
            {
                return TorchFile.Read(folder["m.pth"]).Count > 0 ? "read" : "nothing";
            }
            catch (Exception error)
            {
                return error.GetType().Name;
            }
        }
    }

    [Test]
    public void CompressedArchivesAndMissingStoragesAreRefused()
    {
        TorchFiles.WriteZip(folder["m.pth"], [TorchFiles.Floats("w", "0", new float[1000], 1000)], level: CompressionLevel.SmallestSize);
        Refused("compressed");
        Write(true, [TorchFiles.Floats("w", "0", [4], 1)]);
        using (ZipArchive archive = ZipFile.Open(folder["m.pth"], ZipArchiveMode.Update))
        {
            archive.GetEntry("model/data/0")!.Delete();
        }

        Refused("data/0");
        Assert.That(() => TorchFile.Read(folder["none.pth"]), Throws.TypeOf<FileNotFoundException>().With.Message.Contains("none.pth"));
    }

    [Test]
    [Category("Data")]
    public void TheRealTFeatFileIsRead()
    {
        string? data = Environment.GetEnvironmentVariable("CUDAL2NET_DATA");
        string path = Path.Combine(data ?? string.Empty, "weights", "tfeat-liberty.params");
        if (data is null || !File.Exists(path))
        {
            Assert.Ignore("CUDAL2NET_DATA names no folder with weights/tfeat-liberty.params");
        }

        IReadOnlyDictionary<string, TorchTensor> tensors = TorchFile.Read(path);
        Assert.That(tensors["features.4.weight"].Shape.ToArray(), Is.EqualTo(new[] { 64, 32, 6, 6 }));
        Assert.That(tensors.Values.Max(tensor => tensor.ToFloats().Max(Math.Abs)), Is.InRange(0.1f, 10f));
        Assert.That(tensors["descr.0.weight"].ToFloats().Average(Math.Abs), Is.InRange(1e-3, 1.0));
    }

    private static int IndexOf(byte[] bytes, ReadOnlySpan<byte> sought, int from)
    {
        int at = bytes.AsSpan(from).IndexOf(sought);
        return at < 0 ? at : at + from;
    }

    private void Write(bool zip, IEnumerable<TorchFiles.Entry> entries, Func<byte[], byte[]>? nest = null)
    {
        if (zip)
        {
            TorchFiles.WriteZip(folder["m.pth"], entries, nest);
        }
        else
        {
            TorchFiles.WriteLegacy(folder["m.pth"], entries, nest);
        }
    }

    private void Refused(params string[] words)
    {
        InvalidDataException? error = Assert.Throws<InvalidDataException>(() => TorchFile.Read(folder["m.pth"]));
        foreach (string word in words.Append("m.pth"))
        {
            Assert.That(error?.Message, Does.Contain(word));
        }
    }
}
