using System.IO.Compression;
using CudaL2Net.Formats;

namespace CudaL2Net.Tests.Formats;

public sealed class NpyRowsTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void MakeFolder() => folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    [Test]
    public void RowsComeInBlocksAndAreThoseOfTheWholeArray()
    {
        float[] values = [.. Enumerable.Range(0, 7 * 6).Select(i => i / 4f)];
        NpyFile.Write<float>(folder["a.npy"], values, 7, 2, 3);
        using (ZipArchive archive = ZipFile.Open(folder["a.npz"], ZipArchiveMode.Create))
        {
            archive.CreateEntryFromFile(folder["a.npy"], "a.npy");
        }

        foreach (string file in new[] { "a.npy", "a.npz" })
        {
            var rows = NpyRows.Open(folder[file]);
            Assert.That(rows.Shape.ToArray(), Is.EqualTo(new[] { 7, 2, 3 }));
            Assert.That(rows.RowBytes, Is.EqualTo(24));
            for (int pass = 0; pass < 2; pass++)
            {
                NpyArray[] blocks = [.. rows.Read(3)];
                Assert.That(blocks.Select(block => block.Shape[0]), Is.EqualTo(new[] { 3, 3, 1 }), file);
                Assert.That(blocks.SelectMany(block => block.ToFloats()), Is.EqualTo(values), file);
            }
        }
    }

    [Test]
    public void RowsThatDoNotLieTogetherComeAtOnce()
    {
        File.WriteAllBytes(folder["f.npy"], [0x93, .. "NUMPY"u8, 1, 0, 70, 0, .. "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }".PadRight(70).Select(c => (byte)c), 1, 4, 2, 5, 3, 6]);
        NpyArray block = NpyRows.Open(folder["f.npy"]).Read(1).Single();
        Assert.That(block.AsSpan<byte>().ToArray(), Is.EqualTo(new byte[] { 1, 2, 3, 4, 5, 6 }));
    }

    [Test]
    public void AWrongLengthIsRefusedBeforeTheFirstRow()
    {
        NpyFile.Write<byte>(folder["a.npy"], new byte[40], 10, 4);
        byte[] whole = File.ReadAllBytes(folder["a.npy"]);
        File.WriteAllBytes(folder["a.npy"], whole[..^1]);
        Assert.That(() => NpyRows.Open(folder["a.npy"]), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("39"));
    }

    [Test]
    public void AnArchiveDamagedInALaterRowIsRefusedThere()
    {
        NpyFile.Write<byte>(folder["a.npy"], new byte[40], 10, 4);
        using (ZipArchive archive = ZipFile.Open(folder["a.npz"], ZipArchiveMode.Create))
        {
            archive.CreateEntryFromFile(folder["a.npy"], "a.npy", CompressionLevel.NoCompression);
        }

        byte[] file = File.ReadAllBytes(folder["a.npz"]);
        file[file.AsSpan().IndexOf(new byte[40]) + 39] ^= 1;
        File.WriteAllBytes(folder["a.npz"], file);
        Assert.That(() => NpyRows.Open(folder["a.npz"]).Read(2).Count(), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("checksum"));
    }
}
