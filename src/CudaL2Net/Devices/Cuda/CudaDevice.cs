using System.Reflection;
using CudaL2Net.Interop;
using CudaL2Net.Operations;

namespace CudaL2Net.Devices.Cuda;

/// <summary>A GPU as a device: the kernels of the folder <c>kernels</c>, launched on one stream. One file an operation.</summary>
internal sealed unsafe partial class CudaDevice : Device, IKernels
{
    private readonly int ordinal;
    private readonly nint context;
    private readonly nint stream;
    private readonly Dictionary<string, nint> modules = [];
    private readonly Dictionary<(string File, string Kernel), nint> kernels = [];
    private readonly List<nint> scratch = [];
    private nuint scratchBytes;
    private bool disposed;

    public CudaDevice(int ordinal, Precision precision = Precision.Float32)
    {
        this.ordinal = ordinal;
        Precision = precision;
        Check(Driver.cuInit(0), "cuInit");
        int device;
        Check(Driver.cuDeviceGet(&device, ordinal), "cuDeviceGet");
        nint handle;
        Check(Driver.cuDevicePrimaryCtxRetain(&handle, device), "cuDevicePrimaryCtxRetain");
        context = handle;
        Check(Driver.cuCtxSetCurrent(context), "cuCtxSetCurrent");
        Check(Driver.cuStreamCreate(&handle, 1), "cuStreamCreate");
        stream = handle;
        int count;
        Check(Driver.cuDeviceGetAttribute(&count, 16, device), "cuDeviceGetAttribute");
        Multiprocessors = count;
    }

    public override string Name => $"cuda:{ordinal}";

    public override string Description => "CUDA device";

    public override IKernels Kernels => this;

    /// <summary>Streaming multiprocessors, for launch geometries.</summary>
    public int Multiprocessors { get; }

    /// <summary>What the matrix products of this device multiply.</summary>
    public Precision Precision { get; }

    public override void Synchronize() => Check(Driver.cuStreamSynchronize(stream), "cuStreamSynchronize");

    public override void Dispose()
    {
        if (disposed)
        {
            return;
        }

        disposed = true;
        foreach (nint block in scratch)
        {
            Driver.cuMemFreeAsync((void*)block, stream);
        }

        Driver.cuStreamSynchronize(stream);
        foreach (nint module in modules.Values)
        {
            Driver.cuModuleUnload(module);
        }

        Driver.cuStreamDestroy_v2(stream);
        Driver.cuDevicePrimaryCtxRelease_v2(ordinal);
    }

    internal override void* AllocateBytes(nuint bytes)
    {
        void* pointer;
        Check(Driver.cuMemAllocAsync(&pointer, Math.Max(bytes, 64), stream), "cuMemAllocAsync");
        Check(Driver.cuMemsetD8Async(pointer, 0, bytes, stream), "cuMemsetD8Async");
        return pointer;
    }

    internal override void FreeBytes(void* pointer)
    {
        if (!disposed)
        {
            Driver.cuMemFreeAsync(pointer, stream);
        }
    }

    internal override void CopyToDevice(void* device, void* host, nuint bytes)
    {
        Check(Driver.cuMemcpyHtoDAsync_v2(device, host, bytes, stream), "cuMemcpyHtoDAsync");
        Synchronize();
    }

    internal override void CopyToHost(void* host, void* device, nuint bytes)
    {
        Check(Driver.cuMemcpyDtoHAsync_v2(host, device, bytes, stream), "cuMemcpyDtoHAsync");
        Synchronize();
    }

    internal override void Clear(void* device, nuint bytes) => Check(Driver.cuMemsetD8Async(device, 0, bytes, stream), "cuMemsetD8Async");

    /// <summary>
    /// Memory for the intermediate results of one operation: valid until the next operation asks. It grows; memory given out before stays, for a recorded
    /// step may still use it.
    /// </summary>
    private void* Scratch(nuint bytes)
    {
        if (bytes > scratchBytes)
        {
            scratch.Add((nint)AllocateBytes(bytes));
            scratchBytes = bytes;
        }

        return (void*)scratch[^1];
    }

    /// <summary>Launches a kernel on the device's stream.</summary>
    /// <param name="file">The kernel's file in <c>kernels</c>, without its ending.</param>
    /// <param name="kernel">Its name.</param>
    /// <param name="grid">Blocks.</param>
    /// <param name="threads">Threads a block.</param>
    /// <param name="sharedBytes">Dynamic shared memory a block.</param>
    /// <param name="arguments">The kernel's parameters, in order and of the kernel's types.</param>
    private void Launch(string file, string kernel, Grid grid, int threads, int sharedBytes, params ReadOnlySpan<KernelArgument> arguments)
    {
        void** pointers = stackalloc void*[arguments.Length];
        fixed (KernelArgument* first = arguments)
        {
            for (int i = 0; i < arguments.Length; i++)
            {
                pointers[i] = first + i;
            }

            nint function = Kernel(file, kernel, sharedBytes);
            Check(Driver.cuLaunchKernel(function, (uint)grid.X, (uint)grid.Y, (uint)grid.Z, (uint)threads, 1, 1, (uint)sharedBytes, stream, pointers, null),
                kernel);
        }
    }

    /// <summary>Blocks for a grid-stride loop over <paramref name="count"/> elements.</summary>
    private int Blocks(long count, int threads = 256) => (int)Math.Clamp((count + threads - 1) / threads, 1, 8L * Multiprocessors);

    /// <summary>Blocks of 256 threads for a grid-stride loop over rows, one warp a row.</summary>
    private int RowBlocks(int rows) => Blocks(32L * rows);

    private nint Kernel(string file, string kernel, int sharedBytes)
    {
        if (kernels.TryGetValue((file, kernel), out nint function))
        {
            return function;
        }

        if (!modules.TryGetValue(file, out nint module))
        {
            using Stream source = Assembly.GetExecutingAssembly().GetManifestResourceStream($"CudaL2Net.Kernels.{file}.ptx")
                ?? throw new InvalidOperationException($"this build has no CUDA kernels: {file}.ptx is missing");
            var image = new byte[source.Length + 1];
            source.ReadExactly(image, 0, (int)source.Length);
            fixed (byte* text = image)
            {
                Check(Driver.cuModuleLoadDataEx(&module, text, 0, null, null), $"loading {file}.ptx");
            }

            modules.Add(file, module);
        }

        Check(Driver.cuModuleGetFunction(&function, module, kernel), $"finding the kernel {kernel} in {file}.ptx");
        if (sharedBytes > 48 * 1024)
        {
            // More than 48 KB must be asked for.
            Check(Driver.cuFuncSetAttribute(function, 8, sharedBytes), "cuFuncSetAttribute");
        }

        kernels.Add((file, kernel), function);
        return function;
    }

    private static void Check(int result, string call) => CudaException.Check(result, call);

    /// <summary>Blocks in each dimension.</summary>
    private readonly record struct Grid(int X, int Y = 1, int Z = 1)
    {
        public static implicit operator Grid(int x) => new(x);
    }
}
