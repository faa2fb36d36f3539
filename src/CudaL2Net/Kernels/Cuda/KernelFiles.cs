using System.Collections.Concurrent;
using System.Reflection;
using CudaL2Net.Interop;

namespace CudaL2Net.Kernels.Cuda;

/// <summary>
/// The files of kernels in a context of a GPU, shared by all devices of the process that work in it: the driver compiles each of them once. The last device unloads
/// them.
/// </summary>
internal sealed class KernelFiles : IDisposable
{
    /// <summary>The environment variable that names a folder of PTX to take instead of this build's, to compare compilers. Of NAME.cubin beside NAME.ptx the driver
    /// gets the cubin, which is loaded at once, and the PTX if the cubin is not for this GPU.</summary>
    internal const string FolderVariable = "CUDAL2NET_KERNELS";

    /// <summary>What this build's PTX is for: every GPU that is taken, and one of compute capability 9.0.</summary>
    internal const string CommonTarget = "sm_80", HopperTarget = "sm_90a";

    // By the context's handle.
    private static readonly Dictionary<nint, Shared> Open = [];

    private readonly Shared shared;
    private bool disposed;

    /// <summary>Takes part in the files of a context.</summary>
    /// <param name="context">The context; not kept.</param>
    /// <param name="hopper">Whether its GPU runs code for sm_90a.</param>
    public KernelFiles(CudaContext context, bool hopper)
    {
        lock (Open)
        {
            nint key = context.NativeHandle;
            if (!Open.TryGetValue(key, out Shared? found))
            {
                found = new Shared(context.Share(), hopper);
                Open.Add(key, found);
            }

            found.Users++;
            shared = found;
        }
    }

    ~KernelFiles() => Release();

    /// <summary>What this build has kernels for.</summary>
    public static IReadOnlyList<string> Targets =>
        [.. Resources.Select(name => name.Split('.')[^2]).Select(end => end == HopperTarget ? HopperTarget : CommonTarget).Distinct().Order()];

    /// <summary>The names of all files of this build, without endings; empty where it was built without kernels.</summary>
    public static string[] Names => [.. Resources.Select(name => name.Split('.')[2]).Distinct().Order(StringComparer.Ordinal)];

    private static string[] Resources =>
        [.. typeof(KernelFiles).Assembly.GetManifestResourceNames().Where(name => name.EndsWith(".ptx", StringComparison.Ordinal))];

    /// <summary>Gives the files back; the caller's kernels have ended.</summary>
    public void Dispose()
    {
        Release();
        GC.SuppressFinalize(this);
    }

    /// <summary>A file; loaded when it is first asked for, by one of those who ask at the same time.</summary>
    /// <exception cref="CudaException">The driver refuses it.</exception>
    /// <exception cref="FileNotFoundException">The folder of <see cref="FolderVariable"/> has none of that name.</exception>
    public KernelFile Get(string file)
    {
        string? folder = Environment.GetEnvironmentVariable(FolderVariable) is { Length: > 0 } named ? named : null;
        Lazy<KernelFile> lazy = shared.Files.GetOrAdd((folder, file), _ => new Lazy<KernelFile>(() => folder == null ? Load(file) : Load(file, folder)));
        try
        {
            return lazy.Value;
        }
        catch
        {
            // It is not there for good: the next one who asks tries again.
            shared.Files.TryRemove(new((folder, file), lazy));
            throw;
        }
    }

    private KernelFile Load(string file, string folder)
    {
        string path = Path.Combine(folder, $"{file}.ptx"), cubin = Path.ChangeExtension(path, ".cubin");
        if (!File.Exists(path))
        {
            throw new FileNotFoundException($"{path} does not exist: {FolderVariable} names a folder of all kernels as PTX; correct the variable or clear it");
        }

        byte[] ptx = File.ReadAllBytes(path);
        if (File.Exists(cubin))
        {
            try
            {
                return new KernelFile(shared.Context.LoadModulePTX(cubin, File.ReadAllBytes(cubin)), new KernelSignatures(path, ptx));
            }
            catch (CudaException error) when (error.Error is CudaError.NoBinaryForGpu or CudaError.InvalidImage or CudaError.UnsupportedPtxVersion)
            {
                // Made for another GPU, or by an assembler that is newer than the driver.
            }
        }

        return new KernelFile(shared.Context.LoadModulePTX(path, ptx), new KernelSignatures(path, ptx));
    }

    private KernelFile Load(string file)
    {
        Assembly assembly = typeof(KernelFiles).Assembly;
        string tuned = $"{file}.{HopperTarget}.ptx", common = $"{file}.ptx";
        using Stream? special = shared.Hopper ? assembly.GetManifestResourceStream($"CudaL2Net.Kernels.{tuned}") : null;
        using Stream source = special ?? assembly.GetManifestResourceStream($"CudaL2Net.Kernels.{common}")
            ?? throw new InvalidOperationException($"this build is not whole: the CUDA kernels {common} are missing");
        var ptx = new byte[source.Length];
        source.ReadExactly(ptx);
        string name = special != null ? tuned : common;
        return new KernelFile(shared.Context.LoadModulePTX(name, ptx), new KernelSignatures(name, ptx));
    }

    private void Release()
    {
        lock (Open)
        {
            if (disposed || shared is null)
            {
                return;
            }

            disposed = true;
            if (--shared.Users > 0)
            {
                return;
            }

            Open.Remove(shared.Context.NativeHandle);
        }

        foreach (Lazy<KernelFile> file in shared.Files.Values.Where(file => file.IsValueCreated))
        {
            file.Value.Module.Dispose();
        }

        shared.Context.Dispose();
    }

    /// <summary>The files in a context, and the number of devices that take part in them.</summary>
    private sealed class Shared(CudaContext context, bool hopper)
    {
        public CudaContext Context { get; } = context;

        public bool Hopper { get; } = hopper;

        public ConcurrentDictionary<(string? Folder, string File), Lazy<KernelFile>> Files { get; } = new();

        public int Users { get; set; }
    }
}

/// <summary>A file of kernels in a context.</summary>
/// <param name="Module">Its code.</param>
/// <param name="Signatures">What its PTX says of its kernels' parameters, and its numbers for the host.</param>
internal sealed record KernelFile(CudaModule Module, KernelSignatures Signatures)
{
    private readonly ConcurrentDictionary<string, LoadedKernel> kernels = new();

    /// <summary>A kernel.</summary>
    public LoadedKernel Kernel(string name) => kernels.GetOrAdd(name, _ => new LoadedKernel(Module, name, Signatures.Of(name)));
}

/// <summary>A kernel and the bytes of each of its parameters.</summary>
internal sealed record LoadedKernel(CudaModule Module, string Name, int[] Parameters)
{
    private readonly Lazy<CudaKernel> function = new(() => Module.GetKernel(Name), LazyThreadSafetyMode.PublicationOnly);

    /// <summary>The kernel in the driver, which is asked for it once.</summary>
    /// <exception cref="CudaException">There is none of that name.</exception>
    public CudaKernel Function => function.Value;
}
