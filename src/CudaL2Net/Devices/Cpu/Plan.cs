using System.Runtime.InteropServices;
using CudaL2Net.Data;
using CudaL2Net.Operations;

namespace CudaL2Net.Devices.Cpu;

/// <summary>
/// The network for inference: every thread takes a few patches through all convolutions, each written into the middle of the next one's zero margin, so
/// that activations never leave the L2 cache; the last layer is one matrix product over all patches of the block.
/// </summary>
internal sealed unsafe partial class CpuDevice
{
    public INetworkPlan Plan(FoldedNetwork network) => new NetworkPlan(this, network);

    private sealed class NetworkPlan : INetworkPlan
    {
        // Patches whose last feature maps wait for the matrix product: 512 x 32 KB.
        private const int BlockPatches = 512;

        private readonly CpuDevice device;
        private readonly FoldedNetwork network;
        private readonly List<nint> memory = [];
        private readonly ConvolutionPass* passes;
        private readonly nint* inputLength;
        private readonly nint* inputStart;
        private readonly int convolutions;
        private readonly nint scratchLength;
        private readonly float* scratch;
        private readonly float* features;
        private readonly float* lastPanels;
        private readonly float* lastBias;
        private readonly float* lastOutput;
        private readonly float* meanImage;
        private readonly int featureLength;
        private bool disposed;

        public NetworkPlan(CpuDevice device, FoldedNetwork network)
        {
            this.device = device;
            this.network = network;
            convolutions = network.Layers.Count - 1;
            passes = (ConvolutionPass*)Allocate((nuint)(sizeof(ConvolutionPass) * convolutions));
            inputLength = (nint*)Allocate((nuint)(sizeof(nint) * convolutions));
            inputStart = (nint*)Allocate((nuint)(sizeof(nint) * convolutions));
            int side = FoldedNetwork.InputSide;
            var geometries = new Conv2dGeometry[convolutions];
            for (int i = 0; i < convolutions; i++)
            {
                FoldedLayer layer = network.Layers[i];
                geometries[i] = new Conv2dGeometry(1, side, side, layer.InChannels, layer.OutChannels, layer.Kernel, layer.Kernel, layer.Stride, layer.Padding);
                side = geometries[i].OutHeight;
            }

            FoldedLayer last = network.Layers[^1];
            featureLength = side * side * last.InChannels;
            if (last.Kernel != side || last.Padding != 0 || last.Relu)
            {
                throw new ArgumentException($"the last layer must cover its {side} x {side} input without padding or ReLU");
            }

            for (int i = 0; i < convolutions; i++)
            {
                Conv2dGeometry g = geometries[i];
                int padded = g.Width + (2 * g.Padding), next = i + 1 < convolutions ? g.OutWidth + (2 * geometries[i + 1].Padding) : g.OutWidth;
                inputLength[i] = (((nint)padded * padded * g.InChannels) + 15) & ~15;
                inputStart[i] = (((nint)g.Padding * padded) + g.Padding) * g.InChannels;
                scratchLength += inputLength[i];
                int* offsets = (int*)Allocate((nuint)(sizeof(int) * g.KernelHeight * g.KernelWidth));
                ForwardOffsets(g, padded, offsets);
                passes[i] = ForwardPass(g, padded, offsets, Packed(network.Layers[i], out float* bias), bias, network.Layers[i].Relu, g.OutChannels,
                    (nint)next * g.OutChannels);
            }

            lastPanels = Packed(last, out lastBias);
            features = (float*)Allocate((nuint)BlockPatches * (nuint)featureLength * sizeof(float));
            lastOutput = (float*)Allocate((nuint)BlockPatches * (nuint)network.Dimension * sizeof(float));
            scratch = (float*)Allocate((nuint)scratchLength * (nuint)device.Threads * sizeof(float));
            if (network.MeanImage != null)
            {
                meanImage = (float*)Allocate(PatchSet.Area * sizeof(float));
                network.MeanImage.CopyTo(new Span<float>(meanImage, PatchSet.Area));
            }
        }

        ~NetworkPlan() => Free();

        public void Describe(ReadOnlySpan<byte> patches, Span<float> descriptors, int stride)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            int count = patches.Length / PatchSet.Area;
            if (count * PatchSet.Area != patches.Length || stride < network.Dimension || (count > 0
                && descriptors.Length < ((long)(count - 1) * stride) + network.Dimension))
            {
                throw new ArgumentException(
                    $"{patches.Length} bytes of patches and {descriptors.Length} floats of descriptors with stride {stride} do not fit 32 x 32 patches "
                        + $"and dimension {network.Dimension}");
            }

            fixed (byte* from = patches)
            fixed (float* to = descriptors)
            {
                for (int first = 0; first < count; first += BlockPatches)
                {
                    int block = Math.Min(BlockPatches, count - first);
                    device.pool.For(block, new PatchJob
                    {
                        Patches = from + ((nint)first * PatchSet.Area),
                        Passes = passes,
                        InputLength = inputLength,
                        InputStart = inputStart,
                        Convolutions = convolutions,
                        FirstRowLength = FoldedNetwork.InputSide + (2 * network.Layers[0].Padding),
                        Normalization = network.Normalization,
                        MeanImage = meanImage,
                        Scratch = scratch,
                        ScratchLength = scratchLength,
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

        public void Dispose()
        {
            Free();
            GC.SuppressFinalize(this);
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
            void* pointer = NativeMemory.AlignedAlloc(bytes, 64);
            NativeMemory.Clear(pointer, bytes);
            memory.Add((nint)pointer);
            return pointer;
        }

        private void Free()
        {
            disposed = true;
            foreach (nint pointer in memory)
            {
                NativeMemory.AlignedFree((void*)pointer);
            }

            memory.Clear();
        }
    }

    private struct PatchJob : IParallelJob
    {
        public byte* Patches;
        public ConvolutionPass* Passes;
        public nint* InputLength, InputStart;
        public int Convolutions, FirstRowLength, FeatureLength;
        public PatchNormalization Normalization;
        public float* MeanImage, Scratch, Features;
        public nint ScratchLength;

        public readonly void Run(int index, int worker)
        {
            float* patch = stackalloc float[PatchSet.Area];
            byte* bytes = Patches + ((nint)index * PatchSet.Area);
            for (int i = 0; i < PatchSet.Area; i++)
            {
                patch[i] = bytes[i];
            }

            NormalizePatch(patch, Normalization, MeanImage);
            float* input = Scratch + (worker * ScratchLength);
            float* to = input + InputStart[0];
            for (int row = 0; row < PatchSet.Side; row++)
            {
                new ReadOnlySpan<float>(patch + (row * PatchSet.Side), PatchSet.Side).CopyTo(new Span<float>(to + (row * FirstRowLength), PatchSet.Side));
            }

            for (int i = 0; i < Convolutions; i++)
            {
                float* output = i + 1 < Convolutions ? input + InputLength[i] + InputStart[i + 1] : Features + ((nint)index * FeatureLength);
                Passes[i].Run(input, output);
                input += InputLength[i];
            }
        }
    }
}
