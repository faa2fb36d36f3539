using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using CudaL2Net.Numerics;

namespace CudaL2Net.Kernels.Cpu;

/// <summary>
/// The network for inference: every thread takes a few patches through all convolutions, each written into the middle of the next one's zero margin, so
/// that activations stay in the cache; the last layer is one matrix product over all patches of the block. Layers with stride 1 are computed by Winograd's
/// method, the small maps of several patches at once, since it needs enough tiles for each of its matrix products.
/// </summary>
internal sealed unsafe partial class CpuDevice
{
    /// <summary>Whether a convolution of the plan is computed by Winograd's method.</summary>
    internal static bool TakesWinograd(Conv2dGeometry g) => WinogradPass.Fits(g.KernelHeight, g.Stride, g.Padding, g.Height, g.InChannels, g.OutChannels);

    public INetworkPlan Plan(FoldedNetwork network)
    {
        using (Enter())
        {
            return new NetworkPlan(this, network);
        }
    }

    /// <summary>One convolution of the network and its input's place.</summary>
    private struct PlannedLayer
    {
        /// <summary>Patches that are computed at once: at least as many as in the layer before.</summary>
        public int Group;

        /// <summary>Floats of a patch's input with its margin, and where the first pixel lies in it.</summary>
        public nint InputLength, InputStart;

        /// <summary>Floats from a thread's scratch memory to this layer's inputs.</summary>
        public nint InputOffset;

        /// <summary>Whether <see cref="Winograd"/> computes it, else <see cref="Direct"/>.</summary>
        public bool ByWinograd;
        public WinogradPass Winograd;
        public ConvolutionPass Direct;
    }

    private sealed class NetworkPlan : INetworkPlan
    {
        // Patches whose last feature maps wait for the matrix product: 512 x 32 KB.
        private const int BlockPatches = 512;

        private readonly CpuDevice device;
        private readonly FoldedNetwork network;
        private readonly List<nint> memory = [];
        private readonly PlannedLayer* layers;
        private readonly int convolutions;
        private readonly int group;
        private readonly nint scratchLength;
        private readonly nint winogradOffset;
        private readonly float* scratch;
        private readonly float* features;
        private readonly float* lastPanels;
        private readonly float* lastBias;
        private readonly float* lastOutput;
        private readonly float* meanImage;
        private readonly int featureLength;
        private volatile bool disposed;

        public NetworkPlan(CpuDevice device, FoldedNetwork network)
        {
            this.device = device;
            network.RequireNormalization();
            this.network = network;
            convolutions = network.Layers.Count - 1;
            layers = (PlannedLayer*)Allocate((nuint)(sizeof(PlannedLayer) * convolutions));
            Conv2dGeometry[] geometries = network.Geometries();
            FoldedLayer last = network.Layers[^1];
            featureLength = last.Kernel * last.Kernel * last.InChannels;
            group = 1;
            nuint winogradLength = 0;
            for (int i = 0; i < convolutions; i++)
            {
                Conv2dGeometry g = geometries[i];
                FoldedLayer layer = network.Layers[i];
                int padded = g.Width + (2 * g.Padding), next = i + 1 < convolutions ? g.OutWidth + (2 * geometries[i + 1].Padding) : g.OutWidth;
                ref PlannedLayer planned = ref layers[i];
                planned.InputLength = (((nint)padded * padded * g.InChannels) + 15) & ~15;
                planned.InputStart = (((nint)g.Padding * padded) + g.Padding) * g.InChannels;
                planned.ByWinograd = WinogradPass.Fits(layer.Kernel, layer.Stride, layer.Padding, g.Height, layer.InChannels, layer.OutChannels);
                if (planned.ByWinograd)
                {
                    planned.Winograd = Winograd(layer, g.Height, (nint)next * g.OutChannels);
                    group = Math.Max(group, WinogradPass.ImagesAtOnce(g.Height));
                    winogradLength = Math.Max(winogradLength, planned.Winograd.ScratchLength(group));
                }
                else
                {
                    int* offsets = (int*)Allocate((nuint)(sizeof(int) * g.KernelHeight));
                    ForwardOffsets(g, padded, offsets);
                    planned.Direct = ForwardPass(g, padded, offsets, Packed(layer, out float* bias), bias, layer.Relu, g.OutChannels, (nint)next * g.OutChannels);
                }

                planned.Group = group;
                planned.InputOffset = scratchLength;
                scratchLength += group * planned.InputLength;
            }

            winogradOffset = scratchLength;
            scratchLength += (nint)winogradLength;
            lastPanels = Packed(last, out lastBias);
            features = (float*)Allocate((nuint)BlockPatches * (nuint)featureLength * sizeof(float));
            lastOutput = (float*)Allocate((nuint)BlockPatches * (nuint)network.Dimension * sizeof(float));
            scratch = (float*)Allocate((nuint)scratchLength * (nuint)device.Threads * sizeof(float));
            if (network.MeanImage != null)
            {
                meanImage = (float*)Allocate(FoldedNetwork.InputArea * sizeof(float));
                network.MeanImage.CopyTo(new Span<float>(meanImage, FoldedNetwork.InputArea));
            }
        }

        ~NetworkPlan() => device.WhenFree(Free);

        public int Block => BlockPatches;

        // Block by block, between which other threads have their turn.
        public void Describe(ReadOnlySpan<byte> patches, Span<float> descriptors, int stride)
        {
            ThrowIfDisposed();
            int count = network.CountPatches(patches, descriptors, stride);
            fixed (byte* from = patches)
            fixed (float* to = descriptors)
            {
                for (int first = 0; first < count; first += BlockPatches)
                {
                    using DeviceGate.Entry entry = device.Enter();
                    ObjectDisposedException.ThrowIf(disposed, this);
                    int block = Math.Min(BlockPatches, count - first);
                    device.pool.For((block + group - 1) / group, new PatchJob
                    {
                        Patches = from + ((nint)first * FoldedNetwork.InputArea),
                        Count = block,
                        Layers = layers,
                        Convolutions = convolutions,
                        Group = group,
                        FirstRowLength = FoldedNetwork.InputSide + (2 * network.Layers[0].Padding),
                        Normalization = network.Normalization,
                        MeanImage = meanImage,
                        Scratch = scratch,
                        ScratchLength = scratchLength,
                        WinogradOffset = winogradOffset,
                        Features = features,
                        FeatureLength = featureLength,
                    });
                    device.MatrixProduct(block, network.Dimension, featureLength, features, lastPanels, lastBias, lastOutput);
                    for (int i = 0; i < block; i++)
                    {
                        UnitVectorRow(lastOutput + ((nint)i * network.Dimension), to + ((nint)(first + i) * stride), network.Dimension);
                    }
                }
            }
        }

        public void DescribeSigns(ReadOnlySpan<byte> patches, Span<byte> signs, int stride)
        {
            ThrowIfDisposed();
            int count = network.CountPatches(patches, signs, stride), dimension = network.Dimension;
            float[] descriptors = new float[Math.Min(count, BlockPatches) * dimension];
            for (int first = 0; first < count; first += BlockPatches)
            {
                int block = Math.Min(BlockPatches, count - first);
                Describe(patches.Slice(first * FoldedNetwork.InputArea, block * FoldedNetwork.InputArea), descriptors, dimension);
                for (int i = 0; i < block; i++)
                {
                    SignBits.Pack(descriptors.AsSpan(i * dimension, dimension), signs[((first + i) * stride)..]);
                }
            }
        }

        public void DescribeOnDevice(Tensor<byte> patches, Tensor<float> descriptors)
        {
            using DeviceGate.Entry entry = device.Enter();
            Describe(new ReadOnlySpan<byte>(patches.Pointer, patches.Length), new Span<float>(descriptors.Pointer, descriptors.Length), network.Dimension);
        }

        public void DescribeSignsOnDevice(Tensor<byte> patches, Tensor<byte> signs)
        {
            using DeviceGate.Entry entry = device.Enter();
            DescribeSigns(new ReadOnlySpan<byte>(patches.Pointer, patches.Length), new Span<byte>(signs.Pointer, signs.Length), network.Dimension / 8);
        }

        public void Dispose()
        {
            disposed = true;
            device.WhenFree(Free);
            GC.SuppressFinalize(this);
        }

        private void ThrowIfDisposed()
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            device.ThrowIfDisposed();
        }

        private WinogradPass Winograd(FoldedLayer layer, int side, nint targetRowStride)
        {
            float* panels = Packed(layer, out float* bias);
            float* filters = (float*)Allocate(WinogradPass.FilterLength(layer.InChannels, layer.OutChannels) * sizeof(float));
            device.TransformFilters(panels, layer.InChannels, layer.OutChannels, false, filters);
            return new WinogradPass
            {
                Side = side,
                InChannels = layer.InChannels,
                OutChannels = layer.OutChannels,
                TargetRowStride = targetRowStride,
                Filters = filters,
                Bias = bias,
                Relu = layer.Relu,
            };
        }

        private float* Packed(FoldedLayer layer, out float* bias)
        {
            int depth = layer.Kernel * layer.Kernel * layer.InChannels, columns = ConvolutionPass.PaddedColumns(layer.OutChannels);
            float* panels = (float*)Allocate(ConvolutionPass.PanelLength(layer.Kernel * layer.Kernel, layer.InChannels, layer.OutChannels) * sizeof(float));
            bias = (float*)Allocate((nuint)columns * sizeof(float));
            layer.Bias.CopyTo(new Span<float>(bias, columns));
            fixed (float* filters = layer.Filters)
            {
                device.pool.For(columns / RegisterTile.Columns, new PackJob
                {
                    Depth = depth,
                    OutChannels = layer.OutChannels,
                    Filters = filters,
                    Panels = panels
                });
            }

            return panels;
        }

        private void* Allocate(nuint bytes)
        {
            void* pointer = HostMemory.Allocate(bytes);
            NativeMemory.Clear(pointer, bytes);
            memory.Add((nint)pointer);
            return pointer;
        }

        private void Free()
        {
            foreach (nint pointer in memory)
            {
                HostMemory.Free((void*)pointer);
            }

            memory.Clear();
        }
    }

    /// <summary>Takes one group of patches through all convolutions.</summary>
    private struct PatchJob : IParallelJob
    {
        public byte* Patches;
        public PlannedLayer* Layers;
        public int Count, Convolutions, Group, FirstRowLength, FeatureLength;
        public PatchNormalization Normalization;
        public float* MeanImage, Scratch, Features;
        public nint ScratchLength, WinogradOffset;

        public readonly void Run(int index, int worker)
        {
            float* scratch = Scratch + (worker * ScratchLength);
            int first = index * Group, count = Math.Min(Group, Count - first);
            if (Convolutions == 0)
            {
                for (int i = 0; i < count; i++)
                {
                    Normalize(first + i, Features + ((nint)(first + i) * FeatureLength), FoldedNetwork.InputSide);
                }

                return;
            }

            Compute(Convolutions - 1, first, count, scratch, Features + ((nint)first * FeatureLength), FeatureLength);
        }

        /// <summary>Computes the output of a layer and of all before it, depth first, so that small groups pass through the first layers.</summary>
        private readonly void Compute(int layer, int first, int count, float* scratch, float* output, nint outputStride)
        {
            ref PlannedLayer planned = ref Layers[layer];
            float* input = scratch + planned.InputOffset;
            for (int done = 0; done < count; done += planned.Group)
            {
                int patches = Math.Min(planned.Group, count - done);
                if (layer == 0)
                {
                    for (int i = 0; i < patches; i++)
                    {
                        Normalize(first + done + i, input + (i * planned.InputLength) + planned.InputStart, FirstRowLength);
                    }
                }
                else
                {
                    Compute(layer - 1, first + done, patches, scratch, input + planned.InputStart, planned.InputLength);
                }

                float* to = output + (done * outputStride);
                if (planned.ByWinograd)
                {
                    planned.Winograd.Run(patches, input, planned.InputLength, to, outputStride, scratch + WinogradOffset);
                }
                else
                {
                    planned.Direct.Run(patches, input, planned.InputLength, to, outputStride);
                }
            }
        }

        private readonly void Normalize(int index, float* to, int rowLength)
        {
            float* patch = stackalloc float[FoldedNetwork.InputArea];
            byte* bytes = Patches + ((nint)index * FoldedNetwork.InputArea);
            for (int i = 0; i < FoldedNetwork.InputArea; i++)
            {
                patch[i] = bytes[i];
            }

            NormalizePatch(patch, FoldedNetwork.InputArea, new GatherOptions(Normalization, PatchAugmentation.None, 0), MeanImage);
            for (int row = 0; row < FoldedNetwork.InputSide; row++)
            {
                new ReadOnlySpan<float>(patch + (row * FoldedNetwork.InputSide), FoldedNetwork.InputSide).CopyTo(new Span<float>(to + (row * rowLength), FoldedNetwork.InputSide));
            }
        }
    }
}
