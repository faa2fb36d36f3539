using CudaL2Net.Matching;

namespace CudaL2Net.Tests.Matching;

public sealed class OneToOneMatchingTests
{
    [TestCase(1, 1, 10)]
    [TestCase(70, 70, 3)]
    [TestCase(70, 70, 100000)]
    [TestCase(90, 40, 50)]
    [TestCase(40, 90, 50)]
    [TestCase(60, 60, 1)]
    public void EqualsSortingAllPairs(int rows, int columns, int range)
    {
        var random = new Random(rows + range);
        float[] distances = [.. Enumerable.Range(0, rows * columns).Select(_ => (float)random.Next(range))];
        int[] expected = [.. Enumerable.Repeat(-1, rows)];
        foreach (int pair in Enumerable.Range(0, distances.Length).OrderBy(pair => distances[pair]))
        {
            if (expected[pair / columns] < 0 && !expected.Contains(pair % columns))
            {
                expected[pair / columns] = pair % columns;
            }
        }

        Assert.That(OneToOneMatching.Match(rows, columns, (row, into) => distances.AsSpan(row * columns, columns).CopyTo(into)), Is.EqualTo(expected));
    }

    // All rows want the same few columns, so the kept candidates run out again and again.
    [Test]
    public void RowsOfOneMindAreServedInOrder()
    {
        const int Count = 200;
        int[] match = OneToOneMatching.Match(Count, Count, (row, into) =>
        {
            for (int column = 0; column < Count; column++)
            {
                into[column] = (Count * column) + row;
            }
        });
        Assert.That(match, Is.EqualTo(Enumerable.Range(0, Count)));
    }

    [Test]
    public void OneSideMayBeEmpty()
    {
        Assert.That(OneToOneMatching.Match(2, 0, (_, _) => Assert.Fail("there are no distances")), Is.EqualTo(new[] { -1, -1 }));
        Assert.That(OneToOneMatching.Match(0, 2, (_, _) => Assert.Fail("there are no rows")), Is.Empty);
    }
}
