using CudaL2Net.Formats;
using CudaL2Net.Networks;
using CudaL2Net.Training;
using OpenCvSharp;

namespace CudaL2Net.Fuzz.Disk;

/// <summary>Runs a command again and again, each time with a fault of the disk at another place, and once more without.</summary>
internal static class DiskFaults
{
    private const string Network =
        """{"name":"tiny","towers":[{"layers":[{"type":"convolution","out":8,"kernel":8,"stride":8},{"type":"linear","out":16},{"type":"unitVector"}]}]}""";

    /// <summary>Runs one of <see cref="Command"/>; returns the exit code.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="places">The most places that get a fault of each kind.</param>
    public static int Run(string name, long places)
    {
        if (!FaultyDisk.IsThere)
        {
            Console.Error.WriteLine("error: start this with LD_PRELOAD=artifacts/emulator/libfaulty-disk.so");
            return 2;
        }

        string root = Directory.CreateTempSubdirectory("cudal2net-disk-").FullName;
        try
        {
            Environment.SetEnvironmentVariable("CUDAL2NET_CACHE", Path.Combine(root, "cache"));
            WriteInputs(root);
            string whole = Path.Combine(root, "undisturbed"), broken = Path.Combine(root, "broken");
            Must(Command(name, root, whole), root);
            int faults = 0, failed = 0, ended = 0;
            foreach (DiskFault fault in Enum.GetValues<DiskFault>())
            {
                long calls = Fresh(broken, fault, long.MaxValue, name, root).Calls;
                for (long i = 0, count = Math.Min(places, calls); i < count; i++)
                {
                    long call = count == 1 ? 1 : 1 + (i * (calls - 1) / (count - 1));
                    faults++;
                    (bool end, string? wrong) = Try(name, root, whole, broken, fault, call);
                    ended += end ? 1 : 0;
                    failed += wrong is null ? 0 : 1;
                    Console.Write(wrong is null ? "" : $"FAILED: {name}, {fault} at call {call} of {calls}: {wrong}\n");
                }
            }

            Console.WriteLine($"disk: {name}, {faults} faults, of which {ended} ended the command, {failed} failed");
            return failed > 0 ? 1 : 0;
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    private static string[] Command(string name, string root, string folder)
    {
        string model = Path.Combine(root, "tiny.safetensors"), images = Path.Combine(root, "scene");
        return name switch
        {
            "train" =>
            [
                "train", "--data", "synthetic", "--validation", "none", "--points", "40", "--network", Path.Combine(root, "tiny.json"), "--preset", "quick",
                "--batch", "4", "--steps", "3", "--checkpoint-seconds", "0", "--device", "cpu", "--out", folder, "--resume",
            ],
            "describe" => ["describe", Path.Combine(root, "patches.npy"), "--model", model, "--device", "cpu", "--out", Path.Combine(folder, "d.npy")],
            "match" =>
            [
                "match", Path.Combine(images, "img1.png"), Path.Combine(images, "img2.png"), "--limit", "20", "--model", model, "--device", "cpu", "--out",
                Path.Combine(folder, "m.png"),
            ],
            "evaluate" =>
            [
                "evaluate", "sequences", images, "--keypoints", "20", "--method", $"model:{model}", "--device", "cpu", "--csv", Path.Combine(folder, "s.csv"),
            ],
            "export" => ["export", "--model", model, "--format", "onnx", "--out", Path.Combine(folder, "m.onnx")],
            _ => throw new ArgumentException($"there is no command '{name}': train, describe, match, evaluate or export"),
        };
    }

    // Whether a fault at this call ended the command, and what is wrong then; null if nothing is.
    private static (bool Ended, string? Wrong) Try(string name, string root, string whole, string broken, DiskFault fault, long call)
    {
        (int code, string error, _) = Fresh(broken, fault, call, name, root);
        return (code != 0, Wrong(name, root, whole, broken, fault, code, error));
    }

    private static string? Wrong(string name, string root, string whole, string broken, DiskFault fault, int code, string error)
    {
        bool told = error.Split('\n').Count(line => line.StartsWith("error: ", StringComparison.Ordinal)) == 1
            && !error.Contains("unexpected", StringComparison.Ordinal);
        if (code != 0 && !told)
        {
            return $"exit code {code}, and no clear error: {error}";
        }

        if (code == 0 && Unlike(whole, broken) is { } other)
        {
            return $"exit code 0, but {other}";
        }

        foreach (string file in Directory.Exists(broken) ? Directory.GetFiles(broken) : [])
        {
            if (Half(file, Path.Combine(whole, Path.GetFileName(file)), fault) is { } half)
            {
                return half;
            }
        }

        (code, error) = InProcess(Command(name, root, broken));
        return code != 0 ? $"it cannot be run again: {error}" : Unlike(whole, broken) is { } different ? $"run again, {different}" : null;
    }

    // Why a file must not be there as it is, or null.
    private static string? Half(string file, string whole, DiskFault fault)
    {
        if (!File.Exists(whole))
        {
            // A process that is killed leaves what it was writing, under a name of its own.
            return fault == DiskFault.Dead || new FileInfo(file).Length == 0 ? null : $"{file} is left";
        }

        if (Path.GetFileName(file) == "checkpoint.safetensors")
        {
            // That of an earlier step, maybe, but a whole one.
            Checkpoint.Read(file);
            return null;
        }

        return Path.GetFileName(file) == "metrics.jsonl" || Same(file, whole) ? null : $"{file} is half written";
    }

    // How the outputs differ, or null.
    private static string? Unlike(string whole, string broken)
    {
        string[] names = [.. Directory.GetFiles(whole).Select(file => Path.GetFileName(file))];
        string? odd = Directory.GetFiles(broken).Select(file => Path.GetFileName(file)).FirstOrDefault(file => !names.Contains(file));
        return odd is not null ? $"{odd} is left"
            : names.FirstOrDefault(file => file != "metrics.jsonl" && !Same(Path.Combine(broken, file), Path.Combine(whole, file))) is { } different
                ? $"{different} is another one or missing"
                : null;
    }

    private static bool Same(string file, string other) => File.Exists(file) && File.ReadAllBytes(file).AsSpan().SequenceEqual(File.ReadAllBytes(other));

    private static (int Code, string Error, long Calls) Fresh(string folder, DiskFault fault, long call, string name, string root)
    {
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }

        Directory.CreateDirectory(folder);
        FaultyDisk.Arm(folder, fault, call);
        (int code, string error) = InProcess(Command(name, root, folder));
        return (code, error, FaultyDisk.Disarm());
    }

    private static void Must(string[] command, string root)
    {
        Directory.CreateDirectory(command[Array.IndexOf(command, command[0] == "evaluate" ? "--csv" : "--out") + 1] is var path && command[0] == "train"
            ? path
            : Path.GetDirectoryName(path)!);
        (int code, string error) = InProcess(command);
        if (code != 0)
        {
            throw new InvalidOperationException($"{string.Join(' ', command)} in {root}: {error}");
        }
    }

    private static (int Code, string Error) InProcess(string[] command)
    {
        using var error = new StringWriter();
        int code = Cli.Program.Run(command, TextWriter.Null, error);

        // Files that an error left to be closed are closed here, not in the next run.
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return (code, error.ToString());
    }

    private static void WriteInputs(string root)
    {
        string images = Path.Combine(root, "scene");
        Directory.CreateDirectory(images);
        File.WriteAllText(Path.Combine(root, "tiny.json"), Network);
        ModelFile.Untrained(NetworkFile.Parse(Network, "tiny"), 3).Write(Path.Combine(root, "tiny.safetensors"));
        NpyFile.Write<byte>(Path.Combine(root, "patches.npy"), Readers.Written.Noise(3 * 32 * 32, 1), 3, 32, 32);
        using Mat noise = Mat.FromPixelData(20, 24, MatType.CV_8UC1, Readers.Written.Noise(480, 2)), image = new();
        Cv2.Resize(noise, image, new Size(192, 160), 0, 0, InterpolationFlags.Cubic);
        image.SaveImage(Path.Combine(images, "img1.png"));
        image.SaveImage(Path.Combine(images, "img2.png"));
        File.WriteAllText(Path.Combine(images, "H1to2p"), "1 0 0\n0 1 0\n0 0 1\n");
    }
}
