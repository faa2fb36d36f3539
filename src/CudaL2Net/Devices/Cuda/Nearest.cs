using CudaL2Net.Tensors;

namespace CudaL2Net.Devices.Cuda;

internal unsafe partial class CudaDevice
{
    /// <summary>2^-23: from 1 to the next float.</summary>
    private const float FloatStep = 1f / (1 << 23);
    private const int HammingQueries = 128;

    /// <summary>Targets that a block takes at least: with fewer, its first tile, all of which are measured, would weigh too much.</summary>
    private const int ShortestSpan = 2048;

    /// <summary>Targets that a block takes at most: a queue's entry has 25 bits for them.</summary>
    private const int LongestSpan = 1 << 25;

    /// <summary>From this many distances on tensor cores look for candidates, unless told otherwise; the result is the same.</summary>
    internal const long UsualTensorCoreMatches = 1 << 24;

    /// <summary>From this many distances on tensor cores look for candidates.</summary>
    internal long TensorCoreMatches { get; set; } = UsualTensorCoreMatches;

    public void NearestEuclidean(Tensor<float> queries, Tensor<float> targets, Tensor<int> nearest, Tensor<float> distance)
    {
        (int rows, int columns, int width) = NearestShape(queries, targets, nearest, distance);
        if (rows == 0)
        {
            return;
        }

        // How far an inner product can be off, as a share of the product of the lengths, and the rounding of what is made of it, with room to spare: in
        // bf16 each factor by 2^-9, and sums on tensor cores may be truncated instead of rounded. Measured distances are off by less than the slack.
        bool tensorCores = (long)rows * columns >= TensorCoreMatches;
        float error = tensorCores ? (1.01f / 256) + (((8f * width) + 32) * FloatStep) : ((2f * width) + 32) * FloatStep;
        float slack = 1 + ((width + 32f) * 2 * FloatStep);
        var keys = (ulong*)Scratch((2 * (nuint)rows * sizeof(ulong)) + (((nuint)rows + (nuint)columns) * sizeof(float)));
        float* querySquares = (float*)(keys + (2L * rows)), targetSquares = querySquares + rows;
        Launch("matching", "nearest_start", Tiles(rows, 8), 256, 0, queries, rows, width, 1 - error, querySquares, keys);
        Launch("matching", "nearest_start", Tiles(columns, 8), 256, 0, targets, columns, width, 1 - error, targetSquares, 0L);
        int blocks = Tiles(rows, 128), span = Span(blocks, columns);
        string kernel = tensorCores ? "nearest_scan_bf16" : "nearest_scan_float32";
        Launch("matching", kernel, new Grid(blocks, Tiles(columns, span)), tensorCores ? 256 : 128, 0, queries, targets, querySquares, targetSquares, keys,
            rows, columns, width, span, slack);
        Launch("matching", "nearest_finish", Blocks(2L * rows), 256, 0, keys, nearest, distance, 2 * rows);
    }

    public void NearestHamming(Tensor<byte> queries, Tensor<byte> targets, Tensor<int> nearest, Tensor<int> distance)
    {
        (int rows, int columns, int width) = NearestShape(queries, targets, nearest, distance);
        if (rows == 0)
        {
            return;
        }

        int words = width <= 16 ? 4 : width <= 32 ? 8 : Tiles(width, 4);
        string kernel = words == 4 ? "hamming_scan_128" : words == 8 ? "hamming_scan_256" : "hamming_scan_long";
        bool packed = width == 4 * words;
        var keys = (ulong*)Scratch((2 * (nuint)rows * sizeof(ulong)) + (packed ? 0 : ((nuint)rows + (nuint)columns) * (nuint)words * sizeof(uint)));
        uint* queryWords = (uint*)queries.Pointer, targetWords = (uint*)targets.Pointer;
        if (!packed)
        {
            queryWords = (uint*)(keys + (2L * rows));
            targetWords = queryWords + ((long)rows * words);
            Launch("matching", "hamming_words", Blocks((long)rows * words), 256, 0, queries, queryWords, rows, width, words);
            Launch("matching", "hamming_words", Blocks((long)columns * words), 256, 0, targets, targetWords, columns, width, words);
        }

        Launch("matching", "hamming_start", Blocks(2L * rows), 256, 0, keys, 2L * rows);
        int blocks = Tiles(rows, HammingQueries), span = Span(blocks, columns);
        Launch("matching", kernel, new Grid(blocks, Tiles(columns, span)), HammingQueries, 0, queryWords, targetWords, keys, rows, columns, words, span);
        Launch("matching", "hamming_finish", Blocks(2L * rows), 256, 0, keys, nearest, distance, 2 * rows);
    }

    /// <summary>Targets a block: all of them where the queries alone fill the GPU. The result does not depend on it.</summary>
    private int Span(int queryBlocks, int columns)
    {
        int spans = Math.Clamp(Tiles(8 * Multiprocessors, queryBlocks), 1, Tiles(columns, ShortestSpan));
        return Math.Min(LongestSpan, Tiles(Tiles(columns, spans), 128) * 128);
    }
}
