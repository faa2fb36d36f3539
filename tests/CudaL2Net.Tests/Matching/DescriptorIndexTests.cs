using CudaL2Net.Kernels;
using CudaL2Net.Matching;
using CudaL2Net.Numerics;
using CudaL2Net.Tests.Reference;

namespace CudaL2Net.Tests.Matching;

public sealed class DescriptorIndexTests(string deviceName) : OperationTests(deviceName)
{
    private Device device = null!;

    [OneTimeSetUp]
    public void OpenDevice() => device = Open();

    [OneTimeTearDown]
    public void CloseDevice() => device?.Dispose();

    [Test]
    public void GivesWhatASearchGivesToTheBitAgainAndAgain([Values] bool binary, [Values(1, 130)] int targetCount)
    {
        DescriptorSet targets = Set(2, targetCount, binary);
        var search = new DescriptorSearch(device);
        using var index = new DescriptorIndex(device, targets);
        Assert.That((index.Count, index.Dimension, index.IsBinary), Is.EqualTo((targetCount, 128, binary)));
        foreach (int n in new[] { 40, 3, 129, 40 })
        {
            DescriptorSet queries = Set((uint)n, n, binary);
            float radius = binary ? 56 : 15.5f;
            Assert.That(index.Nearest(queries), Is.EqualTo(search.Nearest(queries, targets)));
            Assert.That(Lists(index.KNearest(queries, 7)), Is.EqualTo(Lists(search.KNearest(queries, targets, 7))));
            Assert.That(Lists(index.Within(queries, radius)), Is.EqualTo(Lists(search.Within(queries, targets, radius))));
            foreach (bool mutual in new[] { false, true })
            {
                var options = new MatchOptions(mutual, 0.95);
                Assert.That(index.Match(queries, options), Is.EqualTo(search.Match(queries, targets, options)));
            }
        }
    }

    [Test]
    public void ListsAgreeWithTheNearestAndWithDistances([Values] bool binary)
    {
        DescriptorSet queries = Set(1, 33, binary), targets = Set(2, 200, binary);
        using var index = new DescriptorIndex(device, targets);
        DescriptorMatch[] nearest = index.Nearest(queries);
        DescriptorNeighbors some = index.KNearest(queries, 12), all = index.KNearest(queries, 1000);
        Assert.That((some.Count, some.Total, all.Total), Is.EqualTo((33, 33 * 12, 33 * 200)));
        float radius = all[0][100].Distance;
        DescriptorNeighbors within = index.Within(queries, radius);
        for (int i = 0; i < queries.Count; i++)
        {
            Assert.That(some[i].SequenceEqual(all[i][..12]), Is.True);
            Assert.That(nearest[i], Is.EqualTo(new DescriptorMatch(i, some[i][0].Target, some[i][0].Distance, some[i][1].Distance)));
            Assert.That(within[i].ToArray(), Is.EqualTo(all[i].ToArray().TakeWhile(neighbour => neighbour.Distance <= radius)));
            foreach (DescriptorNeighbor neighbour in all[i])
            {
                double exact = queries.Distance(i, targets, neighbour.Target);
                Assert.That(neighbour.Distance, Is.EqualTo(exact).Within(1e-6 * exact));
            }
        }
    }

    [Test]
    public void SearchesIntoMemoryOfTheCallersAndFillsItUp([Values] bool binary)
    {
        DescriptorSet queries = Set(1, 9, binary), targets = Set(2, 5, binary);
        using var index = new DescriptorIndex(device, targets);
        var rows = new int[9 * 7];
        var distances = new float[9 * 7];
        if (binary)
        {
            index.KNearest(queries.Bits, 7, rows, distances);
        }
        else
        {
            index.KNearest(queries.Values, 7, rows, distances);
        }

        DescriptorNeighbors lists = index.KNearest(queries, 7);
        for (int i = 0; i < 9; i++)
        {
            Assert.That(lists[i].Length, Is.EqualTo(5));
            Assert.That(rows[(7 * i)..(7 * (i + 1))], Is.EqualTo(lists[i].ToArray().Select(neighbour => neighbour.Target).Concat([-1, -1])));
            Assert.That(distances[(7 * i)..(7 * (i + 1))], Is.EqualTo(
                lists[i].ToArray().Select(neighbour => neighbour.Distance).Concat([float.PositiveInfinity, float.PositiveInfinity])));
        }
    }

    [Test]
    public void KeepsItsTargetsWhateverBecomesOfTheCallersArray()
    {
        float[] values = Samples.UnitRows(1, 50, 16);
        DescriptorSet queries = DescriptorSet.FromValues([.. values], 16);
        using var index = new DescriptorIndex(device, DescriptorSet.FromValues(values, 16));
        Array.Clear(values);
        Assert.That(index.Nearest(queries).Select(match => (match.Target, match.Distance)), Is.EqualTo(Enumerable.Range(0, 50).Select(i => (i, 0f))));
    }

    [Test]
    public void FindsMoreThanItFirstHasRoomFor([Values] bool binary)
    {
        DescriptorSet queries = Set(1, 40, binary), targets = Set(2, 300, binary);
        using var index = new DescriptorIndex(device, targets);
        Assert.That(Lists(index.Within(queries, float.PositiveInfinity)), Is.EqualTo(Lists(index.KNearest(queries, 300))));
        Assert.That(index.Within(queries, 0).Total, Is.Zero);
        Assert.That(index.Within(targets, 0).Total, Is.EqualTo(300));
    }

    [Test]
    public void ManyThreadsGetWhatOneGets([Values] bool binary)
    {
        DescriptorSet[] queries = [.. Enumerable.Range(0, 4).Select(i => Set((uint)i + 10, 20 + (30 * i), binary))];
        using var index = new DescriptorIndex(device, Set(2, 200, binary));
        DescriptorNeighbor[][][] alone = [.. queries.Select(set => Lists(index.KNearest(set, 5)))], within = [.. queries.Select(set => Lists(index.Within(set, 50)))];
        Parallel.For(0, 24, new ParallelOptions { MaxDegreeOfParallelism = 4 }, i =>
        {
            Assert.That(Lists(index.KNearest(queries[i % 4], 5)), Is.EqualTo(alone[i % 4]));
            Assert.That(Lists(index.Within(queries[i % 4], 50)), Is.EqualTo(within[i % 4]));
        });
    }

    [Test]
    public void EndsWithASearchInAnotherThreadUnderWay()
    {
        DescriptorSet queries = Set(1, 40, binary: false);
        for (int round = 0; round < 20; round++)
        {
            var index = new DescriptorIndex(device, Set(2, 100, binary: false));
            DescriptorMatch[] expected = index.Nearest(queries);
            var started = new ManualResetEventSlim();
            Task searching = Task.Run(() =>
            {
                while (true)
                {
                    Assert.That(index.Nearest(queries), Is.EqualTo(expected));
                    started.Set();
                }
            });
            started.Wait();
            index.Dispose();
            index.Dispose();
            Assert.That(async () => await searching, Throws.TypeOf<ObjectDisposedException>());
            Assert.That(() => index.KNearest(queries, 1), Throws.TypeOf<ObjectDisposedException>());
            Assert.That(() => index.Within(queries, 1), Throws.TypeOf<ObjectDisposedException>());
            Assert.That(() => index.Match(queries, new MatchOptions(true, 1)), Throws.TypeOf<ObjectDisposedException>());
        }
    }

    [Test]
    public void NothingGivesNothing([Values] bool binary)
    {
        DescriptorSet none = Set(1, 0, binary), some = Set(1, 3, binary);
        using DescriptorIndex empty = new(device, none), full = new(device, some);
        Assert.That(empty.Nearest(some), Is.Empty);
        Assert.That(full.Nearest(none), Is.Empty);
        Assert.That(empty.Match(some, new MatchOptions(true, 0.8)), Is.Empty);
        Assert.That((empty.KNearest(some, 3).Count, empty.KNearest(some, 3).Total), Is.EqualTo((3, 0)));
        Assert.That((empty.Within(some, 3).Count, empty.Within(some, 3).Total), Is.EqualTo((3, 0)));
        Assert.That((full.KNearest(none, 3).Count, full.Within(none, 3).Count), Is.EqualTo((0, 0)));
        Assert.That(() => full.KNearest(none, 3)[0].Length, Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void AQueryThatIsNoNumberHasNoNeighbours()
    {
        using var index = new DescriptorIndex(device, DescriptorSet.FromValues([1, 2, float.NaN], 1));
        DescriptorSet queries = DescriptorSet.FromValues([float.NaN, 1], 1);
        Assert.That(Lists(index.KNearest(queries, 3)), Is.EqualTo(new[] { [], new DescriptorNeighbor[] { new(0, 0), new(1, 1) } }));
        Assert.That(Lists(index.Within(queries, float.PositiveInfinity)), Is.EqualTo(new[] { [], new DescriptorNeighbor[] { new(0, 0), new(1, 1) } }));
        Assert.That(index.Nearest(queries)[0], Is.EqualTo(new DescriptorMatch(0, -1, float.PositiveInfinity, float.PositiveInfinity)));
        Assert.That(index.Match(queries, new MatchOptions(true, 1)).Select(match => match.Query), Is.EqualTo(new[] { 1 }));
    }

    [Test]
    public void RefusesWhatDoesNotFit()
    {
        DescriptorSet values = Set(1, 4, binary: false), bits = Set(1, 4, binary: true);
        using DescriptorIndex index = new(device, values), binary = new(device, bits);
        Assert.That(() => index.KNearest(bits, 2), Throws.ArgumentException.With.Message.Contains("binary"));
        Assert.That(() => index.KNearest(values, 0), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => index.Within(values, -1), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => index.Within(values, float.NaN), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => index.Match(values, new MatchOptions(false, 0)), Throws.ArgumentException.With.Message.Contains("ratio"));
        Assert.That(() => index.KNearest(bits.Bits, 1, new int[4], new float[4]), Throws.ArgumentException.With.Message.Contains("packed bits"));
        Assert.That(() => binary.KNearest(values.Values, 1, new int[4], new float[4]), Throws.ArgumentException.With.Message.Contains("floats"));
        Assert.That(() => index.KNearest(values.Values, 2, new int[4], new float[8]), Throws.ArgumentException.With.Message.Contains("8"));
        Assert.That(() => index.KNearest(values.Values.AsSpan(1), 1, new int[4], new float[4]), Throws.ArgumentException.With.Message.Contains("128"));
        Assert.That(() => index.KNearest(values.Values, 0, [], []), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    private static DescriptorNeighbor[][] Lists(DescriptorNeighbors lists) =>
        [.. Enumerable.Range(0, lists.Count).Select(query => lists[query].ToArray())];

    private static DescriptorSet Set(uint step, int count, bool binary)
    {
        var random = new PhiloxStream(5, DrawPurpose.Evaluation, step);
        return binary
            ? DescriptorSet.FromBits([.. Enumerable.Range(0, count * 16).Select(_ => (byte)random.NextUInt())], 128)
            : DescriptorSet.FromValues([.. Enumerable.Range(0, count * 128).Select(_ => random.NextGaussian())], 128);
    }
}
