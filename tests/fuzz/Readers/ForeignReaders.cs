using CudaL2Net.Formats.Matlab;
using CudaL2Net.Formats.PyTorch;
using CudaL2Net.Formats.Torch7;
using CudaL2Net.Networks;

namespace CudaL2Net.Fuzz.Readers;

/// <summary>Weights in the files of MATLAB and Torch 7, and models that are made of them.</summary>
internal static class ForeignReaders
{
    private const string SmallNetwork =
        """
        { "name": "small", "towers": [ { "layers": [
            { "type": "convolution", "out": 2, "kernel": 32 }, { "type": "batchNormalization" }, { "type": "unitVector" } ] } ] }
        """;

    public static Reader Matlab5(string name) => new(name, "file.mat",
        [
            new("plain", MatFiles.Of(false, Variables())),
            new("compressed", MatFiles.Of(true, Variables())),
            new("bomb", [.. MatFiles.Of(false), .. MatFiles.Packed([14, 0, 0, 0, .. BitConverter.GetBytes(1 << 24), .. new byte[1 << 24]])], IsValid: false),
            new("many names", [.. MatFiles.Of(false), .. Enumerable.Repeat(MatFiles.Matrix(2, "s", [1 << 15, 1 << 15], new byte[1 << 16]), 4).SelectMany(part => part)], IsValid: false),
        ],
        ReadMatlab)
    { Promise = Promise.NoCrash };

    public static Reader Matlab73(string name)
    {
        using Stream stream = typeof(ForeignReaders).Assembly.GetManifestResourceStream("small73.mat")!;
        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return new Reader(name, "file.mat", [new("by h5py", bytes)], ReadMatlab) { Share = 2 };
    }

    public static Reader Torch7(string name) => new(name, "file.t7",
        [
            new("a network", Torch7Files.Of(Network())),
            new("deep", [.. Enumerable.Range(1, 50_000).SelectMany(i => (byte[])[3, 0, 0, 0, .. BitConverter.GetBytes(i), 1, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0])], IsValid: false),
        ],
        (path, digest) => Add(digest, Torch7File.Read(path), []))
    { Promise = Promise.NoticesCuts };

    public static Reader Import(string name) => new(name, "weights", [new("MatConvNet", MatFiles.Of(true, Variables())), new("Torch 7", Torch7Files.Of(Network()))],
        (path, digest) =>
        {
            Network network = NetworkFile.Parse(SmallNetwork, "small");
            network = File.ReadAllBytes(path) is [(byte)'M', ..] ? network
                : network with { Towers = [network.Towers[0] with { Layers = [network.Towers[0].Layers[0], network.Towers[0].Layers[2]] }] };
            var model = ModelImport.Read(path, network);
            digest.Add(NetworkFile.Write(model.Network));
            foreach (LayerWeights layer in model.Weights.Towers[0].Layers)
            {
                foreach (string tensor in layer.Names)
                {
                    digest.Add(layer[tensor]);
                }
            }
        });

    private static (string Name, object Value)[] Variables() =>
    [
        ("net", new Dictionary<string, object>
        {
            ["layers"] = new object[]
            {
                Layer("conv", new MatFiles.Array(new float[2048], 32, 32, 1, 2), new MatFiles.Array([1, 2], 2, 1)),
                Layer("bnorm", new MatFiles.Array([1, 1], 2, 1), new MatFiles.Array([0, 0], 2, 1), new MatFiles.Array([1, 2, 3, 4], 2, 2)),
            },
        }),
        ("note", "text"),
        ("number", 3.0),
    ];

    private static Dictionary<string, object> Layer(string type, params object[] weights) => new() { ["type"] = type, ["weights"] = weights };

    private static Torch7Files.Made Network() => Torch7Files.Module("Sequential", ("modules", Torch7Files.List(
        Torch7Files.Module("SpatialConvolution", ("nInputPlane", 1.0), ("nOutputPlane", 2.0), ("kW", 32.0), ("kH", 32.0),
            ("weight", Torch7Files.Tensor.Of(new float[2048], 2, 1, 32, 32)), ("bias", Torch7Files.Tensor.Of([1, 2], 2))),
        Torch7Files.Module("Tanh", ("inplace", true), ("name", "end")))));

    private static void ReadMatlab(string path, Digest digest)
    {
        foreach ((string variable, MatValue value) in MatFile.Read(path).OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            digest.Add(variable);
            Add(digest, value);
        }
    }

    private static void Add(Digest digest, MatValue value)
    {
        switch (value)
        {
            case MatArray array:
                digest.Add(array.Shape);
                digest.Add(array.Values);
                break;
            case MatCell cell:
                foreach (MatValue item in cell.Items)
                {
                    Add(digest, item);
                }

                break;
            case MatStruct fields:
                foreach ((string field, MatValue item) in fields.Fields.OrderBy(entry => entry.Key, StringComparer.Ordinal))
                {
                    digest.Add(field);
                    Add(digest, item);
                }

                break;
            case MatOther other:
                digest.Add(other.Kind);
                break;
        }
    }

    // A table may hold itself.
    private static void Add(Digest digest, object? value, HashSet<object> seen)
    {
        switch (value)
        {
            case TorchTensor tensor:
                digest.Add(tensor.Shape);
                digest.Add(tensor.ToFloats());
                break;
            case Torch7Object made when seen.Add(made):
                digest.Add(made.Class);
                Add(digest, made.Fields, seen);
                break;
            case Torch7Table table when seen.Add(table):
                foreach ((object key, object? item) in table.Entries)
                {
                    digest.Add(key as string ?? $"{key.GetType().Name}");
                    Add(digest, item, seen);
                }

                break;
            default:
                digest.Add(value is string or double or bool ? Convert.ToString(value, System.Globalization.CultureInfo.InvariantCulture)! : "");
                break;
        }
    }
}
