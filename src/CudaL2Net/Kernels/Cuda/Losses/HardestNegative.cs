namespace CudaL2Net.Kernels.Cuda;

internal unsafe partial class CudaDevice
{
    /// <summary>The side of the tiles of products of rows.</summary>
    private const int ProductTile = 64;

    public void HardestNegative(
        in HardestNegativeOptions options, Tensor<float> descriptors, Tensor<float> positive, Tensor<float> negative, Tensor<int> negativePair)
    {
        (int pairs, int width) = PairShape(descriptors);
        bool angular = options.Distance == DescriptorDistance.Angular;
        var keys = (ulong*)Scratch(2 * (nuint)pairs * (sizeof(ulong) + sizeof(float)));
        var squares = (float*)(keys + (2 * pairs));
        Launch("hardest_negative", "mining_start", Tiles(2 * pairs, 8), 256, 0, descriptors, squares, keys, 2 * pairs, width);
        var tiles = new Grid(Tiles(pairs), Tiles(pairs));
        Launch("hardest_negative", "mining_scan", tiles, 128, 0, angular, options.NearDuplicate, descriptors, squares, keys, pairs, width);
        Launch("hardest_negative", "mining_finish", Tiles(pairs, 8), 256, 0, angular, descriptors, keys, positive, negative, negativePair, pairs, width);
    }

    /// <summary>Tiles that cover a number of rows.</summary>
    private static int Tiles(int rows, int tile = ProductTile) => (int)(((long)rows + tile - 1) / tile);
}
