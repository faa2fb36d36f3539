using System.Diagnostics;
using System.Reflection;
using CudaL2Net.Devices;
using CudaL2Net.Operations;

namespace CudaL2Net.Benchmarks;

/// <summary>A device that passes everything on to another one and notes how long each kernel takes.</summary>
internal sealed unsafe class MeteredDevice : Device
{
    private readonly Device device;

    public MeteredDevice(Device device)
    {
        this.device = device;
        Kernels = DispatchProxy.Create<IKernels, Meter>();
        Times = ((Meter)Kernels).Watch(device.Kernels);
    }

    public override string Name => device.Name;

    public override string Description => device.Description;

    public override IKernels Kernels { get; }

    /// <summary>Of each kernel the calls, the seconds and, for convolutions, the floating-point operations since the last clear.</summary>
    public Dictionary<string, (int Calls, double Seconds, double Flop)> Times { get; }

    public override void Synchronize() => device.Synchronize();

    public override void Dispose() => device.Dispose();

    internal override void* AllocateBytes(nuint bytes) => device.AllocateBytes(bytes);

    internal override void FreeBytes(void* pointer) => device.FreeBytes(pointer);

    internal override void CopyToDevice(void* device, void* host, nuint bytes) => this.device.CopyToDevice(device, host, bytes);

    internal override void CopyToHost(void* host, void* device, nuint bytes) => this.device.CopyToHost(host, device, bytes);

    internal override void Clear(void* device, nuint bytes) => this.device.Clear(device, bytes);

    /// <summary>Stands in for the kernels. The runtime derives a class from it that implements them all.</summary>
    internal class Meter : DispatchProxy
    {
        private readonly Dictionary<string, (int Calls, double Seconds, double Flop)> times = [];
        private IKernels? kernels;

        public Dictionary<string, (int Calls, double Seconds, double Flop)> Watch(IKernels watched)
        {
            kernels = watched;
            return times;
        }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
        {
            long start = Stopwatch.GetTimestamp();
            object? result = targetMethod!.Invoke(kernels, args);
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            double flop = args is [Conv2dGeometry geometry, ..] ? 2.0 * geometry.MultiplyAdds : 0;
            (int calls, double before, double flopBefore) = times.GetValueOrDefault(targetMethod.Name);
            times[targetMethod.Name] = (calls + 1, before + seconds, flopBefore + flop);
            return result;
        }
    }
}
