using System.IO.Compression;
using System.Text;
using CudaL2Net.Formats;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using OpenCvSharp;

namespace CudaL2Net.Tests.Cli;

public sealed class DescribeCommandTests : ModelCommandTests
{
    [Test]
    public void StripArrayAndFolderGiveTheLibrarysDescriptors([Values(32, 64, 65)] int side)
    {
        byte[] patches = Noise(3 * side * side);
        WriteStrip("a.png", patches, side);
        Directory.CreateDirectory(folder["strips"]);
        File.Copy(folder["a.png"], Path.Combine(folder["strips"], "1.png"));
        File.Copy(folder["a.png"], Path.Combine(folder["strips"], "2.png"));
        NpyFile.Write<byte>(folder["bytes.npy"], patches, 3, side, side);
        NpyFile.Write<float>(folder["floats.npy"], Array.ConvertAll(patches, value => (float)value), 3, side, side);
        using Device device = Device.Open("cpu");
        using PatchModel loaded = PatchModel.Load(model, device);
        float[] expected = loaded.Describe(patches, side);

        Assert.Multiple(() =>
        {
            Assert.That(Describe("a.png"), Is.EqualTo(expected));
            Assert.That(Describe("bytes.npy"), Is.EqualTo(expected));
            Assert.That(Describe("floats.npy"), Is.EqualTo(expected));
            Assert.That(Describe("strips"), Is.EqualTo(expected.Concat(expected)));
        });
    }

    [Test]
    public void ArraysOfEveryFormThatPeopleKeepPatchesInGiveTheSameDescriptors()
    {
        const int Side = 32;
        byte[] patches = Noise(2 * Side * Side);
        WriteStrip("a.png", patches, Side);
        float[] expected = Describe("a.png");
        NpyFile.Write<byte>(folder["nchw.npy"], patches, 2, 1, Side, Side);
        NpyFile.Write<byte>(folder["nhwc.npy"], patches, 2, Side, Side, 1);
        NpyFile.Write<float>(folder["floats.npy"], Array.ConvertAll(patches, value => (float)value), 2, 1, Side, Side);
        WriteArray("halves.npy", "<f2", "(2L, 32L, 32L)", patches.SelectMany(value => BitConverter.GetBytes((Half)value)));
        WriteArray("doubles.npy", ">f8", "(2, 1, 32, 32)", patches.SelectMany(value => BitConverter.GetBytes((double)value).Reverse()));
        byte[] turned = new byte[patches.Length];
        for (int i = 0; i < turned.Length; i++)
        {
            turned[i] = patches[(i % 2 * Side * Side) + (i / 2 % Side * Side) + (i / 2 / Side)];
        }

        WriteArray("fortran.npy", "|u1", "(2, 32, 32)", turned, fortran: true);
        using (ZipArchive archive = ZipFile.Open(folder["both.npz"], ZipArchiveMode.Create))
        {
            archive.CreateEntryFromFile(folder["nchw.npy"], "patches.npy");
            archive.CreateEntryFromFile(folder["nhwc.npy"], "others.npy");
        }

        Assert.Multiple(() =>
        {
            foreach (string name in new[] { "nchw.npy", "nhwc.npy", "floats.npy", "halves.npy", "doubles.npy", "fortran.npy", "both.npz:patches" })
            {
                Assert.That(Describe(name), Is.EqualTo(expected), name);
            }
        });
        Run("both.npz").Explains(1, "both.npz", "patches, others", "both.npz:patches");
        Run("none.npz:x").Explains(1, "none.npz:x", "does not exist");
        NpyFile.Write<byte>(folder["colour.npy"], new byte[3 * Side * Side], 1, 3, Side, Side);
        Run("colour.npy").Explains(1, "[1, 3, 32, 32]", "[n, 1, side, side]");
    }

    [Test]
    public void ALittleOverOneIsSaidAndChangesNoOtherDescriptor()
    {
        var random = new Random(5);
        float[] values = [.. Enumerable.Range(0, 2 * 32 * 32).Select(_ => random.Next(30, 230) / 255f)];
        NpyFile.Write<float>(folder["unit.npy"], values, 2, 32, 32);
        values[7] = 1.0000001f;
        NpyFile.Write<float>(folder["above.npy"], values, 2, 32, 32);
        CommandLine unit = CommandLine.MustRun("describe", folder["unit.npy"], "--model", model, "--out", folder["a.npy"]);
        CommandLine above = CommandLine.MustRun("describe", folder["above.npy"], "--model", model, "--out", folder["b.npy"]);
        Assert.That(unit.Error, Does.Contain("white is 1").And.Not.Contain("beyond"));
        Assert.That(above.Error, Does.Contain("white is 1; values beyond 0..1, taken as black or white: 1, by at most 1.192093E-07"));
        Assert.That(NpyFile.Read(folder["b.npy"]).ToFloats()[128..], Is.EqualTo(NpyFile.Read(folder["a.npy"]).ToFloats()[128..]));

        values[7] = 200;
        NpyFile.Write<float>(folder["far.npy"], values, 2, 32, 32);
        CommandLine.Run("describe", folder["far.npy"], "--model", model, "--out", folder["c.npy"]).Explains(1, folder["far.npy"], "200 at [0, 0, 7]", "--white");
        CommandLine.Run("describe", folder["far.npy"], "--white", "0", "--model", model, "--out", folder["c.npy"]).Explains(2, "--white 0");
        CommandLine.Run("describe", folder[""], "--white", "1", "--model", model, "--out", folder["c.npy"]).Explains(2, "--white", "array");
    }

    [Test]
    public void BinaryWritesTheSigns()
    {
        byte[] patches = Noise(2 * 32 * 32);
        WriteStrip("a.png", patches, 32);
        CommandLine.MustRun("describe", folder["a.png"], "--model", model, "--out", folder["bits.npy"], "--binary");
        NpyArray bits = NpyFile.Read(folder["bits.npy"]);
        using Device device = Device.Open("cpu");
        using PatchModel loaded = PatchModel.Load(model, device);
        Assert.That(bits.Shape.ToArray(), Is.EqualTo(new[] { 2, 16 }));
        Assert.That(bits.AsSpan<byte>().ToArray(), Is.EqualTo(loaded.DescribeBinary(patches, 32)));
    }

    [Test]
    public void ImageGivesADescriptorForEachKeypointWrittenBeside()
    {
        using (Mat image = Noise(120, 160))
        {
            Cv2.ImWrite(folder["photo.png"], image);
        }

        CommandLine run = CommandLine.MustRun("describe", folder["photo.png"], "--model", model, "--out", folder["photo.npy"], "--limit", "50", "--json");
        string[] lines = File.ReadAllLines(folder["photo.keypoints.csv"]);
        int count = NpyFile.Read(folder["photo.npy"]).Shape[0];
        Assert.Multiple(() =>
        {
            Assert.That(count, Is.InRange(1, 50));
            Assert.That(lines, Has.Length.EqualTo(count + 1));
            Assert.That(lines[0], Is.EqualTo("x,y,size,angle,response"));
            Assert.That(run.Output, Does.Contain($"\"patches\": {count}"));
        });
    }

    [Test]
    public void KeypointsOfAReducedImageAreInThePixelsOfTheImage()
    {
        using (Mat image = Noise(240, 320))
        {
            Cv2.ImWrite(folder["photo.png"], image);
        }

        CommandLine.MustRun("describe", folder["photo.png"], "--model", model, "--out", folder["photo.npy"], "--max-side", "80");
        double[] right = [.. File.ReadLines(folder["photo.keypoints.csv"]).Skip(1).Select(line => double.Parse(line.Split(',')[0]))];
        Assert.That(right.Max(), Is.InRange(160, 320));
        CommandLine.Run("describe", folder["photo.png"], "--out", folder["photo.npy"], "--max-side", "8").Explains(2, "--max-side 8", "at least 16");
    }

    [Test]
    public void EmptyFolderIsExplained()
    {
        Directory.CreateDirectory(folder["empty"]);
        Run("empty").Explains(1, folder["empty"], "no strips");
    }

    [Test]
    public void TextNamedPngIsExplained()
    {
        File.WriteAllText(folder["text.png"], "This is no image.");
        Run("text.png").Explains(1, folder["text.png"], "not an image");
    }

    [Test]
    public void NanInAnArrayIsExplainedWithItsPlace()
    {
        var patches = new float[2 * 32 * 32];
        patches[(32 * 32) + (3 * 32) + 5] = float.NaN;
        NpyFile.Write<float>(folder["nan.npy"], patches, 2, 32, 32);
        Run("nan.npy").Explains(1, folder["nan.npy"], "NaN", "[1, 3, 5]");
        Assert.That(File.Exists(folder["out.npy"]), Is.False);
    }

    [Test]
    public void TruncatedModelIsExplained()
    {
        WriteStrip("a.png", Noise(32 * 32), 32);
        byte[] whole = File.ReadAllBytes(model);
        File.WriteAllBytes(model, whole[..(whole.Length / 2)]);
        Run("a.png").Explains(1, model);
    }

    [Test]
    public void ModelOfAnotherArchitectureIsExplained()
    {
        WriteStrip("a.png", Noise(32 * 32), 32);
        SafetensorsFile.Write(model, new Dictionary<string, SafetensorsTensor> { ["conv1.weight"] = SafetensorsTensor.From<float>(new float[9], 9) });
        Run("a.png").Explains(1, model, "not a model of cudal2net");
    }

    [Test]
    public void MissingInputIsExplained() => Run("nothing.png").Explains(1, folder["nothing.png"], "does not exist");

    [Test]
    public void MissingOutputFolderIsExplained()
    {
        WriteStrip("a.png", Noise(32 * 32), 32);
        CommandLine.Run("describe", folder["a.png"], "--model", model, "--out", folder["no/such/out.npy"]).Explains(1, "out.npy", "folder does not exist");
    }

    [Test]
    public void OutputMustBeNpy() => CommandLine.Run("describe", folder["a.png"], "--out", folder["a.txt"]).Explains(2, "a.txt", ".npy");

    private CommandLine Run(string input) => CommandLine.Run("describe", folder[input], "--model", model, "--out", folder["out.npy"]);

    private float[] Describe(string input)
    {
        CommandLine.MustRun("describe", folder[input], "--model", model, "--out", folder["out.npy"]);
        return NpyFile.Read(folder["out.npy"]).AsSpan<float>().ToArray();
    }

    private void WriteStrip(string name, byte[] patches, int side)
    {
        using Mat strip = Mat.FromPixelData(patches.Length / side, side, MatType.CV_8UC1, patches);
        Cv2.ImWrite(folder[name], strip);
    }

    private void WriteArray(string name, string type, string shape, IEnumerable<byte> data, bool fortran = false)
    {
        byte[] header = Encoding.ASCII.GetBytes($"{{'descr': '{type}', 'fortran_order': {fortran}, 'shape': {shape}, }}".PadRight(117) + "\n");
        File.WriteAllBytes(folder[name], [0x93, .. "NUMPY"u8, 1, 0, .. BitConverter.GetBytes((ushort)header.Length), .. header, .. data]);
    }

    private static byte[] Noise(int count)
    {
        var bytes = new byte[count];
        new Random(7).NextBytes(bytes);
        return bytes;
    }

    private static Mat Noise(int height, int width)
    {
        using Mat noise = Mat.FromPixelData(height, width, MatType.CV_8UC1, Noise(height * width));
        var smooth = new Mat();
        Cv2.GaussianBlur(noise, smooth, new Size(0, 0), 2);
        Cv2.Normalize(smooth, smooth, 0, 255, NormTypes.MinMax);
        return smooth;
    }
}
