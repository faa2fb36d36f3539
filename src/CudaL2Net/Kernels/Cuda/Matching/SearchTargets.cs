namespace CudaL2Net.Kernels.Cuda;

// What searches for the nearest targets and for those within a radius share: prepared rows, and how targets are cut into spans.
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

    public SearchTargets<float> Prepare(Tensor<float> rows) => new FloatTargets(this, rows);

    public SearchTargets<byte> Prepare(Tensor<byte> rows) => new BitTargets(this, rows);

    /// <summary>
    /// How far an inner product can be off, as a share of the product of the lengths, and the rounding of what is made of it, with room to spare: in bf16 each
    /// factor by 2^-9, and sums on tensor cores may be truncated instead of rounded.
    /// </summary>
    private static float ProductError(int width, bool tensorCores) =>
        tensorCores ? (1.01f / 256) + (((8f * width) + 32) * FloatStep) : ((2f * width) + 32) * FloatStep;

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

    /// <summary>Prepares queries in scratch memory.</summary>
    private EuclideanScan StartEuclidean(Tensor<float> queries, FloatTargets targets, int kept)
    {
        int rows = queries.Shape[0], blocks = Tiles(rows, NearestTile), padded = blocks * NearestTile, width = targets.Width;
        bool tensorCores = (long)rows * targets.Count >= TensorCoreMatches;
        int pitch = tensorCores ? targets.Pitch : 0, span = Span(blocks, targets.Count);
        float error = ProductError(width, tensorCores);
        var keys = (ulong*)Scratch((nuint)padded * (((nuint)kept * sizeof(ulong)) + sizeof(float) + ((nuint)pitch * sizeof(ushort))));
        float* squares = (float*)(keys + ((long)padded * kept)), noSquares = null;
        byte* queryRows = tensorCores ? (byte*)(squares + padded) : null;
        Launch("nearest", "nearest_start", Tiles(padded, 8), 256, 0, queries, rows, padded, width, pitch, 1 - error, tensorCores ? noSquares : squares, 1 - error,
            tensorCores ? squares : noSquares, queryRows, keys, kept);
        return new EuclideanScan
        {
            TensorCores = tensorCores,
            Grid = new Grid(blocks, Tiles(targets.Count, span)),
            Span = span,
            Keys = keys,
            QuerySquares = squares,
            QueryRows = queryRows,

            // Measured distances are off by less than the slack.
            Slack = 1 + ((width + 32f) * 2 * FloatStep),
            Up = (1 + error) / (1 - error),
        };
    }

    private HammingScan StartHamming(Tensor<byte> queries, BitTargets targets, int kept)
    {
        int rows = queries.Shape[0], blocks = Tiles(rows, NearestTile), padded = blocks * NearestTile, words = targets.Pitch;
        int span = Span(blocks, targets.Count);
        var keys = (ulong*)Scratch((nuint)padded * (((nuint)kept * sizeof(ulong)) + (((nuint)words + 1) * sizeof(uint))));
        int* ones = (int*)(keys + ((long)padded * kept));
        uint* queryWords = (uint*)(ones + padded);
        Launch("nearest", "hamming_start", Tiles(padded, 8), 256, 0, queries, rows, padded, targets.Width, words, ones, queryWords, keys, kept);
        return new HammingScan
        {
            Grid = new Grid(blocks, Tiles(targets.Count, span)),
            Span = span,
            Keys = keys,
            QueryOnes = ones,
            QueryWords = queryWords,
        };
    }

    private readonly struct EuclideanScan
    {
        public bool TensorCores { get; init; }

        public Grid Grid { get; init; }

        public int Span { get; init; }

        public ulong* Keys { get; init; }

        public float* QuerySquares { get; init; }

        public byte* QueryRows { get; init; }

        public float Slack { get; init; }

        public float Up { get; init; }
    }

    private readonly struct HammingScan
    {
        public Grid Grid { get; init; }

        public int Span { get; init; }

        public ulong* Keys { get; init; }

        public int* QueryOnes { get; init; }

        public uint* QueryWords { get; init; }
    }

    /// <summary>Squared lengths for either precision, and the rows in bf16: how many queries there are decides which are used.</summary>
    private sealed class FloatTargets : SearchTargets<float>
    {
        private readonly CudaDevice device;
        private readonly int padded;

        public FloatTargets(CudaDevice device, Tensor<float> rows)
            : base(rows)
        {
            this.device = device;
            padded = RoundUp(Count, NearestTile);
            Pitch = RoundUp(Width, BytesAtOnce / sizeof(ushort));
            Squares = device.Allocate<float>(padded);
            RoundedSquares = device.Allocate<float>(padded);
            Rounded = device.Allocate<ushort>(padded, Pitch);
            Refresh();
        }

        /// <summary>Numbers of a row in bf16.</summary>
        public int Pitch { get; }

        public Tensor<float> Squares { get; }

        public Tensor<float> RoundedSquares { get; }

        public Tensor<ushort> Rounded { get; }

        public override void Refresh() => device.Launch("nearest", "nearest_start", Tiles(padded, 8), 256, 0, Rows, Count, padded, Width, Pitch,
            1 - ProductError(Width, tensorCores: false), Squares, 1 - ProductError(Width, tensorCores: true), RoundedSquares, Rounded.Pointer, 0L, 0);

        public override void Dispose()
        {
            Squares.Dispose();
            RoundedSquares.Dispose();
            Rounded.Dispose();
        }
    }

    /// <summary>The ones of each row, and the rows as words.</summary>
    private sealed class BitTargets : SearchTargets<byte>
    {
        private readonly CudaDevice device;
        private readonly int padded;

        public BitTargets(CudaDevice device, Tensor<byte> rows)
            : base(rows)
        {
            this.device = device;
            padded = RoundUp(Count, NearestTile);
            Pitch = RoundUp(Width, BitBytesAtOnce) / sizeof(uint);
            Ones = device.Allocate<int>(padded);
            Words = device.Allocate<uint>(padded, Pitch);
            Refresh();
        }

        /// <summary>Words of a row.</summary>
        public int Pitch { get; }

        public Tensor<int> Ones { get; }

        public Tensor<uint> Words { get; }

        public override void Refresh() =>
            device.Launch("nearest", "hamming_start", Tiles(padded, 8), 256, 0, Rows, Count, padded, Width, Pitch, Ones, Words.Pointer, 0L, 0);

        public override void Dispose()
        {
            Ones.Dispose();
            Words.Dispose();
        }
    }
}
