using System.IO.Compression;
using System.Text;

namespace CudaL2Net.Tests.Formats.PyTorch;

/// <summary>Writes state dictionaries byte by byte as <c>torch.save</c> does, in both of its formats.</summary>
internal static class TorchFiles
{
    /// <summary>A tensor of a file; its storage may hold more than it shows.</summary>
    public sealed record Entry(string Name, string Storage, string Key, byte[] Bytes, int Count, int Offset, int[] Shape, int[] Strides);

    public static Entry Floats(string name, string key, float[] values, params int[] shape) =>
        new(name, "FloatStorage", key, [.. values.SelectMany(BitConverter.GetBytes)], values.Length, 0, shape, Contiguous(shape));

    public static void WriteZip(
        string path, IEnumerable<Entry> entries, Func<byte[], byte[]>? nest = null, CompressionLevel level = CompressionLevel.NoCompression)
    {
        Entry[] all = [.. entries];
        using FileStream file = File.Create(path);
        using var archive = new ZipArchive(file, ZipArchiveMode.Create);
        byte[] pickle = Dictionary(all);
        Add("model/data.pkl", [0x80, 2, .. nest is null ? pickle : nest(pickle), (byte)'.']);
        Add("model/byteorder", "little"u8.ToArray());
        foreach (Entry entry in all.DistinctBy(entry => entry.Key))
        {
            Add($"model/data/{entry.Key}", entry.Bytes);
        }

        Add("model/version", "3\n"u8.ToArray());

        void Add(string name, byte[] bytes)
        {
            using Stream stream = archive.CreateEntry(name, level).Open();
            stream.Write(bytes);
        }
    }

    public static void WriteLegacy(string path, IEnumerable<Entry> entries, Func<byte[], byte[]>? nest = null)
    {
        Entry[] all = [.. entries];
        using FileStream file = File.Create(path);
        byte[] magic = [0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
        byte[] system = [(byte)'}', (byte)'(', .. Text("protocol_version"), .. Number(1001), .. Text("little_endian"), 0x88, (byte)'u'];
        byte[] pickle = Dictionary(all);
        byte[] keys = [(byte)']', (byte)'(', .. all.DistinctBy(entry => entry.Key).SelectMany(entry => Text(entry.Key)), (byte)'e'];
        foreach (byte[] part in new[] { magic, Number(1001), system, nest is null ? pickle : nest(pickle), keys })
        {
            file.Write([0x80, 2, .. part, (byte)'.']);
        }

        foreach (Entry entry in all.DistinctBy(entry => entry.Key))
        {
            file.Write(BitConverter.GetBytes((long)entry.Count));
            file.Write(entry.Bytes);
        }
    }

    /// <summary>{name: dictionary, "epoch": 3}, as training programs save it.</summary>
    public static byte[] Under(string name, byte[] dictionary) =>
        [(byte)'}', (byte)'(', .. Text("epoch"), (byte)'K', 3, .. Text(name), .. dictionary, (byte)'u'];

    /// <summary>A dictionary of texts and what their instructions make.</summary>
    public static byte[] Dictionary(params (string Key, byte[] Value)[] entries) =>
        [(byte)'}', (byte)'(', .. entries.SelectMany(entry => Text(entry.Key).Concat(entry.Value)), (byte)'u'];

    /// <summary>The instructions that rebuild a tensor, with whole numbers written as <paramref name="number"/> does.</summary>
    public static byte[] Tensor(Entry entry, Func<int, byte[]> number) =>
    [
        .. Global("torch._utils", "_rebuild_tensor_v2"), (byte)'(', (byte)'(', .. Text("storage"), .. Global("torch", entry.Storage), .. Text(entry.Key),
        .. Text("cpu"), .. number(entry.Count), (byte)'t', (byte)'Q', .. number(entry.Offset), .. Tuple(entry.Shape, number), .. Tuple(entry.Strides, number),
        0x89, .. Global("collections", "OrderedDict"), (byte)')', (byte)'R', (byte)'t', (byte)'R',
    ];

    public static byte[] Global(string module, string name) => [(byte)'c', .. Encoding.ASCII.GetBytes($"{module}\n{name}\n")];

    public static byte[] Text(string text) => [(byte)'X', .. BitConverter.GetBytes(text.Length), .. Encoding.ASCII.GetBytes(text)];

    public static byte[] Number(int value) => [(byte)'J', .. BitConverter.GetBytes(value)];

    private static byte[] Dictionary(IEnumerable<Entry> entries)
    {
        List<byte> code = [.. Global("collections", "OrderedDict"), (byte)'q', 0, (byte)')', (byte)'R', (byte)'q', 1, (byte)'('];
        foreach (Entry entry in entries)
        {
            code.AddRange([.. Text(entry.Name), .. Tensor(entry, Number)]);
        }

        // Attributes of the dictionary, as torch.save writes for modules: {"_metadata": OrderedDict()}.
        code.AddRange([(byte)'u', (byte)'}', .. Text("_metadata"), (byte)'h', 0, (byte)')', (byte)'R', (byte)'s', (byte)'b']);
        return [.. code];
    }

    private static byte[] Tuple(int[] items, Func<int, byte[]> number) => [(byte)'(', .. items.SelectMany(number), (byte)'t'];

    private static int[] Contiguous(int[] shape)
    {
        int[] strides = new int[shape.Length];
        int stride = 1;
        for (int i = shape.Length - 1; i >= 0; i--)
        {
            strides[i] = stride;
            stride *= shape[i];
        }

        return strides;
    }
}
