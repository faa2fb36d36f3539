using System.IO.Compression;
using CudaL2Net.Formats;

namespace CudaL2Net.Tests.Formats;

public sealed class NpzFileTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void MakeFolder() => folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    [Test]
    public void TheOnlyArrayIsReadStoredAndCompressed([Values] CompressionLevel level)
    {
        Write(level, ("patches", [.. Enumerable.Range(0, 3000).Select(i => (byte)(i / 7))]));
        NpyArray array = NpzFile.Read(folder["a.npz"]);
        Assert.That(array.Shape.ToArray(), Is.EqualTo(new[] { 3000 }));
        Assert.That(array.AsSpan<byte>()[2999], Is.EqualTo(unchecked((byte)(2999 / 7))));
    }

    [Test]
    public void OfSeveralArraysOneIsChosenByItsName()
    {
        Write(CompressionLevel.Fastest, ("x", [1, 2]), ("labels", [3]));
        Assert.That(NpzFile.Read(folder["a.npz"], "labels").ToFloats(), Is.EqualTo(new[] { 3f }));
        Refused(null, "2 arrays: x, labels", "a.npz:x");
        Refused("y", "no array 'y'", "x, labels");
        Write(CompressionLevel.Fastest);
        Refused(null, "no arrays");
    }

    [Test]
    public void EveryFlippedBitAndEveryCutIsRefusedOrChangesNothing([Values(CompressionLevel.NoCompression, CompressionLevel.Fastest)] CompressionLevel level)
    {
        byte[] values = [.. Enumerable.Range(0, 40).Select(i => (byte)(i * i))];
        Write(level, ("x", values));
        byte[] whole = File.ReadAllBytes(folder["a.npz"]);
        for (int bit = 0; bit < whole.Length * 8; bit += 3)
        {
            byte[] damaged = [.. whole];
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            RefusedOrEqual(damaged, values, $"bit {bit}");
        }

        for (int length = 0; length < whole.Length; length += 5)
        {
            RefusedOrEqual(whole[..length], values, $"{length} bytes");
        }
    }

    [Test]
    public void ASizeThatTheDataCannotHaveIsRefusedBeforeMemoryIsTaken()
    {
        Write(CompressionLevel.Fastest, ("x", [1]));
        byte[] file = File.ReadAllBytes(folder["a.npz"]);

        // The size stands in the central directory, 24 bytes behind its signature.
        int directory = file.AsSpan().LastIndexOf("PK\u0001\u0002"u8);
        BitConverter.TryWriteBytes(file.AsSpan(directory + 24), 0x7000_0000);
        File.WriteAllBytes(folder["a.npz"], file);
        Refused(null, "claims 1879048192 bytes");
    }

    private void RefusedOrEqual(byte[] file, byte[] values, string what)
    {
        File.WriteAllBytes(folder["a.npz"], file);
        try
        {
            Assert.That(NpzFile.Read(folder["a.npz"]).AsSpan<byte>().ToArray(), Is.EqualTo(values), what);
        }
        catch (InvalidDataException error)
        {
            Assert.That(error.Message, Does.Contain("a.npz"), what);
        }
    }

    private void Refused(string? array, params string[] words)
    {
        InvalidDataException? error = Assert.Throws<InvalidDataException>(() => NpzFile.Read(folder["a.npz"], array));
        foreach (string word in words)
        {
            Assert.That(error?.Message, Does.Contain(word).And.Contain("a.npz"));
        }
    }

    private void Write(CompressionLevel level, params (string Name, byte[] Values)[] arrays)
    {
        File.Delete(folder["a.npz"]);
        using ZipArchive archive = ZipFile.Open(folder["a.npz"], ZipArchiveMode.Create);
        foreach ((string name, byte[] values) in arrays)
        {
            NpyFile.Write<byte>(folder["entry.npy"], values, values.Length);
            archive.CreateEntryFromFile(folder["entry.npy"], name + ".npy", level);
        }
    }
}
