namespace CudaL2Net.Build;

/// <summary>The build, for every system: <c>./build.sh TARGET</c>, or <c>build.ps1</c> on Windows.</summary>
internal static class Program
{
    private const string Usage = """
        usage: ./build.sh [TARGET] [ARGUMENTS]

        to use it
          demo           build the tool, train for a few minutes and show the results; arguments go to `cudal2net demo`
          tool           build the tool alone: artifacts/cudal2net/cudal2net
          bench          build the tool and measure; arguments go to `cudal2net bench` (kernels, train, describe, match, compare);
                         `bench operations` runs BenchmarkDotNet's suites
          setup          install what this system lacks (Debian and Ubuntu)

        to work on it
          build          build everything                                                     (the default)
          check NAME     build and run the tests of one operation, on the CPU and on emulated CUDA: check lrn
          test           build everything and run all tests; arguments go to the tests' program: test --filter FullyQualifiedName~Onnx
          lint           build everything with analyzers and documentation, and check the formatting: what CI asks for
          format         check the formatting alone
          sanitize       run what `test` launched of each kernel under the address and race detectors;
                         `sanitize FILE` runs launches that the emulator recorded
          kernels        compile the CUDA kernels to PTX: artifacts/kernels                   (part of build)
          emulator       compile them with the emulated CUDA driver: artifacts/emulator       (part of build, on x86-64 Linux)
          native         compile the C library to machine code: artifacts/native
          licences       list the licences of the packages in the tool, and write THIRD-PARTY-NOTICES.md
          pack           make the NuGet packages, and try each in a new project: artifacts/packages
          publish-tests  put the tests into artifacts/tests as a program that needs no .NET: for a machine with a GPU
          clean          remove everything that was built

        docs/building.md says what each of them does and how long it takes.
        """;

    private static int Main(string[] args)
    {
        foreach (string variable in new[] { "DOTNET_CLI_TELEMETRY_OPTOUT", "TESTINGPLATFORM_TELEMETRY_OPTOUT", "DOTNET_NOLOGO" })
        {
            Environment.SetEnvironmentVariable(variable, "1");
        }

        // Build nodes that outlive the build would hold the pipes of whoever called us.
        Environment.SetEnvironmentVariable("MSBUILDDISABLENODEREUSE", "1");
        // The programs that we start get the terminal's Ctrl-C too, and decide; we wait for them.
        Console.CancelKeyPress += (_, signal) => signal.Cancel = true;
        try
        {
            return Run(args.Length == 0 ? "build" : args[0], args.Length == 0 ? [] : args[1..]);
        }
        catch (BuildFailed failure)
        {
            Console.Error.WriteLine($"error: {failure.Message}");
            return 1;
        }
    }

    private static int Run(string target, string[] rest)
    {
        switch (target)
        {
            case "build":
                BuildAll();
                return Built();
            case "tool":
                BuildTool();
                return Built();
            case "demo":
                BuildTool();
                return Tool(["demo", .. rest]);
            case "bench":
                return Bench(rest);
            case "check":
                return Tests.Check(rest.FirstOrDefault());
            case "test":
                BuildAll();
                return Tests.All(rest);
            case "pack":
                Setup.Install(emulator: false);
                Pack.Run();
                return 0;
            case "publish-tests":
                BuildAll();
                Solution.PublishTests();
                return 0;
            case "lint":
                Setup.Install(emulator: true);
                Kernels.Compile();
                return Lint.Check();
            case "licences":
                return Licences.List();
            case "format":
                return Lint.Format();
            case "sanitize":
                return Sanitize.Run(rest.FirstOrDefault());
            case "kernels":
                Kernels.Compile();
                return 0;
            case "emulator":
                Emulator.Compile();
                return 0;
            case "native":
                Setup.Install(emulator: false, native: true);
                Native.Compile();
                return 0;
            case "setup":
                BuildTool();
                return Setup.Check() ? Say("all native libraries load") : 1;
            case "clean":
                Clean();
                return 0;
            case "help" or "--help" or "-h":
                return Say(Usage);
            default:
                Console.Error.WriteLine($"error: unknown target '{target}'\n\n{Usage}");
                return 2;
        }
    }

    private static void BuildAll()
    {
        Setup.Install(emulator: true);
        Kernels.Compile();
        Emulator.Compile();
        Solution.BuildAll();
        Setup.Check();
    }

    // Packages are downloaded while the kernels are compiled; the library then embeds their PTX.
    private static void BuildTool()
    {
        Processes.SideBySide(Solution.RestoreTool, () =>
        {
            Setup.Install(emulator: false);
            Kernels.Compile();
        });
        Solution.BuildTool();
        Setup.Check();
    }

    private static int Built() => Say($"built {Path.GetRelativePath(Folders.Root, Folders.ToolProgram)}");

    // In the caller's folder, which the files that the arguments name are relative to.
    private static int Tool(string[] arguments) => Processes.Run(Folders.ToolProgram, arguments, Directory.GetCurrentDirectory());

    private static int Bench(string[] rest)
    {
        BuildTool();
        if (rest is not ["operations", .. var suites])
        {
            return Tool(["bench", .. rest.Length == 0 ? ["--help"] : rest]);
        }

        Solution.BuildBenchmarks();
        string project = Folders.In("bench", "CudaL2Net.Benchmarks");
        return Processes.Run("dotnet", ["run", "--no-build", "-c", "Release", "--project", project, "--", .. suites], Directory.GetCurrentDirectory());
    }

    private static void Clean()
    {
        string running = Folders.In("artifacts", "build");
        IEnumerable<string> outputs = new[] { "src", "tests", "bench" }.Select(folder => Folders.In(folder)).Where(Directory.Exists)
            .SelectMany(folder => Directory.EnumerateFiles(folder, "*.csproj", SearchOption.AllDirectories))
            .SelectMany(project => new[] { "bin", "obj" }, (project, output) => Path.Combine(Path.GetDirectoryName(project)!, output))
            .Where(Directory.Exists);
        foreach (string folder in outputs.Concat(Directory.EnumerateDirectories(Folders.In("artifacts")).Where(folder => folder != running)).ToList())
        {
            Directory.Delete(folder, recursive: true);
        }

        foreach (string file in Directory.EnumerateFiles(Folders.In("artifacts")))
        {
            File.Delete(file);
        }
    }

    private static int Say(string text)
    {
        Console.WriteLine(text);
        return 0;
    }
}
