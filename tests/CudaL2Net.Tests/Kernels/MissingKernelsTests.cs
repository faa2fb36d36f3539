using System.Diagnostics;

namespace CudaL2Net.Tests.Kernels;

/// <summary>A clone whose kernels were not compiled makes a library for the CPU only: said by a build, refused for a package.</summary>
public sealed class MissingKernelsTests
{
    [Test]
    public void ABuildWarnsAndAPackageIsRefused()
    {
        string project = Path.Combine(Repository.Folder, "src", "CudaL2Net");
        if (!File.Exists(Path.Combine(project, "obj", "project.assets.json")))
        {
            Assert.Ignore("the tests run away from their repository");
        }

        using var empty = new TemporaryFolder();
        var start = new ProcessStartInfo(
            "dotnet",
            ["msbuild", "-nologo", "-nodeReuse:false", "-t:WarnOfMissingKernels;RefuseToPackWithoutKernels", "-p:Configuration=Release", $"-p:KernelPtx={empty.Path}"])
        {
            WorkingDirectory = project,
            RedirectStandardOutput = true,
        };
        using Process build = Process.Start(start)!;
        string output = build.StandardOutput.ReadToEnd();
        build.WaitForExit();
        Assert.That(build.ExitCode, Is.Not.Zero, output);
        Assert.That(output, Does.Contain("warning CL2N001").And.Contain("error CL2N002").And.Contain("./build.sh kernels"));
    }
}
