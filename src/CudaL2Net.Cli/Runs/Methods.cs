using System.CommandLine;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Evaluation.Describers;
using CudaL2Net.Evaluation.Protocols;
using CudaL2Net.Evaluation.Results;
using CudaL2Net.Formats;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;

namespace CudaL2Net.Cli.Runs;

/// <summary>What an evaluation gives its methods.</summary>
internal enum MethodInput
{
    /// <summary>Patches of a data set, or of affine regions: their width is given.</summary>
    Patches,

    /// <summary>Patches that are cut around keypoints, at the scale of each method.</summary>
    Keypoints,

    /// <summary>HPatches' strips, whose descriptors may have been made before.</summary>
    Strips,
}

/// <summary>The methods that an evaluation compares, as <c>--method</c> names them; disposes of the networks that it loaded.</summary>
internal sealed class Methods : IDisposable
{
    /// <summary>The methods.</summary>
    public static readonly Option<string[]> Option = new("--method")
    {
        Description = "What to compare (with commas, or the option several times): model (that of --model), binary (its signs), model:FILE, binary:FILE, "
            + "untrained, sift, rootsift, raw (pixels), import:FILE (weights that others published), onnx:FILE (any network that describes patches); for hpatches csv:DIR "
            + "(descriptors in the benchmark's form). For sequences and sfm NAME@scale=X cuts patches X keypoint diameters wide.",
        HelpName = "NAME",
        Arity = ArgumentArity.OneOrMore,
    };

    /// <summary>What networks in ONNX files are given.</summary>
    public static readonly Option<string> OnnxInput = new("--onnx-input")
    {
        Description = "What onnx:FILE gets per pixel: patch (minus the patch's mean, over its deviation), unit (0 to 1) or grey (0 to 255).",
        HelpName = "patch|unit|grey",
        DefaultValueFactory = _ => "patch",
    };

    private static readonly Dictionary<string, PatchScaling> Scalings = new()
    {
        ["patch"] = PatchScaling.PerPatch,
        ["unit"] = PatchScaling.ZeroToOne,
        ["grey"] = PatchScaling.Grey,
    };

    private readonly Dictionary<string, PatchModel> models = [];
    private readonly List<IPatchMethod> list = [];
    private readonly ParseResult line;
    private readonly Terminal terminal;
    private readonly Device device;
    private readonly MethodInput input;
    private UsageException? scorer;

    private Methods(ParseResult line, Terminal terminal, Device device, MethodInput input)
    {
        this.input = input;
        this.line = line;
        this.terminal = terminal;
        this.device = device;
    }

    /// <summary>The methods, in the order named; their names differ. Those of models whose networks score pairs are <see cref="IPairScorer"/>.</summary>
    public IReadOnlyList<IPatchMethod> List => list;

    /// <summary>The methods, for what needs descriptors.</summary>
    /// <exception cref="UsageException">A method scores pairs and has no descriptors.</exception>
    public IReadOnlyList<IPatchDescriber> Describers => scorer is null ? [.. list.OfType<IPatchDescriber>()] : throw scorer;

    /// <summary>Makes the methods that a line names.</summary>
    /// <param name="line">The command line.</param>
    /// <param name="terminal">Where it is said what is odd about a model.</param>
    /// <param name="device">Where networks run.</param>
    /// <param name="input">What the methods are given.</param>
    /// <param name="usual">What to take where the line names none.</param>
    /// <exception cref="UsageException">There is no such method.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="InvalidDataException">A file is damaged.</exception>
    public static Methods Open(ParseResult line, Terminal terminal, Device device, MethodInput input, params IEnumerable<string> usual)
    {
        bool report = RunOutput.WantsReport(line);
        var methods = new Methods(line, terminal, device, input);
        try
        {
            string[] words = [.. (line.GetValue(Option) ?? []).SelectMany(MethodWords.Split)];
            foreach (string word in words.Length > 0 ? words.Distinct() : usual)
            {
                IPatchMethod method = methods.Make(word);
                methods.list.Add(report && method is IPatchDescriber describer ? new RecordingDescriber(describer) : method);
            }

            return methods;
        }
        catch
        {
            methods.Dispose();
            throw;
        }
    }

    /// <summary>Statistics of the descriptors that the methods gave so far, where a report is wanted; of methods that gave at least two.</summary>
    public IReadOnlyList<DescriptorStatistics> Statistics() =>
    [
        .. list.OfType<RecordingDescriber>().Where(method => method.Sample.Count > 1)
            .Select(method => DescriptorStatistics.Measure(method.Name, method.Sample.ToSet(), device.Threads)),
    ];

    /// <summary>Disposes of the networks.</summary>
    public void Dispose()
    {
        foreach (IDisposable owned in list.OfType<IDisposable>().Concat(models.Values))
        {
            owned.Dispose();
        }
    }

    private IPatchMethod Make(string word)
    {
        (string name, string? scale) = MethodWords.CutScale(word);
        IPatchMethod method = MakeAsItIs(name);
        if (scale is null)
        {
            return method;
        }

        if (input != MethodInput.Keypoints || method is not IPatchDescriber describer || method is IKeypointDescriber)
        {
            string why = input != MethodInput.Keypoints ? "patches are given here; evaluate sequences cuts them" : $"no patches are cut for {name}";
            throw new UsageException($"--method {word}: {why}, so @scale has no meaning");
        }

        return NumberText.TryParse(scale, out double side) && side is >= 1 and <= 100
            ? new ScaledDescriber(UniqueName($"{method.Name}@scale={scale}", word), describer, side)
            : throw new UsageException($"--method {word}: the scale must be 1 to 100, the side of a patch in diameters of its keypoint, as model@scale=10");
    }

    private IPatchMethod MakeAsItIs(string word)
    {
        string[] parts = word.Split(':', 2);
        string kind = parts[0].ToLowerInvariant();
        string? file = parts.Length > 1 ? parts[1] : null;
        return (kind, file) switch
        {
            ("model", _) => Of(word, UniqueName(ModelName(file), word), Model(file)),
            ("binary", _) => Model(file).ScoresPairs
                ? throw ModelInput.ScoresPairs($"--method {word}", Model(file).Network)
                : new ModelDescriber(UniqueName($"{ModelName(file)}, binary", word), Model(file), binary: true),
            ("untrained", null) => Of(word, "untrained", Untrained()),
            ("sift", null) => new SiftDescriber(device.Threads),
            ("rootsift", null) => new RootSiftDescriber(device.Threads),
            ("raw", null) => new RawDescriber(),
            ("import", not null) => new ModelDescriber(
                UniqueName(ModelInput.NameOf(file), word), Cached($"import:{file}", () => new PatchModel(ModelImport.Read(file), device))),
            ("onnx", not null) => new OnnxDescriber(UniqueName(ModelInput.NameOf(file), word), file, Scaling(), device.Threads),
            ("csv", not null) when input == MethodInput.Strips => new HPatchesDescriptors(UniqueName(ModelInput.NameOf(file), word), file),
            ("csv", not null) => throw new UsageException($"--method {word}: descriptors of HPatches' strips are for evaluate hpatches"),
            _ => throw Unknown(word, kind, file),
        };
    }

    // What a model's network does decides what kind of method it is.
    private IPatchMethod Of(string word, string name, PatchModel model)
    {
        if (!model.ScoresPairs)
        {
            return new ModelDescriber(name, model, ModelInput.IsBinary(asked: false, model));
        }

        string what = word == "model" && line.GetValue(CommonOptions.Model) is { } path ? $"--model {path}" : $"--method {word}";
        scorer ??= ModelInput.ScoresPairs(what, model.Network);
        return new ModelScorer(name, model);
    }

    private static UsageException Unknown(string word, string kind, string? file)
    {
        if (file is not null && MethodWords.Plain.Contains(kind))
        {
            return new UsageException($"--method {word}: {kind} takes no file");
        }

        if (file is null && MethodWords.OfFile.Contains(kind))
        {
            return new UsageException($"--method {word}: which file? {kind}:FILE names it");
        }

        string guess = Suggestion.For(kind, MethodWords.Plain.Union(MethodWords.OfFile));
        return new UsageException(
            $"--method {word}: there is no method '{kind}'{guess}",
            $"the methods are {string.Join(", ", MethodWords.Plain.Concat(MethodWords.OfFile.Select(name => $"{name}:FILE")))}");
    }

    private PatchScaling Scaling()
    {
        string word = line.GetValue(OnnxInput)!;
        return Scalings.TryGetValue(word, out PatchScaling scaling)
            ? scaling
            : throw new UsageException($"--onnx-input {word}: it must be {string.Join(", ", Scalings.Keys)}{Suggestion.For(word, Scalings.Keys)}");
    }

    private string ModelName(string? file) => ModelInput.NameOf(PathOf(file), Model(file));

    // Two models of one name are told apart by the word that asked for the second one.
    private string UniqueName(string name, string word) => list.Any(method => method.Name == name) ? word : name;

    // That of --model where the word names no file; null for the model in the box.
    private string? PathOf(string? file) => file ?? line.GetValue(CommonOptions.Model);

    private PatchModel Model(string? file) => Cached(PathOf(file) ?? string.Empty, () => ModelInput.Load(PathOf(file), terminal, device));

    private PatchModel Untrained() => Cached("untrained:", () => PatchModel.CreateRandom(Model(null).Network, 1, device));

    private PatchModel Cached(string key, Func<PatchModel> load)
    {
        if (!models.TryGetValue(key, out PatchModel? model))
        {
            model = load();
            models.Add(key, model);
        }

        return model;
    }
}
