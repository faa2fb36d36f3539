namespace CudaL2Net.Tests.Cli;

/// <summary>Tests of commands that take a model: each test has a folder of its own with an untrained one in it.</summary>
public abstract class ModelCommandTests
{
    private protected TemporaryFolder folder = null!;
    private protected string model = null!;

    [SetUp]
    public void WriteModel()
    {
        folder = new TemporaryFolder();
        model = UntrainedModel.WriteTo(folder);
    }

    [TearDown]
    public void RemoveFolder() => folder.Dispose();
}
