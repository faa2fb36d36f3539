namespace CudaL2Net.Kernels.Cuda;

internal unsafe partial class CudaDevice
{
    public void Correlation(in CorrelationOptions options, float weight, Tensor<float> features, Tensor<float> loss, Tensor<float> gradient)
    {
        (int pairs, int width) = PairShape(features);
        int halves = options.FirstHalfOnly ? 1 : 2;
        long half = (long)pairs * width, square = (long)width * width;
        int range = ProductRange(halves * Tiles(width) * Tiles(width), pairs), ranges = Tiles(pairs, range);
        long normalizedCount = options.Exact ? halves * half : 0;
        var products = (float*)Scratch((nuint)((halves * ((ranges + 1) * square)) + normalizedCount + (2L * halves * width)) * sizeof(float));
        float* matrix = products + (halves * ranges * square), terms = matrix + (halves * square), deviations = terms + ((long)halves * width);
        float* normalized = options.Exact ? deviations + ((long)halves * width) : features.Pointer;
        var columns = new Grid(Tiles(width, 32), halves);
        if (options.Exact)
        {
            Launch("correlation", "correlation_normalize", columns, 256, 0, features, normalized, deviations, pairs, width);
        }

        var dimensions = new ProductOperand(normalized, width, transposed: true, half);
        RowProducts(dimensions, width, dimensions, width, pairs, range, products, halves);
        Launch("correlation", "correlation_terms", new Grid(width, halves), 256, 0, products, ranges, (float)(2.0 * weight / ((double)pairs * pairs)), matrix,
            terms, pairs, width);
        ScaledSum(terms, halves * width, 0.5f * weight, loss.Pointer);

        // The matrix is symmetric, so its rows serve as columns.
        RowProducts(new(normalized, width, batch: half), pairs, new(matrix, width, batch: square), width, width, width, gradient.Pointer, halves);
        if (options.Exact)
        {
            Launch("correlation", "correlation_gradient", columns, 256, 0, normalized, deviations, gradient, pairs, width);
        }

        if (options.FirstHalfOnly)
        {
            Clear(gradient.Pointer + half, (nuint)half * sizeof(float));
        }
    }
}
