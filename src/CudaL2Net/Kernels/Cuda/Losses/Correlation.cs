namespace CudaL2Net.Kernels.Cuda;

internal unsafe partial class CudaDevice
{
    public void Correlation(in CorrelationOptions options, float weight, Tensor<float> features, Tensor<float> loss, Tensor<float> gradient)
    {
        (int pairs, int width) = PairShape(features);
        int sides = options.FirstSideOnly ? 1 : 2;
        long side = (long)pairs * width, square = (long)width * width;
        int range = ProductRange(sides * Tiles(width) * Tiles(width), pairs), ranges = Tiles(pairs, range);
        long normalizedCount = options.Exact ? sides * side : 0;
        var products = (float*)Scratch((nuint)((sides * ((ranges + 1) * square)) + normalizedCount + (2L * sides * width)) * sizeof(float));
        float* matrix = products + (sides * ranges * square), terms = matrix + (sides * square), deviations = terms + ((long)sides * width);
        float* normalized = options.Exact ? deviations + ((long)sides * width) : features.Pointer;
        var columns = new Grid(Tiles(width, 32), sides);
        if (options.Exact)
        {
            Launch("correlation", "correlation_normalize", columns, 256, 0, features, normalized, deviations, pairs, width);
        }

        var dimensions = new ProductOperand(normalized, width, transposed: true, side);
        RowProducts(dimensions, width, dimensions, width, pairs, range, products, sides);
        Launch("correlation", "correlation_terms", new Grid(width, sides), 256, 0, products, ranges, (float)(2.0 * weight / ((double)pairs * pairs)), matrix,
            terms, pairs, width);
        ScaledSum(terms, sides * width, 0.5f * weight, loss.Pointer);

        // The matrix is symmetric, so its rows serve as columns.
        RowProducts(new(normalized, width, batch: side), pairs, new(matrix, width, batch: square), width, width, width, gradient.Pointer, sides);
        if (options.Exact)
        {
            Launch("correlation", "correlation_gradient", columns, 256, 0, normalized, deviations, gradient, pairs, width);
        }

        if (options.FirstSideOnly)
        {
            Clear(gradient.Pointer + side, (nuint)side * sizeof(float));
        }
    }
}
