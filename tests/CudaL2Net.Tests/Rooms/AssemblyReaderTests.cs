using System.Reflection;

namespace CudaL2Net.Tests.Rooms;

public sealed class AssemblyReaderTests
{
    private const string UsedRoom = "CudaL2Net.Tests.Rooms.Used", UsingRoom = "CudaL2Net.Tests.Rooms.Using";

    private static readonly Lazy<List<Use>> Planted = new(Read);

    private static IEnumerable<string> Ways =>
        Assembly.GetExecutingAssembly().GetTypes().Where(type => type.Namespace == UsingRoom && !type.IsNested && type.Name != "Nothing").Select(type => type.Name);

    [TestCaseSource(nameof(Ways))]
    public void EveryWayOfNamingATypeIsSeen(string way) => Assert.That(Planted.Value.Select(use => use.From.Name), Contains.Item(way));

    [Test]
    public void ANameAloneIsNoUse() => Assert.That(Planted.Value.Select(use => use.From.Name), Has.None.EqualTo("Nothing"));

    [Test]
    public void TheMemberIsTold() => Assert.That(
        Planted.Value.Single(use => use.From.Name == "Called").ToString(), Is.EqualTo($"{UsingRoom}.Called.Call uses {UsedRoom}.Whole"));

    [Test]
    public void AWrongArrowIsTold()
    {
        Use right = Arrow("Training", "Kernels"), wrong = Arrow("Data", "Training"), unknown = Arrow("Attic", "Kernels"), inside = Arrow("Data", "Data");
        Assert.That(Arrows.Wrong([right, wrong, unknown, inside]), Is.EqualTo(new[]
        {
            "CudaL2Net.Data -> CudaL2Net.Training: CudaL2Net.Data.A.Go uses CudaL2Net.Training.B",
            "CudaL2Net.Attic -> CudaL2Net.Kernels: CudaL2Net.Attic.A.Go uses CudaL2Net.Kernels.B",
        }));
    }

    [Test]
    public void AWrongArrowBetweenProjectsIsTold()
    {
        var library = new TypeName("CudaL2Net", "CudaL2Net.Data", "A");
        var imaging = new TypeName("CudaL2Net.Imaging", "CudaL2Net.Imaging.Sources", "B");
        Assert.That(
            Arrows.WrongBetweenProjects([new Use(library, "A.Go", imaging), new Use(imaging, "B.Go", library)]),
            Is.EqualTo(new[] { "CudaL2Net -> CudaL2Net.Imaging: CudaL2Net.Data.A.Go uses CudaL2Net.Imaging.Sources.B" }));
    }

    [Test]
    public void CyclesAreFound()
    {
        (string, string)[] tree = [("a", "b"), ("a", "c"), ("b", "c"), ("c", "d"), ("d", "d")];
        Assert.Multiple(() =>
        {
            Assert.That(Arrows.Cycles(tree), Is.Empty);
            Assert.That(Arrows.Cycles([.. tree, ("d", "b")]), Is.EqualTo(new[] { "b -> c -> d -> b" }));
        });
    }

    private static Use Arrow(string from, string to) =>
        new(new TypeName("CudaL2Net", $"CudaL2Net.{from}", "A"), "A.Go", new TypeName("CudaL2Net", $"CudaL2Net.{to}", "B"));

    private static List<Use> Read()
    {
        using var reader = new AssemblyReader(Assembly.GetExecutingAssembly().Location);
        return reader.Uses().FindAll(use => use.From.Namespace == UsingRoom && use.To.Namespace == UsedRoom);
    }
}
