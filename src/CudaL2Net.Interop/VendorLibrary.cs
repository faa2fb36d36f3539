using System.Runtime.InteropServices;

namespace CudaL2Net.Interop;

/// <summary>A library that NVIDIA offers beside the driver, in the versions that have all calls in use; none is needed but for comparison.</summary>
internal sealed class VendorLibrary
{
    /// <summary>cuBLAS 11 to 13.</summary>
    public static readonly VendorLibrary Cublas = new(
        "cuBLAS", Interop.Cublas.Library, "CUDAL2NET_CUBLAS", OperatingSystem.IsWindows() ? "cublas64_{0}.dll" : "libcublas.so.{0}", [13, 12, 11], "nvidia-cublas-cu12");

    /// <summary>cuDNN 8 and 9.</summary>
    public static readonly VendorLibrary Cudnn = new(
        "cuDNN", Interop.Cudnn.Library, "CUDAL2NET_CUDNN", OperatingSystem.IsWindows() ? "cudnn64_{0}.dll" : "libcudnn.so.{0}", [9, 8], "nvidia-cudnn-cu12");

    private readonly string import;
    private readonly string[] names;
    private readonly string package;

    private VendorLibrary(string title, string import, string variable, string pattern, int[] versions, string package)
    {
        Title = title;
        Variable = variable;
        this.import = import;
        this.package = package;
        names = Array.ConvertAll(versions, version => string.Format(System.Globalization.CultureInfo.InvariantCulture, pattern, version));
    }

    /// <summary>What people call it.</summary>
    public string Title { get; }

    /// <summary>The environment variable that names another file.</summary>
    public string Variable { get; }

    /// <summary>Makes its calls usable.</summary>
    /// <exception cref="CudaLibraryException">It cannot be loaded; the message says where to get it.</exception>
    public void Require() => LoadedLibraries.Add(import, () => Load(Environment.GetEnvironmentVariable(Variable)));

    /// <summary>Loads it: the file of this name, or the newest version that the system finds.</summary>
    /// <exception cref="CudaLibraryException">It cannot be loaded.</exception>
    public nint Load(string? chosen)
    {
        bool usual = string.IsNullOrEmpty(chosen);
        foreach (string name in usual ? names : [chosen!])
        {
            if (NativeLibrary.TryLoad(name, out nint handle))
            {
                return handle;
            }
        }

        throw new CudaLibraryException(Title, null, 0, usual
            ? $"{Title} was not found ({string.Join(", ", names)}): install it (NVIDIA's CUDA packages, or pip install {package}, which PyTorch brings along: "
                + $"site-packages/nvidia/{package.Split('-')[1]}/lib) and set {Variable} to the library's path if the system does not find it"
            : $"{Title} was not found: {chosen} cannot be loaded; {Variable} names it: correct the variable or clear it");
    }
}
