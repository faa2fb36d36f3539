using CudaL2Net.Interop;

namespace CudaL2Net.Kernels.Cuda;

internal unsafe partial class CudaDevice
{
    internal override Readback CreateReadback(params IReadOnlyList<Tensor<float>> sources) => new PinnedReadback(this, sources);

    // Copies into page-locked memory, and an event behind them: nothing waits until the values are looked at.
    private sealed class PinnedReadback : Readback
    {
        private readonly CudaStream stream;
        private readonly CudaPageLockedHostMemory<float> memory;
        private readonly CudaEvent copied;

        public PinnedReadback(CudaDevice device, IReadOnlyList<Tensor<float>> sources)
            : base(sources)
        {
            stream = device.stream;
            memory = new CudaPageLockedHostMemory<float>(device.context, Math.Max(1, Length));
            copied = new CudaEvent(device.context);
        }

        public override bool IsReady => copied.Query(stream);

        public override void Queue()
        {
            float* to = memory.Pointer;
            foreach (Tensor<float> source in Sources)
            {
                stream.CopyToHostAsync(to, (nint)source.Pointer, (nuint)source.Length * sizeof(float));
                to += source.Length;
            }

            copied.Record(stream);
        }

        public override ReadOnlySpan<float> Take()
        {
            copied.Synchronize(stream);
            return memory.Span[..Length];
        }

        public override void Dispose()
        {
            try
            {
                copied.Synchronize(stream);
            }
            catch (CudaException)
            {
                // The context is lost: nothing writes to the memory any more.
            }

            copied.Dispose();
            memory.Dispose();
        }
    }
}
