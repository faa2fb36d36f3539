using System.Runtime.InteropServices;

namespace CudaL2Net.Kernels.Cuda;

internal unsafe partial class CudaDevice
{
    /// <summary>Whether the whole tower runs in one kernel, in bf16 or int8.</summary>
    internal static bool TakesFusedTower(FoldedNetwork network) => FusedTower.Fits(network, Precision.Bf16);

    /// <summary>L2-Net's tower in bf16 or in bytes as two kernels: the first six layers of a patch without leaving the multiprocessor, then the last one, in
    /// bf16, as a matrix product.</summary>
    internal sealed class FusedTower : ITower
    {
        private const string KernelFile = "describe";
        private const int Dimension = 128, Features = 8 * 8 * Dimension;

        // A sum of bytes is counted from here on, see image_tile.cuh.
        private const float SumOrigin = 12_582_912;

        private static readonly (int Kernel, int Stride, int Padding, int In, int Out)[] Shape =
            [(3, 1, 1, 1, 32), (3, 1, 1, 32, 32), (3, 2, 1, 32, 64), (3, 1, 1, 64, 64), (3, 2, 1, 64, 128), (3, 1, 1, 128, 128), (8, 1, 0, 128, 128)];

        private readonly CudaDevice device;
        private readonly Tensor<float>? meanImage;
        private readonly Tensor<float> firstFilters;
        private readonly Tensor<byte>[] filters;
        private readonly Tensor<ushort> lastFilters;
        private readonly Tensor<float> tables;
        private readonly Tensor<float> lastBias;
        private readonly bool bytes;
        private readonly float epsilon;
        private readonly int towerThreads, towerBytes, projectThreads, projectRows, projectBytes;
        private Tensor<ushort>? features;

        /// <summary>Rounds and packs the weights.</summary>
        /// <param name="device">Where.</param>
        /// <param name="network">The network.</param>
        /// <param name="precision"><see cref="Precision.Bf16"/> or <see cref="Precision.Int8"/>.</param>
        /// <exception cref="ArgumentException">The network is not <see cref="Fits">L2-Net's tower</see>.</exception>
        public FusedTower(CudaDevice device, FoldedNetwork network, Precision precision)
        {
            if (!Fits(network, precision))
            {
                throw new ArgumentException("the fused kernel computes L2-Net's tower only", nameof(network));
            }

            int[] shape = [.. Shape.SelectMany(layer => (int[])[layer.Kernel, layer.Stride, layer.Padding, layer.In, layer.Out])];
            if (!device.Constants(KernelFile, "describe_layers").SequenceEqual(shape))
            {
                throw new InvalidOperationException($"the kernels of {KernelFile} are for other layers than the library: build both again");
            }

            this.device = device;
            towerThreads = device.Constant(KernelFile, "describe_tower_threads");
            towerBytes = TowerBytes(device, precision);
            projectThreads = device.Constant(KernelFile, "describe_project_threads");
            projectRows = device.Constant(KernelFile, "describe_project_rows");
            projectBytes = device.Constant(KernelFile, "describe_project_bytes");
            bytes = precision == Precision.Int8;
            epsilon = network.Normalization == PatchNormalization.L2Net ? 1e-12f : 1e-7f;
            meanImage = network.Normalization == PatchNormalization.L2Net && network.MeanImage != null ? device.Upload<float>(network.MeanImage) : null;
            IReadOnlyList<FoldedLayer> layers = network.Layers;
            FoldedLayer first = bytes ? InParts(layers[0]) : layers[0];
            firstFilters = device.Upload<float>(Transpose(first.Filters, first.OutChannels));
            var packed = new byte[5][];
            int tableLength = bytes ? 2 * Dimension : Dimension;
            var values = new float[6 * tableLength];
            first.Bias.CopyTo(values, 0);
            for (int i = 1; i <= 5; i++)
            {
                Span<float> table = values.AsSpan(i * tableLength, tableLength);
                if (bytes)
                {
                    var quantized = QuantizedLayer.Of(layers[i], layers[i - 1].Limits!);
                    packed[i - 1] = PackFragments(layers[i], quantized.Filters);
                    FillTable(table, layers[i].Bias, quantized.Scales, i < 5 ? layers[i].Limits : null);
                }
                else
                {
                    packed[i - 1] = PackFragments(layers[i], Array.ConvertAll(layers[i].Filters, RoundToBf16));
                    layers[i].Bias.CopyTo(table);
                }
            }

            filters = Array.ConvertAll(packed, bank => device.Upload<byte>(bank));
            lastFilters = device.Upload<ushort>(Array.ConvertAll(layers[6].Filters, RoundToBf16));
            tables = device.Upload<float>(values);
            lastBias = device.Upload<float>(layers[6].Bias);
        }

        /// <summary>Whether a network has the layers of L2-Net's tower; for bytes, also limits of their outputs.</summary>
        public static bool Fits(FoldedNetwork network, Precision precision) =>
            network.Layers.Select(layer => (layer.Kernel, layer.Stride, layer.Padding, layer.InChannels, layer.OutChannels)).SequenceEqual(Shape)
                && network.Layers.Select(layer => layer.Relu).SequenceEqual([true, true, true, true, true, true, false])
                && (precision == Precision.Bf16 || (precision == Precision.Int8 && network.Layers.Take(5).All(layer => layer.Limits != null)));

        /// <summary>Whether a block may have as much shared memory: for bf16, on compute capability 8.6 and 8.9 it may not.</summary>
        public static bool HasRoom(CudaDevice device, Precision precision) =>
            device.properties.SharedMemoryPerBlockOptin >= TowerBytes(device, precision);

        /// <inheritdoc/>
        public int BytesPerPatch => Features * sizeof(ushort);

        /// <inheritdoc/>
        // Two blocks per multiprocessor in either kernel: the last layer's, of 32 patches, fill the GPU, too.
        public int Block => 2 * device.Multiprocessors * projectRows;

        /// <inheritdoc/>
        public void Run(Tensor<byte> patches, Tensor<float> descriptors)
        {
            Run(patches, descriptors.Pointer, null);
        }

        /// <inheritdoc/>
        public void RunSigns(Tensor<byte> patches, Tensor<byte> signs)
        {
            Run(patches, null, signs.Pointer);
        }

        // One of the two results is wanted. The plan gives at most a block of patches.
        private void Run(Tensor<byte> patches, float* descriptors, byte* signs)
        {
            int count = patches.Length / FoldedNetwork.InputArea;
            if (count == 0)
            {
                return;
            }

            if (features == null || features.Length < count * Features)
            {
                features?.Dispose();
                features = device.Allocate<ushort>(count * Features);
            }

            string tower = bytes ? "describe_tower_int8" : "describe_tower";
            device.Launch(KernelFile, tower, Math.Min(count, 2 * device.Multiprocessors), towerThreads, towerBytes, patches, meanImage, epsilon,
                firstFilters, filters[0], filters[1], filters[2], filters[3], filters[4], tables, features.Pointer, count);
            device.Launch(KernelFile, "describe_project", (count + projectRows - 1) / projectRows, projectThreads, projectBytes, features.Pointer,
                lastFilters.Pointer, lastBias, descriptors, signs, count);
        }

        public void Dispose()
        {
            meanImage?.Dispose();
            firstFilters.Dispose();
            Array.ForEach(filters, bank => bank.Dispose());
            lastFilters.Dispose();
            tables.Dispose();
            lastBias.Dispose();
            features?.Dispose();
        }

        /// <summary>The nearest bf16 number, ties to the even one.</summary>
        internal static ushort RoundToBf16(float value)
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

        /// <summary>Shared memory of a block.</summary>
        private static int TowerBytes(CudaDevice device, Precision precision) =>
            device.Constant(KernelFile, precision == Precision.Int8 ? "describe_tower_int8_bytes" : "describe_tower_bytes");

        /// <summary>A layer whose outputs are parts of their limits.</summary>
        private static FoldedLayer InParts(FoldedLayer layer) => layer with
        {
            Filters = [.. layer.Filters.Select((weight, i) => weight / layer.Limits![i / (layer.Filters.Length / layer.OutChannels)])],
            Bias = [.. layer.Bias.Select((bias, o) => bias / layer.Limits![o])],
        };

        /// <summary>Factor and term of each output that make a sum, counted from <see cref="SumOrigin"/> on, the output or, with limits, a part of its
        /// limit.</summary>
        private static void FillTable(Span<float> table, float[] bias, float[] scales, float[]? limits)
        {
            for (int o = 0; o < bias.Length; o++)
            {
                double limit = limits?[o] ?? 1;
                table[o] = (float)(scales[o] / limit);
                table[Dimension + o] = (float)((bias[o] / limit) - ((double)SumOrigin * table[o]));
            }
        }

        /// <summary>
        /// [out][tap][in] in the order of the B fragments of mma.m16n8k16 for bf16 or m16n8k32 for bytes, see image_tile.cuh:
        /// [tap][in / step][out / 16][lane][16 bytes]. Lane 4g + t holds four bytes from 4t on and four from 4t + 16 on of a step's 32, for two outputs, chosen in
        /// each group of 32 so that the sums that a lane ends up with belong to eight neighbours.
        /// </summary>
        private static byte[] PackFragments<T>(FoldedLayer layer, T[] filters)
            where T : unmanaged
        {
            int word = sizeof(uint) / sizeof(T), depth = layer.Kernel * layer.Kernel * layer.InChannels, at = 0;
            var packed = new T[filters.Length];
            for (int step = 0; step < depth; step += 8 * word)
            {
                for (int output = 0; output < layer.OutChannels; output += 16)
                {
                    for (int lane = 0; lane < 32; lane++)
                    {
                        for (int k = 0; k < 4 * word; k++)
                        {
                            int row = (output / 32 * 32) + (lane / 8 * 8) + (output / 16 % 2 * 4) + (k / (2 * word) * 2) + (lane / 4 % 2);
                            int column = step + (lane % 4 * word) + (k % word) + (k / word % 2 * 4 * word);
                            packed[at++] = filters[(row * depth) + column];
                        }
                    }
                }
            }

            return MemoryMarshal.AsBytes<T>(packed).ToArray();
        }
    }
}
