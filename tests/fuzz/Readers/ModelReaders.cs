using System.IO.Compression;
using System.Text;
using CudaL2Net.Evaluation.Describers;
using CudaL2Net.Formats;
using CudaL2Net.Formats.PyTorch;
using CudaL2Net.Networks;
using CudaL2Net.Training;

namespace CudaL2Net.Fuzz.Readers;

/// <summary>Weights, networks and checkpoints.</summary>
internal static class ModelReaders
{
    private const string SmallNetwork = """
        {
          "name": "small", "about": "For tests.", "input": { "side": 32, "normalization": "perPatch" },
          "towers": [ { "layers": [
            { "type": "convolution", "out": 4, "kernel": 5, "stride": 2, "bias": true },
            { "type": "batchNormalization", "learned": true },
            { "type": "relu" },
            { "type": "pooling", "kind": "max", "kernel": 2, "stride": 2 },
            { "type": "filterResponseNormalization" },
            { "type": "lrn" },
            { "type": "dropout", "rate": 0.1 },
            { "type": "linear", "out": 8 },
            { "type": "unitVector" } ] } ],
          "head": { "comparison": "l2" }
        }
        """;

    private static ModelFile SmallModel => ModelFile.Untrained(NetworkFile.Parse(SmallNetwork, "small"), 7);

    public static Reader Safetensors(string name) => new(name, "file.safetensors",
        [
            new("three tensors", Written.By(path => SafetensorsFile.Write(path, new Dictionary<string, SafetensorsTensor>
            {
                ["weights"] = SafetensorsTensor.From<float>([1, 2, 3, 4, 5, 6], 2, 3),
                ["count"] = SafetensorsTensor.From<long>([9]),
                ["halves"] = SafetensorsTensor.FromRoundedToHalf([0.5f, 1.5f], 2),
            }, new Dictionary<string, string> { ["by"] = "a test", ["empty"] = "" }))),
            new("empty", Written.By(path => SafetensorsFile.Write(path, new Dictionary<string, SafetensorsTensor>()))),
            new("deep", Header(new string('[', 100_000)), IsValid: false),
            new("many sizes", Header(
                """{"a":{"data_offsets":[0,4],"dtype":"F32","shape":[""" + string.Join(',', Enumerable.Repeat("1", 100_000)) + "]}}", 4), IsValid: false),
        ],
        (path, digest) => Add(digest, WithDigest(path)))
    { Promise = Promise.NoticesAll };

    public static Reader Model(string name) => new(name, "model.safetensors", [new("small", Written.By(path => SmallModel.Write(path)))], (path, digest) =>
    {
        WithDigest(path);
        var model = ModelFile.Read(path);
        digest.Add(NetworkFile.Write(model.Network));
        foreach (LayerWeights layer in model.Weights.Towers.SelectMany(tower => tower.Layers))
        {
            foreach (string tensor in new[] { "filters", "bias", "scale", "shift", "running_mean", "running_variance", "weights", "threshold" })
            {
                digest.Add(layer.Find(tensor) ?? []);
            }
        }
    })
    { Promise = Promise.NoticesAll };

    public static Reader Checkpoint(string name) => new(name, "checkpoint.safetensors",
        [
            new("of a training", Written.By(path => new Checkpoint(
                SmallModel, [[1, 2, 3], [4, 5, 6]], Presets.Find("quick") with { Network = NetworkFile.Parse(SmallNetwork, "small") },
                new string('a', 64), 3, 40, 1.5f, "cpu", Kernels.Precision.Float32).Write(path))),
        ],
        (path, digest) =>
        {
            WithDigest(path);
            var checkpoint = Training.Checkpoint.Read(path);
            digest.Add(checkpoint.Options.ToJson());
            digest.Add(checkpoint.Step);
            foreach (float[] moments in checkpoint.Moments)
            {
                digest.Add(moments);
            }
        })
    { Promise = Promise.NoticesAll };

    public static Reader Network(string name) => new(name, "network.json",
        [
            new("small", Encoding.UTF8.GetBytes(SmallNetwork)),
            .. NetworkFile.Names.Select(network => new Sample(network, Encoding.UTF8.GetBytes(NetworkFile.Write(NetworkFile.Find(network), indented: true)))),
        ],
        (path, digest) => digest.Add(NetworkFile.Write(NetworkFile.Read(path))))
    { Content = Content.Json };

    public static Reader PyTorch(string name)
    {
        TorchFiles.Entry[] entries =
        [
            TorchFiles.Floats("features.0.weight", "0", [1, 2, 3, 4, 5, 6], 2, 3),
            TorchFiles.Floats("features.0.bias", "1", [7, 8], 2),
            new("view", "HalfStorage", "2", new byte[24], 12, 2, [2, 2], [4, 1]),
            new("steps", "LongStorage", "3", BitConverter.GetBytes(77L), 1, 0, [], []),
        ];
        return new Reader(name, "weights.pth",
            [
                new("zip", Written.By(path => TorchFiles.WriteZip(path, entries))),
                new("zip, nested", Written.By(path => TorchFiles.WriteZip(path, entries, pickle => TorchFiles.Under("state_dict", pickle)))),
                new("legacy", Written.By(path => TorchFiles.WriteLegacy(path, entries))),
                new("bomb", Bomb("model/data.pkl", 1 << 24), IsValid: false),
                new("bomb in a storage", Written.By(path => TorchFiles.WriteZip(
                    path, [new("zeros", "FloatStorage", "0", new byte[1 << 24], 1 << 22, 0, [1 << 22], [1])],
                    level: CompressionLevel.SmallestSize)), IsValid: false),
                new("deep", Pickled(Enumerable.Repeat((byte)'(', 300_000).Concat(Enumerable.Repeat((byte)'t', 300_000))), IsValid: false),
                new("doubling", Pickled(Enumerable.Repeat<byte[]>([(byte)'2', 0x86], 10_000).SelectMany(code => code).Prepend((byte)'N')), IsValid: false),
                new("lists of lists", Pickled(Enumerable.Repeat((byte)']', 300_000).Concat(Enumerable.Repeat((byte)'a', 299_999))), IsValid: false),
            ],
            (path, digest) =>
            {
                foreach ((string tensor, TorchTensor value) in TorchFile.Read(path).OrderBy(entry => entry.Key, StringComparer.Ordinal))
                {
                    digest.Add(tensor);
                    digest.Add(value.Shape);
                    digest.Add(value.ToFloats());
                }
            })
        { Promise = Promise.NoticesCuts, Share = 2 };
    }

    public static Reader Onnx(string name) => new(name, "network.onnx", [new("small", Written.By(path => OnnxExporter.Write(path, SmallModel)))],
        (path, digest) =>
    {
        using var describer = new OnnxDescriber("under test", path, PatchScaling.Grey, threads: 1);
        digest.Add(describer.Describe(Written.Noise(2 * 32 * 32, 5), 32).Values!);
    })
    { Share = 0.5 };

    // A file without a digest is one of an earlier version; the tool says so, and damage may go unnoticed.
    private static SafetensorsFile WithDigest(string path)
    {
        var file = SafetensorsFile.Read(path);
        return file.HasDigest ? file : throw new InvalidDataException($"{path} has no digest");
    }

    private static void Add(Digest digest, SafetensorsFile file)
    {
        foreach ((string key, string value) in file.Metadata.OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            digest.Add(key);
            digest.Add(value);
        }

        foreach ((string key, SafetensorsTensor tensor) in file.Tensors.OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            digest.Add(key);
            digest.Add((int)tensor.Dtype);
            digest.Add(tensor.Shape);
            digest.Add(tensor.Data.Span);
        }
    }

    private static byte[] Header(string json, int data = 0) =>
        [.. BitConverter.GetBytes((long)json.Length), .. Encoding.UTF8.GetBytes(json), .. new byte[data]];

    private static byte[] Pickled(IEnumerable<byte> code) => Zip("model/data.pkl", [0x80, 2, .. code, (byte)'.'], CompressionLevel.NoCompression);

    private static byte[] Bomb(string entry, int bytes) => Zip(entry, new byte[bytes], CompressionLevel.Fastest);

    private static byte[] Zip(string entry, byte[] content, CompressionLevel level)
    {
        using var file = new MemoryStream();
        using (var archive = new ZipArchive(file, ZipArchiveMode.Create))
        {
            using Stream stream = archive.CreateEntry(entry, level).Open();
            stream.Write(content);
        }

        return file.ToArray();
    }
}
