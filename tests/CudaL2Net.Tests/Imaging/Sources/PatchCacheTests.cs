using System.Security.Cryptography;
using CudaL2Net.Data;
using CudaL2Net.Imaging.Sources;
using OpenCvSharp;

namespace CudaL2Net.Tests.Imaging.Sources;

public sealed class PatchCacheTests
{
    private static readonly PairOptions Small = new() { PointsPerPicture = 20, Copies = 1 };
    private static readonly Lazy<SourceResult> Made = new(() => new SyntheticSource(1, 128, 96).Build(25, Small with { Parts = PatchParts.Centres }, 1));
    private string folder = "";

    [SetUp]
    public void MakeFolder() => folder = Directory.CreateTempSubdirectory("cudal2net-").FullName;

    [TearDown]
    public void DeleteFolder() => Directory.Delete(folder, true);

    [Test]
    public void ASecondRunReadsTheSamePatches()
    {
        PatchCache cache = new(Path.Combine(folder, "made", "on demand"));
        int built = 0;
        SourceResult first = cache.GetOrBuild("a", () => Build(ref built)), second = cache.GetOrBuild("a", () => Build(ref built));
        Assert.That(built, Is.EqualTo(1));
        Assert.That(second.Patches.Pixels, Is.EqualTo(first.Patches.Pixels));
        Assert.That(second.Patches.Centres, Is.EqualTo(first.Patches.Centres));
        Assert.That(second.Patches.PointIds, Is.EqualTo(first.Patches.PointIds));
        Assert.That(second.Patches.ImageIds, Is.EqualTo(first.Patches.ImageIds));
        Assert.That(first.Report.FromCache, Is.False);
        Assert.That(second.Report.FromCache, Is.True);
        Assert.That(second.Report.FlatPoints, Is.EqualTo(first.Report.FlatPoints));
        Assert.That(Directory.GetFiles(cache.Folder!), Is.EqualTo(new[] { cache.PathOf("a") }));
        cache.GetOrBuild("b", () => Build(ref built));
        Assert.That(built, Is.EqualTo(2));
    }

    [Test]
    public void AReportThatMakesNoSenseIsMadeAnewThoughItsChecksumFits()
    {
        PatchCache cache = new(folder);
        int built = 0;
        cache.GetOrBuild("a", () => Build(ref built));
        byte[] file = File.ReadAllBytes(cache.PathOf("a"));
        int at = file.AsSpan().IndexOf("\"Warnings\":[]"u8);
        "\"Warnings\":{}"u8.CopyTo(file.AsSpan(at));
        SHA256.HashData(file.AsSpan(0, file.Length - SHA256.HashSizeInBytes), file.AsSpan(file.Length - SHA256.HashSizeInBytes));
        File.WriteAllBytes(cache.PathOf("a"), file);
        SourceResult again = cache.GetOrBuild("a", () => Build(ref built));
        Assert.That(built, Is.EqualTo(2));
        Assert.That(again.Report.Warnings.Single(), Does.Contain(cache.PathOf("a")).And.Contain("made anew"));
    }

    [Test]
    public void EveryPartIsKept([Values] PatchParts parts, [Values] bool images)
    {
        PatchSet set = Made.Value.Patches;
        byte[] large = new byte[set.Count * PatchSet.LargeArea];
        new Random(1).NextBytes(large);
        SourceResult made = Made.Value with
        {
            Patches = new PatchSet(
                set.Pixels,
                set.PointIds,
                parts.HasFlag(PatchParts.Centres) ? set.Centres : null,
                images ? set.ImageIds : null,
                parts.HasFlag(PatchParts.Large) ? large : null),
        };
        PatchCache cache = new(folder);
        cache.GetOrBuild("a", () => made);
        SourceResult kept = cache.GetOrBuild("a", () => throw new InvalidOperationException("it should have been kept"));
        Assert.That(kept.Report.FromCache, Is.True);
        Assert.That(kept.Report.Warnings, Is.Empty);
        Assert.That(kept.Patches.Pixels, Is.EqualTo(set.Pixels));
        Assert.That(kept.Patches.Centres, Is.EqualTo(made.Patches.Centres));
        Assert.That(kept.Patches.Large, Is.EqualTo(made.Patches.Large));
        Assert.That(kept.Patches.ImageIds, Is.EqualTo(made.Patches.ImageIds));
    }

    [TestCase(0, 1)]
    [TestCase(9, 1)]
    [TestCase(20, 1)]
    [TestCase(46, 1)]
    [TestCase(70, 1)]
    [TestCase(4000, 1)]
    [TestCase(-1, 1)]
    [TestCase(-1, 0)]
    [TestCase(30, 0)]
    [TestCase(5000, 0)]
    public void ADamagedFileIsReportedAndMadeAnew(int place, int flips)
    {
        PatchCache cache = new(folder);
        int built = 0;
        SourceResult first = cache.GetOrBuild("a", () => Build(ref built));
        string path = cache.PathOf("a");
        byte[] bytes = File.ReadAllBytes(path);
        int at = place < 0 ? bytes.Length + place : place;
        if (flips == 0)
        {
            File.WriteAllBytes(path, bytes[..at]);
        }
        else
        {
            bytes[at] ^= 0x55;
            File.WriteAllBytes(path, bytes);
        }

        SourceResult again = cache.GetOrBuild("a", () => Build(ref built));
        Assert.That(built, Is.EqualTo(2));
        Assert.That(again.Report.Warnings, Has.Some.Contains(path).And.Some.Contains("made anew"));
        Assert.That(cache.GetOrBuild("a", () => Build(ref built)).Patches.Pixels, Is.EqualTo(first.Patches.Pixels));
        Assert.That(built, Is.EqualTo(2));
    }

    [Test]
    public void ACacheThatCannotBeWrittenOnlyWarns()
    {
        string file = Path.Combine(folder, "file");
        File.WriteAllText(file, "in the way");
        int built = 0;
        SourceResult result = new PatchCache(Path.Combine(file, "cache")).GetOrBuild("a", () => Build(ref built));
        Assert.That(result.Patches.Count, Is.GreaterThan(0));
        Assert.That(result.Report.Warnings, Has.Some.Contains("CUDAL2NET_CACHE"));
    }

    [Test]
    public void NoneKeepsNothing()
    {
        int built = 0;
        PatchCache.None.GetOrBuild("a", () => Build(ref built));
        PatchCache.None.GetOrBuild("a", () => Build(ref built));
        Assert.That(built, Is.EqualTo(2));
    }

    [Test]
    public void SourcesAreOpenedByName()
    {
        PatchCache cache = new(Path.Combine(folder, "cache"));
        string images = Path.Combine(folder, "images");
        Directory.CreateDirectory(images);
        using Mat image = TestImages.Speckle(160, 120, 1);
        Cv2.ImWrite(Path.Combine(images, "a.png"), image);

        SourceResult first = PatchSources.Open("images:" + images, 15, 1, Small, cache);
        Assert.That(first.Report.Points, Is.EqualTo(15));
        Assert.That(PatchSources.Open("images:" + images, 15, 1, Small, cache).Report.FromCache, Is.True);
        Assert.That(PatchSources.Open("images:" + images, 15, 1, Small with { Noise = 3 }, cache).Report.FromCache, Is.False);
        SourceResult large = PatchSources.Open("images:" + images, 15, 1, Small with { Parts = PatchParts.Large }, cache);
        Assert.That(large.Report.FromCache, Is.False);
        Assert.That(PatchResize.Reduce(large.Patches.Large, 64), Is.EqualTo(large.Patches.Pixels));
        Assert.That(large.Patches.Centres, Is.Null);
        Assert.That(PatchSources.Open("images:" + images, 15, 2, Small, cache).Report.FromCache, Is.False);
        Assert.That(PatchSources.Open("images:" + images, 14, 1, Small, cache).Report.FromCache, Is.False);
        Cv2.ImWrite(Path.Combine(images, "b.png"), image);
        Assert.That(PatchSources.Open("images:" + images, 15, 1, Small, cache).Report.FromCache, Is.False);
        Assert.That(PatchSources.Open("synthetic", 10, 1, Small, cache).Report.Points, Is.EqualTo(10));
    }

    [Test]
    public void AnImageThatChangedInPlaceMakesThePatchesAnew()
    {
        PatchCache cache = new(Path.Combine(folder, "cache"));
        string images = Path.Combine(folder, "images"), file = Path.Combine(images, "a.bmp");
        Directory.CreateDirectory(images);
        DateTime time = new(2020, 1, 2, 3, 4, 5, DateTimeKind.Utc);
        Write(seed: 1);
        SourceResult first = Open();

        // Another image in a file of the same name, size and time; then the first one again, at another time.
        Write(seed: 2);
        SourceResult second = Open();
        Assert.That(second.Report.FromCache, Is.False);
        Assert.That(second.Patches.Pixels, Is.Not.EqualTo(first.Patches.Pixels));
        Assert.That(Open().Report.FromCache, Is.True);
        File.SetLastWriteTimeUtc(file, time.AddDays(1));
        Assert.That(Open().Report.FromCache, Is.True, "a time alone is no change");
        Assert.That(PatchSources.Open("images:" + images, 15, 1, Small, PatchCache.None).Patches.Pixels, Is.EqualTo(second.Patches.Pixels));

        SourceResult Open() => PatchSources.Open("images:" + images, 15, 1, Small, cache);

        void Write(int seed)
        {
            using Mat image = TestImages.Speckle(160, 120, (ulong)seed);
            Cv2.ImWrite(file, image);
            File.SetLastWriteTimeUtc(file, time);
        }
    }

    [TestCase("nonsense")]
    [TestCase("images:")]
    [TestCase("images")]
    [TestCase("synthetic:3")]
    [TestCase("")]
    public void AnUnknownSourceNamesTheKnownOnes(string source) =>
        Assert.That(() => PatchSources.Open(source, 10, 1, null, PatchCache.None), Throws.ArgumentException.With.Message.Contains("images:DIR"));

    [TestCase("brown:")]
    [TestCase("hpatches:")]
    public void AMissingLabelledSetIsNamed(string kind) =>
        Assert.That(() => PatchSources.Open(kind + Path.Combine(folder, "none"), 10, 1, null, PatchCache.None),
            Throws.InstanceOf<IOException>().With.Message.Contains("none"));

    private static SourceResult Build(ref int built)
    {
        built++;
        return Made.Value;
    }
}
