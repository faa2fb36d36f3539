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
        private CudaGraphExec? graph;

        public void Run()
        {
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

        public void Dispose() => graph?.Dispose();

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
