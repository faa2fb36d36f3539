using System.Runtime.CompilerServices;

namespace CudaL2Net.Kernels.Cpu;

// What searches for the nearest targets and for those within a radius share. Euclidean: a scan over tiles of inner products, at nearly the rate of the
// multiply-adds (100,000 x 100,000 x 128: 2.6 TFLOP; the matrix of 40 GB never exists), says which pairs can be near enough, and only these are measured. With
// |P - a.b| <= e |a| |b| a squared distance is at least (1 - e)(|a|^2 + |b|^2) - 2 P: a target with (1 - e)|b|^2 - 2 P above limit^2 - (1 - e)|a|^2 is farther
// than the limit. Hamming: by tables for 128 targets at a time, or by population counts of 64 bits.
internal sealed unsafe partial class CpuDevice
{
    /// <summary>2^-23: from 1 to the next float.</summary>
    private const float FloatStep = 1f / (1 << 23);

    public SearchTargets<float> Prepare(Tensor<float> rows) => new FloatTargets(this, rows);

    public SearchTargets<byte> Prepare(Tensor<byte> rows) => new BitTargets(this, rows);

    /// <summary>1 - e: with e how far an inner product and the squares can be off, as a share of them, with room to spare.</summary>
    private static float Share(int width) => 1 - (((2f * width) + 32) * FloatStep);

    private EuclideanScan StartEuclidean(Tensor<float> queries, FloatTargets targets) => new()
    {
        Queries = queries.Pointer,
        Rows = queries.Shape[0],
        Targets = targets.Rows.Pointer,
        Columns = targets.Count,
        Width = targets.Width,
        Panels = targets.Panels.Pointer,
        Squares = targets.Squares.Pointer,
        Packed = Scratch(0, (nuint)(pool.Threads * ProductScan.BlockRows) * (nuint)targets.Width),
    };

    private struct EuclideanScan
    {
        // More than what squares and products lose where they underflow.
        private const float Tiny = 7.9e-31f;

        public float* Queries;
        public int Rows;
        public float* Targets;
        public int Columns;
        public int Width;
        public float* Panels;
        public float* Squares;

        /// <summary>Each worker's room for a packed block of queries.</summary>
        public float* Packed;

        public readonly int Blocks => InnerProducts.Panels(Rows, ProductScan.BlockRows);

        /// <summary>Rows of a block, which starts at <paramref name="firstRow"/>.</summary>
        public readonly int RowsOf(int firstRow) => Math.Min(ProductScan.BlockRows, Rows - firstRow);

        /// <summary>Shows a visitor the columns of a block that are below its thresholds.</summary>
        public readonly void Run<TVisitor>(int firstRow, int worker, ref TVisitor visitor)
            where TVisitor : unmanaged, IScoreVisitor => ProductScan.Run(
                new MatrixOperand(Queries, Width, 1), firstRow, RowsOf(firstRow), Panels, Squares, Columns, Width,
                Packed + ((long)worker * ProductScan.BlockRows * Width), ref visitor);

        /// <summary>The score above which a target is farther from a query than a distance.</summary>
        public readonly float Threshold(int row, float distance)
        {
            float* query = Queries + ((long)row * Width);

            // Measured distances are off by less than the slack.
            float slack = 1 + ((Width + 32) * 2 * FloatStep);
            return (distance * distance * slack) + (Tiny - (Share(Width) * Vectors.Dot(query, query, Width)));
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly float Measure(int row, int column) =>
            MathF.Sqrt(Vectors.SquaredDistance(Queries + ((long)row * Width), Targets + ((long)column * Width), Width));
    }

    /// <summary>The rows in panels, and their squared lengths times 1 - e.</summary>
    private sealed class FloatTargets : SearchTargets<float>
    {
        private readonly CpuDevice device;

        public FloatTargets(CpuDevice device, Tensor<float> rows)
            : base(rows)
        {
            this.device = device;
            int padded = InnerProducts.Panels(Count, InnerProducts.ColumnTile) * InnerProducts.ColumnTile;
            Panels = device.Allocate<float>(padded, Width);
            Squares = device.Allocate<float>(padded);
            Refresh();
        }

        public Tensor<float> Panels { get; }

        public Tensor<float> Squares { get; }

        public override void Refresh() => device.pool.For(
            InnerProducts.Panels(Count, InnerProducts.ColumnTile),
            new FloatPackJob { Rows = Rows.Pointer, Count = Count, Width = Width, Panels = Panels.Pointer, Squares = Squares.Pointer });

        public override void Dispose()
        {
            Panels.Dispose();
            Squares.Dispose();
        }
    }

    private struct FloatPackJob : IParallelJob
    {
        public float* Rows;
        public int Count;
        public int Width;
        public float* Panels;
        public float* Squares;

        public readonly void Run(int index, int worker)
        {
            int first = index * InnerProducts.ColumnTile, count = Math.Min(InnerProducts.ColumnTile, Count - first);
            InnerProducts.Pack(new MatrixOperand(Rows, Width, 1), first, count, Width, Panels + ((long)first * Width), InnerProducts.ColumnTile);
            for (int row = first; row < first + InnerProducts.ColumnTile; row++)
            {
                float* at = Rows + ((long)row * Width);
                Squares[row] = row < Count ? Share(Width) * Vectors.Dot(at, at, Width) : float.PositiveInfinity;
            }
        }
    }

    /// <summary>The rows as <see cref="HammingScan"/> takes them, where it does.</summary>
    private sealed class BitTargets : SearchTargets<byte>
    {
        private readonly CpuDevice device;

        public BitTargets(CpuDevice device, Tensor<byte> rows)
            : base(rows)
        {
            this.device = device;
            Groups = (Count + HammingScan.Group - 1) / HammingScan.Group;
            Packed = HammingScan.Fits(Width) ? device.Allocate<byte>(Groups, HammingScan.GroupLength(Width)) : null;
            Refresh();
        }

        public Tensor<byte>? Packed { get; }

        private int Groups { get; }

        public override void Refresh()
        {
            if (Packed is not null)
            {
                device.pool.For(Groups, new BitPackJob { Targets = Rows.Pointer, Columns = Count, Width = Width, Packed = Packed.Pointer });
            }
        }

        public override void Dispose() => Packed?.Dispose();
    }

    private struct BitPackJob : IParallelJob
    {
        public byte* Targets;
        public int Columns;
        public int Width;
        public byte* Packed;

        public readonly void Run(int index, int worker)
        {
            int first = index * HammingScan.Group;
            HammingScan.Pack(Targets + ((nint)first * Width), Math.Min(HammingScan.Group, Columns - first), Width,
                Packed + ((nint)index * HammingScan.GroupLength(Width)));
        }
    }
}
