using System.Diagnostics;

namespace CudaL2Net.Kernels;

/// <summary>Measures how long a device takes for what is queued between two marks.</summary>
internal abstract class DeviceTimer : IDisposable
{
    /// <summary>Marks the start, behind the work that has been queued.</summary>
    public abstract void Start();

    /// <summary>Marks the end, behind the work that has been queued.</summary>
    public abstract void Stop();

    /// <summary>The seconds between the last two marks; waits until they have been reached.</summary>
    public abstract double Seconds();

    public abstract void Dispose();
}

/// <summary>The host's clock, for devices that do their work at once.</summary>
internal sealed class StopwatchTimer(Device device) : DeviceTimer
{
    private long start;
    private double seconds;

    public override void Start()
    {
        device.Synchronize();
        start = Stopwatch.GetTimestamp();
    }

    public override void Stop()
    {
        device.Synchronize();
        seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    public override double Seconds() => seconds;

    public override void Dispose()
    {
    }
}
