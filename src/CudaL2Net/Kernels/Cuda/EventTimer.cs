using CudaL2Net.Interop;

namespace CudaL2Net.Kernels.Cuda;

internal partial class CudaDevice
{
    /// <summary>The device's own clock, by events on its stream: without the host's part.</summary>
    private sealed class EventTimer(CudaDevice device) : DeviceTimer
    {
        private readonly CudaEvent start = new(device.context, timing: true);
        private readonly CudaEvent stop = new(device.context, timing: true);

        public override void Start() => Record(start);

        public override void Stop() => Record(stop);

        public override double Seconds()
        {
            using (device.Enter())
            {
                return stop.SecondsSince(start, device.stream);
            }
        }

        public override void Dispose() => device.WhenFree(() =>
        {
            start.Dispose();
            stop.Dispose();
        });

        private void Record(CudaEvent mark)
        {
            using (device.Enter())
            {
                mark.Record(device.stream);
            }
        }
    }
}
