using System.Buffers.Binary;
using System.Text;
using CudaL2Net.Formats;

namespace CudaL2Net.Tests.Formats;

public sealed class NpyFileTests
{
    [Test]
    public void WhatIsWrittenIsReadBack()
    {
        using var folder = new TemporaryFolder();
        NpyFile.Write<float>(folder["f.npy"], [1, float.NaN, -3, 4, 5, 6], 2, 3);
        NpyArray floats = NpyFile.Read(folder["f.npy"]);
        Assert.That(floats.Shape.ToArray(), Is.EqualTo(new[] { 2, 3 }));
        Assert.That(floats.AsSpan<float>().ToArray(), Is.EqualTo(new[] { 1, float.NaN, -3, 4, 5, 6 }));
        NpyFile.Write<byte>(folder["b.npy"], [1, 255], 2);
        Assert.That(NpyFile.Read(folder["b.npy"]).AsSpan<byte>().ToArray(), Is.EqualTo(new byte[] { 1, 255 }));
        NpyFile.Write<int>(folder["i.npy"], [], 0, 7);
        NpyArray empty = NpyFile.Read(folder["i.npy"]);
        Assert.That(empty.ElementType, Is.EqualTo(typeof(int)));
        Assert.That(empty.Shape.ToArray(), Is.EqualTo(new[] { 0, 7 }));
    }

    [Test]
    public void TheHeaderIsWhatNumPyWrites()
    {
        using var folder = new TemporaryFolder();
        NpyFile.Write<float>(folder["f.npy"], [1, 2, 3], 3);
        byte[] file = File.ReadAllBytes(folder["f.npy"]);
        Assert.That(file, Has.Length.EqualTo(128 + 12));
        Assert.That(file[..10], Is.EqualTo(new byte[] { 0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59, 1, 0, 118, 0 }));
        Assert.That(Encoding.ASCII.GetString(file, 10, 118), Is.EqualTo("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }".PadRight(117) + "\n"));
        Assert.That(BitConverter.ToSingle(file, 128), Is.EqualTo(1f));
    }

    [Test]
    public void RowsAreAppendedAndAppearWithCompletion()
    {
        using var folder = new TemporaryFolder();
        using (var writer = new NpyWriter<float>(folder["rows.npy"], 2))
        {
            writer.Append([1, 2]);
            writer.Append([3, 4, 5, 6]);
            Assert.That(() => writer.Append([7]), Throws.ArgumentException);
            Assert.That(File.Exists(folder["rows.npy"]), Is.False);
            writer.Complete();
        }

        NpyArray array = NpyFile.Read(folder["rows.npy"]);
        Assert.That(array.Shape.ToArray(), Is.EqualTo(new[] { 3, 2 }));
        Assert.That(array.ToFloats(), Is.EqualTo(new[] { 1f, 2, 3, 4, 5, 6 }));
        using (var writer = new NpyWriter<byte>(folder["abandoned.npy"], 2))
        {
            writer.Append([1, 2]);
        }

        Assert.That(Directory.GetFileSystemEntries(folder.Path), Has.Length.EqualTo(1));
    }

    [TestCase("|b1", new byte[] { 1, 0 }, new[] { 1f, 0 })]
    [TestCase("|u1", new byte[] { 7, 255 }, new[] { 7f, 255 })]
    [TestCase("|i1", new byte[] { 7, 255 }, new[] { 7f, -1 })]
    [TestCase("<u2", new byte[] { 1, 2, 255, 255 }, new[] { 513f, 65535 })]
    [TestCase(">u2", new byte[] { 1, 2, 255, 255 }, new[] { 258f, 65535 })]
    [TestCase("<i2", new byte[] { 1, 2, 255, 255 }, new[] { 513f, -1 })]
    [TestCase("<f2", new byte[] { 0, 0x3C, 0, 0xC0 }, new[] { 1f, -2 })]
    [TestCase("<u4", new byte[] { 255, 255, 255, 255, 1, 0, 0, 0 }, new[] { 4294967295f, 1 })]
    [TestCase("<i4", new byte[] { 255, 255, 255, 255, 1, 0, 0, 0 }, new[] { -1f, 1 })]
    [TestCase(">f4", new byte[] { 0x3F, 0x80, 0, 0, 0xC0, 0, 0, 0 }, new[] { 1f, -2 })]
    [TestCase("<i8", new byte[] { 254, 255, 255, 255, 255, 255, 255, 255, 3, 0, 0, 0, 0, 0, 0, 0 }, new[] { -2f, 3 })]
    [TestCase("<u8", new byte[] { 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0 }, new[] { 2f, 3 })]
    [TestCase("<f8", new byte[] { 0, 0, 0, 0, 0, 0, 0xF0, 0x3F, 0, 0, 0, 0, 0, 0, 0, 0xC0 }, new[] { 1f, -2 })]
    public void EveryElementTypeIsRead(string descr, byte[] data, float[] expected)
    {
        for (int version = 1; version <= 3; version++)
        {
            Assert.That(Read($"{{'descr': '{descr}', 'fortran_order': False, 'shape': (2,), }}", data, version).ToFloats(), Is.EqualTo(expected));
        }
    }

    [Test]
    public void FortranOrderIsTurned()
    {
        // Value v[i, j, k] = 100 i + 10 j + k of a 2 x 3 x 2 array, first index fastest.
        byte[] data = [0, 100, 10, 110, 20, 120, 1, 101, 11, 111, 21, 121];
        NpyArray array = Read("{'shape': (2, 3, 2), 'fortran_order': True, 'descr': '|u1'}", data);
        Assert.That(array.AsSpan<byte>().ToArray(), Is.EqualTo(new byte[] { 0, 1, 10, 11, 20, 21, 100, 101, 110, 111, 120, 121 }));
    }

    [TestCase("{'descr': '<u2', 'fortran_order': False, 'shape': (2, 1), }")]
    [TestCase("{\"descr\": \"<u2\", \"fortran_order\": False, \"shape\": (2, 1), }")]
    [TestCase("{'descr': '<u2', 'fortran_order': False, 'shape': (2L, 1L), }")]
    [TestCase("{'shape': (2L,1), 'descr': 'u2','fortran_order':False}                                  ")]
    [TestCase("  { 'descr' : \"=u2\" , 'fortran_order' : False , 'shape' : ( 2 , 1 , ) , }  ")]
    public void HeadersAreReadAsPython2And3AndPeopleWriteThem(string header)
    {
        for (int version = 1; version <= 3; version++)
        {
            NpyArray array = Read(header, [1, 0, 2, 1], version);
            Assert.That(array.Shape.ToArray(), Is.EqualTo(new[] { 2, 1 }));
            Assert.That(array.AsSpan<ushort>().ToArray(), Is.EqualTo(new ushort[] { 1, 258 }));
        }
    }

    [Test]
    public void AnArrayOfManyDimensionsIsRefusedAtOnce()
    {
        string Ones(int rank) => $"{{'descr': '|u1', 'fortran_order': True, 'shape': ({string.Concat(Enumerable.Repeat("1, ", rank))}), }}";
        Assert.That(Read(Ones(32), [7]).ToFloats(), Is.EqualTo(new[] { 7f }));
        Assert.That(() => Read(Ones(33), [7]), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("33 dimensions"));
        Assert.That(() => Read(Ones(200_000), [7], 2), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("200000 dimensions"));
    }

    [TestCase("{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", "Python objects")]
    [TestCase("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (2,), }", "records")]
    [TestCase("{'descr': '<c8', 'fortran_order': False, 'shape': (2,), }", "'<c8' is not supported")]
    [TestCase("{'descr': '<U2', 'fortran_order': False, 'shape': (2,), }", "'<U2' is not supported")]
    [TestCase("{'descr': '', 'fortran_order': False, 'shape': (2,), }", "'' is not supported")]
    [TestCase("{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", "needs 3 bytes")]
    [TestCase("{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }", "needs 1 bytes")]
    [TestCase("{'descr': '<f8', 'fortran_order': False, 'shape': (2000000000, 2000000000), }", "needs too many bytes")]
    [TestCase("{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999,), }", "shape (99999999999,)")]
    [TestCase("{'descr': '|u1', 'fortran_order': False, 'shape': (-2,), }", "not understood")]
    [TestCase("{'descr': '|u1', 'fortran_order': False, }", "'shape'")]
    [TestCase("{'descr': '|u1', 'shape': (2,), }", "'fortran_order'")]
    [TestCase("{'fortran_order': False, 'shape': (2,), }", "'descr'")]
    [TestCase("{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (2,), }", "'descr' twice")]
    [TestCase("{'descr': '|u1', 'fortran_order': False, 'shape': (2,), ", "not understood")]
    [TestCase("", "not understood")]
    public void ADamagedHeaderIsRefusedWithItsReason(string header, string reason) =>
        Assert.That(() => Read(header, [1, 2]), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("test.npy").And.Message.Contains(reason));

    [Test]
    public void AFileCutAnywhereIsRefused()
    {
        byte[] whole = Build("{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }", [1, 2], 1);
        for (int length = 0; length < whole.Length; length++)
        {
            Assert.That(
                () => NpyFile.Read(new MemoryStream(whole[..length]), "test.npy"),
                Throws.InstanceOf<InvalidDataException>().With.Message.Contains("test.npy"), $"{length} bytes");
        }

        whole[6] = 4;
        Assert.That(() => NpyFile.Read(new MemoryStream(whole), "test.npy"), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("4.0"));
    }

    [Test]
    public void TheFirstValueThatIsNotFiniteIsFound()
    {
        Assert.That(NpyArray.FirstNonFinite([1, 2, float.PositiveInfinity, float.NaN]), Is.EqualTo(2));
        Assert.That(NpyArray.FirstNonFinite([1, float.NaN]), Is.EqualTo(1));
        Assert.That(NpyArray.FirstNonFinite([1, -2, 0]), Is.EqualTo(-1));
    }

    [Test]
    public void AnotherElementTypeIsRefused()
    {
        NpyArray array = Read("{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }", [1, 2]);
        Assert.That(() => array.AsSpan<sbyte>().ToArray(), Throws.ArgumentException.With.Message.Contains("Byte"));
        Assert.That(() => NpyFile.Write<double>("never.npy", [1], 1), Throws.InstanceOf<NotSupportedException>());
        Assert.That(() => NpyFile.Write<float>("never.npy", [1], 2), Throws.ArgumentException.With.Message.Contains("[2]"));
    }

    private static NpyArray Read(string header, byte[] data, int version = 1) => NpyFile.Read(new MemoryStream(Build(header, data, version)), "test.npy");

    private static byte[] Build(string header, byte[] data, int version)
    {
        byte[] text = Encoding.Latin1.GetBytes(header + "\n"), length = new byte[version == 1 ? 2 : 4];
        if (version == 1)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(length, (ushort)text.Length);
        }
        else
        {
            BinaryPrimitives.WriteInt32LittleEndian(length, text.Length);
        }

        return [0x93, .. "NUMPY"u8, (byte)version, 0, .. length, .. text, .. data];
    }
}
