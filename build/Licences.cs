using System.Text;
using System.Text.Json;
using System.Xml.Linq;

namespace CudaL2Net.Build;

/// <summary>
/// The licences of the packages that the tool is published with. `THIRD-PARTY-NOTICES.md` lists them, and lint compares it with what is used; the full
/// texts are put beside the published tool.
/// </summary>
internal static class Licences
{
    private const string Notices = "THIRD-PARTY-NOTICES.md";
    private static readonly string Texts = Folders.In("build", "licences");

    private const string Head = """
        # Third-party notices

        CudaL2Net itself is under the licence in `LICENSE`. The published tool contains these packages. `./build.sh tool` puts the full texts of their
        licences into `artifacts/cudal2net/licences`. `./build.sh licences` writes this file; `./build.sh lint` compares it with what is used.

        | Package | Version | Licence | Copyright |
        |---|---|---|---|

        """;

    private const string Foot = """

        Some packages hold native libraries of other projects:

        | Package | Holds |
        |---|---|
        | OpenCvSharp4.official.runtime.linux-x64 | OpenCV (Apache 2.0), libjpeg-turbo (IJG, BSD), libpng, zlib, LibTIFF, libwebp (BSD), OpenJPEG (BSD), Tesseract (Apache 2.0), FFmpeg (LGPL 2.1 or later) |
        | SkiaSharp.NativeAssets.Linux.NoDependencies, HarfBuzzSharp.NativeAssets.Linux | Skia (BSD), HarfBuzz (MIT), and what their `THIRD-PARTY-NOTICES.txt` lists |
        | Microsoft.ML.OnnxRuntime | ONNX Runtime (MIT), and what its `ThirdPartyNotices.txt` lists |

        The kernels are compiled with clang or nvcc on the user's machine. NVIDIA's driver, cuBLAS and cuDNN are loaded where they are installed; nothing of them
        is contained.

        """;

    private sealed record Package(string Name, string Version, string Licence, string Copyright, string Folder);

    /// <summary>Prints the list and writes the notices; returns the exit code.</summary>
    public static int List()
    {
        Solution.RestoreTool();
        foreach (Package package in Packages())
        {
            Console.WriteLine($"{package.Name,-48} {package.Version,-16} {package.Licence,-14} {package.Copyright}");
        }

        File.WriteAllText(Folders.In(Notices), Text());
        Console.WriteLine($"written: {Notices}");
        return 0;
    }

    /// <summary>Compares the notices with the packages in use; returns the exit code.</summary>
    public static int Check()
    {
        bool same = File.Exists(Folders.In(Notices)) && File.ReadAllText(Folders.In(Notices)) == Text();
        Console.WriteLine(same ? $"licences: {Notices} is up to date" : $"licences: run `./build.sh licences` and commit {Notices}");
        return same ? 0 : 1;
    }

    /// <summary>Puts the full texts beside the published tool.</summary>
    /// <exception cref="BuildFailed">A package has no text, and its licence is not known here.</exception>
    public static void Publish()
    {
        string target = Path.Combine(Folders.Tool, "licences");
        Directory.CreateDirectory(target);
        File.Copy(Folders.In(Notices), Path.Combine(target, Notices), overwrite: true);
        foreach (Package package in Packages())
        {
            string[] files = TextsOf(package.Folder);
            string folder = Directory.CreateDirectory(Path.Combine(target, package.Name)).FullName;
            foreach (string file in files)
            {
                File.Copy(file, Path.Combine(folder, Path.GetFileName(file)), overwrite: true);
            }

            string known = Path.Combine(Texts, package.Licence + ".txt");
            if (!files.Any(file => Path.GetFileName(file).StartsWith("LICENSE", StringComparison.OrdinalIgnoreCase)))
            {
                string text = File.Exists(known) ? File.ReadAllText(known)
                    : throw new BuildFailed($"{package.Name} has no text of its licence {package.Licence}; put it into {Path.GetRelativePath(Folders.Root, known)}");
                File.WriteAllText(Path.Combine(folder, "LICENSE.txt"), $"{package.Copyright}\n\n{text}");
            }
        }
    }

    private static string[] TextsOf(string folder) =>
    [
        .. Directory.EnumerateFiles(folder).Concat(Directory.Exists(Path.Combine(folder, "Notices")) ? Directory.EnumerateFiles(Path.Combine(folder, "Notices")) : [])
            .Where(file => Path.GetFileName(file) is var name
                && (name.Contains("license", StringComparison.OrdinalIgnoreCase) || name.Contains("notices", StringComparison.OrdinalIgnoreCase))),
    ];

    private static string Text()
    {
        var text = new StringBuilder(Head);
        foreach (Package package in Packages())
        {
            text.Append($"| {package.Name} | {package.Version} | {package.Licence} | {package.Copyright} |\n");
        }

        return text.Append(Foot).ToString();
    }

    // What the last restore of the tool chose. Packages that only bring something for another system are left out.
    private static List<Package> Packages()
    {
        using JsonDocument assets = JsonDocument.Parse(File.ReadAllText(Folders.In("src", "CudaL2Net.Cli", "obj", "project.assets.json")));
        string[] sources = [.. assets.RootElement.GetProperty("packageFolders").EnumerateObject().Select(folder => folder.Name)];
        JsonElement libraries = assets.RootElement.GetProperty("libraries");
        JsonElement target = assets.RootElement.GetProperty("targets").EnumerateObject().Last().Value;
        var packages = new List<Package>();
        foreach (JsonProperty library in target.EnumerateObject().OrderBy(library => library.Name, StringComparer.OrdinalIgnoreCase))
        {
            if (library.Value.GetProperty("type").GetString() != "package" || !Ships(library.Value))
            {
                continue;
            }

            string[] name = library.Name.Split('/');
            string path = libraries.GetProperty(library.Name).GetProperty("path").GetString()!;
            string folder = sources.Select(source => Path.Combine(source, path)).FirstOrDefault(Directory.Exists)
                ?? throw new BuildFailed($"the package {library.Name} is in none of {string.Join(", ", sources)}; run `dotnet restore`");
            XElement about = XDocument.Load(Directory.GetFiles(folder, "*.nuspec")[0]).Root!.Elements().First(element => element.Name.LocalName == "metadata");
            XElement? licence = about.Elements().FirstOrDefault(element => element.Name.LocalName == "license");
            packages.Add(new Package(name[0], name[1], licence?.Attribute("type")?.Value == "expression" ? licence.Value : InWords(folder), Copyright(about), folder));
        }

        return packages;
    }

    private static string Copyright(XElement about)
    {
        string? Value(string name) => about.Elements().FirstOrDefault(element => element.Name.LocalName == name)?.Value.Trim();
        string stated = Value("copyright") ?? "";
        // Some state years alone.
        bool named = stated.Replace("Copyright", "", StringComparison.OrdinalIgnoreCase).Any(char.IsLetter);
        return named ? stated : $"{stated} {Value("authors")}".Trim();
    }

    // A licence that is a file: its first line that says something.
    private static string InWords(string folder)
    {
        string? file = TextsOf(folder).FirstOrDefault(file => Path.GetFileName(file).StartsWith("LICENSE", StringComparison.OrdinalIgnoreCase));
        string text = file == null ? "" : File.ReadAllText(file);
        return text.Contains("Permission is hereby granted, free of charge", StringComparison.Ordinal) ? "MIT" : "see its file";
    }

    private static bool Ships(JsonElement library) => new[] { "runtime", "native" }.Any(kind =>
        library.TryGetProperty(kind, out JsonElement files) && files.EnumerateObject().Any(file => !file.Name.EndsWith("_._", StringComparison.Ordinal)));
}
