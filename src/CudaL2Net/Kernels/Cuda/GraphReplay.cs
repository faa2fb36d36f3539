using CudaL2Net.Interop;

namespace CudaL2Net.Kernels.Cuda;

internal unsafe partial class CudaDevice
{
    // What the work that is being captured uses, and the thread that does it; null and 0 while none is.
    private HashSet<IDeviceMemory>? uses;
    private volatile int recorder;

    // What another thread queues on a caller's stream would be recorded, too.
    public override IReplay Record(Action work) => lent ? new DirectReplay(this, work) : new GraphReplay(this, work);

    internal override void NoteUse(IDeviceMemory memory)
    {
        if (recorder == Environment.CurrentManagedThreadId)
        {
            uses!.Add(memory);
        }
    }

    // The first run is an ordinary one: it loads modules and makes scratch memory, which a capture may not. The second is captured and launched as a graph,
    // the others launch it. The same kernels with the same arguments: the same bits.
    private sealed class GraphReplay(CudaDevice device, Action work) : IReplay
    {
        private bool warm;
        private bool disposed;
        private CudaGraphExec? graph;

        // The graph has the addresses only.
        private IDeviceMemory[] memory = [];

        // The device stays with this thread for the whole recording: what another one queued in the middle would be recorded, too.
        public void Run()
        {
            using DeviceGate.Entry entry = device.Enter();
            ObjectDisposedException.ThrowIf(disposed, this);
            CudaStream stream = device.stream;
            if (!warm || stream.SynchronizeEachLaunch)
            {
                work();
                warm = true;
                return;
            }

            graph ??= Capture(stream);
            ObjectDisposedException.ThrowIf(Array.Exists(memory, part => part.IsDisposed), this);
            graph.Launch(stream);
        }

        public void Dispose()
        {
            Volatile.Write(ref disposed, true);
            device.WhenFree(() => graph?.Dispose());
        }

        private CudaGraphExec Capture(CudaStream stream)
        {
            stream.BeginCapture();
            device.uses = new HashSet<IDeviceMemory>(ReferenceEqualityComparer.Instance);
            device.recorder = Environment.CurrentManagedThreadId;
            Interlocked.Increment(ref Recordings);
            try
            {
                work();
                memory = [.. device.uses];
            }
            catch
            {
                stream.AbandonCapture();
                throw;
            }
            finally
            {
                Interlocked.Decrement(ref Recordings);
                device.recorder = 0;
                device.uses = null;
            }

            using CudaGraph captured = stream.EndCapture();
            return captured.Instantiate();
        }
    }
}
