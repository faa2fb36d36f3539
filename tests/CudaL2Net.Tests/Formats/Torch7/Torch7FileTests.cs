using CudaL2Net.Formats.PyTorch;
using CudaL2Net.Formats.Torch7;

namespace CudaL2Net.Tests.Formats.Torch7;

public sealed class Torch7FileTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void MakeFolder() => folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    [Test]
    public void TablesNumbersTextsAndBooleansAreRead()
    {
        var table = (Torch7Table)Read(new Dictionary<object, object?>
        {
            ["number"] = 2.5,
            ["text"] = "three",
            ["yes"] = true,
            ["no"] = false,
            ["nothing"] = null,
            ["list"] = Torch7Files.List("a", "b"),
            [true] = 1.0,
        })!;
        Assert.That((table["number"], table["text"], table["yes"], table["no"], table["nothing"], table["absent"]), Is.EqualTo((2.5, "three", true, false, (object?)null, (object?)null)));
        Assert.That(((Torch7Table)table["list"]!).List, Is.EqualTo(new[] { "a", "b" }));
    }

    [Test]
    public void TensorsAreViewsOfStoragesThatTheyShare()
    {
        float[] storage = [0, 1, 2, 3, 4, 5, 6, 7];
        var all = (Torch7Table)Read(Torch7Files.List(
            new Torch7Files.Tensor(storage, 1, [2, 3], [3, 1]), new Torch7Files.Tensor(storage, 2, [3, 2], [1, 3]), new Torch7Files.Tensor([], 0, [], []),
            new Torch7Files.Tensor([9], 0, [1], [1], "Cuda")))!;
        TorchTensor[] tensors = [.. all.List.Cast<TorchTensor>()];
        Assert.That(tensors[0].ToFloats(), Is.EqualTo(new[] { 1f, 2, 3, 4, 5, 6 }));
        Assert.That(tensors[1].ToFloats(), Is.EqualTo(new[] { 2f, 5, 3, 6, 4, 7 }));
        Assert.That(tensors[2].Count, Is.Zero);
        Assert.That(tensors[3].ToFloats(), Is.EqualTo(new[] { 9f }));
    }

    [Test]
    public void ObjectsKeepTheirClassAndAreReadOnce([Values] bool hasVersion)
    {
        var module = new Torch7Files.Made("nn.Tanh", new Dictionary<object, object?> { ["gain"] = 3.0 }, hasVersion);
        Torch7Object[] objects = [.. ((Torch7Table)Read(Torch7Files.List(module, module))!).List.Cast<Torch7Object>()];
        Assert.That((objects[0].Class, objects[0].Fields["gain"]), Is.EqualTo(("nn.Tanh", (object)3.0)));
        Assert.That(objects[1], Is.SameAs(objects[0]));
    }

    [Test]
    public void ATableThatHoldsItselfIsRead()
    {
        byte[] own = [3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, (byte)'m', (byte)'e', 3, 0, 0, 0, 1, 0, 0, 0];
        File.WriteAllBytes(folder["m.t7"], own);
        var table = (Torch7Table)Torch7File.Read(folder["m.t7"])!;
        Assert.That(table["me"], Is.SameAs(table));
    }

    [Test]
    public void EveryCutIsNoticed()
    {
        byte[] whole = Torch7Files.Of(Torch7Files.List(Torch7Files.Tensor.Of([1, 2, 3, 4], 2, 2), "text", 7.0, Torch7Files.Module("Tanh", ("on", true))));
        for (int length = 0; length < whole.Length; length++)
        {
            Refused(whole[..length], "");
        }
    }

    [Test]
    public void HostileFilesAreRefused()
    {
        Refused([6, 0, 0, 0, 1, 0, 0, 0], "function");
        Refused([99, 0, 0, 0], "unknown type 99");
        Refused([.. Enumerable.Range(1, 5000).SelectMany(i => (byte[])[3, 0, 0, 0, .. BitConverter.GetBytes(i), 1, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0])], "deep");
        Refused(Torch7Files.Of(new Torch7Files.Tensor([1, 2], 0, [3], [1])), "beyond the 2 elements");
        Refused(Torch7Files.Of(new Torch7Files.Tensor([1, 2], -2, [1], [1])), "beyond");
        Refused(Torch7Files.Of(new Torch7Files.Tensor([1], 0, [1 << 30], [0])), "needs more");
        Refused(Torch7Files.Of(new Torch7Files.Tensor([1], 0, [.. Enumerable.Repeat(1, 33)], [.. Enumerable.Repeat(1, 33)])), "33 dimensions");
        byte[] storage = Torch7Files.Of(Torch7Files.Tensor.Of([1, 2], 2));
        BitConverter.GetBytes(long.MaxValue).CopyTo(storage, storage.Length - 16);
        Refused(storage, "impossible");
        Assert.That(() => Torch7File.Read(folder["none.t7"]), Throws.TypeOf<FileNotFoundException>().With.Message.Contains("none.t7"));
    }

    private object? Read(object value)
    {
        File.WriteAllBytes(folder["m.t7"], Torch7Files.Of(value));
        return Torch7File.Read(folder["m.t7"]);
    }

    private void Refused(byte[] file, string reason)
    {
        File.WriteAllBytes(folder["m.t7"], file);
        Assert.That(() => Torch7File.Read(folder["m.t7"]), Throws.TypeOf<InvalidDataException>().With.Message.Contains("m.t7").And.Message.Contains(reason));
    }
}
