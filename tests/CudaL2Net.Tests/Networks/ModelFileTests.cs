using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using CudaL2Net.Data;
using CudaL2Net.Kernels;
using CudaL2Net.Networks;
using CudaL2Net.Tests.Training;

namespace CudaL2Net.Tests.Networks;

public sealed class ModelFileTests
{
    // Three channels, 8 values, no unit vectors.
    private static readonly Network Small = NetworkFile.Parse(
        """
        {"name": "small", "input": {"normalization": "perPatch"}, "towers": [{"layers": [
            {"type": "convolution", "out": 3, "kernel": 8, "stride": 8}, {"type": "batchNormalization"}, {"type": "relu"},
            {"type": "convolution", "out": 8, "kernel": 4}]}], "head": {"unitVectors": false}}
        """,
        "small");

    private TemporaryFolder folder = null!;

    [SetUp]
    public void MakeFolder() => folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    [Test]
    public void AFlippedBitIsRefusedOrChangesNothing()
    {
        byte[] whole = Write(ModelFile.Untrained(Small, 1));
        ModelFile expected = Read(whole);
        Assert.That(expected.HasDigest, Is.True);
        int refused = 0;
        for (int bit = 0; bit < whole.Length * 8; bit += 7)
        {
            byte[] damaged = [.. whole];
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            try
            {
                ModelFile read = Read(damaged);
                Assert.That(read.Network.IsSameAs(expected.Network) && read.PatchScale == expected.PatchScale && read.Unfinished == null, Is.True, $"bit {bit}");
                Assert.That(TestNetworks.Filters(read), Is.EqualTo(TestNetworks.Filters(expected)), $"bit {bit}");
            }
            catch (InvalidDataException error)
            {
                Assert.That(error.Message, Does.StartWith("m.safetensors"));
                refused++;
            }
        }

        // Only a flip in the digest's own name leaves a model that has none.
        Assert.That(refused, Is.GreaterThan((whole.Length * 8 / 7) - 40));
    }

    [Test]
    public void EveryOtherDamageThatTheFormatAllowsIsRefused()
    {
        ModelFile model = ModelFile.Untrained(Small, 1);
        byte[] whole = Write(model);
        int data = 8 + (int)BinaryPrimitives.ReadInt64LittleEndian(whole);
        byte[] swapped = [.. whole], zeros = [.. whole];
        (swapped[data], swapped[data + 4]) = (swapped[data + 4], swapped[data]);
        zeros.AsSpan(data, 64).Clear();
        Assert.That(() => Read(swapped), Throws.TypeOf<InvalidDataException>().With.Message.Contains("SHA-256"));
        Assert.That(() => Read(zeros), Throws.TypeOf<InvalidDataException>().With.Message.Contains("SHA-256"));
        byte[] renamed = [.. whole];
        renamed[renamed.AsSpan().IndexOf("untrained"u8)] = (byte)'U';
        Assert.That(() => Read(renamed), Throws.TypeOf<InvalidDataException>().With.Message.Contains("SHA-256"), "metadata");
    }

    [Test]
    public void AFileWithoutADigestIsReadAndOneThatIsWrittenAnewHasOne()
    {
        ModelFile old = Read(WithoutDigest(Write(ModelFile.Untrained(Small, 1))));
        Assert.That(old.HasDigest, Is.False);
        Assert.That(Read(Write(old)).HasDigest, Is.True);
        Assert.That(PatchModel.ReadDefault().HasDigest, Is.True, "the model in the box");
    }

    [TestCase(float.NaN)]
    [TestCase(float.PositiveInfinity)]
    public void WeightsThatAreNotFiniteAreRefused(float value)
    {
        byte[] file = Write(TestNetworks.Map(ModelFile.Untrained(Small, 1), "filters", values => [.. values[..^1], value]));
        Assert.That(() => Read(file), Throws.TypeOf<InvalidDataException>().With.Message.Contains("m.safetensors").And.Message.Contains("filters"));
    }

    [TestCase(3e38f, "not finite")]
    [TestCase(0f, "zero")]
    public void DescriptorsThatAreNotFiniteOrZeroAreRefusedWithTheFirstPatch(float weight, string reason)
    {
        // The first patch is of one grey: zeros are right for it.
        ModelFile broken = Read(Write(TestNetworks.Map(ModelFile.Untrained(Small, 1), "filters", values => [.. values.Select(_ => weight)])));
        using Device device = Device.Open("cpu");
        using PatchModel model = new(broken, device);
        PatchSet set = TrainingData.Blobs(2);
        byte[] patches = [.. new byte[1024], .. set.Pixels];
        Refused(() => model.Describe(patches, 32), 1);
        Refused(() => model.DescribeBinary(patches, 32), 1);
        Refused(() => model.Describe(set), 0);
        Assert.That(() => model.Describe(patches.AsSpan(0, 1024), 32), Throws.Nothing);

        void Refused(Action describe, int patch)
        {
            InvalidDataException? error = Assert.Throws<InvalidDataException>(() => describe());
            Assert.That(error!.Message, Does.Contain("m.safetensors").And.Contain($"patch {patch} ").And.Contain(reason));
        }
    }

    [Test]
    public void TheCheckOfADescriptorSeesEveryValue([Values(1, 3, 8, 17, 128)] int length)
    {
        for (int i = 0; i < length; i++)
        {
            float[] values = new float[length];
            Assert.That(DescriptorCheck.Of(values), Is.EqualTo((true, true)));
            values[i] = -float.Epsilon;
            Assert.That(DescriptorCheck.Of(values), Is.EqualTo((true, false)));
            values[i] = -float.MaxValue;
            Assert.That(DescriptorCheck.Of(values), Is.EqualTo((true, false)));
            foreach (float bad in new[] { float.NaN, -float.NaN, float.PositiveInfinity, float.NegativeInfinity })
            {
                values[i] = bad;
                Assert.That(DescriptorCheck.Of(values).Finite, Is.False);
            }
        }
    }

    [TestCase("-1", "40")]
    [TestCase("41", "40")]
    [TestCase("0", "0")]
    [TestCase("1", null)]
    [TestCase(null, "40")]
    [TestCase("1.5", "40")]
    [TestCase("3 000", "4000")]
    public void APositionThatNoTrainingHasIsRefused(string? step, string? total)
    {
        var metadata = new Dictionary<string, string>();
        if (step is not null)
        {
            metadata["step"] = step;
        }

        if (total is not null)
        {
            metadata["total_steps"] = total;
        }

        Assert.That(() => TrainingPosition.Find(metadata, "m.safetensors"), Throws.TypeOf<InvalidDataException>().With.Message.Contains("m.safetensors"));
    }

    [Test]
    public void EveryWrongValueInANetworksDescriptionIsRefused([Values("tfeat", "deepcompare-2ch-2stream")] string name)
    {
        // The file has no tensors, so that no description can be right; a wrong one is refused before that, and without another exception.
        string[] wrong = ["-1", "0", "2147483647", "4294967296", "0.5", "1e300", "\"x\"", "null", "true", "[]", "{}"];
        string network = NetworkFile.Write(NetworkFile.Find(name));
        int leaves = Leaves(JsonNode.Parse(network)!).Count();
        for (int i = 0; i < leaves; i++)
        {
            foreach (string value in wrong)
            {
                JsonNode root = JsonNode.Parse(network)!;
                Leaves(root).ElementAt(i).ReplaceWith(JsonNode.Parse(value));
                byte[] header = JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, object>
                {
                    ["__metadata__"] = new Dictionary<string, string> { ["format"] = ModelFile.Format, ["network"] = root.ToJsonString(), ["patch_scale"] = "10" },
                });
                Assert.That(
                    () => Read([.. BitConverter.GetBytes((long)header.Length), .. header]),
                    Throws.TypeOf<InvalidDataException>().With.Message.Contains("m.safetensors"), $"{Leaves(JsonNode.Parse(network)!).ElementAt(i).GetPath()} = {value}");
            }
        }

        static IEnumerable<JsonValue> Leaves(JsonNode? node) => node switch
        {
            JsonObject members => members.SelectMany(member => Leaves(member.Value)),
            JsonArray items => items.SelectMany(Leaves),
            JsonValue value => [value],
            _ => [],
        };
    }

    [TestCase("m.pth", "PK\u0003\u0004\n\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\u000e\0\0\0model/data.pkl", "PyTorch", "cudal2net import")]
    [TestCase("m.pt", "\u0080\u0002\u008a\nl\u00fc\u009cF\u00f9 j\u00a8P\u0019.", "PyTorch", "onnx:")]
    [TestCase("m.onnx", "\b\a\u0012\apytorch\u001a\u00032.0", "ONNX", "--method onnx:FILE")]
    [TestCase("m.npy", "\u0093NUMPY\u0001\0v\0{", "NumPy", "describe")]
    [TestCase("m.npz", "PK\u0003\u0004\u0014\0\0\0\b\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\u0005\0\0\0a.npy", "NumPy", "describe")]
    [TestCase("m.zip", "PK\u0003\u0004\u0014\0\0\0\b\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\u0005\0\0\0a.txt", "zip", ".safetensors")]
    [TestCase("m.png", "\u0089PNG\r\n\u001a\n\0\0\0\rIHDR", "image", "match")]
    [TestCase("m.jpg", "\u00ff\u00d8\u00ff\u00e0\0\u0010JFIF", "image", "describe")]
    [TestCase("m.heic", "\0\0\0\u0018ftypheic\0\0\0\0", "image", "describe")]
    [TestCase("m.pgm", "P5\n32 32\n255\n", "image", "describe")]
    [TestCase("m.h5", "\u0089HDF\r\n\u001a\n\0\0", "HDF5", "cudal2net import")]
    [TestCase("m.mat", "MATLAB 7.3 MAT-file, Platform", "MATLAB", "cudal2net import")]
    [TestCase("m.t7", "\u0003\0\0\0\u0001\0\0\0\u0002", "Torch 7", "cudal2net import")]
    [TestCase("m.json", " {\"name\": \"small\", \"towers\": []}", "JSON", "--network")]
    [TestCase("m.txt", "0.5 0.25\n0.125 1\n", "text", ".safetensors")]
    [TestCase("m.safetensors", "", "empty", ".safetensors")]
    [TestCase("m.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", "Git LFS", "git lfs pull")]
    [TestCase("m.safetensors", "<!DOCTYPE html>\n<html>", "web page", "download")]
    public void AFileOfAnotherKindIsNamedAndItsUseTold(string name, string start, string kind, string use)
    {
        File.WriteAllBytes(folder[name], Encoding.Latin1.GetBytes(start));
        Assert.That(() => ModelFile.Read(folder[name]), Throws.TypeOf<InvalidDataException>()
            .With.Message.Contains(name).And.Message.Contains(kind).And.Message.Contains(use));
    }

    private byte[] Write(ModelFile model)
    {
        model.Write(folder["written.safetensors"]);
        return File.ReadAllBytes(folder["written.safetensors"]);
    }

    private static ModelFile Read(byte[] file) => ModelFile.Read(new MemoryStream(file), "m.safetensors");

    /// <summary>The file as it was before there were digests, but for an entry of the metadata that nobody knows.</summary>
    private static byte[] WithoutDigest(byte[] file)
    {
        byte[] old = [.. file];
        old[old.AsSpan().IndexOf("cudal2net_sha256"u8)] = (byte)'k';
        return old;
    }
}
