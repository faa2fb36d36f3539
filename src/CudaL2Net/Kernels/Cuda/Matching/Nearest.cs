namespace CudaL2Net.Kernels.Cuda;

internal unsafe partial class CudaDevice
{
    /// <summary>2^-23: from 1 to the next float.</summary>
    private const float FloatStep = 1f / (1 << 23);

    /// <summary>Queries, and targets at a time, of a block; rows are prepared up to a multiple of it.</summary>
    private const int NearestTile = 128;

    /// <summary>Bytes of a row that one stage of shared memory holds, of bf16 and of bits: prepared rows are multiples of it.</summary>
    private const int BytesAtOnce = 64, BitBytesAtOnce = 32;

    /// <summary>Targets that a block takes at least: with fewer, its first tile, whose bounds are looked at more closely, would weigh too much.</summary>
    private const int ShortestSpan = 2048;

    /// <summary>Targets that a block takes at most: a queue's entry has 25 bits for them.</summary>
    private const int LongestSpan = 1 << 25;

    /// <summary>From this many distances on tensor cores look for candidates, unless told otherwise; the result is the same.</summary>
    internal const long UsualTensorCoreMatches = 1 << 24;

    /// <summary>From this many distances on tensor cores look for candidates.</summary>
    internal long TensorCoreMatches { get; set; } = UsualTensorCoreMatches;

    public void NearestEuclidean(Tensor<float> queries, Tensor<float> targets, Tensor<int> nearest, Tensor<float> distance)
    {
        (int rows, int columns, int width) = NearestShape(queries, targets);
        if (rows == 0)
        {
            return;
        }

        // How far an inner product can be off, as a share of the product of the lengths, and the rounding of what is made of it, with room to spare: in
        // bf16 each factor by 2^-9, and sums on tensor cores may be truncated instead of rounded. Measured distances are off by less than the slack.
        bool tensorCores = (long)rows * columns >= TensorCoreMatches;
        float error = tensorCores ? (1.01f / 256) + (((8f * width) + 32) * FloatStep) : ((2f * width) + 32) * FloatStep;
        float slack = 1 + ((width + 32f) * 2 * FloatStep), up = (1 + error) / (1 - error);
        int pitch = tensorCores ? RoundUp(width, BytesAtOnce / sizeof(ushort)) : 0;
        int blocks = Tiles(rows, NearestTile), span = Span(blocks, columns), paddedRows = blocks * NearestTile, paddedColumns = RoundUp(columns, NearestTile);
        nuint padded = (nuint)paddedRows + (nuint)paddedColumns;
        var keys = (ulong*)Scratch((2 * (nuint)paddedRows * sizeof(ulong)) + (padded * ((2 * (nuint)pitch) + sizeof(float))));
        float* querySquares = (float*)(keys + (2L * paddedRows)), targetSquares = querySquares + paddedRows;
        byte* queryRows = (byte*)(targetSquares + paddedColumns), targetRows = queryRows + (2L * paddedRows * pitch);
        byte* noRows = null;
        Launch("matching", "nearest_start", Tiles(paddedRows, 8), 256, 0, queries, rows, paddedRows, width, pitch, 1 - error, querySquares,
            tensorCores ? queryRows : noRows, keys);
        Launch("matching", "nearest_start", Tiles(paddedColumns, 8), 256, 0, targets, columns, paddedColumns, width, pitch, 1 - error, targetSquares,
            tensorCores ? targetRows : noRows, 0L);
        var grid = new Grid(blocks, Tiles(columns, span));
        if (tensorCores)
        {
            Launch("matching", "nearest_scan_bf16", grid, 256, ScanBytes(2 * pitch, BytesAtOnce), queries, targets, queryRows, targetRows, querySquares,
                targetSquares, keys, rows, columns, width, 2 * pitch, span, slack, up);
        }
        else
        {
            Launch("matching", "nearest_scan_float32", grid, 128, 0, queries, targets, querySquares, targetSquares, keys, rows, columns, width, span, slack,
                up);
        }

        Launch("matching", "nearest_finish", Blocks(2L * rows), 256, 0, keys, nearest, distance, 2 * rows);
    }

    public void NearestHamming(Tensor<byte> queries, Tensor<byte> targets, Tensor<int> nearest, Tensor<int> distance)
    {
        (int rows, int columns, int width) = NearestShape(queries, targets);
        if (rows == 0)
        {
            return;
        }

        int words = RoundUp(width, BitBytesAtOnce) / sizeof(uint);
        int blocks = Tiles(rows, NearestTile), span = Span(blocks, columns), paddedRows = blocks * NearestTile, paddedColumns = RoundUp(columns, NearestTile);
        var keys = (ulong*)Scratch((2 * (nuint)paddedRows * sizeof(ulong)) + (((nuint)paddedRows + (nuint)paddedColumns) * ((nuint)words + 1) * sizeof(uint)));
        int* queryOnes = (int*)(keys + (2L * paddedRows)), targetOnes = queryOnes + paddedRows;
        uint* queryWords = (uint*)(targetOnes + paddedColumns), targetWords = queryWords + ((long)paddedRows * words);
        Launch("matching", "hamming_start", Tiles(paddedRows, 8), 256, 0, queries, rows, paddedRows, width, words, queryOnes, queryWords, keys);
        Launch("matching", "hamming_start", Tiles(paddedColumns, 8), 256, 0, targets, columns, paddedColumns, width, words, targetOnes, targetWords, 0L);
        Launch("matching", "hamming_scan", new Grid(blocks, Tiles(columns, span)), 256, ScanBytes(sizeof(uint) * words, BitBytesAtOnce), queryWords,
            targetWords, queryOnes, targetOnes, keys, rows, columns, words, span);
        Launch("matching", "hamming_finish", Blocks(2L * rows), 256, 0, keys, nearest, distance, 2 * rows);
    }

    /// <summary>Shared memory of a scan on tensor cores: four stages, and the queries where they stay.</summary>
    private static int ScanBytes(int pitch, int atOnce)
    {
        const int Stages = 4, LongestToStay = 256;
        bool stay = pitch <= LongestToStay;
        return NearestTile * ((stay ? pitch : 0) + (Stages * (((stay ? 1 : 2) * atOnce) + sizeof(float))));
    }

    /// <summary>Targets a block: all of them where the queries alone fill the GPU. The result does not depend on it.</summary>
    private int Span(int queryBlocks, int columns)
    {
        int spans = Math.Clamp(Tiles(8 * Multiprocessors, queryBlocks), 1, Tiles(columns, ShortestSpan));
        return Math.Min(LongestSpan, RoundUp(Tiles(columns, spans), NearestTile));
    }
}
