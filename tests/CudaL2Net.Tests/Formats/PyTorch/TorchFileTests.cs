using System.IO.Compression;
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
        Assert.That(tensors["conv.weight"].Shape, Is.EqualTo(new[] { 2, 3 }));
        Assert.That(tensors["conv.weight"].Values, Is.EqualTo(new float[] { 1, 2, 3, 4, 5, 6 }));
        Assert.That(tensors["conv.bias"].Values, Is.EqualTo(new[] { -1.5f }));
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
        Assert.That(tensors["turned"].Values, Is.EqualTo(new float[] { 1, 5, 2, 6, 3, 7 }));
        Assert.That(tensors["row"].Values, Is.EqualTo(new float[] { 8, 9, 10, 11 }));
        Assert.That((tensors["number"].Values[0], tensors["number"].Shape.Length, tensors["empty"].Values.Length), Is.EqualTo((7f, 0, 0)));
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
        Assert.That(types.Select(type => tensors[type.Storage].Values[0]), Is.EqualTo(new[] { -2.5f, -2.5f, -2.5f, -2, -2, -2, -2, 254, 1 }));
    }

    [TestCase(true, "state_dict")]
    [TestCase(false, "model")]
    public void DictionariesInCheckpointsAreFound(bool zip, string name)
    {
        Write(zip, [TorchFiles.Floats("w", "0", [4], 1)], pickle => TorchFiles.Under(name, pickle));
        Assert.That(TorchFile.Read(folder["m.pth"])["w"].Values, Is.EqualTo(new float[] { 4 }));
    }

    [Test]
    public void NothingIsExecuted([Values] bool zip)
    {
        // os.system("touch ran"): what a hostile pickle does.
        byte[] hostile = [.. TorchFiles.Global("os", "system"), .. TorchFiles.Text($"touch {folder["ran"]}"), 0x85, (byte)'R'];
        Write(zip, [TorchFiles.Floats("w", "0", [4], 1)], pickle => [.. hostile, (byte)'0', .. pickle]);
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
        Write(false, [TorchFiles.Floats("w", "0", [4], 1)], _ => [0x81]);
        Refused("0x81");
    }

    [TestCase(5, 0, 1, "impossible")]
    [TestCase(4, 0, 2, "beyond")]
    [TestCase(2, 3, 1, "beyond")]
    [TestCase(2, 0, 100, "impossible")]
    [TestCase(-1, 0, 1, "impossible")]
    public void TensorsMustLieInTheirStorage(int size, int offset, int stride, string explanation)
    {
        Write(true, [new("w", "FloatStorage", "0", new byte[16], 4, offset, [size], [stride])]);
        Refused(explanation);
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
                return TorchFile.Read(folder["m.pth"]).Count >= 0 ? "read" : "nothing";
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
        Assert.That(tensors["features.4.weight"].Shape, Is.EqualTo(new[] { 64, 32, 6, 6 }));
        Assert.That(tensors.Values.Max(tensor => tensor.Values.Max(Math.Abs)), Is.InRange(0.1f, 10f));
        Assert.That(tensors["descr.0.weight"].Values.Average(Math.Abs), Is.InRange(1e-3, 1.0));
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
