namespace CudaL2Net.Build;

/// <summary>Makes the NuGet packages, and tries each as its user would: in a new project that knows nothing of this repository.</summary>
internal static class Pack
{
    private static readonly string Output = Folders.In("artifacts", "packages");

    // What a user of each library writes first, and what it must print.
    private static readonly (string Package, string Program, string Prints)[] Libraries =
    [
        ("CudaL2Net", """
            using CudaL2Net.Kernels;
            using CudaL2Net.Networks;

            using Device device = Device.Open("cpu");
            using PatchModel model = PatchModel.LoadDefault(device);
            float[] descriptors = model.Describe(new byte[3 * 32 * 32].Select((_, i) => (byte)(i * i)).ToArray(), side: 32);
            Console.WriteLine($"{descriptors.Length} values, length {MathF.Sqrt(descriptors[..128].Sum(x => x * x)):F3}");
            """, "384 values, length 1.000"),
        ("CudaL2Net.Imaging", """
            using CudaL2Net.Imaging.Keypoints;
            using OpenCvSharp;

            using var image = new Mat(120, 160, MatType.CV_8UC1);
            Cv2.Randu(image, 0, 255);
            Console.WriteLine(KeypointDetector.Detect(image, limit: 5).Length);
            """, "5"),
        ("CudaL2Net.Evaluation", """
            using CudaL2Net.Evaluation.Protocols;

            Console.WriteLine(string.Join(", ", HPatchesEvaluation.Levels));
            """, "easy, hard, tough"),
    ];

    /// <summary>Makes them in artifacts/packages, and tries them.</summary>
    public static void Run()
    {
        Kernels.Compile();
        if (Directory.Exists(Output))
        {
            Directory.Delete(Output, recursive: true);
        }

        foreach (string project in Libraries.Select(library => library.Package).Prepend("CudaL2Net.Interop"))
        {
            Make(project);
        }

        Make("CudaL2Net.Cli", "-p:PackTool=true");
        string folder = Directory.CreateTempSubdirectory("cudal2net-packages-").FullName;
        try
        {
            Try(folder);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        Console.WriteLine($"packed and tried {Path.GetRelativePath(Folders.Root, Output)}");
    }

    private static void Make(string project, params string[] options) => Processes.Must(
        "dotnet", ["pack", Path.Combine("src", project), "-c", "Release", "-v", "quiet", "--nologo", "-o", Output, .. options], $"{project} could not be packed");

    private static void Try(string folder)
    {
        string usual = Environment.GetEnvironmentVariable("NUGET_PACKAGES")
            ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        string settings = Path.Combine(folder, "nuget.config");
        // Packages that were downloaded before are taken; ours come from where they were just made.
        File.WriteAllText(settings, $"""
            <configuration>
              <config><add key="globalPackagesFolder" value="{Path.Combine(folder, "packages")}" /></config>
              <fallbackPackageFolders><add key="usual" value="{usual}" /></fallbackPackageFolders>
              <packageSources><add key="made" value="{Output}" /></packageSources>
            </configuration>
            """);
        foreach ((string package, string program, string prints) in Libraries)
        {
            string project = Path.Combine(folder, $"try-{package}");
            Directory.CreateDirectory(project);
            File.WriteAllText(Path.Combine(project, "Try.csproj"), $"""
                <Project Sdk="Microsoft.NET.Sdk">
                  <PropertyGroup>
                    <OutputType>Exe</OutputType>
                    <TargetFramework>net10.0</TargetFramework>
                    <ImplicitUsings>enable</ImplicitUsings>
                    <Nullable>enable</Nullable>
                  </PropertyGroup>
                  <ItemGroup><PackageReference Include="{package}" Version="{Solution.Version}" /></ItemGroup>
                </Project>
                """);
            File.WriteAllText(Path.Combine(project, "Program.cs"), program);
            Expect(prints, "dotnet", ["run", "-v", "quiet"], project, $"a program that uses the package {package}");
        }

        string tools = Path.Combine(folder, "tool");
        Processes.Must(
            "dotnet", ["tool", "install", "CudaL2Net.Cli", "--version", Solution.Version, "--tool-path", tools, "--configfile", settings], "the tool could not be installed");
        string tool = Path.Combine(tools, OperatingSystem.IsWindows() ? "cudal2net.exe" : "cudal2net");
        Expect("hardnet", tool, ["info", "--networks"], folder, "the installed tool");
    }

    private static void Expect(string text, string program, string[] arguments, string folder, string what)
    {
        var lines = new List<string>();
        int code = Processes.Run(program, arguments, folder, line => lines.Add(line), echo: false);
        if (code != 0 || !lines.Any(line => line.Contains(text, StringComparison.Ordinal)))
        {
            throw new BuildFailed($"{what} ended with exit code {code} and did not print '{text}':\n{string.Join('\n', lines)}");
        }
    }
}
