namespace CudaL2Net.Tests.Rooms;

/// <summary>The rooms are entered in one direction: read from the assemblies as they are built, so that no way in is overlooked.</summary>
public sealed class ArchitectureTests
{
    private static readonly Lazy<Dictionary<string, List<Use>>> Built = new(Read);

    private static IEnumerable<string> Projects => Arrows.Projects.Keys;

    [TestCaseSource(nameof(Projects))]
    public void RoomsAreEnteredInOneDirection(string project) => RequireNone(
        Arrows.Wrong(Built.Value[project]), "wrong arrows. Move the type that makes one, or change the table of allowed arrows on purpose");

    [TestCaseSource(nameof(Projects))]
    public void EveryRoomHasItsRowInTheTable(string project)
    {
        IEnumerable<string> rooms = Built.Value[project].Select(use => Arrows.Room(use.From)).OfType<string>().Distinct();
        Assert.That(rooms, Is.EquivalentTo(Arrows.Rooms[project].Keys));
    }

    [TestCaseSource(nameof(Projects))]
    public void ProjectsAreUsedInOneDirection(string project)
    {
        RequireNone(Arrows.WrongBetweenProjects(Built.Value[project]), "wrong arrows between projects");
    }

    [Test]
    public void TheTablesHaveNoCycle()
    {
        Assert.That(Arrows.Cycles(Arrows.Projects.SelectMany(row => row.Value.Select(to => (row.Key, to)))), Is.Empty);
        foreach ((string project, Dictionary<string, string[]> rooms) in Arrows.Rooms)
        {
            Assert.That(Arrows.Cycles(rooms.SelectMany(row => row.Value.Select(to => (row.Key, to)))), Is.Empty, project);
        }
    }

    // The tables know the first level only. Below it, too, there is one direction, but in Kernels: there Device opens the devices, which derive from it.
    [Test]
    public void NoNamespacesAreACycle()
    {
        IEnumerable<(string, string)> arrows =
            from use in Built.Value.Values.SelectMany(uses => uses)
            where use.From.Assembly == use.To.Assembly && Arrows.Room(use.From) is not null and not "Kernels" && Arrows.Room(use.To) is not null
            select (use.From.Namespace, use.To.Namespace);
        Assert.That(Arrows.Cycles(arrows), Is.Empty);
    }

    [TestCase("CudaL2Net.Kernels.Cpu", "CudaL2Net.Kernels.Cuda", TestName = "The CPU's kernels do not know the GPU's")]
    [TestCase("CudaL2Net.Kernels.Cuda", "CudaL2Net.Kernels.Cpu", TestName = "The GPU's kernels do not know the CPU's")]
    [TestCase("CudaL2Net.Kernels.Cuda", "CudaL2Net.Kernels.Cuda.Vendor", TestName = "Own kernels do not know the vendor's")]
    public void DevicesDoNotKnowEachOther(string from, string to) => RequireNone(
        Built.Value["CudaL2Net"].Where(use => Within(use.From, from) && !Within(use.From, to) && Within(use.To, to)).Select(use => use.ToString()),
        $"uses of {to} in {from}");

    // What all devices share knows the devices in two places: where one is opened, and where the host matches whatever the device.
    [Test]
    public void KernelsKnowTheDevicesThroughTwoDoors()
    {
        IEnumerable<string> doors =
            from use in Built.Value["CudaL2Net"]
            where use.From.Namespace == "CudaL2Net.Kernels" && use.To.Namespace.StartsWith("CudaL2Net.Kernels.", StringComparison.Ordinal)
            select use.From.Name;
        Assert.That(doors.Distinct(), Is.EquivalentTo(["Device", "HostMatching"]));
    }

    [Test]
    public void OnlyKernelsKnowTheDriver() => RequireNone(
        Built.Value["CudaL2Net"].Where(use => use.To.Assembly == "CudaL2Net.Interop" && Arrows.Room(use.From) != "Kernels").Select(use => use.ToString()),
        "uses of CudaL2Net.Interop outside of Kernels");

    private static bool Within(TypeName type, string room) => type.Namespace == room || type.Namespace.StartsWith(room + ".", StringComparison.Ordinal);

    private static void RequireNone(IEnumerable<string> found, string what)
    {
        string[] all = [.. found.Distinct().Order(StringComparer.Ordinal)];
        Assert.That(all, Is.Empty, $"{all.Length} {what}:\n{string.Join('\n', all.Take(40))}");
    }

    private static Dictionary<string, List<Use>> Read()
    {
        var built = new Dictionary<string, List<Use>>();
        foreach (string project in Arrows.Projects.Keys)
        {
            using var reader = new AssemblyReader(Path.Combine(AppContext.BaseDirectory, project + ".dll"));
            built.Add(project, reader.Uses());
        }

        return built;
    }
}
