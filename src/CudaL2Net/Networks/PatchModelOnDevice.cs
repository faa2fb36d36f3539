using CudaL2Net.Data;
using CudaL2Net.Kernels;

namespace CudaL2Net.Networks;

// Patches and results in the memory of the model's device.
public sealed partial class PatchModel
{
    /// <summary>Describes patches that are on the model's device into memory there. On a GPU the work is queued, on the device's stream, and nothing waits for it.</summary>
    /// <param name="patches">[n][<see cref="PatchSide"/>][<see cref="PatchSide"/>] grey values.</param>
    /// <param name="descriptors">[n][<see cref="Dimension"/>], the bits of <see cref="Describe(ReadOnlySpan{byte}, int, Span{float})"/>. Whether they are finite is
    /// left to the caller.</param>
    /// <remarks>The first call with a model may wait while the network is made ready for that number of patches.</remarks>
    /// <exception cref="ArgumentException">A tensor is of another device, or the sizes do not agree.</exception>
    /// <exception cref="ObjectDisposedException">The network, its device or a tensor has been disposed of.</exception>
    /// <exception cref="InvalidOperationException">The network scores pairs, or sees several views of a patch: give it patches in host memory.</exception>
    public void Describe(Tensor<byte> patches, Tensor<float> descriptors)
    {
        TowerRunner tower = RequireOnDevice(patches, descriptors, Dimension);
        if (patches.Length == 0)
        {
            return;
        }

        using DeviceGate.Entry entry = device.Enter();
        tower.DescribeOnDevice(patches, descriptors);
        if (NeedsUnitVectors)
        {
            device.Kernels.UnitVectorForward(descriptors, descriptors);
        }
    }

    /// <summary>Describes patches that are on the model's device by the signs of their descriptors, into memory there; queued as by
    /// <see cref="Describe(Tensor{byte}, Tensor{float})"/>.</summary>
    /// <param name="patches">[n][<see cref="PatchSide"/>][<see cref="PatchSide"/>] grey values.</param>
    /// <param name="signs">[n][<see cref="Dimension"/> / 8]: bit j of byte k is dimension 8k + j, set where the value is above 0.</param>
    /// <exception cref="ArgumentException">A tensor is of another device, or the sizes do not agree.</exception>
    /// <exception cref="ObjectDisposedException">The network, its device or a tensor has been disposed of.</exception>
    /// <exception cref="InvalidOperationException">The network is none that is described so on a device: give it patches in host memory.</exception>
    public void DescribeBinary(Tensor<byte> patches, Tensor<byte> signs)
    {
        TowerRunner tower = RequireOnDevice(patches, signs, Dimension / 8);
        if (Dimension % 8 != 0 || (patches.Length > 0 && !tower.TryDescribeSignsOnDevice(patches, signs)))
        {
            throw new InvalidOperationException($"the network {Network.Name} gives no signs on the device: give DescribeBinary patches in host memory");
        }
    }

    /// <summary>Describes patches that a caller's program has in the memory of the model's GPU, as they lie; queued as by
    /// <see cref="Describe(Tensor{byte}, Tensor{float})"/>.</summary>
    /// <param name="patches">The device address of the first pixel.</param>
    /// <param name="count">n.</param>
    /// <param name="layout">How they lie; a side of at least <see cref="PatchSide"/>. They are reduced as by PatchResize; of floats NaN counts as 0.</param>
    /// <param name="descriptors">[n][<see cref="Dimension"/>].</param>
    /// <exception cref="ArgumentException">The layout is not taken, the address is no memory of this GPU, or the sizes do not agree.</exception>
    /// <exception cref="ObjectDisposedException">The network, its device or the tensor has been disposed of.</exception>
    /// <exception cref="InvalidOperationException">The model is not on a GPU, scores pairs, or sees several views of a patch.</exception>
    public void Describe(nint patches, int count, in PatchLayout layout, Tensor<float> descriptors)
    {
        using Tensor<byte> packed = Pack(patches, count, layout);
        Describe(packed, descriptors);
    }

    /// <summary>Describes them by the signs of their descriptors.</summary>
    /// <param name="patches">The device address of the first pixel.</param>
    /// <param name="count">n.</param>
    /// <param name="layout">How they lie; a side of at least <see cref="PatchSide"/>.</param>
    /// <param name="signs">[n][<see cref="Dimension"/> / 8].</param>
    /// <inheritdoc cref="Describe(nint, int, in PatchLayout, Tensor{float})"/>
    public void DescribeBinary(nint patches, int count, in PatchLayout layout, Tensor<byte> signs)
    {
        using Tensor<byte> packed = Pack(patches, count, layout);
        DescribeBinary(packed, signs);
    }

    /// <summary>[n][side][side]: the bytes that the network takes; the caller's memory itself where it holds just these.</summary>
    private Tensor<byte> Pack(nint patches, int count, in PatchLayout layout)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        RequireSide(layout.Side);
        layout.Require(patches);
        if (device.PackKernels is not { } kernels)
        {
            throw new InvalidOperationException($"the model is on {device.Name}, whose memory is the host's: give Describe the patches themselves");
        }

        if (layout.IsDenseBytes && layout.Side == PatchSide && patches % 16 == 0)
        {
            return device.Wrap<byte>(patches, count, PatchSide, PatchSide);
        }

        using DeviceGate.Entry entry = device.Enter();
        Tensor<byte> packed = device.Allocate<byte>(count, PatchSide, PatchSide);
        try
        {
            if (count > 0)
            {
                device.RequireMemory(patches);
                kernels.PackPatches(patches, layout, packed);
            }

            return packed;
        }
        catch
        {
            packed.Dispose();
            throw;
        }
    }

    /// <summary>The one tower, for patches and results that are on the device.</summary>
    private TowerRunner RequireOnDevice<T>(Tensor<byte> patches, Tensor<T> results, int width)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(patches);
        ArgumentNullException.ThrowIfNull(results);
        RequireDescriptors();
        if (towers is not [{ View: PatchView.Whole } tower])
        {
            throw new InvalidOperationException($"the network {Network.Name} sees several views of a patch, which are made in host memory: give it patches there");
        }

        if (patches.Device != device || results.Device != device)
        {
            throw new ArgumentException(
                $"patches are on {patches.Device.Name}, results on {results.Device.Name}, the model on {device.Name}: make all of them with the model's Device");
        }

        int count = patches.Shape.IsEmpty ? 0 : patches.Shape[0];
        if (patches.Length != (long)count * PatchSide * PatchSide || results.Length != (long)count * width || results.Shape.IsEmpty || results.Shape[0] != count)
        {
            throw new ArgumentException(
                $"patches [{string.Join(", ", patches.Shape.ToArray())}] and results [{string.Join(", ", results.Shape.ToArray())}]: expected "
                    + $"[n, {PatchSide}, {PatchSide}] and [n, {width}]");
        }

        return tower;
    }
}
