using System.Text;
using System.Text.RegularExpressions;

namespace CudaL2Net.Interop;

/// <summary>Code that was loaded into a context.</summary>
public sealed unsafe partial class CudaModule : IDisposable
{
    internal CudaModule(CudaContext context, string name, ReadOnlySpan<byte> ptx)
    {
        Name = name;
        Context = context;
        context.SetCurrent();
        Handle = new ModuleHandle(context.Handle, Load(context, name, ptx));
    }

    /// <summary>What messages call it.</summary>
    public string Name { get; }

    internal CudaContext Context { get; }

    internal ModuleHandle Handle { get; }

    /// <summary>Finds a kernel.</summary>
    /// <exception cref="CudaException">There is none of that name.</exception>
    public CudaKernel GetKernel(string kernel) => new(this, kernel);

    /// <summary>Unloads the code; no kernel of it may be running.</summary>
    public void Dispose() => Handle.Dispose();

    private static nint Load(CudaContext context, string name, ReadOnlySpan<byte> ptx)
    {
        const int ErrorLogBuffer = 5, ErrorLogBufferSize = 6, LogSize = 8192;
        int* names = stackalloc int[] { ErrorLogBuffer, ErrorLogBufferSize };
        var log = new byte[LogSize];
        nint module;
        CudaError result;
        byte[] text = [.. ptx, 0];
        fixed (byte* image = text, buffer = log)
        {
            void** values = stackalloc void*[] { buffer, (void*)LogSize };
            result = Driver.cuModuleLoadDataEx(&module, image, 2, names, values);
        }

        if (result == CudaError.Success)
        {
            return module;
        }

        string source = Encoding.UTF8.GetString(ptx);
        string isa = VersionLine().Match(source) is { Success: true } version ? version.Groups[1].Value : "unknown";
        string target = TargetLine().Match(source) is { Success: true } processor ? processor.Groups[1].Value : "an unknown target";
        CudaDeviceProperties properties = context.GetDeviceInfo();
        string explanation = Encoding.UTF8.GetString(log).TrimEnd('\0').Trim();
        throw new CudaException(
            $"the driver refuses the kernels {name}: {CudaException.Describe(result)}; they are PTX of ISA version {isa} for {target}, the driver is of CUDA "
                + $"{properties.DriverVersion}, the device has compute capability {properties.ComputeCapability}"
                + (result == CudaError.UnsupportedPtxVersion ? "; update NVIDIA's driver" : "")
                + (explanation.Length > 0 ? $"\n{explanation}" : ""),
            result);
    }

    [GeneratedRegex(@"^\s*\.version\s+([\d.]+)", RegexOptions.Multiline)]
    private static partial Regex VersionLine();

    [GeneratedRegex(@"^\s*\.target\s+(\w+)", RegexOptions.Multiline)]
    private static partial Regex TargetLine();
}
