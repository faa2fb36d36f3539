namespace CudaL2Net.Tests.Cli;

/// <summary>These tests share a cache of patches, which is not the user's.</summary>
[SetUpFixture]
internal sealed class CacheOfTheirOwn
{
    private const string Variable = "CUDAL2NET_CACHE";

    private readonly TemporaryFolder folder = new();
    private string? before;

    [OneTimeSetUp]
    public void SetVariable()
    {
        before = Environment.GetEnvironmentVariable(Variable);
        Environment.SetEnvironmentVariable(Variable, folder.Path);
    }

    [OneTimeTearDown]
    public void RestoreVariable()
    {
        Environment.SetEnvironmentVariable(Variable, before);
        folder.Dispose();
    }
}
