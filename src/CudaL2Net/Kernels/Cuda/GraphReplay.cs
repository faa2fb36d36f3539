using CudaL2Net.Interop;

namespace CudaL2Net.Kernels.Cuda;

internal unsafe partial class CudaDevice
{
    public override IReplay Record(Action work) => new GraphReplay(this, work);

    // The first run is an ordinary one: it loads modules and makes scratch memory, which a capture may not. The second is captured and launched as a graph,
    // the others launch it. The same kernels with the same arguments: the same bits.
    private sealed class GraphReplay(CudaDevice device, Action work) : IReplay
    {
        private bool warm;
        private bool disposed;
        private CudaGraphExec? graph;

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
            try
            {
                work();
            }
            catch
            {
                stream.AbandonCapture();
                throw;
            }

            using CudaGraph captured = stream.EndCapture();
            return captured.Instantiate();
        }
    }
}
