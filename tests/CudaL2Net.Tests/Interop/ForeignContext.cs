using System.Runtime.InteropServices;
using CudaL2Net.Interop;
using Report = CudaL2Net.Tests.Emulator.EmulatedDevice;

namespace CudaL2Net.Tests.Interop;

/// <summary>A context and a stream as another program makes them, by the driver's own calls. Its context is current for the thread only where it says so.</summary>
internal sealed unsafe class ForeignContext : IDisposable
{
    public ForeignContext()
    {
        Driver.Initialize();
        nint before = Current, context, stream;
        Succeed(((delegate* unmanaged<nint*, uint, int, CudaError>)Export("cuCtxCreate_v2"))(&context, 0, 0));
        Succeed(Driver.cuStreamCreate(&stream, 1));
        (Context, Stream) = (context, stream);
        Current = before;
    }

    /// <summary>What is current for the thread.</summary>
    public static nint Current
    {
        get
        {
            nint current;
            Succeed(Driver.cuCtxGetCurrent(&current));
            return current;
        }

        set
        {
            Driver.Initialize();
            Succeed(Driver.cuCtxSetCurrent(value));
        }
    }

    public nint Context { get; }

    public nint Stream { get; }

    /// <summary>Memory with contents, queued on the stream; empty for none.</summary>
    public nint Allocate<T>(int length, ReadOnlySpan<T> contents = default)
        where T : unmanaged
    {
        nint pointer = 0;
        fixed (T* host = contents)
        {
            T* source = host;
            bool copy = !contents.IsEmpty;
            Inside(() =>
            {
                nint made;
                Succeed(Driver.cuMemAllocAsync(&made, (nuint)length * (nuint)sizeof(T), Stream));
                Succeed(copy ? Driver.cuMemcpyHtoDAsync_v2(made, source, (nuint)length * (nuint)sizeof(T), Stream) : CudaError.Success);
                pointer = made;
            });
        }

        return pointer;
    }

    /// <summary>Waits for the stream and reads.</summary>
    public T[] Read<T>(nint pointer, int length)
        where T : unmanaged
    {
        var values = new T[length];
        Inside(() =>
        {
            Succeed(Driver.cuStreamSynchronize(Stream));
            fixed (T* host = values)
            {
                Succeed(Driver.cuMemcpyDtoHAsync_v2(host, pointer, (nuint)length * (nuint)sizeof(T), Stream));
            }
        });
        return values;
    }

    /// <summary>Frees; fails if that is not the stream's, or gone.</summary>
    public void Free(nint pointer) => Inside(() => Succeed(Driver.cuMemFreeAsync(pointer, Stream)));

    /// <summary>Destroys both, which must still be there.</summary>
    public void Dispose()
    {
        Inside(() => Succeed(Driver.cuStreamDestroy_v2(Stream)));
        Succeed(((delegate* unmanaged<nint, CudaError>)Export("cuCtxDestroy_v2"))(Context));
    }

    private static nint Export(string name) => NativeLibrary.GetExport(NativeLibrary.Load(Environment.GetEnvironmentVariable(Driver.LibraryVariable)!), name);

    private static void Succeed(CudaError result) => Report.Succeed(result);

    private void Inside(Action work)
    {
        nint before = Current;
        Current = Context;
        work();
        Current = before;
    }
}
