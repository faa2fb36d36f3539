using System.Buffers.Binary;
using System.Text;
using CudaL2Net.Formats;

namespace CudaL2Net.Tests.Formats;

public sealed class SafetensorsFileTests
{
    private const string TwoTensors = """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}}""";

    [Test]
    public void WhatIsWrittenIsReadBack()
    {
        using var folder = new TemporaryFolder();
        var tensors = new Dictionary<string, SafetensorsTensor>
        {
            ["weights"] = SafetensorsTensor.From<float>([1.5f, float.NaN, float.NegativeInfinity, -0f, 3e-45f, 7f], 2, 3),
            ["half"] = SafetensorsTensor.FromRoundedToHalf([0.1f, 65504f], 2),
            ["double"] = SafetensorsTensor.From<double>([0.1], 1),
            ["position"] = SafetensorsTensor.From<int>([-7, 8], 2),
            ["seed"] = SafetensorsTensor.From<ulong>([ulong.MaxValue]),
            ["bytes"] = SafetensorsTensor.From<byte>([1, 2, 3], 3),
            ["flag"] = SafetensorsTensor.From<bool>([true]),
            ["empty"] = SafetensorsTensor.From<float>([], 0, 5),
        };
        var metadata = new Dictionary<string, string> { ["z"] = "last", ["a \"quoted\" ünïcode 図"] = "line\nbreak" };
        SafetensorsFile.Write(folder["m.safetensors"], tensors, metadata);
        SafetensorsFile file = SafetensorsFile.Read(folder["m.safetensors"]);

        Assert.That(file.Metadata, Is.EquivalentTo(metadata));
        Assert.That(file.Tensors.Keys, Is.EquivalentTo(tensors.Keys));
        foreach ((string name, SafetensorsTensor tensor) in tensors)
        {
            Assert.That(file.Tensors[name].Dtype, Is.EqualTo(tensor.Dtype), name);
            Assert.That(file.Tensors[name].Shape.ToArray(), Is.EqualTo(tensor.Shape.ToArray()), name);
            Assert.That(file.Tensors[name].Data.ToArray(), Is.EqualTo(tensor.Data.ToArray()), name);
        }

        Assert.That(file.ReadFloats("weights", 2, 3)[..2], Is.EqualTo(new[] { 1.5f, float.NaN }));
        Assert.That(file.ReadFloats("half", 2), Is.EqualTo(new[] { (float)(Half)0.1f, 65504f }));
        Assert.That(file.ReadFloats("double", 1), Is.EqualTo(new[] { 0.1f }));
        Assert.That(file.ReadArray<int>("position", 2), Is.EqualTo(new[] { -7, 8 }));
        Assert.That(file.ReadArray<ulong>("seed"), Is.EqualTo(new[] { ulong.MaxValue }));
    }

    [Test]
    public void TheSameContentGivesTheSameAlignedBytesInWhateverOrder()
    {
        using var folder = new TemporaryFolder();
        Dictionary<string, string> xy = new() { ["x"] = "1", ["y"] = "2" }, yx = new() { ["y"] = "2", ["x"] = "1" };
        SafetensorsTensor a = SafetensorsTensor.From<byte>([1, 2, 3], 3), b = SafetensorsTensor.From<double>([4], 1), c = SafetensorsTensor.From<float>([5], 1);
        SafetensorsFile.Write(folder["1"], new Dictionary<string, SafetensorsTensor> { ["a"] = a, ["b"] = b, ["c"] = c }, xy);
        SafetensorsFile.Write(folder["2"], new Dictionary<string, SafetensorsTensor> { ["c"] = c, ["b"] = b, ["a"] = a }, yx);
        byte[] bytes = File.ReadAllBytes(folder["1"]);
        Assert.That(bytes, Same.As(File.ReadAllBytes(folder["2"])));
        long header = BinaryPrimitives.ReadInt64LittleEndian(bytes);
        Assert.That(header % 8, Is.Zero);
        Assert.That(BitConverter.ToDouble(bytes, 8 + (int)header), Is.EqualTo(4d));
        Assert.That(BitConverter.ToSingle(bytes, 16 + (int)header), Is.EqualTo(5f));
        Assert.That(bytes[(20 + (int)header)..], Is.EqualTo(new byte[] { 1, 2, 3 }));
    }

    [Test]
    public void ReadsBf16AndAForeignOrderOfTensorsAndKeys()
    {
        const string Header = """{"b":{"data_offsets":[4,5],"shape":[],"dtype":"I8"},"a":{"shape":[2,1],"dtype":"BF16","data_offsets":[0,4]},"""
            + "\"__metadata__\":{\"format\":\"pt\"}}   ";
        SafetensorsFile file = Read(Header, [0x80, 0x3F, 0x40, 0xC0, 0xFF]);
        Assert.That(file.ReadFloats("a", 2, 1), Is.EqualTo(new[] { 1f, -3f }));
        Assert.That(file.ReadArray<sbyte>("b"), Is.EqualTo(new sbyte[] { -1 }));
        Assert.That(file.Metadata["format"], Is.EqualTo("pt"));
    }

    [Test]
    public void AnotherShapeTypeOrNameIsNamed()
    {
        SafetensorsFile file = Read(TwoTensors, new byte[11]);
        Assert.That(
            () => file.ReadFloats("a", 3),
            Throws.InstanceOf<InvalidDataException>().With.Message.Contains("test.safetensors").And.Message.Contains("'a' should have shape [3] but has [2]"));
        Assert.That(() => file.ReadFloats("b", 3), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("'b'").And.Message.Contains("U8"));
        Assert.That(() => file.ReadArray<int>("a", 2), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("'a'").And.Message.Contains("I32"));
        Assert.That(() => file.ReadFloats("c", 3), Throws.InstanceOf<InvalidDataException>().With.Message.Contains("'c' is missing"));
    }

    [Test]
    public void AFileCutAnywhereIsRefused()
    {
        byte[] whole = Build(TwoTensors, new byte[11]);
        for (int length = 0; length < whole.Length; length++)
        {
            Assert.That(
                () => SafetensorsFile.Read(new MemoryStream(whole[..length]), "test.safetensors"),
                Throws.InstanceOf<InvalidDataException>().With.Message.Contains("test.safetensors"), $"{length} bytes");
        }

        Assert.That(SafetensorsFile.Read(new MemoryStream(whole), "test.safetensors").Tensors, Has.Count.EqualTo(2));
    }

    [TestCase("""[]""", 0, "does not start with '{'")]
    [TestCase(""" {}""", 0, "does not start with '{'")]
    [TestCase("", 0, "does not start with '{'")]
    [TestCase("""{}x""", 0, "not valid JSON")]
    [TestCase("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}""", 8, "not valid JSON")]
    [TestCase("""{"__metadata__":{"a":"\ud800"}}""", 0, "not valid JSON")]
    [TestCase("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}""", 2, "not valid JSON")]
    [TestCase("""{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", 1, "not valid JSON")]
    [TestCase("""{"__metadata__":{"k":"1","k":"2"}}""", 0, "not valid JSON")]
    [TestCase("""{"__metadata__":{"k":1}}""", 0, "metadata 'k' is not a string")]
    [TestCase("""{"__metadata__":["k"]}""", 0, "is not a map")]
    [TestCase("""{"a":7}""", 0, "entry of tensor 'a'")]
    [TestCase("""{"a":{"dtype":"U8","shape":[1]}}""", 1, "entry of tensor 'a'")]
    [TestCase("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"more":1}}""", 1, "entry of tensor 'a'")]
    [TestCase("""{"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}}""", 4, "unknown dtype \"F31\"")]
    [TestCase("""{"a":{"dtype":"f32","shape":[1],"data_offsets":[0,4]}}""", 4, "unknown dtype")]
    [TestCase("""{"a":{"dtype":"1","shape":[1],"data_offsets":[0,1]}}""", 1, "unknown dtype")]
    [TestCase("""{"a":{"dtype":1,"shape":[1],"data_offsets":[0,1]}}""", 1, "unknown dtype")]
    [TestCase("""{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}""", 1, "shape of tensor 'a'")]
    [TestCase("""{"a":{"dtype":"U8","shape":[1.5],"data_offsets":[0,1]}}""", 1, "shape of tensor 'a'")]
    [TestCase("""{"a":{"dtype":"U8","shape":["1"],"data_offsets":[0,1]}}""", 1, "shape of tensor 'a'")]
    [TestCase("""{"a":{"dtype":"U8","shape":1,"data_offsets":[0,1]}}""", 1, "shape of tensor 'a'")]
    [TestCase("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}}""", 1, "data_offsets of tensor 'a'")]
    [TestCase("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[-1,0]}}""", 1, "data_offsets of tensor 'a'")]
    [TestCase("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}""", 1, "needs 1 bytes")]
    [TestCase("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,7]}}""", 7, "needs 8 bytes")]
    [TestCase("""{"a":{"dtype":"F64","shape":[2147483647,2147483647,2147483647],"data_offsets":[0,8]}}""", 8, "needs too many bytes")]
    [TestCase("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[3,7]}}""", 7, "'b' overlaps")]
    [TestCase("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[5,9]}}""", 9,
        "hole of 1 bytes before tensor 'b'")]
    [TestCase("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[1,5]}}""", 5, "hole of 1 bytes before tensor 'a'")]
    [TestCase("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", 5, "1 bytes after the last tensor")]
    [TestCase("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", 3, "has only 3 bytes")]
    [TestCase("""{}""", 1, "1 bytes after the last tensor")]
    public void ADamagedHeaderIsRefusedWithItsReason(string header, int dataBytes, string reason) =>
        Assert.That(
            () => Read(header, new byte[dataBytes]),
            Throws.InstanceOf<InvalidDataException>().With.Message.Contains("test.safetensors").And.Message.Contains(reason));

    [TestCase(100_000_001UL)]
    [TestCase(ulong.MaxValue)]
    [TestCase(1UL << 63)]
    public void AHeaderLongerThanAllowedIsRefused(ulong length)
    {
        byte[] file = Build("{}", []);
        BinaryPrimitives.WriteUInt64LittleEndian(file, length);
        Assert.That(
            () => SafetensorsFile.Read(new MemoryStream(file), "test.safetensors"),
            Throws.InstanceOf<InvalidDataException>().With.Message.Contains("not the length of a header"));
    }

    [Test]
    public void BytesThatAreNotUtf8AreRefused()
    {
        byte[] file = Build("""{"__metadata__":{"a":"??"}}""", []);
        file[Array.IndexOf(file, (byte)'?')] = 0xFF;
        Assert.That(
            () => SafetensorsFile.Read(new MemoryStream(file), "test.safetensors"),
            Throws.InstanceOf<InvalidDataException>().With.Message.Contains("not UTF-8"));
    }

    [Test]
    public void AMissingFileAFolderAndATextFileAreExplained()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["text.safetensors"], "this is not a model at all");
        Assert.That(() => SafetensorsFile.Read(folder["none"]), Throws.InstanceOf<FileNotFoundException>().With.Message.Contains("does not exist"));
        Assert.That(() => SafetensorsFile.Read(folder.Path), Throws.InstanceOf<IOException>().With.Message.Contains("is a folder"));
        Assert.That(
            () => SafetensorsFile.Read(folder["text.safetensors"]),
            Throws.InstanceOf<InvalidDataException>().With.Message.Contains("text.safetensors"));
    }

    [Test]
    public void AShapeThatDoesNotFitItsValuesIsRefused()
    {
        Assert.That(() => SafetensorsTensor.From<float>([1, 2, 3], 2, 2), Throws.ArgumentException.With.Message.Contains("[2, 2]"));
        Assert.That(() => SafetensorsTensor.From<decimal>([1], 1), Throws.ArgumentException.With.Message.Contains("Decimal"));
    }

    private static SafetensorsFile Read(string header, byte[] data) => SafetensorsFile.Read(new MemoryStream(Build(header, data)), "test.safetensors");

    private static byte[] Build(string header, byte[] data)
    {
        byte[] text = Encoding.UTF8.GetBytes(header);
        return [.. BitConverter.GetBytes((ulong)text.Length), .. text, .. data];
    }
}
