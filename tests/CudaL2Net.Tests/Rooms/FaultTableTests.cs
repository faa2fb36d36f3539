using System.Text.RegularExpressions;

namespace CudaL2Net.Tests.Rooms;

/// <summary>The tests that docs/reliability.md names are there.</summary>
public sealed class FaultTableTests
{
    private static readonly Dictionary<string, Type> Classes = typeof(FaultTableTests).Assembly.GetTypes()
        .Where(type => type.Name.EndsWith("Tests", StringComparison.Ordinal)).ToDictionary(type => type.Name);

    [Test]
    public void EveryKindOfFaultHasATestThatIsThere()
    {
        string[] rows = [.. Document().Where(line => Regex.IsMatch(line, @"^\| \d+ \|"))];
        Assert.That(rows.Select(row => row.Split('|')[1].Trim()), Is.EqualTo(Enumerable.Range(1, 30).Select(i => $"{i}")));
        Assert.Multiple(() =>
        {
            foreach (string row in rows)
            {
                Assert.That(Names(row.Split('|')[^2]), Is.Not.Empty, row);
            }
        });
    }

    [Test]
    public void EveryTestThatIsNamedIsThere()
    {
        string[] names = [.. Document().SelectMany(Names).Distinct()];
        Assert.That(names, Has.Length.GreaterThan(40));
        Assert.Multiple(() =>
        {
            foreach (string name in names)
            {
                string[] parts = name.Split('.');
                Assert.That(Classes, Does.ContainKey(parts[0]), name);
                Assert.That(
                    parts.Length == 1 || (Classes.TryGetValue(parts[0], out Type? type) && type.GetMethod(parts[1]) is not null), Is.True, $"{name} is no test");
            }
        });
    }

    private static string[] Document() => File.ReadAllLines(Path.Combine(Repository.Folder, "docs", "reliability.md"));

    // Class, or Class.Method.
    private static IEnumerable<string> Names(string text) => Regex.Matches(text, @"\b[A-Z][A-Za-z0-9]+Tests\b(\.[A-Z][A-Za-z0-9]+)?").Select(match => match.Value);
}
