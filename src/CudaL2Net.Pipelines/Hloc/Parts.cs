using System.Security.Cryptography;
using System.Text;
using CudaL2Net.Formats;
using CudaL2Net.Pipelines.Images;

namespace CudaL2Net.Pipelines.Hloc;

/// <summary>
/// The parts of a file that is being made: one file per image or block of pairs, in a folder beside it, <c>NAME.parts</c>. HDF5 files cannot be written on safely,
/// so a stopped run leaves its parts, the next one goes on with them, and the last one joins them.
/// </summary>
internal sealed class Parts : IDisposable
{
    private const string SettingsKey = "settings", NameKey = "name";

    private readonly string folder;
    private readonly string settings;
    private readonly FolderLock held;

    /// <summary>Takes the folder of a file's parts, and makes it.</summary>
    /// <param name="output">The file that they will be joined to.</param>
    /// <param name="settings">All that decides what is in them: parts of other settings are not taken.</param>
    /// <param name="force">Whether parts of other settings are made anew; else they are an error.</param>
    /// <exception cref="OtherSettingsException">There are parts of other settings.</exception>
    /// <exception cref="IOException">Another process has the folder, or it cannot be made.</exception>
    public Parts(string output, string settings, bool force)
    {
        folder = FolderOf(output);
        this.settings = settings;
        held = FolderLock.Take(folder);
        try
        {
            if (force)
            {
                foreach (string part in Files())
                {
                    File.Delete(part);
                }
            }
            else if (Files().FirstOrDefault() is { } first && Read(first) is { } part && part.Metadata.GetValueOrDefault(SettingsKey) is { } before && before != settings)
            {
                throw new OtherSettingsException($"{folder} has parts that were made with other settings ({before}; now {settings})");
            }
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    /// <summary>The folder of a file's parts.</summary>
    public static string FolderOf(string output) => $"{Path.TrimEndingDirectorySeparator(output)}.parts";

    /// <summary>A part; null where it is not there, damaged, or of other settings.</summary>
    public SafetensorsFile? Find(string name) => Read(PathOf(name)) is { } part && part.Metadata.GetValueOrDefault(NameKey) == name
        && part.Metadata.GetValueOrDefault(SettingsKey) == settings ? part : null;

    /// <summary>Writes a part.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public void Write(string name, IReadOnlyDictionary<string, SafetensorsTensor> tensors) =>
        SafetensorsFile.Write(PathOf(name), tensors, new Dictionary<string, string> { [NameKey] = name, [SettingsKey] = settings });

    /// <summary>Removes the folder: the parts have been joined.</summary>
    public void Remove()
    {
        foreach (string part in Files())
        {
            File.Delete(part);
        }

        // Where this run made the folder, it goes with the lock.
        held.Dispose();
        if (Directory.Exists(folder) && FolderWalk.IsEmpty(folder))
        {
            Directory.Delete(folder);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => held.Dispose();

    private static SafetensorsFile? Read(string path)
    {
        try
        {
            return File.Exists(path) ? SafetensorsFile.Read(path) : null;
        }
        catch (InvalidDataException)
        {
            // Made anew.
            return null;
        }
    }

    private IReadOnlyList<string> Files() => FolderWalk.Files(folder, name => name.EndsWith(".safetensors", StringComparison.Ordinal));

    // Names of images may hold what names of files may not.
    private string PathOf(string name) => Path.Combine(folder, $"{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(name)))[..32]}.safetensors");
}
