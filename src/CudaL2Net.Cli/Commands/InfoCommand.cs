using System.CommandLine;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Cli.Runs;
using CudaL2Net.Interop;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using OpenCvSharp;
using Spectre.Console;

namespace CudaL2Net.Cli.Commands;

/// <summary><c>cudal2net info</c>: what there is on this machine, and what is missing; or what a network or a model is.</summary>
internal static class InfoCommand
{
    private static readonly Option<string?> Network = new("--network")
    {
        Description = "Show a network instead: its layers with shapes, parameters and multiply-adds. A name of the library, or a JSON file.",
        HelpName = "NAME|FILE.json",
    };

    private static readonly Option<string?> Model = new("--model") { Description = "Show a model instead: its network and what its file says of it.", HelpName = "MODEL" };

    private static readonly Option<bool> Networks = new("--networks") { Description = "List the networks of the library." };

    private sealed record ListedNetwork(string Name, string About);

    private sealed record ModelSummary(
        NetworkTable.Summary Network, double PatchScale, string? Unfinished, bool HasDigest, IReadOnlyDictionary<string, string> Metadata);

    private sealed record Processor(string Name, string Description);

    private sealed record BuiltInModel(string Network, int Dimension, IReadOnlyDictionary<string, string> Metadata);

    private sealed record Library(string Name, string Purpose, bool Loads, string? HowToGetIt);

    private sealed record VendorsLibrary(string Name, string? Version, string? WhyNot);

    private sealed record Information(
        string Version,
        string Runtime,
        string System,
        int Cores,
        IReadOnlyList<string> InstructionSets,
        IReadOnlyList<Processor> Devices,
        string? WithoutGpu,
        IReadOnlyList<string> CudaTargets,
        BuiltInModel Model,
        IReadOnlyList<Library> NativeLibraries,
        IReadOnlyList<VendorsLibrary> VendorsLibraries);

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        var command = new ExampleCommand(
            "info",
            "Show version, devices, instruction sets, the model that comes with the tool, and what is missing and how to get it; or a network or model.",
            "cudal2net info",
            "cudal2net info --networks",
            "cudal2net info --network tfeat",
            "cudal2net info --network my/network.json",
            "cudal2net info --model runs/first --json")
        {
            Network, Model, Networks,
        };
        command.SetAction(line => Run(line, terminal));
        return command;
    }

    private static int Run(ParseResult line, Terminal terminal)
    {
        string? network = line.GetValue(Network), path = line.GetValue(Model);
        if ((network is null ? 0 : 1) + (path is null ? 0 : 1) + (line.GetValue(Networks) ? 1 : 0) > 1)
        {
            throw new UsageException("--network, --model and --networks ask for different things: give one of them");
        }

        if (line.GetValue(Networks))
        {
            ListedNetwork[] list = [.. NetworkFile.Names.Select(name => new ListedNetwork(name, NetworkFile.Find(name).About))];
            terminal.Result(list, console =>
            {
                Table table = new Table().Border(TableBorder.None).HideHeaders().AddColumn("name", column => column.NoWrap()).AddColumn("about");
                Array.ForEach(list, entry => table.AddRow(Markup.Escape(entry.Name), Markup.Escape(entry.About)));
                console.Write(table);
            });
            return 0;
        }

        if (network is not null)
        {
            NetworkTable.Summary summary = NetworkTable.Of(CommonOptions.FindNetwork(network));
            terminal.Result(summary, console => NetworkTable.Write(summary, console));
            return 0;
        }

        if (path is not null)
        {
            ModelFile file = ModelInput.Read(path, terminal);
            var summary = new ModelSummary(NetworkTable.Of(file.Network), file.PatchScale, file.Unfinished, file.HasDigest, file.Metadata);
            terminal.Result(summary, console => Write(summary, console));
            return 0;
        }

        return ShowMachine(terminal);
    }

    private static void Write(ModelSummary summary, IAnsiConsole console)
    {
        NetworkTable.Write(summary.Network, console);
        Table table = new Table().Border(TableBorder.None).HideHeaders().AddColumn("name", column => column.NoWrap()).AddColumn("value");
        table.AddRow("patch width", $"{summary.PatchScale} keypoint diameters");
        table.AddRow("digest", summary.HasDigest ? "checked" : "none");
        if (summary.Unfinished is { } position)
        {
            table.AddRow("unfinished", position);
        }

        foreach ((string key, string value) in summary.Metadata.Where(pair => pair.Key != "network").OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            table.AddRow(Markup.Escape(key), Markup.Escape(value));
        }

        console.Write(table);
    }

    private static int ShowMachine(Terminal terminal)
    {
        using Device device = Device.Open("cpu");
        (List<Processor> gpus, string? without) = Gpus();
        using PatchModel model = PatchModel.LoadDefault(device);
        var information = new Information(
            typeof(InfoCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion,
            RuntimeInformation.FrameworkDescription,
            $"{RuntimeInformation.OSDescription} ({RuntimeInformation.ProcessArchitecture})",
            Environment.ProcessorCount,
            InstructionSets(),
            [new Processor(device.Name, device.Description), .. gpus],
            without,
            Device.CudaTargets,
            new BuiltInModel(model.Network.Name, model.Dimension, model.Metadata),
            NativeLibraries(),
            [Find("cuBLAS", CudaBlas.GetVersion), Find("cuDNN", CudaDnn.GetVersion)]);
        terminal.Result(information, console => Write(information, console));
        return 0;
    }

    private static (List<Processor> Found, string? WhyNone) Gpus()
    {
        var found = new List<Processor>();
        string? whyNone = null;
        try
        {
            int count = Math.Max(1, CudaContext.GetDeviceCount());
            for (int i = 0; i < count; i++)
            {
                using Device gpu = Device.Open($"cuda:{i}");
                found.Add(new Processor(gpu.Name, gpu.Description));
            }
        }
        catch (CudaException error)
        {
            whyNone = error.Message;
        }

        return (found, whyNone);
    }

    private static List<string> InstructionSets()
    {
        (string Name, bool Supported)[] sets =
        [
            ("SSE4.2", Sse42.IsSupported),
            ("AVX", Avx.IsSupported),
            ("AVX2", Avx2.IsSupported),
            ("FMA", Fma.IsSupported),
            ("AVX-512F", Avx512F.IsSupported),
            ("AdvSimd", System.Runtime.Intrinsics.Arm.AdvSimd.IsSupported),
            ("Vector256 in hardware", Vector256.IsHardwareAccelerated),
            ("Vector512 in hardware", Vector512.IsHardwareAccelerated),
        ];
        return [.. sets.Where(set => set.Supported).Select(set => set.Name)];
    }

    private static Library[] NativeLibraries()
    {
        string getOpenCv = OperatingSystem.IsLinux()
            ? "apt-get install libgtk-3-0 (libgtk-3-0t64 on newer systems), or ./build.sh setup"
            : "add the OpenCvSharp4 runtime package of this system to src/CudaL2Net.Imaging";
        return
        [
            Try("OpenCvSharpExtern", typeof(Cv2).Assembly, "images, keypoints, matching", getOpenCv),
            Try("libSkiaSharp", typeof(SkiaSharp.SKBitmap).Assembly, "plots", "add the SkiaSharp.NativeAssets package of this system to src/CudaL2Net.Imaging"),
        ];
    }

    private static Library Try(string name, Assembly user, string purpose, string howToGetIt)
    {
        bool loads = NativeLibrary.TryLoad(name, user, null, out _);
        return new Library(name, purpose, loads, loads ? null : howToGetIt);
    }

    private static VendorsLibrary Find(string name, Func<Version> version)
    {
        try
        {
            return new VendorsLibrary(name, version().ToString(), null);
        }
        catch (Exception exception) when (exception is CudaLibraryException or EntryPointNotFoundException)
        {
            return new VendorsLibrary(name, null, exception.Message);
        }
    }

    private static void Write(Information information, IAnsiConsole console)
    {
        Table table = new Table().Border(TableBorder.None).HideHeaders().AddColumn("name", column => column.NoWrap()).AddColumn("value");
        void Row(string name, string value) => table.AddRow(Markup.Escape(name), Markup.Escape(value));

        Row("version", information.Version);
        Row("runtime", information.Runtime);
        Row("system", information.System);
        Row("cores", information.Cores.ToString());
        Row("instruction sets", string.Join(", ", information.InstructionSets));
        foreach (Processor device in information.Devices)
        {
            Row($"device {device.Name}", device.Description);
        }

        if (information.WithoutGpu is { } why)
        {
            Row("device cuda", why);
        }

        Row("CUDA kernels", information.CudaTargets.Count > 0
            ? $"PTX for {string.Join(", ", information.CudaTargets)}; a GPU of compute capability 8.0 or later and NVIDIA's driver of CUDA 11.4 or later "
                + $"run them{(information.CudaTargets.Contains("sm_90a") ? " (for sm_90a 12.0)" : string.Empty)}; "
                + "--precision float32, tf32 or bf16, to describe also int8"
            : "none in this build: ./build.sh setup installs a compiler for them");
        Row("model", $"{information.Model.Network}, {information.Model.Dimension} dimensions");
        foreach ((string key, string value) in information.Model.Metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            Row($"  {key}", value);
        }

        foreach (Library library in information.NativeLibraries)
        {
            Row($"library {library.Name}", library.Loads ? $"loads ({library.Purpose})" : $"MISSING ({library.Purpose}): {library.HowToGetIt}");
        }

        foreach (VendorsLibrary library in information.VendorsLibraries)
        {
            Row($"library {library.Name}", (library.Version ?? library.WhyNot!) + " (only for train --kernels vendor and the bench)");
        }

        console.Write(table);
    }
}
