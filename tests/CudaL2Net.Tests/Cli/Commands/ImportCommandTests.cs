using System.Text.Json.Nodes;
using CudaL2Net.Formats;
using CudaL2Net.Networks;
using CudaL2Net.Tests.Data;
using CudaL2Net.Tests.Formats.PyTorch;
using CudaL2Net.Tests.Networks.Import;

namespace CudaL2Net.Tests.Cli;

public sealed class ImportCommandTests
{
    private TemporaryFolder folder = null!;

    [SetUp]
    public void MakeFolder()
    {
        folder = new TemporaryFolder();
        TorchFiles.WriteZip(folder["tfeat.pth"], DrawnFiles.TFeat(5000));
    }

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    [Test]
    public void AnImportedModelDescribesPatches()
    {
        CommandLine run = CommandLine.MustRun("import", folder["tfeat.pth"], "--out", folder["tfeat.safetensors"], "--patch-scale", "7.5");
        Assert.That(run.Output, Does.Contain("TFeat").And.Contain("32 x 32").And.Contain("(x - mean of the patch) / deviation of the patch").And.Contain("128 values"));
        Assert.That(ModelFile.Read(folder["tfeat.safetensors"]).PatchScale, Is.EqualTo(7.5));
        NpyFile.Write<byte>(folder["patches.npy"], Drawn.Patches(32), 4, 32, 32);
        CommandLine.MustRun("describe", folder["patches.npy"], "--model", folder["tfeat.safetensors"], "--out", folder["d.npy"], "--device", "cpu");
        Assert.That(NpyFile.Read(folder["d.npy"]).ToFloats(), Is.EqualTo(Drawn.Expected("made", "tfeat")).Within(1e-5));
    }

    [Test]
    public void WeightsAreAMethodOfEvaluations()
    {
        BrownFolder.Write(folder["noise"], 60);
        CommandLine.MustRun("import", folder["tfeat.pth"], "--out", folder["model.safetensors"]);
        string methods = $"import:{folder["tfeat.pth"]},model:{folder["model.safetensors"]}";
        JsonNode result = JsonNode.Parse(CommandLine.MustRun("evaluate", "brown", folder["noise"], "--method", methods, "--device", "cpu", "--json").Output)!;
        JsonArray rows = result["tables"]![2]!["rows"]!.AsArray();
        Assert.That((string)rows[0]!["method"]!, Is.EqualTo("tfeat.pth"));
        Assert.That(rows[1]!["values"]!.ToJsonString(), Is.EqualTo(rows[0]!["values"]!.ToJsonString()));
        CommandLine.Run("evaluate", "brown", folder["noise"], "--method", "import:" + folder["noise/info.txt"]).Explains(1, "info.txt", ".pth");
    }

    [Test]
    public void TheResultIsToldAsJson()
    {
        JsonNode json = JsonNode.Parse(CommandLine.MustRun("import", folder["tfeat.pth"], "--network", "tfeat", "--out", folder["m.safetensors"], "--json").Output)!;
        Assert.That(((string)json["network"]!, (double)json["patchScale"]!, (long)json["bytes"]!), Is.EqualTo(("tfeat", 10.0, new FileInfo(folder["m.safetensors"]).Length)));
        Assert.That((string)json["published"]!, Does.StartWith("TFeat"));
    }

    [Test]
    public void FaultsAreExplained()
    {
        CommandLine.Run("import", folder["none.pth"], "--out", folder["m.safetensors"]).Explains(1, "none.pth", "does not exist");
        CommandLine.Run("import", folder["tfeat.pth"], "--network", "hardnet", "--out", folder["m.safetensors"]).Explains(1, "tfeat.pth", "layer 1", "7 x 7");
        CommandLine.Run("import", folder["tfeat.pth"], "--network", "tfaet", "--out", folder["m.safetensors"]).Explains(2, "tfaet", "tfeat");
        CommandLine.Run("import", folder["tfeat.pth"], "--patch-scale", "0", "--out", folder["m.safetensors"]).Explains(2, "--patch-scale 0", "1 to 100");
        CommandLine.Run("import", folder["tfeat.pth"], "--out", folder["tfeat.pth"]).Explains(2, "--out", "overwrite");
        CommandLine.Run("import", folder["tfeat.pth"], "--out", folder["none/m.safetensors"]).Explains(1, "none");
        Assert.That(File.Exists(folder["m.safetensors"]), Is.False);
    }
}
