using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using CudaL2Net.Data;
using CudaL2Net.Kernels;
using CudaL2Net.Native;
using CudaL2Net.Networks;

namespace CudaL2Net.Tests.Native;

/// <summary>The C library's table, called in this process through the pointers that a program in C gets.</summary>
public sealed unsafe partial class ApiTableTests
{
    private static readonly ApiTable* Api = ((delegate* unmanaged[Cdecl]<uint, ApiTable*>)&ApiTable.Get)(ApiTable.Newest);

    private static string SourceFolder => Path.Combine(Repository.Folder, "src", "CudaL2Net.Native");

    [Test]
    public void TheTableIsInTheHeadersOrder()
    {
        string header = File.ReadAllText(Path.Combine(SourceFolder, "include", "cudal2net.h"));
        string[] declared = [.. Pointer().Matches(header).Select(match => match.Groups[1].Value.Replace("_", ""))];
        string[] held = [.. typeof(ApiTable).GetFields().Where(field => !field.IsStatic && field.Name != "Size").OrderBy(field => field.MetadataToken)
            .Select(field => field.Name.ToLowerInvariant())];
        Assert.That(declared, Is.EqualTo(held));
        Assert.That(header.Split('\n'), Has.Length.LessThan(300));
    }

    /// <summary>What a version has stays as it was: the newest header's first functions are those of version 1.</summary>
    [Test]
    public void Version1IsKept()
    {
        string[] newest = Functions(Path.Combine(SourceFolder, "include", "cudal2net.h"));
        string[] first = Functions(Path.Combine(Repository.Folder, "tests", "native", "version-1", "cudal2net.h"));
        Assert.That(newest.Take(first.Length), Is.EqualTo(first));
    }

    [Test]
    public void EveryFunctionIsGuarded()
    {
        int functions = 0;
        foreach (string file in Directory.EnumerateFiles(SourceFolder, "*.cs"))
        {
            string[] parts = File.ReadAllText(file).Split("[UnmanagedCallersOnly");
            foreach (string part in parts.Skip(1))
            {
                Assert.That(Body().IsMatch(part), $"{Path.GetFileName(file)}: {part.Trim().Split('\n')[1]} goes through the guard");
                functions++;
            }
        }

        Assert.That(functions, Is.GreaterThanOrEqualTo(18));
    }

    [Test]
    public void StridesAndFloatsDescribeTheSamePatches()
    {
        const int Count = 9, Side = 32, Wide = 80;
        byte[] dense = new byte[Count * Side * Side], spread = new byte[(Count + 1) * 40 * Wide];
        new Random(3).NextBytes(dense);
        float[] floats = new float[dense.Length];
        for (int i = 0; i < dense.Length; i++)
        {
            int patch = i / (Side * Side), y = i / Side % Side, x = i % Side;

            // Rows from below, pixels two apart.
            spread[(patch * 40 * Wide) + ((Side - 1 - y) * Wide) + (2 * x)] = dense[i];
            floats[i] = (dense[i] + (0.4f * ((i % 3) - 1))) / 255;
        }

        nint device = 0, model = 0;
        Succeed(Api->DeviceOpen(Utf8("cpu"), 1, null, &device));
        Succeed(Api->ModelLoadDefault(device, &model));
        using Device own = Device.Open("cpu");
        using PatchModel library = PatchModel.LoadDefault(own);
        float[] expected = library.Describe(dense, Side), found = new float[expected.Length];
        fixed (byte* bytes = spread)
        fixed (float* values = floats, output = found)
        {
            var patches = new PatchArray
            {
                Data = bytes + ((Side - 1) * Wide),
                Count = Count,
                Side = Side,
                Type = 0,
                PatchStride = 40 * Wide,
                RowStride = -Wide,
                PixelStride = 2,
            };
            Succeed(Api->Describe(model, &patches, output, found.Length));
            Assert.That(found, Is.EqualTo(expected));
            Array.Clear(found);
            patches = new PatchArray { Data = values, Count = Count, Side = Side, Type = 1, White = 1 };
            Succeed(Api->Describe(model, &patches, output, found.Length));
            Assert.That(found, Is.EqualTo(expected));

            // Halves are rounded as by the tool.
            for (int i = 0; i < floats.Length; i++)
            {
                floats[i] = (i % 255) + 0.5f;
                dense[i] = (byte)MathF.Round(floats[i]);
            }

            expected = library.Describe(dense, Side);
            patches.White = 255;
            Succeed(Api->Describe(model, &patches, output, found.Length));
            Assert.That(found, Is.EqualTo(expected));
        }

        Succeed(Api->ModelRelease(model));
        Succeed(Api->DeviceRelease(device));
    }

    [TestCase(1, false)]
    [TestCase(3, true)]
    public void ImagesAreDescribedAsByTheLibrary(int channels, bool frames)
    {
        const int Width = 71, Height = 57, Count = 12, Stride = (3 * Width) + 5;
        var random = new Random(4);
        byte[] pixels = new byte[Stride * Height];
        random.NextBytes(pixels);
        var places = new PatchKeypoint[Count];
        var maps = new AffineFrame[Count];
        float[] rows = new float[6 * Count];
        for (int i = 0; i < Count; i++)
        {
            float x = random.NextSingle() * (Width - 1), y = random.NextSingle() * (Height - 1);
            places[i] = new PatchKeypoint(x, y, 1 + (9 * random.NextSingle()), 360 * random.NextSingle());
            maps[i] = new AffineFrame(x, y, 5 + random.NextSingle(), random.NextSingle(), -random.NextSingle(), 9 * (random.NextSingle() + 0.1f));
            float[] row = [maps[i].Xx, maps[i].Xy, x, maps[i].Yx, maps[i].Yy, y];
            row.CopyTo(rows, 6 * i);
        }

        nint device = 0, model = 0;
        Succeed(Api->DeviceOpen(Utf8("cpu"), 1, null, &device));
        Succeed(Api->ModelLoadDefault(device, &model));
        using Device own = Device.Open("cpu");
        using PatchModel library = PatchModel.LoadDefault(own);
        var view = new ImageView(pixels, Width, Height, Stride, channels);
        byte[] expected = frames ? ImagePatches.Cut(view, maps, 32) : ImagePatches.Cut(view, places, 9, 32), cut = new byte[expected.Length];
        float[] descriptors = new float[Count * 128];
        fixed (byte* data = pixels, patches = cut)
        fixed (PatchKeypoint* first = places)
        fixed (float* lafs = rows, output = descriptors)
        {
            var image = new Image { Data = data, Stride = Stride, Width = Width, Height = Height, Channels = channels };
            var regions = new RegionArray { Data = frames ? lafs : first, Count = Count, Type = frames ? 1 : 0, PatchScale = 9 };
            Succeed(Api->DescribeImages(model, &image, &regions, 1, 1, output, descriptors.Length, patches, cut.Length));
        }

        Assert.That(cut, Is.EqualTo(expected));
        Assert.That(descriptors, Is.EqualTo(library.Describe(expected, 32)));
        Succeed(Api->ModelRelease(model));
        Succeed(Api->DeviceRelease(device));
    }

    /// <summary>Many images and a large one are described block by block, in order.</summary>
    [Test]
    public void ImagesOfManyBlocksAreInOrder()
    {
        const int Side = 12, Images = 40;
        int[] counts = [.. Enumerable.Range(0, Images).Select(i => i == 7 ? 17_000 : 3 * i)];
        byte[] pixels = new byte[Side * Side];
        new Random(5).NextBytes(pixels);
        var places = new PatchKeypoint[counts.Max()];
        for (int i = 0; i < places.Length; i++)
        {
            places[i] = new PatchKeypoint(i % 11, i % 7, 1 + (i % 5), i);
        }

        using var folder = new TemporaryFolder();
        Network network = NetworkFile.Parse(
            """
            { "name": "coarse", "towers": [ { "layers": [ { "type": "convolution", "out": 8, "kernel": 8, "stride": 8, "bias": true }, { "type": "linear", "out": 8 },
              { "type": "unitVector" } ] } ] }
            """,
            "coarse");
        ModelFile file = ModelFile.Untrained(network, 1);
        file.Write(folder["coarse.safetensors"]);
        nint device = 0, model = 0;
        Succeed(Api->DeviceOpen(Utf8("cpu"), 0, null, &device));
        Succeed(Api->ModelLoad(device, Utf8(folder["coarse.safetensors"]), &model));
        int total = counts.Sum();
        byte[] cut = new byte[total * 1024], bits = new byte[total], again = new byte[total];
        fixed (byte* data = pixels, patches = cut, signs = bits)
        fixed (PatchKeypoint* first = places)
        {
            var images = stackalloc Image[Images];
            var regions = stackalloc RegionArray[Images];
            for (int i = 0; i < Images; i++)
            {
                images[i] = new Image { Data = data, Width = Side, Height = Side, Channels = 1 };
                regions[i] = new RegionArray { Data = first, Count = counts[i], PatchScale = 1 + i };
            }

            Succeed(Api->DescribeImages(model, images, regions, Images, 2, signs, bits.Length, patches, cut.Length));
            Array.Copy(bits, again, total);
            Array.Clear(bits);
            Succeed(Api->DescribeImages(model, images, regions, Images, 2, signs, bits.Length, null, 0));
        }

        Assert.That(bits.AsSpan().SequenceEqual(again), "the same with and without the patches");
        using Device own = Device.Open("cpu");
        using var library = new PatchModel(file, own);
        Assert.That(bits.AsSpan().SequenceEqual(library.DescribeBinary(cut, 32)));
        int before = counts.Take(30).Sum();
        byte[] expected = ImagePatches.Cut(new ImageView(pixels, Side, Side), places.AsSpan(0, counts[30]), 31, 32);
        Assert.That(cut.AsSpan(before * 1024, expected.Length).SequenceEqual(expected));
        Succeed(Api->ModelRelease(model));
        Succeed(Api->DeviceRelease(device));
    }

    [Test]
    public void AReleasedHandlesPlaceIsNotTheNextOnes()
    {
        nint first = Handles.Add("first");
        Handles.Remove<string>(first);
        nint second = Handles.Add("second");
        Assert.Throws<HandleException>(() => Handles.Get<string>(first));
        Assert.That(Handles.Get<string>(second), Is.EqualTo("second"));
        Assert.Throws<HandleException>(() => Handles.Get<Status>(second));
        Assert.That(second & 1, Is.EqualTo((nint)1));
        Handles.Remove<string>(second);
    }

    [Test]
    public void EveryExceptionIsAStatus()
    {
        (Exception Error, StatusCode Code)[] cases =
        [
            (new ArgumentNullException("x"), StatusCode.InvalidArgument), (new FileNotFoundException(), StatusCode.NotFound),
            (new InvalidDataException(), StatusCode.InvalidData), (new UnauthorizedAccessException(), StatusCode.File),
            (new ObjectDisposedException("x"), StatusCode.InvalidHandle), (new OutOfMemoryException(), StatusCode.OutOfMemory),
            (new NullReferenceException(), StatusCode.Internal), (new DllNotFoundException(), StatusCode.Cuda),
        ];
        foreach ((Exception error, StatusCode code) in cases)
        {
            nint status = Guard.Run(() => throw error);
            Assert.That(Api->StatusCode(status), Is.EqualTo((int)code), error.GetType().Name);
            Assert.That(Marshal.PtrToStringUTF8(Api->StatusText(status)), Is.Not.Empty);
            Api->StatusRelease(status);
        }
    }

    private static string[] Functions(string header) =>
        [.. Regex.Matches(File.ReadAllText(header), @"\(CL2_CALL \*\w+\)\([^;]*;").Select(match => Regex.Replace(match.Value, @"\s+", " "))];

    private static void Succeed(nint status) => Assert.That((long)status, Is.Zero, Marshal.PtrToStringUTF8(Api->StatusText(status)));

    // Never freed: a few bytes of a test.
    private static byte* Utf8(string text) => (byte*)Marshal.StringToCoTaskMemUTF8(text);

    [GeneratedRegex(@"\(CL2_CALL \*(\w+)\)\(")]
    private static partial Regex Pointer();

    [GeneratedRegex(@"^[^{;]*?=>\s*(\(ApiTable\*\))?Guard\.(Run|Try)\(")]
    private static partial Regex Body();
}
