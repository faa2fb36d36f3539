using System.Runtime.InteropServices;
using CudaL2Net.Interop;
using CudaL2Net.Numerics;

namespace CudaL2Net.Kernels.Cuda;

/// <summary>
/// The network for inference: patches go through in blocks. A block is copied to page-locked memory, from there to the device on a stream of its own while
/// the block before it is computed; its descriptors are collected when its slot is needed again.
/// </summary>
internal unsafe partial class CudaDevice
{
    /// <summary>Patches in a block of a plan where memory allows; null is what suits the network's kernels.</summary>
    internal int? PlanBlock { get; set; }

    public INetworkPlan Plan(FoldedNetwork network)
    {
        using (Enter())
        {
            return new NetworkPlan(this, network);
        }
    }

    /// <summary>A network on the device.</summary>
    private interface ITower : IDisposable
    {
        /// <summary>Device memory that a patch takes while it is described.</summary>
        int BytesPerPatch { get; }

        /// <summary>Patches to be described at once: enough to fill the largest devices.</summary>
        int Block { get; }

        /// <summary>Normalizes and describes patches.</summary>
        /// <param name="patches">[n][32][32].</param>
        /// <param name="descriptors">[n][d].</param>
        void Run(Tensor<byte> patches, Tensor<float> descriptors);

        /// <summary>Normalizes patches and describes them by the signs of their descriptors.</summary>
        /// <param name="patches">[n][32][32].</param>
        /// <param name="signs">[n][d / 8]: bit j of byte k is dimension 8k + j, set where it is above 0.</param>
        void RunSigns(Tensor<byte> patches, Tensor<byte> signs);
    }

    private sealed class NetworkPlan : INetworkPlan
    {
        // Host copies above this are shared out to threads, so many bytes to each.
        private const int CopyBytes = 256 << 10;

        private readonly CudaDevice device;
        private readonly FoldedNetwork network;
        private readonly ITower tower;
        private readonly CudaStream uploads;
        private readonly Slot[] slots;
        private int capacity;
        private volatile bool disposed;

        public NetworkPlan(CudaDevice device, FoldedNetwork network)
        {
            this.device = device;
            network.RequireNormalization();
            this.network = network;
            tower = Tower(device, network);
            uploads = new CudaStream(device.context);
            slots = [new Slot(device), new Slot(device)];
        }

        // The first that there are kernels and room for: one in bytes, one in bf16, layer after layer.
        private static ITower Tower(CudaDevice device, FoldedNetwork network)
        {
            foreach (Precision precision in (Precision[])[device.Precision, device.ProductPrecision])
            {
                if (FusedTower.Fits(network, precision) && FusedTower.HasRoom(device, precision))
                {
                    return new FusedTower(device, network, precision);
                }
            }

            return new LayeredTower(device, network);
        }

        public int Block => device.PlanBlock ?? tower.Block;

        public void Describe(ReadOnlySpan<byte> patches, Span<float> descriptors, int stride)
        {
            ThrowIfDisposed();
            network.CountPatches(patches, descriptors, stride);
            Describe(patches, MemoryMarshal.AsBytes(descriptors), stride * sizeof(float), signs: false);
        }

        public void DescribeSigns(ReadOnlySpan<byte> patches, Span<byte> signs, int stride)
        {
            ThrowIfDisposed();
            network.CountPatches(patches, signs, stride);
            Describe(patches, signs, stride, signs: true);
        }

        public void DescribeOnDevice(Tensor<byte> patches, Tensor<float> descriptors)
        {
            DescribeOnDevice(patches, (input, first, rows) => tower.Run(input, descriptors.Rows(first, rows)));
        }

        public void DescribeSignsOnDevice(Tensor<byte> patches, Tensor<byte> signs)
        {
            DescribeOnDevice(patches, (input, first, rows) => tower.RunSigns(input, signs.Rows(first, rows)));
        }

        public void Dispose()
        {
            disposed = true;
            device.WhenFree(Release);
        }

        private void ThrowIfDisposed()
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            device.ThrowIfDisposed();
        }

        private void Release()
        {
            if (slots.Any(slot => slot.Rows > 0))
            {
                // A call that was ended in the middle has left copies under way.
                WaitBeforeFreeing(uploads.Synchronize);
                WaitBeforeFreeing(device.WaitForWork);
            }

            tower.Dispose();
            Array.ForEach(slots, slot => slot.Dispose());
            uploads.Dispose();
        }

        // Blocks bound what the network's layers take, whatever the number of patches.
        private void DescribeOnDevice(Tensor<byte> patches, Action<Tensor<byte>, int, int> run)
        {
            int count = patches.Length / FoldedNetwork.InputArea, most = Block;
            using DeviceGate.Entry entry = device.Enter();
            ThrowIfDisposed();
            for (int first = 0; first < count; first += most)
            {
                int rows = Math.Min(most, count - first);
                run(patches.Rows(first, rows), first, rows);
            }
        }

        /// <summary>Describes patches block by block, each result at its row of the output, <paramref name="stride"/> bytes from the one before. The blocks under
        /// way are the plan's, so the device stays with this thread to the end.</summary>
        private void Describe(ReadOnlySpan<byte> patches, Span<byte> output, int stride, bool signs)
        {
            int count = patches.Length / FoldedNetwork.InputArea;
            if (count == 0)
            {
                return;
            }

            using DeviceGate.Entry entry = device.Enter();
            ThrowIfDisposed();
            Array.ForEach(slots, slot => slot.Rows = 0);
            Grow(count);
            int blocks = ((count - 1) / capacity) + 1;
            for (int block = 0; block < blocks + slots.Length; block++)
            {
                ThrowIfDisposed();
                Slot slot = slots[block % slots.Length];
                if (slot.Rows > 0)
                {
                    Collect(slot, output[((block - slots.Length) * capacity * stride)..], stride, signs);
                }

                if (block < blocks)
                {
                    int first = block * capacity;
                    Start(slot, patches.Slice(first * FoldedNetwork.InputArea, Math.Min(capacity, count - first) * FoldedNetwork.InputArea), signs);
                }
            }
        }

        /// <summary>Queues a block: its copy to the device, its kernels, the copy of its descriptors.</summary>
        private void Start(Slot slot, ReadOnlySpan<byte> patches, bool signs)
        {
            int rows = patches.Length / FoldedNetwork.InputArea;
            slot.Rows = rows;
            Copy(patches, slot.HostPatches!.Span);
            uploads.CopyToDeviceAsync((nint)slot.Patches!.Pointer, slot.HostPatches.Pointer, (nuint)patches.Length);
            slot.Uploaded.Record(uploads);
            device.stream.WaitEvent(slot.Uploaded);
            Tensor<byte> input = slot.Patches.Rows(0, rows);
            if (signs)
            {
                tower.RunSigns(input, slot.Signs!.Rows(0, rows));
            }
            else
            {
                tower.Run(input, slot.Descriptors!.Rows(0, rows));
            }

            void* result = signs ? slot.Signs!.Pointer : slot.Descriptors!.Pointer;
            device.stream.CopyToHostAsync(slot.HostResults!.Pointer, (nint)result, (nuint)(rows * ResultBytes(signs)));
            slot.Done.Record(device.stream);
        }

        /// <summary>Waits for a block and writes its results where they belong.</summary>
        private void Collect(Slot slot, Span<byte> output, int stride, bool signs)
        {
            slot.Done.Synchronize(device.stream);
            int width = ResultBytes(signs);
            Span<byte> results = slot.HostResults!.Span[..(slot.Rows * width)];
            if (stride == width)
            {
                Copy(results, output);
            }
            else
            {
                for (int row = 0; row < slot.Rows; row++)
                {
                    results.Slice(row * width, width).CopyTo(output[(row * stride)..]);
                }
            }

            slot.Rows = 0;
        }

        // One thread copies slower than the bus to the GPU.
        private void Copy(ReadOnlySpan<byte> from, Span<byte> to)
        {
            int length = from.Length;
            fixed (byte* source = from, target = to[..length])
            {
                byte* first = source, written = target;
                new Parallelism(device.Threads).For((length + CopyBytes - 1) / CopyBytes, i =>
                {
                    int start = i * CopyBytes, bytes = Math.Min(CopyBytes, length - start);
                    Buffer.MemoryCopy(first + start, written + start, bytes, bytes);
                });
            }
        }

        private int ResultBytes(bool signs) => signs ? network.Dimension / 8 : network.Dimension * sizeof(float);

        /// <summary>Makes room for blocks of as many patches as are asked for, up to the largest block and to half of the free memory.</summary>
        private void Grow(int rows)
        {
            rows = Math.Min(rows, Block);
            if (rows <= capacity)
            {
                return;
            }

            long patchBytes = tower.BytesPerPatch + (2L * (FoldedNetwork.InputArea + (sizeof(float) * network.Dimension)));
            rows = (int)Math.Clamp((long)(device.context.GetFreeDeviceMemorySize() / 2) / patchBytes, 1, rows);
            if (rows > capacity)
            {
                Array.ForEach(slots, slot => slot.Allocate(rows, network.Dimension));

                // New memory is made on the device's stream, and written on the other one.
                device.Synchronize();
                capacity = rows;
            }
        }
    }

    /// <summary>Any network, layer after layer.</summary>
    private sealed class LayeredTower : ITower
    {
        private readonly CudaDevice device;
        private readonly FoldedNetwork network;
        private readonly Conv2dGeometry[] geometries;
        private readonly Tensor<float>[] filters;
        private readonly Tensor<float>[] biases;
        private readonly Tensor<float>? meanImage;
        private Tensor<float>[] activations = [];

        public LayeredTower(CudaDevice device, FoldedNetwork network)
        {
            this.device = device;
            this.network = network;
            geometries = network.Geometries();
            filters = [.. network.Layers.Select(layer => device.Upload<float>(layer.Filters))];
            biases = [.. network.Layers.Select(layer => device.Upload<float>(layer.Bias))];
            meanImage = network.MeanImage == null ? null : device.Upload<float>(network.MeanImage);
        }

        public int BytesPerPatch => sizeof(float) * (FoldedNetwork.InputArea + geometries.Sum(g => g.OutHeight * g.OutWidth * g.OutChannels));

        public int Block => 512;

        public void Run(Tensor<byte> patches, Tensor<float> descriptors) => device.UnitVectorForward(Features(patches), descriptors);

        public void RunSigns(Tensor<byte> patches, Tensor<byte> signs)
        {
            // Signs need no unit vector.
            device.Launch("describe", "describe_signs", device.Blocks(signs.Length), 256, 0, Features(patches), signs, signs.Length);
        }

        private Tensor<float> Features(Tensor<byte> patches)
        {
            int rows = patches.Length / FoldedNetwork.InputArea;
            if (activations.Length == 0 || activations[0].Shape[0] < rows)
            {
                Array.ForEach(activations, activation => activation.Dispose());
                activations =
                [
                    device.Allocate<float>(rows, FoldedNetwork.InputSide, FoldedNetwork.InputSide, 1),
                    .. geometries.Select(g => device.Allocate<float>(rows, g.OutHeight, g.OutWidth, g.OutChannels)),
                ];
            }

            Tensor<float> x = activations[0].Rows(0, rows);
            device.NormalizePatches(patches, network.Normalization, meanImage, x);
            for (int i = 0; i < geometries.Length; i++)
            {
                Tensor<float> y = activations[i + 1].Rows(0, rows);
                device.FoldedConvolution(geometries[i] with { Batch = rows }, x, filters[i], biases[i], network.Layers[i].Relu, y);
                x = y;
            }

            return x;
        }

        public void Dispose()
        {
            Tensor<float>?[] tensors = [.. filters, .. biases, .. activations, meanImage];
            Array.ForEach(tensors, tensor => tensor?.Dispose());
        }
    }

    /// <summary>A block on its way: page-locked memory on the host, memory on the device, and how far it is.</summary>
    private sealed class Slot(CudaDevice device) : IDisposable
    {
        /// <summary>The patches are on the device.</summary>
        public CudaEvent Uploaded { get; } = new(device.context);

        /// <summary>The descriptors are on the host.</summary>
        public CudaEvent Done { get; } = new(device.context);

        public CudaPageLockedHostMemory<byte>? HostPatches { get; private set; }

        /// <summary>Descriptors or their signs.</summary>
        public CudaPageLockedHostMemory<byte>? HostResults { get; private set; }

        public Tensor<byte>? Patches { get; private set; }

        public Tensor<float>? Descriptors { get; private set; }

        public Tensor<byte>? Signs { get; private set; }

        /// <summary>Patches under way; 0 when the slot is free.</summary>
        public int Rows { get; set; }

        public void Allocate(int rows, int dimension)
        {
            FreeMemory();
            Patches = device.Allocate<byte>(rows, FoldedNetwork.InputArea);
            Descriptors = device.Allocate<float>(rows, dimension);
            HostPatches = new CudaPageLockedHostMemory<byte>(device.context, rows * FoldedNetwork.InputArea);
            Signs = device.Allocate<byte>(rows, dimension / 8);
            HostResults = new CudaPageLockedHostMemory<byte>(device.context, rows * dimension * sizeof(float));
        }

        public void Dispose()
        {
            FreeMemory();
            Uploaded.Dispose();
            Done.Dispose();
        }

        private void FreeMemory()
        {
            Patches?.Dispose();
            Descriptors?.Dispose();
            HostPatches?.Dispose();
            Signs?.Dispose();
            HostResults?.Dispose();
        }
    }
}
