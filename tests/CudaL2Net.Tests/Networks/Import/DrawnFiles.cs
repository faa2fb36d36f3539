using CudaL2Net.Tests.Formats.Matlab;
using CudaL2Net.Tests.Formats.PyTorch;
using CudaL2Net.Tests.Formats.Torch7;

namespace CudaL2Net.Tests.Networks.Import;

/// <summary>Files with drawn weights, as the authors' programs store them.</summary>
internal static class DrawnFiles
{
    private static readonly int[] HardNetModules = [0, 3, 6, 9, 12, 15, 19];

    /// <summary>HardNet's state dictionary, or with other names SOSNet's.</summary>
    public static TorchFiles.Entry[] L2Net(int seed, bool biases, Func<int, string> module)
    {
        var drawn = new Drawn(seed);
        var entries = new List<TorchFiles.Entry>();
        for (int i = 0; i < Drawn.L2Net.Length; i++)
        {
            (int input, int output, int kernel) = Drawn.L2Net[i];
            string convolution = module(HardNetModules[i]), normalization = module(HardNetModules[i] + 1);
            Add(entries, $"{convolution}.weight", drawn.Filters(output, input, kernel), output, input, kernel, kernel);
            if (biases)
            {
                Add(entries, $"{convolution}.bias", drawn.Bias(output), output);
            }

            AddNorm(entries, normalization, drawn.Norm(output));
        }

        return [.. entries];
    }

    public static TorchFiles.Entry[] HyNet(int seed)
    {
        var drawn = new Drawn(seed);
        var entries = new List<TorchFiles.Entry>();
        Response("layer1.0", "layer1.1", 1);
        for (int i = 0; i < 6; i++)
        {
            (int input, int output, int kernel) = Drawn.L2Net[i];
            string layer = $"layer{i + 1}";
            int first = i == 0 ? 2 : 0;
            Add(entries, $"{layer}.{first}.weight", drawn.Filters(output, input, kernel), output, input, kernel, kernel);
            Add(entries, $"{layer}.{first}.bias", drawn.Bias(output), output);
            Response($"{layer}.{first + 1}", $"{layer}.{first + 2}", output);
        }

        Add(entries, "layer7.1.weight", drawn.Filters(128, 128, 8), 128, 128, 8, 8);
        AddNorm(entries, "layer7.2", drawn.Norm(128));
        return [.. entries];

        void Response(string response, string threshold, int channels)
        {
            Add(entries, $"{response}.weight", drawn.Next(channels, 0.5, 1), 1, channels, 1, 1);
            Add(entries, $"{response}.bias", drawn.Next(channels, 0.5), 1, channels, 1, 1);
            Add(entries, $"{response}.eps", [1e-6f], 1);
            Add(entries, $"{threshold}.tau", drawn.Next(channels, 0.5, -0.5), 1, channels, 1, 1);
        }
    }

    public static TorchFiles.Entry[] TFeat(int seed)
    {
        var drawn = new Drawn(seed);
        var entries = new List<TorchFiles.Entry>();
        Add(entries, "features.1.weight", drawn.Filters(32, 1, 7), 32, 1, 7, 7);
        Add(entries, "features.1.bias", drawn.Bias(32), 32);
        Add(entries, "features.4.weight", drawn.Filters(64, 32, 6), 64, 32, 6, 6);
        Add(entries, "features.4.bias", drawn.Bias(64), 64);
        Add(entries, "descr.0.weight", drawn.Linear(128, 4096), 128, 4096);
        Add(entries, "descr.0.bias", drawn.Bias(128), 128);
        return [.. entries];
    }

    /// <summary>L2-Net's file: two towers, two mean images.</summary>
    public static byte[] L2NetMat(bool compressed) => MatFiles.Of(
        compressed, ("net", Net(6000)), ("netCen", Net(7000)), ("pixMean", Image(1, 32)), ("pixMeanCen", Image(3, 32)));

    public static byte[] TNetMat()
    {
        (int In, int Out, int Kernel)[] sizes = [(1, 96, 7), (96, 192, 5), (192, 256, 3), (256, 256, 1), (256, 256, 1)];
        var drawn = new Drawn(8000);
        var layers = new List<object>();
        for (int i = 0; i < sizes.Length; i++)
        {
            layers.Add(Convolution(drawn, sizes[i].In, sizes[i].Out, sizes[i].Kernel));
            layers.AddRange(i < 4 ? [Layer("relu")] : []);
            layers.AddRange(i < 2 ? [Layer("pool")] : []);
        }

        layers.Add(Layer("normalize"));
        return MatFiles.Of(true, ("averageImage", Image(2, 64)), ("net", new Dictionary<string, object> { ["layers"] = layers.ToArray() }));
    }

    public static byte[] DeepDescTorch7()
    {
        (int In, int Out, int Kernel)[] sizes = [(1, 32, 7), (32, 64, 6), (64, 128, 5)];
        var drawn = new Drawn(9000);
        (float[] Filters, float[] Bias)[] banks = [.. sizes.Select(size => (drawn.Filters(size.Out, size.In, size.Kernel), drawn.Bias(size.Out)))];
        float[][] kernels = [drawn.Next(25, 0.25, 0.5), drawn.Next(25, 0.25, 0.5)];
        float[] deviations = drawn.Next(64 * 64, 5, 48);

        // All parameters lie in one storage, as Torch flattens them.
        float[] storage = [.. banks.SelectMany(bank => bank.Filters.Concat(bank.Bias))];
        var modules = new List<object?>();
        int at = 0;
        for (int i = 0; i < sizes.Length; i++)
        {
            (int input, int output, int kernel) = sizes[i];
            Torch7Files.Tensor View(params int[] shape)
            {
                var view = Torch7Files.Tensor.Of(storage, shape) with { Offset = at };
                at += shape.Aggregate(1, (a, b) => a * b);
                return view;
            }

            modules.Add(Torch7Files.Module("SpatialConvolution", ("nInputPlane", (double)input), ("nOutputPlane", (double)output), ("kW", (double)kernel), ("kH", (double)kernel),
                ("weight", View(output, input, kernel, kernel)), ("bias", View(output))));
            modules.AddRange([Torch7Files.Module("Tanh"), Torch7Files.Module("SpatialLPPooling")]);
            if (i < 2)
            {
                modules.Add(Torch7Files.Module("SpatialSubtractiveNormalization", ("kernel", Torch7Files.Tensor.Of(kernels[i], 5, 5))));
            }
        }

        modules.Add(Torch7Files.Module("Reshape"));
        return Torch7Files.Of(new Dictionary<object, object?>
        {
            ["desc"] = Torch7Files.Module("Sequential", ("modules", Torch7Files.List([.. modules]))),
            ["mean"] = Torch7Files.Tensor.Of(Drawn.Floats(2, 64 * 64, 20, 120), 1, 64, 64),
            ["std"] = Torch7Files.Tensor.Of(deviations, 1, 64, 64),
        });
    }

    private static void Add(List<TorchFiles.Entry> entries, string name, float[] values, params int[] shape) =>
        entries.Add(TorchFiles.Floats(name, $"{entries.Count}", values, shape));

    private static void AddNorm(List<TorchFiles.Entry> entries, string name, (float[] Mean, float[] Spread) norm)
    {
        Add(entries, $"{name}.running_mean", norm.Mean, norm.Mean.Length);
        Add(entries, $"{name}.running_var", norm.Spread, norm.Spread.Length);
        entries.Add(new TorchFiles.Entry($"{name}.num_batches_tracked", "LongStorage", $"{entries.Count}", BitConverter.GetBytes(70L), 1, 0, [], []));
    }

    private static Dictionary<string, object> Net(int seed)
    {
        var drawn = new Drawn(seed);
        var layers = new List<object>();
        foreach ((int input, int output, int kernel) in Drawn.L2Net)
        {
            layers.Add(Convolution(drawn, input, output, kernel));
            (float[] mean, float[] spread) = drawn.Norm(output);
            layers.Add(Layer("bnormPair", new MatFiles.Array(Same(output, 1), output, 1), new MatFiles.Array(Same(output, 0), output, 1),
                new MatFiles.Array([.. mean, .. spread], output, 2)));
            layers.Add(Layer(kernel == 8 ? "normalize" : "relu"));
        }

        return new Dictionary<string, object> { ["layers"] = layers.ToArray() };
    }

    private static Dictionary<string, object> Convolution(Drawn drawn, int input, int output, int kernel) =>
        Layer("conv", new MatFiles.Array(Columns(drawn.Filters(output, input, kernel), kernel), kernel, kernel, input, output), new MatFiles.Array(drawn.Bias(output), 1, output));

    private static Dictionary<string, object> Layer(string type, params object[] weights) => weights.Length == 0
        ? new() { ["type"] = type, ["name"] = type + "1" }
        : new() { ["type"] = type, ["name"] = type + "1", ["weights"] = weights };

    private static MatFiles.Array Image(int seed, int side) => new(Columns(Drawn.Floats(seed, side * side, 20, 120), side), side, side);

    private static float[] Same(int count, float value) => [.. Enumerable.Repeat(value, count)];

    // Maps row by row, column by column.
    private static float[] Columns(float[] values, int side) =>
        [.. Enumerable.Range(0, values.Length).Select(i => values[(i / (side * side) * side * side) + (i % side * side) + (i / side % side)])];
}
