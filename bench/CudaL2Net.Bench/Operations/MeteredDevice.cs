using System.Reflection;
using CudaL2Net.Kernels;

namespace CudaL2Net.Bench.Operations;

/// <summary>A device that passes everything on to another one and notes how long each operation takes there.</summary>
internal sealed unsafe class MeteredDevice : Device
{
    private readonly Device device;

    /// <summary>Watches a device, which stays its owner's.</summary>
    public MeteredDevice(Device device)
        : base(device.Threads)
    {
        this.device = device;
        bool fused = (device.FusedKernels ?? device.StoredKernels) is not null;
        Kernels = fused ? DispatchProxy.Create<IEveryKernel, Meter>() : DispatchProxy.Create<IKernels, Meter>();
        Times = ((Meter)Kernels).Watch(device);
    }

    /// <summary>What all interfaces offer.</summary>
    internal interface IEveryKernel : IKernels, IStoredKernels;

    /// <inheritdoc/>
    public override string Name => device.Name;

    /// <inheritdoc/>
    public override string Description => device.Description;

    /// <inheritdoc/>
    internal override IKernels Kernels { get; }

    /// <inheritdoc/>
    public override Precision Precision => device.Precision;

    internal override IFusedKernels? FusedKernels => device.FusedKernels == null ? null : (IFusedKernels)Kernels;

    internal override IStoredKernels? StoredKernels => device.StoredKernels == null ? null : (IStoredKernels)Kernels;

    /// <summary>Of each operation the seconds and, for convolutions, the floating-point operations since the last clear.</summary>
    public Dictionary<string, (double Seconds, long Operations)> Times { get; }

    internal override void* AllocateBytes(nuint bytes) => device.AllocateBytes(bytes);

    internal override void FreeBytes(void* pointer) => device.FreeBytes(pointer);

    internal override void CopyToDevice(void* device, void* host, nuint bytes) => this.device.CopyToDevice(device, host, bytes);

    internal override void CopyToHost(void* host, void* device, nuint bytes) => this.device.CopyToHost(host, device, bytes);

    internal override void CopyOnDevice(void* to, void* from, nuint bytes) => device.CopyOnDevice(to, from, bytes);

    internal override void Clear(void* device, nuint bytes) => this.device.Clear(device, bytes);

    private protected override void WaitForWork() => device.Synchronize();

    private protected override void Release() => ((Meter)(object)Kernels).Dispose();

    /// <summary>Stands in for the kernels. The runtime derives a class from it that implements them all.</summary>
    internal class Meter : DispatchProxy
    {
        private readonly Dictionary<string, (double Seconds, long Operations)> times = [];
        private IKernels? kernels;
        private DeviceTimer? timer;

        /// <summary>Begins to note the times of a device's operations.</summary>
        public Dictionary<string, (double Seconds, long Operations)> Watch(Device device)
        {
            kernels = device.Kernels;
            timer = device.CreateTimer();
            return times;
        }

        /// <summary>Gives the clock back.</summary>
        public void Dispose() => timer!.Dispose();

        /// <inheritdoc/>
        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
        {
            timer!.Start();
            object? result = targetMethod!.Invoke(kernels, args);
            timer.Stop();
            string name = targetMethod.Name;
            long operations = 0;
            if (args is [Conv2dGeometry g, ..])
            {
                name += $", {g.KernelHeight}x{g.KernelWidth} {g.InChannels}-{g.OutChannels} on {g.Height}x{g.Width}";
                // A backward pass may compute both gradients.
                bool both = name.StartsWith(nameof(IStoredKernels.Conv2dBackward) + ",", StringComparison.Ordinal) && args is [.., Tensor<ushort>, bool];
                operations = targetMethod.Name.StartsWith("Conv2d", StringComparison.Ordinal) ? (both ? 4 : 2) * g.MultiplyAdds : 0;
            }

            (double seconds, long before) = times.GetValueOrDefault(name);
            times[name] = (seconds + timer.Seconds(), before + operations);
            return result;
        }
    }
}
