namespace CudaL2Net.Build;

/// <summary>What continuous integration checks besides the tests: analyzers, documentation of public members, packages, formatting.</summary>
internal static class Lint
{
    /// <summary>Builds everything with analyzers and documentation, checks the notices and the formatting; returns the exit code.</summary>
    public static int Check()
    {
        Processes.Must(
            "dotnet", ["build", "CudaL2Net.sln", "-c", "Release", "-v", "quiet", "--nologo", "-clp:ErrorsOnly", "-p:Lint=true"],
            "lint: the analyzers found something");
        Console.WriteLine("lint: no warnings");
        return Math.Max(Licences.Check(), Format());
    }

    /// <summary>Checks the formatting; returns the exit code.</summary>
    public static int Format()
    {
        int worst = 0;
        foreach (string project in new[] { "CudaL2Net.sln", Path.Combine("build", "Build.csproj") })
        {
            int code = Processes.Run("dotnet", ["format", project, "--verify-no-changes"]);
            Console.WriteLine(code == 0 ? $"format: {project} is clean" : $"format: run `dotnet format {project}` and commit the changes");
            worst = Math.Max(worst, code);
        }

        return worst;
    }
}
