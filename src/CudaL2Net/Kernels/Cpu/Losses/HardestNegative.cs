namespace CudaL2Net.Kernels.Cpu;

// neg_i = the smaller of min_j d(y1_i, y2_j) and min_j d(y1_j, y2_i), j != i, without near-duplicates; d is HardNet's
// sqrt(|a - b|^2 + 1e-6) + 1e-8 or 2 (1 - a.b). The p x p matrix is never stored: the rows are one scan over tiles of inner products, the columns a second
// one with the halves exchanged (4 p^2 q operations
// in all, a trifle beside the network's). A squared distance of |a|^2 + |b|^2 - 2 a.b loses its digits near 0, so candidates that near are measured again
// from the differences, and so are all distances that are written.
internal sealed unsafe partial class CpuDevice
{
    /// <summary>Below this share of |a|^2 + |b|^2 a squared distance is taken from the differences: 1/64 leaves float32 about five digits.</summary>
    private const float CancellationShare = 1f / 64;

    public void HardestNegative(
        in HardestNegativeOptions options, Tensor<float> descriptors, Tensor<float> positive, Tensor<float> negative, Tensor<int> negativePair)
    {
        (int pairs, int width) = PairShape(descriptors);
        float* y = descriptors.Pointer;
        int padded = InnerProducts.Panels(pairs, InnerProducts.ColumnTile) * InnerProducts.ColumnTile;
        float* panels = Scratch(0, 2 * (nuint)padded * (nuint)width);
        float* packed = Scratch(1, (nuint)(pool.Threads * ProductScan.BlockRows) * (nuint)width);
        float* squares = Scratch(2, 2 * (nuint)padded);
        float* best = Scratch(3, 4 * (nuint)pairs);
        int* bestIndex = (int*)(best + (2 * pairs));
        bool euclidean = options.Distance == DescriptorDistance.Euclidean;
        for (int half = 0; half < 2; half++)
        {
            float* rows = y + ((long)half * pairs * width);
            PackPanels(new MatrixOperand(rows, width, 1), pairs, width, panels + ((long)half * padded * width), InnerProducts.ColumnTile);
            for (int row = 0; row < padded; row++)
            {
                float* a = rows + ((long)row * width);
                squares[(half * padded) + row] = row >= pairs ? float.PositiveInfinity : euclidean ? Vectors.Dot(a, a, width) : 2;
            }
        }

        int blocks = InnerProducts.Panels(pairs, ProductScan.BlockRows);
        var job = new MiningJob
        {
            Options = options,
            Descriptors = y,
            Pairs = pairs,
            Padded = padded,
            Width = width,
            Blocks = blocks,
            Panels = panels,
            Packed = packed,
            Squares = squares,
            Best = best,
            BestIndex = bestIndex,
        };
        pool.For(2 * blocks, job);
        for (int pair = 0; pair < pairs; pair++)
        {
            positive.Pointer[pair] = DistanceBetween(options.Distance, y + ((long)pair * width), y + ((long)(pairs + pair) * width), width);
            bool fromRow = best[pair] <= best[pairs + pair];
            int other = fromRow ? bestIndex[pair] : bestIndex[pairs + pair];
            int first = other < 0 ? -1 : fromRow ? pair : other;
            int second = other < 0 ? -1 : fromRow ? pairs + other : pairs + pair;
            negativePair.Pointer[2 * pair] = first;
            negativePair.Pointer[(2 * pair) + 1] = second;
            negative.Pointer[pair] = other < 0
                ? float.PositiveInfinity
                : DistanceBetween(options.Distance, y + ((long)first * width), y + ((long)second * width), width);
        }
    }

    /// <summary>One distance, from the differences.</summary>
    private static float DistanceBetween(DescriptorDistance kind, float* a, float* b, int width) => kind == DescriptorDistance.Euclidean
        ? MathF.Sqrt(Vectors.SquaredDistance(a, b, width) + EuclideanInsideRoot) + EuclideanOffset
        : 2 * (1 - Vectors.Dot(a, b, width));

    private struct MiningJob : IParallelJob
    {
        public HardestNegativeOptions Options;
        public float* Descriptors;
        public int Pairs;
        public int Padded;
        public int Width;
        public int Blocks;
        public float* Panels;
        public float* Packed;
        public float* Squares;
        public float* Best;
        public int* BestIndex;

        public readonly void Run(int index, int worker)
        {
            int half = index / Blocks, other = 1 - half, firstRow = (index % Blocks) * ProductScan.BlockRows;
            int count = Math.Min(ProductScan.BlockRows, Pairs - firstRow);
            var visitor = new MiningVisitor
            {
                Options = Options,
                Rows = Descriptors + (((long)half * Pairs) + firstRow) * Width,
                Columns = Descriptors + ((long)other * Pairs * Width),
                FirstRow = firstRow,
                ColumnCount = Pairs,
                Width = Width,
                RowSquares = Squares + (half * Padded) + firstRow,
                ColumnSquares = Squares + (other * Padded),
                Best = Best + (half * Pairs) + firstRow,
                BestIndex = BestIndex + (half * Pairs) + firstRow,
            };
            new Span<float>(visitor.Best, count).Fill(float.PositiveInfinity);
            new Span<int>(visitor.BestIndex, count).Fill(-1);
            var rows = new MatrixOperand(Descriptors + ((long)half * Pairs * Width), Width, 1);
            float* panels = Panels + ((long)other * Padded * Width);
            float* packed = Packed + ((long)worker * ProductScan.BlockRows * Width);
            ProductScan.Run(rows, firstRow, count, panels, visitor.ColumnSquares, Pairs, Width, packed, ref visitor);
        }
    }

    private struct MiningVisitor : IScoreVisitor
    {
        public HardestNegativeOptions Options;
        public float* Rows;
        public float* Columns;
        public int FirstRow;
        public int ColumnCount;
        public int Width;
        public float* RowSquares;
        public float* ColumnSquares;
        public float* Best;
        public int* BestIndex;

        public readonly void Visit(int row, int firstColumn, float* scores, ref float threshold)
        {
            int columns = Math.Min(InnerProducts.ColumnTile, ColumnCount - firstColumn);
            for (int c = 0; c < columns; c++)
            {
                int column = firstColumn + c;
                if (!(scores[c] < threshold) || column == FirstRow + row)
                {
                    continue;
                }

                float distance = Distance(row, column, scores[c]);
                if (distance >= Options.NearDuplicate && distance < Best[row])
                {
                    Best[row] = distance;
                    BestIndex[row] = column;
                    threshold = scores[c];
                }
            }
        }

        private readonly float Distance(int row, int column, float score)
        {
            if (Options.Distance == DescriptorDistance.Angular)
            {
                return score;
            }

            float squared = score + RowSquares[row];
            if (squared < CancellationShare * (RowSquares[row] + ColumnSquares[column]))
            {
                squared = Vectors.SquaredDistance(Rows + ((long)row * Width), Columns + ((long)column * Width), Width);
            }

            return MathF.Sqrt(squared + EuclideanInsideRoot) + EuclideanOffset;
        }
    }
}
