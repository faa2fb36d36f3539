using CudaL2Net.Interop;

namespace CudaL2Net.Kernels.Cuda;

internal unsafe partial class CudaDevice
{
    internal override Readback CreateReadback(params IReadOnlyList<Tensor<float>> sources)
    {
        using DeviceGate.Entry entry = Enter();
        return new PinnedReadback(this, sources);
    }

    // Copies into page-locked memory, and an event behind them: nothing waits until the values are looked at.
    private sealed class PinnedReadback : Readback
    {
        private readonly CudaDevice device;
        private readonly CudaStream stream;
        private readonly CudaPageLockedHostMemory<float> memory;
        private readonly CudaEvent copied;

        public PinnedReadback(CudaDevice device, IReadOnlyList<Tensor<float>> sources)
            : base(sources)
        {
            this.device = device;
            stream = device.stream;
            memory = new CudaPageLockedHostMemory<float>(device.context, Math.Max(1, Length));
            copied = new CudaEvent(device.context);
        }

        public override bool IsReady
        {
            get
            {
                using (device.Enter())
                {
                    return copied.Query(stream);
                }
            }
        }

        public override void Queue()
        {
            using DeviceGate.Entry entry = device.Enter();
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
            using DeviceGate.Entry entry = device.Enter();
            copied.Synchronize(stream);
            return memory.Span[..Length];
        }

        public override void Dispose() => device.WhenFree(Release);

        private void Release()
        {
            WaitBeforeFreeing(() => copied.Synchronize(stream));
            copied.Dispose();
            memory.Dispose();
        }
    }
}
