using System.CommandLine;
using CudaL2Net.Cli.CommandLine;
using CudaL2Net.Cli.Runs;
using CudaL2Net.Data;
using CudaL2Net.Formats;
using CudaL2Net.Imaging.Description;
using CudaL2Net.Imaging.Sources;
using CudaL2Net.Pipelines.Colmap;
using Spectre.Console;

namespace CudaL2Net.Cli.Commands;

/// <summary><c>cudal2net data make-brown</c>: a set in Brown's format from photographs.</summary>
internal static class MakeBrownCommand
{
    // All photographs take part where there are enough of them; near-uniform points and those that were lost leave some for a second pass.
    private const int MostViews = 17, LeastPerImage = 8;

    private static readonly Option<string> Images = new("--images")
    {
        Description = "The folder with the photographs. Folders in it count, too.",
        HelpName = "DIR",
        Required = true,
    };

    private static readonly Option<string> Out = new("--out", "-o") { Description = "The new folder.", HelpName = "DIR", Required = true };

    private static readonly Option<string?> Colmap = new("--colmap")
    {
        Description = "A reconstruction by COLMAP (cameras, images and points3D, .bin or .txt): the points are those that several photographs see, as in Brown's data.",
        HelpName = "DIR",
    };

    private static readonly Option<double> PatchScale = new("--patch-scale")
    {
        Description = "For --colmap: the side of a patch in the image, in diameters of the keypoint (SIFT's diameter is twice sigma).",
        HelpName = "X",
        DefaultValueFactory = _ => CutPatchDescriber.UsualPatchScale,
    };

    private static readonly Option<int> Points = new("--points")
    {
        Description = "Points to make. Each has two or more patches.",
        HelpName = "N",
        DefaultValueFactory = _ => 10_000,
    };

    private static readonly Option<int> Views = new("--views")
    {
        Description = "The most patches per point: one from the photograph, the others from changed copies.",
        HelpName = "K",
        DefaultValueFactory = _ => 3,
    };

    private static readonly Option<int> Pairs = new("--pairs")
    {
        Description = "Test pairs, half of them matches.",
        HelpName = "N",
        DefaultValueFactory = _ => 100_000,
    };

    private static readonly Option<ulong> Seed = new("--seed") { Description = "Seed of all draws.", HelpName = "S", DefaultValueFactory = _ => 1 };

    private static readonly Option<string[]> Set = new("--set")
    {
        Description = "Change how patches are made, as noise=4 or slidTwins=0.1 (names under patches in a training's run.json). May be given several times.",
        HelpName = "NAME=VALUE",
        AllowMultipleArgumentsPerToken = false,
    };

    private sealed record Made(string Folder, int Points, int Patches, int Mosaics, string PairList, int Pairs, int Pictures, int DamagedPictures);

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        var command = new ExampleCommand(
            "make-brown",
            "Write a set in the format of Brown's PhotoTour data (mosaics, info.txt, a list of test pairs) from your photographs. With --colmap its points are seen by "
                + "several photographs, as theirs. Without, by warped, re-lit copies of one photograph: easier than the real sets, and scores do not compare with theirs.",
            "cudal2net data make-brown --images my/photos --out sets/photos",
            "cudal2net data make-brown --colmap sparse/0 --images my/photos --out sets/photos",
            "cudal2net data make-brown --images my/photos --out sets/small --points 2000 --views 3 --pairs 4000 --seed 2")
        {
            Images, Colmap, Out, PatchScale, Points, Views, Pairs, Seed, Set, CommonOptions.Threads,
        };
        command.SetAction(line => Run(line, terminal));
        return command;
    }

    private static int Run(ParseResult line, Terminal terminal)
    {
        string folder = line.GetRequiredValue(Out);
        int points = line.GetValue(Points), views = line.GetValue(Views), wanted = line.GetValue(Pairs);
        if (views is < 2 or > MostViews)
        {
            throw new UsageException($"--views {views}: it must be 2 to {MostViews}");
        }

        if (points < 2 || wanted < 2)
        {
            throw new UsageException(points < 2 ? $"--points {points}: it must be at least 2" : $"--pairs {wanted}: it must be at least 2");
        }

        BrownWriter.RequireFree(folder);
        using FolderLock held = FolderLock.TakeBeside(folder);
        TemporaryFile.RemoveLeftFolders(folder);
        using var interrupt = new Interrupt(terminal, "stopping (Ctrl-C again leaves at once)");
        return line.GetValue(Colmap) is { } sparse ? RunColmap(line, terminal, sparse, interrupt) : RunPhotographs(line, terminal, interrupt);
    }

    private static int RunColmap(ParseResult line, Terminal terminal, string sparse, Interrupt interrupt)
    {
        string images = line.GetRequiredValue(Images);
        double scale = line.GetValue(PatchScale);
        if (!(scale is >= 1 and <= 100))
        {
            throw new UsageException($"--patch-scale {scale}: it must be 1 to 100");
        }

        if (line.GetValue(Set) is { Length: > 0 })
        {
            throw new UsageException("--set is for patches from changed copies, and with --colmap there are none", "leave it out");
        }

        var options = new SparsePatchOptions(line.GetValue(Points), line.GetValue(Views), scale, line.GetValue(Seed));
        SparsePatchSet set = terminal.WithProgress("patches of the reconstruction", share => new SparsePatches(SparseModel.Read(sparse), images).Cut(
            options, new Reporter<(int Done, int Total)>(at => share((double)at.Done / at.Total, $"{at.Done}/{at.Total} images")), interrupt.Token));
        foreach (string fault in set.Faults)
        {
            terminal.Say($"left out: {fault}");
        }

        return Write(line, terminal, set.Pixels, set.PointIds, new Counts(set.Points, set.Images, set.Faults.Count), FormattableString.Invariant(
            $"Not Brown's data: made from {set.Images} photographs and their reconstruction by cudal2net data make-brown --colmap, seed {options.Seed}, patch scale {scale}."));
    }

    private static int RunPhotographs(ParseResult line, Terminal terminal, Interrupt interrupt)
    {
        if (line.GetResult(PatchScale) is { Implicit: false })
        {
            throw new UsageException("--patch-scale is for --colmap", "--set patchScale=X is that of changed copies");
        }

        int points = line.GetValue(Points), views = line.GetValue(Views);
        var source = new ImageFolderSource(line.GetRequiredValue(Images));
        PairOptions usual = new() { Copies = views - 1 };
        usual = usual with { PointsPerPicture = Math.Clamp((points + source.Files - 1) / source.Files, LeastPerImage, usual.PointsPerPicture) };
        PairOptions options = TrainingRun.Change(usual, line.GetValue(Set) ?? []) with { Parts = PatchParts.Large };
        (PatchSet patches, SourceReport report) = terminal.WithProgress($"patches from {source.Files} photographs", share => source.Build(
            points,
            options,
            line.GetValue(Seed),
            new Reporter<(int Done, int Total)>(made => share((double)made.Done / made.Total, $"{made.Done} points")),
            CommonOptions.CheckedThreads(line),
            interrupt.Token));
        foreach (string warning in report.Warnings)
        {
            terminal.Say(warning);
        }

        return Write(line, terminal, patches.Large!, patches.PointIds, new Counts(report.Points, report.Images, report.DamagedPictures),
            $"Not Brown's data: made from {source.Files - report.DamagedPictures} photographs by cudal2net data make-brown, seed {line.GetValue(Seed)}.");
    }

    private static int Write(ParseResult line, Terminal terminal, byte[] patches, int[] pointIds, Counts counts, string origin)
    {
        string folder = line.GetRequiredValue(Out);
        int wanted = line.GetValue(Pairs);
        PatchPair[] pairs = BrownWriter.DrawPairs(pointIds, wanted, line.GetValue(Seed));
        if (pairs.Length < wanted - (wanted % 2))
        {
            terminal.Say($"the points have {pairs.Length / 2} matches, so there are {pairs.Length} test pairs, not the {wanted} asked for; "
                + "more --points or --views give more");
        }

        string list = BrownWriter.Write(folder, patches, pointIds, pairs, origin);
        var made = new Made(folder, counts.Points, pointIds.Length, (pointIds.Length + 255) / 256, list, pairs.Length, counts.Images, counts.Damaged);
        terminal.Result(made, console => console.WriteLine(
            $"{made.Points} points, {made.Patches} patches in {made.Mosaics} mosaics, {made.Pairs} test pairs in {list}: {folder}"));
        return 0;
    }

    private sealed record Counts(int Points, int Images, int Damaged);
}
