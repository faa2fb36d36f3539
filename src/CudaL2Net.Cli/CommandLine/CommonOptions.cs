using System.CommandLine;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using OpenCvSharp;

namespace CudaL2Net.Cli.CommandLine;

/// <summary>Options that several commands share.</summary>
internal static class CommonOptions
{
    private const int SmallestMaxSide = 16;

    /// <summary>Machine-readable results.</summary>
    public static readonly Option<bool> Json = new("--json")
    {
        Description = "Write the result as JSON on standard output; messages go to standard error.",
        Recursive = true,
    };

    /// <summary>Where an error came from.</summary>
    public static readonly Option<bool> Verbose = new("--verbose") { Description = "On an error, show where in the program it happened.", Recursive = true };

    /// <summary>The processor.</summary>
    public static readonly Option<string?> Device = new("--device")
    {
        Description = "auto (the default: a GPU if there is one, else the CPU), cpu, cuda (the first GPU) or cuda:N.",
        HelpName = "DEVICE",
    };

    /// <summary>What matrix products multiply.</summary>
    public static readonly Option<Precision?> Precision = new("--precision")
    {
        Description = "What matrix products multiply: float32 (the default). With --device cuda also tf32 (11 significant bits), "
            + "bf16 (8), and int8 for describing only.",
        HelpName = "float32|tf32|bf16|int8",
    };

    /// <summary>The number of CPU threads.</summary>
    public static readonly Option<int> Threads = new("--threads")
    {
        Description = "The most CPU threads that work at once; 0 is one per core.",
        HelpName = "N",
        DefaultValueFactory = _ => 0,
    };

    /// <summary>The network.</summary>
    public static readonly Option<string?> Model = new("--model", "-m")
    {
        Description = "A trained model (.safetensors), or a folder that `train` wrote. The default is the model that comes with the tool.",
        HelpName = "MODEL",
    };

    /// <summary>The size of the image in which keypoints are searched.</summary>
    public static readonly Option<int?> MaxSide = new("--max-side")
    {
        Description = "Search for keypoints in the image reduced to at most N pixels on its longer side. They are given in the pixels of the image itself. "
            + "Saves time with large images; small keypoints are lost.",
        HelpName = "N",
    };

    static CommonOptions() => Precision.AcceptOnlyFromAmong([.. Enum.GetNames<Precision>().Select(name => name.ToLowerInvariant())]);

    /// <summary>The longest side of the image in which keypoints are searched; null for any.</summary>
    /// <exception cref="UsageException">It is too small to find any.</exception>
    /// <param name="line">The command line.</param>
    /// <param name="own">The command's own option in place of <see cref="MaxSide"/>.</param>
    public static int? CheckedMaxSide(ParseResult line, Option<int?>? own = null) => line.GetValue(own ?? MaxSide) is { } side and < SmallestMaxSide
        ? throw new UsageException($"--max-side {side}: it must be at least {SmallestMaxSide} pixels")
        : line.GetValue(own ?? MaxSide);

    /// <summary>Opens the device that the line asks for; where <c>auto</c> finds no GPU, says why.</summary>
    /// <param name="line">The command line.</param>
    /// <param name="terminal">Where to say it.</param>
    /// <param name="otherwise">The device where the line names none.</param>
    /// <param name="otherwisePrecision">The precision where the line names none.</param>
    /// <param name="kernels">Whose kernels train.</param>
    /// <param name="trains">Whether the command trains.</param>
    /// <exception cref="UsageException">The number of threads is out of range, or a training is asked for in int8.</exception>
    public static Device OpenDevice(ParseResult line, Terminal terminal, string otherwise = "auto", Precision otherwisePrecision = Kernels.Precision.Float32,
        KernelSet kernels = KernelSet.Own, bool trains = false)
    {
        Precision precision = line.GetValue(Precision) ?? otherwisePrecision;
        if (trains && precision == Kernels.Precision.Int8)
        {
            throw new UsageException("--precision int8 is for describing, and this trains",
                "--precision bf16 trains; any model can then be described with int8");
        }

        int threads = CheckedThreads(line);
        LimitOpenCv(threads);
        Device device = Kernels.Device.Open(line.GetValue(Device) ?? otherwise, threads, precision, kernels);
        if (device.Note is { } note)
        {
            terminal.Say(note);
        }

        return device;
    }

    /// <summary>The number of threads that the line asks for; 0 is one per core.</summary>
    /// <exception cref="UsageException">It is out of range.</exception>
    public static int CheckedThreads(ParseResult line)
    {
        const int MostThreads = 1024;
        int threads = line.GetValue(Threads);
        return threads is >= 0 and <= MostThreads ? threads : throw new UsageException($"--threads {threads}: it must be 0 (one per core) to {MostThreads}");
    }

    // OpenCV has threads of its own, for the whole process. A command that does without OpenCV must run where it is missing.
    private static void LimitOpenCv(int threads)
    {
        try
        {
            if (threads > 0)
            {
                Cv2.SetNumThreads(threads);
            }
        }
        catch (Exception error) when (error is DllNotFoundException or TypeInitializationException)
        {
        }
    }

    /// <summary>A network by its name in the library, or from a JSON file.</summary>
    /// <exception cref="UsageException">There is neither.</exception>
    /// <exception cref="InvalidDataException">The file holds no network, or one whose layers do not fit.</exception>
    public static Network FindNetwork(string name)
    {
        if (NetworkFile.Names.Contains(name))
        {
            return NetworkFile.Find(name);
        }

        return File.Exists(name)
            ? NetworkFile.Read(name)
            : throw new UsageException(
                $"--network {name}: there is no network of that name in the box and no such file{Suggestion.For(name, NetworkFile.Names)}",
                $"the networks are {string.Join(", ", NetworkFile.Names)}; or name a JSON file");
    }
}
