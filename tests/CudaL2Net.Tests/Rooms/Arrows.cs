namespace CudaL2Net.Tests.Rooms;

/// <summary>
/// The rooms of the house and the arrows allowed between them. A room is a namespace below an assembly's root, to the first level; types that stand in the
/// root itself are a room, too. What is in no table is not allowed.
/// </summary>
internal static class Arrows
{
    /// <summary>Which projects a project may use.</summary>
    public static readonly Dictionary<string, string[]> Projects = new()
    {
        ["CudaL2Net.Interop"] = [],
        ["CudaL2Net"] = ["CudaL2Net.Interop"],
        ["CudaL2Net.Reference"] = ["CudaL2Net"],
        ["CudaL2Net.Native"] = ["CudaL2Net", "CudaL2Net.Interop"],
        ["CudaL2Net.Imaging"] = ["CudaL2Net"],
        ["CudaL2Net.Evaluation"] = ["CudaL2Net.Imaging", "CudaL2Net"],
        ["CudaL2Net.Pipelines"] = ["CudaL2Net.Imaging", "CudaL2Net"],
        ["CudaL2Net.Bench"] = ["CudaL2Net.Reference", "CudaL2Net", "CudaL2Net.Interop"],
        ["CudaL2Net.Cli"] = ["CudaL2Net.Bench", "CudaL2Net.Evaluation", "CudaL2Net.Pipelines", "CudaL2Net.Imaging", "CudaL2Net", "CudaL2Net.Interop"],
    };

    /// <summary>Which rooms of its own project a room may use. The root is "".</summary>
    public static readonly Dictionary<string, Dictionary<string, string[]>> Rooms = new()
    {
        ["CudaL2Net.Interop"] = new() { [""] = [] },
        ["CudaL2Net"] = new()
        {
            ["Numerics"] = [],
            ["Formats"] = [],
            ["Kernels"] = ["Formats", "Numerics"],
            ["Autograd"] = ["Kernels", "Numerics"],
            ["Data"] = ["Formats", "Numerics"],
            ["Matching"] = ["Kernels", "Formats", "Numerics"],
            ["Networks"] = ["Data", "Autograd", "Kernels", "Formats", "Numerics"],
            ["Training"] = ["Networks", "Data", "Matching", "Autograd", "Kernels", "Formats", "Numerics"],
        },
        ["CudaL2Net.Reference"] = new() { [""] = [] },
        ["CudaL2Net.Native"] = new() { [""] = [] },
        ["CudaL2Net.Imaging"] = new()
        {
            ["Files"] = [],
            [""] = ["Files"],
            ["Geometry"] = [],
            ["Keypoints"] = ["Geometry", "Files", ""],
            ["Description"] = ["Keypoints"],
            ["Matching"] = ["Description", "Keypoints"],
            ["Regions"] = ["Geometry", "Keypoints", "Files"],
            ["Data"] = [""],
            ["Sources"] = ["Data", "Keypoints", "Files", ""],
            ["Sequences"] = ["Sources", "Keypoints", "Geometry", ""],
        },
        ["CudaL2Net.Evaluation"] = new()
        {
            ["Describers"] = [],
            ["Results"] = [],
            ["Measures"] = [],
            ["Protocols"] = ["Measures", "Results"],
            ["Plots"] = ["Results"],
            ["Reports"] = ["Plots", "Results"],
        },
        ["CudaL2Net.Pipelines"] = new()
        {
            ["Images"] = [],
            ["Hloc"] = ["Images"],
            ["Colmap"] = ["Hloc", "Images"],
        },
        ["CudaL2Net.Bench"] = new()
        {
            ["Measuring"] = [],
            ["Reports"] = ["Measuring"],
            ["Operations"] = ["Measuring"],
            [""] = ["Operations", "Reports", "Measuring"],
        },
        ["CudaL2Net.Cli"] = new()
        {
            ["CommandLine"] = [],
            ["Runs"] = ["CommandLine"],
            ["Commands"] = ["Runs", "CommandLine"],
            ["Files"] = ["Commands", "Runs", "CommandLine"],
            [""] = ["Files", "Commands", "CommandLine"],
        },
    };

    /// <summary>The room of a type, as <c>Kernels</c>; null where the compiler put it outside of the project's namespaces.</summary>
    public static string? Room(TypeName type)
    {
        if (type.Namespace != type.Assembly && !type.Namespace.StartsWith(type.Assembly + ".", StringComparison.Ordinal))
        {
            return null;
        }

        string below = type.Namespace[type.Assembly.Length..].TrimStart('.');
        return below.Split('.')[0];
    }

    /// <summary>The uses that go from one room of a project to another one that the room may not use, a line each.</summary>
    public static IEnumerable<string> Wrong(IEnumerable<Use> uses) =>
        from use in uses
        where use.From.Assembly == use.To.Assembly
        let @from = Room(use.From)
        let to = Room(use.To)
        where @from is not null && to is not null && @from != to && !Rooms[use.From.Assembly].GetValueOrDefault(@from, []).Contains(to)
        select $"{Shown(use.From, @from)} -> {Shown(use.To, to)}: {use}";

    /// <summary>The uses that go from one project to another one that the project may not use.</summary>
    public static IEnumerable<string> WrongBetweenProjects(IEnumerable<Use> uses) =>
        from use in uses
        where Projects.ContainsKey(use.To.Assembly) && use.From.Assembly != use.To.Assembly
        where !Projects[use.From.Assembly].Contains(use.To.Assembly)
        select $"{use.From.Assembly} -> {use.To.Assembly}: {use}";

    /// <summary>Each cycle of nodes, as <c>a -> b -> a</c>; a node that is in several is told once.</summary>
    public static IEnumerable<string> Cycles(IEnumerable<(string From, string To)> arrows)
    {
        ILookup<string, string> next = arrows.Where(arrow => arrow.From != arrow.To).Distinct().ToLookup(arrow => arrow.From, arrow => arrow.To);
        var done = new HashSet<string>();
        var path = new List<string>();
        var cycles = new List<string>();

        void Visit(string node)
        {
            int at = path.IndexOf(node);
            if (at >= 0)
            {
                cycles.Add(string.Join(" -> ", path.Skip(at).Append(node)));
                return;
            }

            if (!done.Add(node))
            {
                return;
            }

            path.Add(node);
            foreach (string to in next[node])
            {
                Visit(to);
            }

            path.RemoveAt(path.Count - 1);
        }

        foreach (string node in next.Select(group => group.Key).Order(StringComparer.Ordinal))
        {
            Visit(node);
        }

        return cycles;
    }

    private static string Shown(TypeName type, string room) => room.Length == 0 ? type.Assembly : $"{type.Assembly}.{room}";
}
