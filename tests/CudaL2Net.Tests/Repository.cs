namespace CudaL2Net.Tests;

/// <summary>The repository that the tests were built from.</summary>
internal static class Repository
{
    /// <summary>Its folder. Where the tests run away from it, the test that asks is skipped.</summary>
    public static string Folder
    {
        get
        {
            string? folder = AppContext.BaseDirectory;
            while (folder is not null && !File.Exists(Path.Combine(folder, "CudaL2Net.sln")))
            {
                folder = Path.GetDirectoryName(folder);
            }

            Assume.That(folder, Is.Not.Null, "the tests run away from their repository");
            return folder!;
        }
    }
}
