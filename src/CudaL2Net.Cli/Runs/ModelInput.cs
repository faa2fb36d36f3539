using System.CommandLine;
using System.Security.Cryptography;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Formats;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;

namespace CudaL2Net.Cli.Runs;

/// <summary>The one door through which files and folders of trainings become models. What a user should know of a file is said here.</summary>
internal static class ModelInput
{
    /// <summary>Loads the model that the line asks for.</summary>
    public static PatchModel Load(ParseResult line, Terminal terminal, Device device) => Load(line.GetValue(CommonOptions.Model), terminal, device);

    /// <summary>Loads a model.</summary>
    /// <param name="path">A file, or the folder of a training; null for the model in the box.</param>
    /// <param name="terminal">Where it is said what is odd about it.</param>
    /// <param name="device">Where it will run.</param>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">The file is damaged or no model.</exception>
    public static PatchModel Load(string? path, Terminal terminal, Device device) =>
        path is null ? PatchModel.LoadDefault(device) : new PatchModel(Read(path, terminal), device);

    /// <summary>Loads the model that the line asks for, for what needs descriptors.</summary>
    /// <exception cref="UsageException">The model scores pairs and has no descriptors.</exception>
    public static PatchModel LoadDescriber(ParseResult line, Terminal terminal, Device device)
    {
        PatchModel model = Load(line, terminal, device);
        if (model.ScoresPairs)
        {
            model.Dispose();
            throw ScoresPairs($"--model {line.GetValue(CommonOptions.Model)}", model.Network);
        }

        return model;
    }

    /// <summary>Whether a model's descriptors are bits: where that is asked for, and of networks that have no other ones.</summary>
    public static bool IsBinary(bool asked, PatchModel model) => asked || model.Network.Head.Comparison == DescriptorComparison.Hamming;

    /// <summary>Reads a model; says where its training was not at its end, and where it has no digest.</summary>
    /// <param name="path">A file, or the folder of a training.</param>
    /// <param name="terminal">Where it is said.</param>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">The file is damaged or no model.</exception>
    public static ModelFile Read(string path, Terminal terminal)
    {
        string file = FileOf(path);
        ModelFile model = ModelFile.Read(file);
        if (model.Unfinished is { } position)
        {
            terminal.Say($"{file} is unfinished: {position} of its training");
        }

        if (!model.HasDigest)
        {
            terminal.Say($"{file} is of an earlier version and has no digest, so damage to it may go unnoticed (export --format safetensors writes one with a digest)");
        }

        return model;
    }

    /// <summary>What tables and images call a model: its file's name, or its folder's where the file has the usual name; and that it is unfinished.</summary>
    /// <param name="path">A file, or the folder of a training; null for the model in the box.</param>
    /// <param name="model">The model.</param>
    public static string NameOf(string? path, PatchModel model) =>
        (path is null ? "CudaL2Net" : NameOf(path)) + (model.File.Unfinished is { } position ? $" (unfinished: {position})" : string.Empty);

    /// <summary>What tables call the network in a file: the file's name, or its folder's where the file has the usual name.</summary>
    public static string NameOf(string path)
    {
        string name = Path.GetFileNameWithoutExtension(path);
        return name is "model" or "checkpoint"
            ? Path.GetFileName(Path.GetDirectoryName(Path.GetFullPath(path)))!
            : Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));
    }

    /// <summary>A word that tells models apart: the start of the digest of the file; or of which version the model in the box is.</summary>
    /// <param name="path">A file, or the folder of a training; null for the model in the box.</param>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static string Fingerprint(string? path)
    {
        const int Letters = 12;
        if (path is null)
        {
            return $"the model of version {typeof(PatchModel).Assembly.GetName().Version}";
        }

        using FileStream file = InputFile.Open(FileOf(path));
        return $"model {NameOf(path)} {Convert.ToHexStringLower(SHA256.HashData(file))[..Letters]}";
    }

    /// <summary>What to say where a network that scores pairs is asked for descriptors.</summary>
    /// <param name="what">How the line names the model.</param>
    /// <param name="network">Its network.</param>
    public static UsageException ScoresPairs(string what, Network network) => new(
        $"{what}: the network {network.Name} scores pairs of patches and has no descriptors, which this needs",
        "evaluate brown, and evaluate hpatches --tasks verification, take networks that score pairs");

    // The path itself, or the model (else the checkpoint) in the folder that it names.
    public static string FileOf(string path)
    {
        if (!Directory.Exists(path))
        {
            return path;
        }

        string[] files = [Path.Combine(path, "model.safetensors"), Path.Combine(path, "checkpoint.safetensors")];
        return files.FirstOrDefault(File.Exists) ?? throw new FileNotFoundException(
            $"{path} is a folder without a model.safetensors; name a model file, or the --out folder of a training");
    }
}
