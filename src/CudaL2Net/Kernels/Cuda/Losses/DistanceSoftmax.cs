namespace CudaL2Net.Kernels.Cuda;

internal unsafe partial class CudaDevice
{
    public void DistanceSoftmax(float weight, Tensor<float> descriptors, Tensor<float> loss, Tensor<float> gradient)
    {
        (int pairs, int width) = PairShape(descriptors);
        float* first = descriptors.Pointer, second = first + ((long)pairs * width);
        var softmax = new SoftmaxScratch(this, pairs, width);
        Launch("distance_softmax", "row_squares", Tiles(2 * pairs, 8), 256, 0, descriptors, softmax.Squares, 2 * pairs, width);
        RowProducts(new(second, width), pairs, new(first, width), pairs, width, softmax.Range, softmax.Products);
        PairSoftmax(softmax, descriptors, -1, weight, loss, distances: true);
        Launch("distance_softmax", "pair_column_sums", Tiles(pairs, 32), 256, 0, softmax.Matrix, softmax.SlopeSums, pairs);
        RowProducts(new(softmax.Matrix, pairs, transposed: true), pairs, new(second, width, transposed: true), width, pairs, pairs, gradient.Pointer);
        RowProducts(new(softmax.Matrix, pairs), pairs, new(first, width, transposed: true), width, pairs, pairs, gradient.Pointer + ((long)pairs * width));
        Launch("distance_softmax", "distance_gradient", Blocks((long)pairs * width), 256, 0, descriptors, softmax.Diagonal, softmax.SlopeSums, gradient, pairs,
            width);
    }

    /// <summary>The loss from the products of rows, and its slopes in place of the matrix.</summary>
    private void PairSoftmax(in SoftmaxScratch softmax, Tensor<float> features, float factor, float weight, Tensor<float> loss, bool distances)
    {
        (int pairs, int width) = (softmax.Pairs, softmax.Width);
        float* rowMaxima = softmax.Statistics, rowSums = rowMaxima + pairs, columnMaxima = rowSums + pairs, columnSums = columnMaxima + pairs;
        Launch("distance_softmax", "pair_scores", pairs, 256, 0, softmax.Products, Tiles(width, softmax.Range), distances ? softmax.Squares : null, features,
            width, factor, softmax.Matrix, rowMaxima, rowSums, pairs);
        Launch("distance_softmax", "pair_columns", Tiles(pairs, 32), 256, 0, softmax.Matrix, factor, columnMaxima, columnSums, pairs);
        Launch("distance_softmax", "pair_slopes", pairs, 256, 0, softmax.Matrix, factor, weight, rowMaxima, rowSums, columnMaxima, columnSums, softmax.Terms,
            distances ? softmax.Diagonal : null, softmax.SlopeSums + pairs, pairs);
        ScaledSum(softmax.Terms, pairs, 0.5f * weight, loss.Pointer);
    }

    /// <summary>Intermediate results of a softmax over pairs. The first range's products become the matrix.</summary>
    private readonly struct SoftmaxScratch
    {
        public readonly int Pairs;
        public readonly int Width;
        public readonly int Range;
        public readonly float* Products;
        public readonly float* Statistics;
        public readonly float* Terms;
        public readonly float* Diagonal;
        public readonly float* SlopeSums;
        public readonly float* Squares;

        public SoftmaxScratch(CudaDevice device, int pairs, int width)
        {
            (Pairs, Width) = (pairs, width);
            Range = device.ProductRange(Tiles(pairs) * Tiles(pairs), width);
            nuint products = (nuint)Tiles(width, Range) * (nuint)pairs * (nuint)pairs;
            Products = (float*)device.Scratch((products + (10 * (nuint)pairs)) * sizeof(float));
            Statistics = Products + products;
            Terms = Statistics + (4L * pairs);
            Diagonal = Terms + pairs;
            SlopeSums = Diagonal + pairs;
            Squares = SlopeSums + (2L * pairs);
        }

        public float* Matrix => Products;
    }
}
