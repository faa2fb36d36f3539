using CudaL2Net.Data;
using CudaL2Net.Operations;
using CudaL2Net.Tensors;

namespace CudaL2Net.Devices.Cuda;

internal unsafe partial class CudaDevice
{
    /// <summary>L2-Net's tower in bf16 as two kernels: the first six layers of a patch without leaving the multiprocessor, then the last one as a matrix
    /// product.</summary>
    internal sealed class FusedTower : ITower
    {
        private const int Dimension = 128, Features = 8 * 8 * Dimension, TowerSharedBytes = 115_456, ProjectSharedBytes = 4 * (32 + 128) * 64 * 2;

        private static readonly (int Kernel, int Stride, int Padding, int In, int Out)[] Shape =
            [(3, 1, 1, 1, 32), (3, 1, 1, 32, 32), (3, 2, 1, 32, 64), (3, 1, 1, 64, 64), (3, 2, 1, 64, 128), (3, 1, 1, 128, 128), (8, 1, 0, 128, 128)];

        private readonly CudaDevice device;
        private readonly Tensor<float>? meanImage;
        private readonly Tensor<float> firstFilters;
        private readonly Tensor<ushort>[] filters;
        private readonly Tensor<float> bias;
        private readonly float epsilon;
        private Tensor<ushort>? features;

        /// <summary>Rounds and packs the weights.</summary>
        /// <exception cref="ArgumentException">The network is not <see cref="Fits">L2-Net's tower</see>.</exception>
        public FusedTower(CudaDevice device, FoldedNetwork network)
        {
            if (!Fits(network))
            {
                throw new ArgumentException("the fused kernel computes L2-Net's tower only", nameof(network));
            }

            this.device = device;
            epsilon = network.Normalization == PatchNormalization.L2Net ? 1e-12f : 1e-7f;
            meanImage = network.Normalization == PatchNormalization.L2Net && network.MeanImage != null ? device.Upload<float>(network.MeanImage) : null;
            IReadOnlyList<FoldedLayer> layers = network.Layers;
            firstFilters = device.Upload<float>(Transpose(layers[0].Filters, layers[0].OutChannels));
            filters = [.. layers.Skip(1).Select((layer, i) =>
                device.Upload<ushort>(i < 5 ? PackFragments(layer) : Array.ConvertAll(layer.Filters, RoundToBfloat16)))];
            var biases = new float[7 * 128];
            for (int i = 0; i < layers.Count; i++)
            {
                layers[i].Bias.CopyTo(biases, i * 128);
            }

            bias = device.Upload<float>(biases);
        }

        /// <summary>Whether a network has the layers of L2-Net's tower.</summary>
        public static bool Fits(FoldedNetwork network) =>
            network.Layers.Select(layer => (layer.Kernel, layer.Stride, layer.Padding, layer.InChannels, layer.OutChannels)).SequenceEqual(Shape)
                && network.Layers.Select(layer => layer.Relu).SequenceEqual([true, true, true, true, true, true, false]);

        /// <summary>Whether a block may have as much shared memory: on compute capability 8.6 and 8.9 it may not.</summary>
        public static bool HasRoom(CudaDevice device) => device.properties.SharedMemoryPerBlockOptin >= TowerSharedBytes;

        /// <inheritdoc/>
        public int BytesPerPatch => Features * sizeof(ushort);

        /// <inheritdoc/>
        public int Block => 2048;

        /// <inheritdoc/>
        public void Run(Tensor<byte> patches, Tensor<float> descriptors)
        {
            RequireLength(descriptors, patches.Length / PatchSet.Area * Dimension, nameof(descriptors));
            Run(patches, descriptors.Pointer, null);
        }

        /// <inheritdoc/>
        public void RunSigns(Tensor<byte> patches, Tensor<byte> signs)
        {
            RequireLength(signs, patches.Length / PatchSet.Area * Dimension / 8, nameof(signs));
            Run(patches, null, signs.Pointer);
        }

        // One of the two results is wanted.
        private void Run(Tensor<byte> patches, float* descriptors, byte* signs)
        {
            int count = patches.Length / PatchSet.Area;
            RequireLength(patches, count * PatchSet.Area, nameof(patches));
            if (count == 0)
            {
                return;
            }

            if (features == null || features.Length < count * Features)
            {
                features?.Dispose();
                features = device.Allocate<ushort>(count * Features);
            }

            device.Launch("describe", "describe_tower", Math.Min(count, 2 * device.Multiprocessors), 256, TowerSharedBytes, patches, meanImage, epsilon,
                firstFilters, filters[0].Pointer, filters[1].Pointer, filters[2].Pointer, filters[3].Pointer, filters[4].Pointer, bias, features.Pointer,
                count);
            device.Launch("describe", "describe_project", (count + 31) / 32, 256, ProjectSharedBytes, features.Pointer, filters[5].Pointer,
                (void*)(bias.Pointer + (6 * Dimension)), descriptors, signs, count);
        }

        public void Dispose()
        {
            meanImage?.Dispose();
            firstFilters.Dispose();
            Array.ForEach(filters, bank => bank.Dispose());
            bias.Dispose();
            features?.Dispose();
        }

        /// <summary>The nearest bf16 number, ties to the even one.</summary>
        internal static ushort RoundToBfloat16(float value)
        {
            uint bits = BitConverter.SingleToUInt32Bits(value);
            return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
        }

        /// <summary>[out][taps] to [taps][out].</summary>
        private static float[] Transpose(float[] filters, int outChannels)
        {
            int taps = filters.Length / outChannels;
            var turned = new float[filters.Length];
            for (int i = 0; i < filters.Length; i++)
            {
                turned[(i % taps * outChannels) + (i / taps)] = filters[i];
            }

            return turned;
        }

        /// <summary>
        /// [out][tap][in] in the order of the B fragments of mma.m16n8k16, see image_tile.cuh: [tap][in / 16][out / 16][lane][8]. Lane 4g + t holds inputs 2t,
        /// 2t + 1, 2t + 8, 2t + 9 (of the 16) for two outputs, chosen in each group of 32 so that the sums that a lane ends up with belong to eight neighbours.
        /// </summary>
        private static ushort[] PackFragments(FoldedLayer layer)
        {
            int taps = layer.Kernel * layer.Kernel, depth = taps * layer.InChannels, at = 0;
            var packed = new ushort[layer.Filters.Length];
            for (int step = 0; step < depth; step += 16)
            {
                for (int output = 0; output < layer.OutChannels; output += 16)
                {
                    for (int lane = 0; lane < 32; lane++)
                    {
                        for (int k = 0; k < 8; k++)
                        {
                            int row = (output / 32 * 32) + (lane / 8 * 8) + (output / 16 % 2 * 4) + (k / 4 * 2) + (lane / 4 % 2);
                            int column = step + (lane % 4 * 2) + (k % 2) + (k / 2 % 2 * 8);
                            packed[at++] = RoundToBfloat16(layer.Filters[(row * depth) + column]);
                        }
                    }
                }
            }

            return packed;
        }
    }
}
