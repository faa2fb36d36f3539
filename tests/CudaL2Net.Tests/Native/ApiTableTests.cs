using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using CudaL2Net.Kernels;
using CudaL2Net.Native;
using CudaL2Net.Networks;

namespace CudaL2Net.Tests.Native;

/// <summary>The C library's table, called in this process through the pointers that a program in C gets.</summary>
public sealed unsafe partial class ApiTableTests
{
    private static readonly ApiTable* Api = ((delegate* unmanaged[Cdecl]<uint, ApiTable*>)&ApiTable.Get)(1);

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
